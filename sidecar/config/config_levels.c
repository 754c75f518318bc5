/*
 * The levels of the configuration: inheritance, and which one a URI is in; and
 * the zones by their names.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "alloc.h"
#include "config.h"

static void
inherit_text(char **own, const char *from)
{
    if (*own == NULL && from != NULL) {
        *own = alloc_string(from);
    }
}

static void
inherit_list(char ***own, char *const *from)
{
    size_t count = 0;

    if (*own != NULL || from == NULL) {
        return;
    }
    while (from[count] != NULL) {
        count++;
    }
    *own = alloc_zeroed(count + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        (*own)[i] = alloc_string(from[i]);
    }
}

static void
compile(struct location_config *level)
{
    char *unknown = NULL;

    for (int state = 0; state < UPLOAD_STATES; state++) {
        if (level->texts[state] != NULL) {
            /* Each text was compiled once before, to check it. */
            level->templates[state] = template_compile(
                level->texts[state], escape_for(level->content_type), &unknown);
        }
    }
}

/* Texts and content type of the level's own output, else its parent's. */
static void
inherit_output(struct location_config *level,
               const struct location_config *from)
{
    for (int state = 0; state < UPLOAD_STATES; state++) {
        inherit_text(&level->texts[state], level->output != NULL
                                               ? level->output->templates[state]
                                               : from->texts[state]);
    }
    inherit_text(&level->content_type, level->output != NULL
                                           ? level->output->content_type
                                           : from->content_type);
    if (level->output == NULL) {
        level->output = from->output;
    }
    compile(level);
}

void
config_inherit(struct config *config)
{
    inherit_output(&config->main, &config->main);
    for (struct location_config *l = config->locations; l; l = l->next) {
        inherit_text(&l->zone, l->parent->zone);
        inherit_text(&l->header, l->parent->header);
        inherit_text(&l->jsonp_parameter, l->parent->jsonp_parameter);
        inherit_list(&l->origins, l->parent->origins);
        if (l->unknown == UNKNOWN_UNSET) {
            l->unknown = l->parent->unknown;
        }
        inherit_output(l, l->parent);
    }
}

/* nginx's names: exact, "*.rest" or ".rest", "first.*"; without case. */
static bool
name_matches(const char *name, const char *host, size_t host_len)
{
    size_t len = strlen(name);

    if (name[0] == '.' && len - 1 == host_len) {
        return strncasecmp(name + 1, host, host_len) == 0;
    }
    if (strncmp(name, "*.", 2) == 0 || name[0] == '.') {
        const char *rest = name + (name[0] == '*');
        size_t rest_len = strlen(rest);

        return host_len > rest_len &&
               strncasecmp(rest, host + host_len - rest_len, rest_len) == 0;
    }
    if (len > 2 && strcmp(name + len - 2, ".*") == 0) {
        return host_len > len - 1 && strncasecmp(name, host, len - 1) == 0;
    }
    return len == host_len && strncasecmp(name, host, len) == 0;
}

static bool
server_matches(const struct location_config *server, const char *host)
{
    size_t host_len = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");

    for (char **name = server->names; name != NULL && *name != NULL; name++) {
        if (name_matches(*name, host, host_len)) {
            return true;
        }
    }
    return false;
}

static const struct location_config *
find_server(const struct config *config, const char *host)
{
    const struct location_config *first = NULL;

    for (const struct location_config *l = config->locations; l; l = l->next) {
        if (l->level != LEVEL_SERVER) {
            continue;
        }
        if (server_matches(l, host)) {
            return l;
        }
        first = first != NULL ? first : l;
    }
    return first;
}

/* Whether a location is in the server, or in none. */
static bool
is_within(const struct location_config *location,
          const struct location_config *server)
{
    const struct location_config *level = location;

    while (level->level == LEVEL_LOCATION) {
        level = level->parent;
    }
    return level->level == LEVEL_MAIN || level == server;
}

const struct location_config *
config_location(const struct config *config, const char *host, const char *uri)
{
    const struct location_config *server = find_server(config, host);
    const struct location_config *best =
        server != NULL ? server : &config->main;
    size_t best_len = 0;

    for (const struct location_config *l = config->locations; l; l = l->next) {
        size_t len = l->level == LEVEL_LOCATION ? strlen(l->uri) : 0;

        if (len == 0 || !is_within(l, server)) {
            continue;
        }
        if (l->exact && strcmp(l->uri, uri) == 0) {
            return l;
        }
        if (!l->exact && len > best_len && strncmp(l->uri, uri, len) == 0) {
            best = l;
            best_len = len;
        }
    }
    return best;
}

const struct track_config *
config_track(const struct location_config *location)
{
    while (location != NULL && location->tracks == NULL) {
        location = location->parent;
    }
    return location != NULL ? location->tracks : NULL;
}

static void
free_list(char **list)
{
    for (char **text = list; text != NULL && *text != NULL; text++) {
        free(*text);
    }
    free(list);
}

void
config_release_location(struct location_config *level)
{
    for (struct track_config *t = level->tracks, *next; t; t = next) {
        next = t->next;
        free(t->zone);
        free(t);
    }
    free_list(level->names);
    free_list(level->origins);
    for (int state = 0; state < UPLOAD_STATES; state++) {
        template_free(level->templates[state]);
        free(level->texts[state]);
    }
    free(level->uri);
    free(level->zone);
    free(level->content_type);
    free(level->header);
    free(level->jsonp_parameter);
}

struct zone_config *
config_zone(const struct config *config, const char *name)
{
    struct zone_config *zone = config->zones;

    while (zone != NULL && strcmp(zone->name, name) != 0) {
        zone = zone->next;
    }
    return zone;
}
