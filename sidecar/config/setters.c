/* The setters of the configuration directives: arguments to fields. */
#include "setters.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "alloc.h"
#include "config_values.h"
#include "event.h"
#include "log.h"
#include "paths.h"
#include "store.h"
#include "trust.h"

enum { GATHER_DELAY_MAX_MS = 20 };

static const char is_duplicate[] = "is duplicate";
static const char invalid_value[] = "has an invalid value";

const char *
setters_explain(char **detail, const char *before, const char *name,
                const char *after)
{
    *detail = alloc_format("%s \"%s\"%s", before, name, after);
    return *detail;
}

static void *
field_at(void *base, const struct directive *directive)
{
    return (char *)base + directive->offset;
}

const char *
set_time(struct config *config, struct location_config *location,
         const struct directive *directive, const struct statement *statement,
         char **detail)
{
    (void)location;
    (void)detail;
    return parse_time(statement->args[1], field_at(config, directive))
               ? NULL
               : invalid_value;
}

const char *
set_number(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    int64_t *number = field_at(config, directive);

    (void)location;
    (void)detail;
    return parse_size(statement->args[1], number) && *number > 0 &&
                   *number <= INT_MAX
               ? NULL
               : invalid_value;
}

const char *
set_worker_threads(struct config *config, struct location_config *location,
                   const struct directive *directive,
                   const struct statement *statement, char **detail)
{
    const char *error =
        set_number(config, location, directive, statement, detail);

    return error == NULL && config->worker_threads > 256 ? invalid_value
                                                         : error;
}

const char *
set_gather_delay(struct config *config, struct location_config *location,
                 const struct directive *directive,
                 const struct statement *statement, char **detail)
{
    int64_t *delay_ms = field_at(config, directive);

    (void)location;
    (void)detail;
    *delay_ms = 0;
    return strcmp(statement->args[1], "off") == 0 ||
                   (parse_time(statement->args[1], delay_ms) &&
                    *delay_ms <= GATHER_DELAY_MAX_MS)
               ? NULL
               : "takes 1ms to 20ms, or \"off\"";
}

const char *
set_flag(struct config *config, struct location_config *location,
         const struct directive *directive, const struct statement *statement,
         char **detail)
{
    bool *flag = field_at(config, directive);

    (void)location;
    (void)detail;
    *flag = strcmp(statement->args[1], "on") == 0;
    return *flag || strcmp(statement->args[1], "off") == 0
               ? NULL
               : "takes \"on\" or \"off\"";
}

/* Before there are threads. NOLINTBEGIN(concurrency-mt-unsafe) */
const char *
set_user(struct config *config, struct location_config *location,
         const struct directive *directive, const struct statement *statement,
         char **detail)
{
    const char *group = statement->count > 2 ? statement->args[2] : NULL;

    (void)location;
    (void)directive;
    if (getpwnam(statement->args[1]) == NULL) {
        return setters_explain(detail, "names the unknown user",
                               statement->args[1], "");
    }
    if (group != NULL && getgrnam(group) == NULL) {
        return setters_explain(detail, "names the unknown group", group, "");
    }
    config->user = alloc_string(statement->args[1]);
    config->group = group != NULL ? alloc_string(group) : NULL;
    return NULL;
}
/* NOLINTEND(concurrency-mt-unsafe) */

const char *
set_string(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    char **text = field_at(config, directive);

    (void)location;
    (void)detail;
    if (*text != NULL) {
        return is_duplicate;
    }
    *text = alloc_string(statement->args[1]);
    return NULL;
}

/* Some of these go into response headers, which a line feed would end. */
static bool
has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

const char *
set_location_string(struct config *config, struct location_config *location,
                    const struct directive *directive,
                    const struct statement *statement, char **detail)
{
    char **text = field_at(location, directive);

    (void)config;
    (void)detail;
    if (*text != NULL) {
        return is_duplicate;
    }
    if (statement->args[1][0] == '\0' || has_control(statement->args[1])) {
        return invalid_value;
    }
    *text = alloc_string(statement->args[1]);
    return NULL;
}

const char *
set_error_log(struct config *config, struct location_config *location,
              const struct directive *directive,
              const struct statement *statement, char **detail)
{
    (void)location;
    (void)directive;
    (void)detail;
    if (config->error_log != NULL) {
        return is_duplicate;
    }
    config->error_log_level = LOG_ERR; /* nginx's default */
    if (statement->count > 2) {
        config->error_log_level = log_level(statement->args[2]);
    }
    if (config->error_log_level < 0) {
        return "has an invalid log level";
    }
    config->error_log = alloc_string(statement->args[1]);
    return NULL;
}

