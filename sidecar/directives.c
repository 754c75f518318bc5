/* The table of all configuration directives, and their setters. */
#include "directives.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "config_values.h"
#include "event.h"
#include "log.h"
#include "paths.h"
#include "store.h"

static const char is_duplicate[] = "is duplicate";
static const char invalid_value[] = "has an invalid value";

static void *
field_at(void *base, const struct directive *directive)
{
    return (char *)base + directive->offset;
}

static const char *
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

static const char *
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

static const char *
set_worker_threads(struct config *config, struct location_config *location,
                   const struct directive *directive,
                   const struct statement *statement, char **detail)
{
    const char *error =
        set_number(config, location, directive, statement, detail);

    return error == NULL && config->worker_threads > 256 ? invalid_value
                                                         : error;
}

static const char *
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

static const char *
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
    if (statement->args[1][0] == '\0') {
        return invalid_value;
    }
    *text = alloc_string(statement->args[1]);
    return NULL;
}

static const char *
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

static const char *
set_listen_parameter(struct listen_config *listen, const char *text)
{
    const char *value = strchr(text, '=');
    char *end;
    long number;

    if (strcmp(text, "fastcgi") == 0) {
        listen->protocol = LISTEN_FASTCGI;
        return NULL;
    }
    if (strcmp(text, "scgi") == 0) {
        listen->protocol = LISTEN_SCGI;
        return NULL;
    }
    if (strcmp(text, "syslog") == 0) {
        listen->protocol = LISTEN_SYSLOG;
        return NULL;
    }
    if (value == NULL) {
        return "has an unknown parameter";
    }
    value++;
    if (strncmp(text, "rcvbuf=", 7) == 0) {
        return parse_size(value, &listen->rcvbuf_bytes) &&
                       listen->rcvbuf_bytes > 0 &&
                       listen->rcvbuf_bytes <= INT_MAX / 2
                   ? NULL
                   : "has an invalid rcvbuf";
    }
    errno = 0;
    number = strtol(value, &end, strncmp(text, "mode=", 5) == 0 ? 8 : 10);
    if (end == value || *end != '\0' || errno != 0 || number <= 0) {
        return "has an invalid parameter";
    }
    if (strncmp(text, "backlog=", 8) == 0 && number <= 65535) {
        listen->backlog = (int)number;
        return NULL;
    }
    if (strncmp(text, "mode=", 5) == 0 && number <= 0777) {
        listen->mode = (unsigned)number;
        return NULL;
    }
    return "has an unknown parameter";
}

static bool
same_address(const struct listen_config *a, const struct listen_config *b)
{
    bool datagram_a = a->protocol == LISTEN_SYSLOG;
    bool datagram_b = b->protocol == LISTEN_SYSLOG;

    return a->address.len == b->address.len &&
           memcmp(&a->address.storage, &b->address.storage, a->address.len) ==
               0 &&
           (datagram_a == datagram_b || address_path(&a->address) != NULL);
}

static const char *
set_listen(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    struct listen_config *listen = alloc_zeroed(1, sizeof(*listen));
    struct listen_config **last = &config->listens;
    const char *error = address_parse(statement->args[1], &listen->address);

    (void)location;
    (void)directive;
    (void)detail;
    listen->backlog = 1024;
    listen->rcvbuf_bytes = 8 << 20;
    listen->mode = 0660;
    for (int i = 2; i < statement->count && error == NULL; i++) {
        error = set_listen_parameter(listen, statement->args[i]);
    }
    for (; error == NULL && *last != NULL; last = &(*last)->next) {
        if (same_address(*last, listen)) {
            error = "has the address of another \"listen\"";
            break;
        }
    }
    if (error != NULL) {
        free(listen);
        return error;
    }
    *last = listen;
    return NULL;
}

