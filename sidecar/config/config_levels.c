/* The levels of the configuration: inheritance; the zones by their names. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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

    level->escape = escape_for(level->content_type);
    for (int state = 0; state < UPLOAD_STATES; state++) {
        if (level->texts[state] != NULL) {
            /* Each text was compiled once before, to check it. */
            level->templates[state] =
                template_compile(level->texts[state], level->escape, &unknown);
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

/* "X-Progress-ID" comes as HTTP_X_PROGRESS_ID (RFC 3875, section 4.1.18). */
static void
name_header_param(struct location_config *level)
{
    level->header_param = alloc_format("HTTP_%s", level->header);
    for (char *p = level->header_param; *p != '\0'; p++) {
        *p = (char)(*p == '-' ? '_' : toupper((unsigned char)*p));
    }
}

void
config_inherit(struct config *config)
{
    inherit_output(&config->main, &config->main);
    name_header_param(&config->main);
    for (struct location_config *l = config->locations; l; l = l->next) {
        inherit_text(&l->zone, l->parent->zone);
        inherit_text(&l->header, l->parent->header);
        name_header_param(l);
        inherit_text(&l->jsonp_parameter, l->parent->jsonp_parameter);
        inherit_list(&l->origins, l->parent->origins);
        if (l->unknown == UNKNOWN_UNSET) {
            l->unknown = l->parent->unknown;
        }
        inherit_output(l, l->parent);
    }
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
    free(level->header_param);
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