const char *
set_key(struct config *config, struct location_config *location,
        const struct directive *directive, const struct statement *statement,
        char **detail)
{
    struct stat st;

    (void)location;
    (void)directive;
    (void)detail;
    if (!trust_is_key(statement->args[1])) {
        return "takes 12 to 16 letters and digits";
    }
    config->key = alloc_string(statement->args[1]);
    config->key_is_public =
        stat(statement->file, &st) == 0 && (st.st_mode & S_IROTH) != 0;
    return NULL;
}

/* The name goes through log lines and JSON. */
static bool
is_zone_name(const char *name)
{
    size_t len = 0;

    for (; name[len] != '\0'; len++) {
        if (name[len] <= ' ' || name[len] > '~') {
            return false;
        }
    }
    return len > 0 && len < EVENT_ZONE_MAX;
}

const char *
set_zone(struct config *config, struct location_config *location,
         const struct directive *directive, const struct statement *statement,
         char **detail)
{
    struct zone_config **last = &config->zones;
    int64_t size_bytes;
    int count = 0;

    (void)location;
    (void)directive;
    (void)detail;
    if (!is_zone_name(statement->args[1])) {
        return "has an invalid name: up to 63 printable ASCII characters";
    }
    if (!parse_size(statement->args[2], &size_bytes)) {
        return "has an invalid size";
    }
    if (size_bytes < ZONE_SIZE_MIN) {
        return "has a zone that is too small: at least 32k are needed";
    }
    if (config_zone(config, statement->args[1]) != NULL) {
        return "has the name of another zone";
    }
    while (*last != NULL) {
        last = &(*last)->next;
        count++;
    }
    if (count == ZONES_MAX) {
        return "is one zone too many: 64 are possible";
    }
    *last = alloc_zeroed(1, sizeof(**last));
    (*last)->name = alloc_string(statement->args[1]);
    (*last)->size_bytes = size_bytes;
    return NULL;
}

const char *
set_track(struct config *config, struct location_config *location,
          const struct directive *directive, const struct statement *statement,
          char **detail)
{
    struct track_config **last = &location->tracks;
    int64_t ttl_ms;

    (void)config;
    (void)directive;
    (void)detail;
    if (!parse_time(statement->args[2], &ttl_ms)) {
        return "has an invalid time";
    }
    for (; *last != NULL; last = &(*last)->next) {
        /* Uploads to one place are tracked in one zone. */
        if (location->level != LEVEL_MAIN ||
            strcmp((*last)->zone, statement->args[1]) == 0) {
            return is_duplicate;
        }
    }
    *last = alloc_zeroed(1, sizeof(**last));
    (*last)->zone = alloc_string(statement->args[1]);
    (*last)->ttl_ms = ttl_ms;
    return NULL;
}

const char *
set_output(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    (void)config;
    (void)statement;
    (void)detail;
    /* As in the module, an output sets templates and type; the last holds. */
    for (int state = 0; state < UPLOAD_STATES; state++) {
        free(location->texts[state]);
        location->texts[state] = NULL;
    }
    free(location->content_type);
    location->content_type = NULL;
    location->output = output_find(directive->name);
    return NULL;
}

static int
find_state(const char *name)
{
    for (int i = 0; i < UPLOAD_STATES; i++) {
        const char *state = state_name((enum upload_state)i);

        if (strcmp(name, state) == 0 ||
            (strlen(name) == 2 && strncmp(name, state, 2) == 0)) {
            return i;
        }
    }
    return -1;
}

const char *
set_template(struct config *config, struct location_config *location,
             const struct directive *directive,
             const struct statement *statement, char **detail)
{
    int state = find_state(statement->args[1]);
    struct template *template;
    char *unknown = NULL;

    (void)config;
    (void)directive;
    if (state < 0) {
        return setters_explain(detail, "has the unknown state",
                               statement->args[1], "");
    }
    if (location->texts[state] != NULL) {
        return is_duplicate;
    }
    template = template_compile(statement->args[2], ESCAPE_NONE, &unknown);
    if (template == NULL) {
        if (unknown[0] == '$') {
            setters_explain(detail, "lacks the closing bracket of", unknown,
                            "");
        } else {
            setters_explain(detail, "has the unknown", unknown, " variable");
        }
        free(unknown);
        return *detail;
    }
    template_free(template);
    location->texts[state] = alloc_string(statement->args[2]);
    return NULL;
}