static struct zone_config *
find_zone(const struct config *config, const char *name)
{
    struct zone_config *zone = config->zones;

    while (zone != NULL && strcmp(zone->name, name) != 0) {
        zone = zone->next;
    }
    return zone;
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

static const char *
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
    if (find_zone(config, statement->args[1]) != NULL) {
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

/* A message with a name in it. */
static const char *
explain(char **detail, const char *before, const char *name, const char *after)
{
    *detail = alloc_format("%s \"%s\"%s", before, name, after);
    return *detail;
}

static const char *
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

static const char *
set_output(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    (void)config;
    (void)statement;
    (void)detail;
    /* As in the module, an output sets all four templates; the last holds. */
    for (int state = 0; state < UPLOAD_STATES; state++) {
        free(location->texts[state]);
        location->texts[state] = NULL;
    }
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

static const char *
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
        return explain(detail, "has the unknown state", statement->args[1], "");
    }
    if (location->texts[state] != NULL) {
        return is_duplicate;
    }
    template = template_compile(statement->args[2], &unknown);
    if (template == NULL) {
        explain(detail, "has the unknown", unknown, " variable");
        free(unknown);
        return *detail;
    }
    template_free(template);
    location->texts[state] = alloc_string(statement->args[2]);
    return NULL;
}

static const char *
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

static const char *
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
        return explain(detail, "is outside of location", location->uri, "");
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

static const char *
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

static const char *
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

static const char *
set_server_name(struct config *config, struct location_config *location,
                const struct directive *directive,
                const struct statement *statement, char **detail)
{
    int count = statement->count - 1;

    (void)config;
    (void)directive;
    (void)detail;
    if (location->names != NULL) {
        return is_duplicate;
    }
    location->names = alloc_zeroed((size_t)count + 1, sizeof(char *));
    for (int i = 0; i < count; i++) {
        location->names[i] = alloc_string(statement->args[i + 1]);
    }
    return NULL;
}

#define MAIN      CONTEXT_MAIN
#define HTTP      (CONTEXT_MAIN | CONTEXT_HTTP)
#define ANY       (HTTP | CONTEXT_SERVER | CONTEXT_LOCATION)
#define OF(field) offsetof(struct config, field)
#define IN(field) offsetof(struct location_config, field)

/* name, contexts, arguments, block, repeatable, setter, field, default, ... */
const struct directive directives[] = {
    { "error_log", MAIN, 1, 2, BLOCK_NONE, false, set_error_log, 0,
      "stderr notice", "file [level]",
      "where to log, \"stderr\" or a file, and up to which "
      "level: debug, info, notice, warn, error, crit, alert or emerg" },
    { "pid", MAIN, 1, 1, BLOCK_NONE, false, set_string, OF(pid),
      RUNDIR "/upload-progressd.pid", "file",
      "a file that holds the process ID while the daemon runs; the snippets "
      "look whether it is there" },
    { "worker_threads", MAIN, 1, 1, BLOCK_NONE, false, set_worker_threads,
      OF(worker_threads), "2", "number", "threads that answer requests" },
    { "worker_connections", MAIN, 1, 1, BLOCK_NONE, false, set_number,
      OF(worker_connections), "16384", "number",
      "connections from nginx at the same time; further ones are closed" },
    { "listen", MAIN, 1, 6, BLOCK_NONE, true, set_listen, 0, NULL,
      "address [fastcgi|scgi|syslog] [backlog=number] [rcvbuf=size] "
      "[mode=octal]",
      "an address for requests (fastcgi, scgi) or for nginx's log lines "
      "(syslog): unix:path, host:port, or a port of 127.0.0.1" },
    { "client_header_timeout", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(client_header_timeout_ms), "5s", "time",
      "how long a peer may take to send the parameters of a request" },
    { "client_body_timeout", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(client_body_timeout_ms), "60s", "time",
      "how long a peer may pause within a mirrored body" },
    { "keepalive_timeout", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(keepalive_timeout_ms), "10m", "time",
      "how long an idle FastCGI connection stays open; longer than nginx's "
      "own keepalive_timeout of the upstream group" },
    { "upload_progress", HTTP, 2, 2, BLOCK_NONE, true, set_zone, 0, NULL,
      "zone size", "a zone, and the memory that its uploads may take" },
    { "track_uploads", ANY, 2, 2, BLOCK_NONE, true, set_track, 0, NULL,
      "zone time", "how long a finished upload of the zone is kept" },
    { "upload_progress_gauges", MAIN, 1, 2, BLOCK_NONE, false, set_gauges, 0,
      "spool socket", "spool|socket ... | off",
      "where live byte counts are read" },
    { "upload_progress_check_interval", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(check_interval_ms), "5s", "time",
      "how often to look whether an upload that nobody watches still runs" },
    { "upload_progress_inactive_timeout", MAIN, 1, 1, BLOCK_NONE, false,
      set_time, OF(inactive_timeout_ms), "1h", "time",
      "when an upload that no gauge can see is given up for lost" },
    { "include", ANY, 1, 1, BLOCK_NONE, true, set_nothing, 0, NULL, "file",
      "the directives of other files, *, ? and [...] allowed, in its place" },
    { "http", MAIN, 0, 0, BLOCK_HTTP, true, set_nothing, 0, NULL, "{ ... }",
      "what stands here counts as on the top level" },
    { "server", HTTP, 0, 0, BLOCK_LEVEL, true, set_server, 0, NULL, "{ ... }",
      "what holds for the requests of one virtual server" },
    { "server_name", CONTEXT_SERVER, 1, 15, BLOCK_NONE, false, set_server_name,
      0, NULL, "name ...",
      "the names of the server: exact, *.rest, .rest or first.*" },
    { "location", HTTP | CONTEXT_SERVER | CONTEXT_LOCATION, 1, 2, BLOCK_LEVEL,
      true, set_location, 0, NULL, "[=|^~] uri { ... }",
      "how probes of this URI are answered" },
    { "report_uploads", ANY, 1, 1, BLOCK_NONE, false, set_location_string,
      IN(zone), NULL, "zone", "the zone from which probes are answered" },
    { "upload_progress_header", ANY, 1, 1, BLOCK_NONE, false,
      set_location_string, IN(header), "X-Progress-ID", "name",
      "the header, and the query argument, that carry the ID" },
    { "upload_progress_jsonp_parameter", ANY, 1, 1, BLOCK_NONE, false,
      set_location_string, IN(jsonp_parameter), "callback", "name",
      "the query argument that names the callback of a JSONP answer" },
    { "upload_progress_content_type", ANY, 1, 1, BLOCK_NONE, false,
      set_location_string, IN(content_type), NULL, "type",
      "the content type of the answer" },
    { "upload_progress_template", ANY, 2, 2, BLOCK_NONE, true, set_template, 0,
      NULL, "state text",
      "the answer for a state: starting, uploading, done or error" },
    { "upload_progress_json_output", ANY, 0, 0, BLOCK_NONE, false, set_output,
      0, NULL, "", "the module's JSON" },
    { "upload_progress_jsonp_output", ANY, 0, 0, BLOCK_NONE, false, set_output,
      0, NULL, "", "the module's JSONP" },
    { "upload_progress_java_output", ANY, 0, 0, BLOCK_NONE, false, set_output,
      0, NULL, "", "the module's JavaScript object" },
    { "upload_progress_xml_output", ANY, 0, 0, BLOCK_NONE, false, set_output, 0,
      NULL, "", "XML" },
    { "upload_progress_detail_output", ANY, 0, 0, BLOCK_NONE, false, set_output,
      0, NULL, "", "all that is known, as JSON" },
    { NULL, 0, 0, 0, BLOCK_NONE, false, NULL, 0, NULL, NULL, NULL },
};

const struct directive *
directive_find(const char *name)
{
    for (const struct directive *d = directives; d->name != NULL; d++) {
        if (strcmp(d->name, name) == 0) {
            return d;
        }
    }
    return NULL;
}