const char *
set_gauges(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    (void)location;
    (void)directive;
    (void)detail;
    if (config->gauges_set) {
        return is_duplicate;
    }
    config->gauges_set = true;
    if (statement->count == 2 && strcmp(statement->args[1], "off") == 0) {
        return NULL;
    }
    for (int i = 1; i < statement->count; i++) {
        if (strcmp(statement->args[i], "spool") == 0) {
            config->gauges[GAUGE_SPOOL] = true;
        } else if (strcmp(statement->args[i], "socket") == 0) {
            config->gauges[GAUGE_SOCKET] = true;
        } else {
            return "takes \"spool\", \"socket\" or \"off\"";
        }
    }
    return NULL;
}

static struct location_config *
add_level(struct config *config, enum config_level level,
          struct location_config *parent)
{
    struct location_config **last = &config->locations;

    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = alloc_zeroed(1, sizeof(**last));
    (*last)->level = level;
    (*last)->parent = parent;
    return *last;
}

const char *
set_location(struct config *config, struct location_config *location,
             const struct directive *directive,
             const struct statement *statement, char **detail)
{
    const char *uri = statement->args[statement->count - 1];
    const char *modifier = statement->count > 2 ? statement->args[1] : "";
    bool exact = strcmp(modifier, "=") == 0;
    struct location_config *added;

    (void)directive;
    if (!exact && modifier[0] != '\0' && strcmp(modifier, "^~") != 0) {
        return "takes \"=\" or \"^~\", not regular expressions";
    }
    if (uri[0] != '/') {
        return "needs a URI that begins with \"/\"";
    }
    if (location->uri != NULL &&
        strncmp(uri, location->uri, strlen(location->uri)) != 0) {
        return setters_explain(detail, "is outside of location", location->uri,
                               "");
    }
    for (added = config->locations; added != NULL; added = added->next) {
        if (added->parent == location && added->uri != NULL &&
            added->exact == exact && strcmp(added->uri, uri) == 0) {
            return "has the URI of another location";
        }
    }
    added = add_level(config, LEVEL_LOCATION, location);
    added->uri = alloc_string(uri);
    added->exact = exact;
    return NULL;
}

const char *
set_nothing(struct config *config, struct location_config *location,
            const struct directive *directive,
            const struct statement *statement, char **detail)
{
    (void)config;
    (void)location;
    (void)directive;
    (void)statement;
    (void)detail;
    return NULL;
}

const char *
set_server(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    (void)directive;
    (void)statement;
    (void)detail;
    add_level(config, LEVEL_SERVER, location);
    return NULL;
}

/* All arguments as a list, in the field of the level. */
const char *
set_list(struct config *config, struct location_config *location,
         const struct directive *directive, const struct statement *statement,
         char **detail)
{
    char ***list = field_at(location, directive);
    int count = statement->count - 1;

    (void)config;
    (void)detail;
    if (*list != NULL) {
        return is_duplicate;
    }
    *list = alloc_zeroed((size_t)count + 1, sizeof(char *));
    for (int i = 0; i < count; i++) {
        (*list)[i] = alloc_string(statement->args[i + 1]);
    }
    return NULL;
}

/* What goes into a response header is one origin, or "*", or "off". */
const char *
set_origins(struct config *config, struct location_config *location,
            const struct directive *directive,
            const struct statement *statement, char **detail)
{
    for (int i = 1; i < statement->count; i++) {
        const char *origin = statement->args[i];
        bool word = strcmp(origin, "*") == 0 || strcmp(origin, "off") == 0 ||
                    strcmp(origin, "null") == 0;

        if (word ? statement->count > 2
                 : strstr(origin, "://") == NULL ||
                       strchr(origin, ' ') != NULL || has_control(origin)) {
            return "takes \"*\", \"off\", or origins like "
                   "\"https://example.org\"";
        }
    }
    return set_list(config, location, directive, statement, detail);
}

const char *
set_unknown(struct config *config, struct location_config *location,
            const struct directive *directive,
            const struct statement *statement, char **detail)
{
    const char *value = statement->args[1];

    (void)config;
    (void)directive;
    (void)detail;
    if (location->unknown != UNKNOWN_UNSET) {
        return is_duplicate;
    }
    if (strcmp(value, "starting") != 0 && strcmp(value, "404") != 0) {
        return "takes \"starting\" or \"404\"";
    }
    location->unknown = value[0] == 's' ? UNKNOWN_STARTING : UNKNOWN_404;
    return NULL;
}
