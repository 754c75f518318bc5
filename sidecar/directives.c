/* The table of all configuration directives, and their setters. */
#include "directives.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
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

/* A number and a unit out of a list of units and their factors. */
struct unit {
    const char *name;
    int64_t factor;
};

static bool
parse_with_units(const char **text, const struct unit *units, int64_t *value)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(*text, &end, 10);
    if (!isdigit((unsigned char)**text) || errno != 0) {
        return false;
    }
    for (const struct unit *u = units; u->name != NULL; u++) {
        size_t len = strlen(u->name);

        /* "m" is not the "m" of "ms". */
        if (strncmp(end, u->name, len) == 0 && !isalpha(end[len])) {
            if (number > INT64_MAX / 4 / u->factor) {
                return false;
            }
            *value = number * u->factor;
            *text = end + len;
            return true;
        }
    }
    return false;
}

/* nginx's sizes: bytes, k and K, m and M, g and G. */
static bool
parse_size(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {
        { "k", 1 << 10 }, { "K", 1 << 10 }, { "m", 1 << 20 }, { "M", 1 << 20 },
        { "g", 1 << 30 }, { "G", 1 << 30 }, { "", 1 },        { NULL, 0 },
    };

    return parse_with_units(&text, units, bytes) && *text == '\0';
}

/* nginx's times: ms s m h d w M y, several together, seconds without one. */
static bool
parse_time(const char *text, int64_t *ms)
{
    static const struct unit units[] = {
        { "ms", 1 },         { "s", 1000 },        { "m", 60000 },
        { "h", 3600000 },    { "d", 86400000 },    { "w", 604800000 },
        { "M", 2592000000 }, { "y", 31536000000 }, { "", 1000 },
        { NULL, 0 },
    };
    int64_t total = 0;
    int64_t part;

    while (*text != '\0') {
        if (!parse_with_units(&text, units, &part)) {
            return false;
        }
        total += part;
        text += strspn(text, " ");
    }
    *ms = total;
    return total > 0;
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
unknown_zone(const char *name, char **detail)
{
    return explain(detail, "names the unknown zone", name, "");
}

static const char *
set_track(struct config *config, struct location_config *location,
          const struct directive *directive, const struct statement *statement,
          char **detail)
{
    struct zone_config *zone = find_zone(config, statement->args[1]);

    (void)location;
    (void)directive;
    if (zone == NULL) {
        return unknown_zone(statement->args[1], detail);
    }
    if (zone->ttl_ms != 0) {
        return is_duplicate;
    }
    return parse_time(statement->args[2], &zone->ttl_ms)
               ? NULL
               : "has an invalid time";
}

static const char *
set_report(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    if (find_zone(config, statement->args[1]) == NULL) {
        return unknown_zone(statement->args[1], detail);
    }
    return set_location_string(config, location, directive, statement, detail);
}

static const char *
set_output(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    (void)config;
    (void)statement;
    (void)detail;
    if (location->output != NULL) {
        return "is one of several outputs in this block";
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

static const char *
set_location(struct config *config, struct location_config *location,
             const struct directive *directive,
             const struct statement *statement, char **detail)
{
    struct location_config **last = &config->locations;
    const char *uri = statement->args[statement->count - 1];
    const char *modifier = statement->count > 2 ? statement->args[1] : "";
    bool exact = strcmp(modifier, "=") == 0;

    (void)location;
    (void)directive;
    (void)detail;
    if (!exact && modifier[0] != '\0' && strcmp(modifier, "^~") != 0) {
        return "takes \"=\" or \"^~\", not regular expressions";
    }
    if (uri[0] != '/') {
        return "needs a URI that begins with \"/\"";
    }
    for (; *last != NULL; last = &(*last)->next) {
        if ((*last)->exact == exact && strcmp((*last)->uri, uri) == 0) {
            return "has the URI of another location";
        }
    }
    *last = alloc_zeroed(1, sizeof(**last));
    (*last)->uri = alloc_string(uri);
    (*last)->exact = exact;
    return NULL;
}

#define MAIN      CONTEXT_MAIN
#define BOTH      (CONTEXT_MAIN | CONTEXT_LOCATION)
#define OF(field) offsetof(struct config, field)
#define IN(field) offsetof(struct location_config, field)

/* name, contexts, arguments, block, repeatable, setter, field, default, ... */
const struct directive directives[] = {
    { "error_log", MAIN, 1, 2, false, false, set_error_log, 0, "stderr notice",
      "file [level]",
      "where to log, \"stderr\" or a file, and up to which "
      "level: debug, info, notice, warn, error, crit, alert or emerg" },
    { "pid", MAIN, 1, 1, false, false, set_string, OF(pid),
      RUNDIR "/upload-progressd.pid", "file",
      "a file that holds the process ID while the daemon runs; the snippets "
      "look whether it is there" },
    { "worker_threads", MAIN, 1, 1, false, false, set_worker_threads,
      OF(worker_threads), "2", "number", "threads that answer requests" },
    { "worker_connections", MAIN, 1, 1, false, false, set_number,
      OF(worker_connections), "16384", "number",
      "connections from nginx at the same time; further ones are closed" },
    { "listen", MAIN, 1, 6, false, true, set_listen, 0, NULL,
      "address [fastcgi|scgi|syslog] [backlog=number] [rcvbuf=size] "
      "[mode=octal]",
      "an address for requests (fastcgi, scgi) or for nginx's log lines "
      "(syslog): unix:path, host:port, or a port of 127.0.0.1" },
    { "client_header_timeout", MAIN, 1, 1, false, false, set_time,
      OF(client_header_timeout_ms), "5s", "time",
      "how long a peer may take to send the parameters of a request" },
    { "client_body_timeout", MAIN, 1, 1, false, false, set_time,
      OF(client_body_timeout_ms), "60s", "time",
      "how long a peer may pause within a mirrored body" },
    { "keepalive_timeout", MAIN, 1, 1, false, false, set_time,
      OF(keepalive_timeout_ms), "10m", "time",
      "how long an idle FastCGI connection stays open; longer than nginx's "
      "own keepalive_timeout of the upstream group" },
    { "upload_progress", MAIN, 2, 2, false, true, set_zone, 0, NULL,
      "zone size", "a zone, and the memory that its uploads may take" },
    { "track_uploads", MAIN, 2, 2, false, true, set_track, 0, NULL, "zone time",
      "how long a finished upload of the zone is kept" },
    { "upload_progress_gauges", MAIN, 1, 2, false, false, set_gauges, 0,
      "spool socket", "spool|socket ... | off",
      "where live byte counts are read" },
    { "upload_progress_check_interval", MAIN, 1, 1, false, false, set_time,
      OF(check_interval_ms), "5s", "time",
      "how often to look whether an upload that nobody watches still runs" },
    { "upload_progress_inactive_timeout", MAIN, 1, 1, false, false, set_time,
      OF(inactive_timeout_ms), "1h", "time",
      "when an upload that no gauge can see is given up for lost" },
    { "location", MAIN, 1, 2, true, true, set_location, 0, NULL,
      "[=|^~] uri { ... }", "how probes of this URI are answered" },
    { "report_uploads", BOTH, 1, 1, false, false, set_report, IN(zone), NULL,
      "zone", "the zone from which probes are answered" },
    { "upload_progress_header", BOTH, 1, 1, false, false, set_location_string,
      IN(header), "X-Progress-ID", "name",
      "the header, and the query argument, that carry the ID" },
    { "upload_progress_jsonp_parameter", BOTH, 1, 1, false, false,
      set_location_string, IN(jsonp_parameter), "callback", "name",
      "the query argument that names the callback of a JSONP answer" },
    { "upload_progress_content_type", BOTH, 1, 1, false, false,
      set_location_string, IN(content_type), NULL, "type",
      "the content type of the answer" },
    { "upload_progress_template", BOTH, 2, 2, false, true, set_template, 0,
      NULL, "state text",
      "the answer for a state: starting, uploading, done or error" },
    { "upload_progress_json_output", BOTH, 0, 0, false, false, set_output, 0,
      NULL, "", "the module's JSON" },
    { "upload_progress_jsonp_output", BOTH, 0, 0, false, false, set_output, 0,
      NULL, "", "the module's JSONP" },
    { "upload_progress_java_output", BOTH, 0, 0, false, false, set_output, 0,
      NULL, "", "the module's JavaScript object" },
    { "upload_progress_xml_output", BOTH, 0, 0, false, false, set_output, 0,
      NULL, "", "XML" },
    { "upload_progress_detail_output", BOTH, 0, 0, false, false, set_output, 0,
      NULL, "", "all that is known, as JSON" },
    { NULL, 0, 0, 0, false, false, NULL, 0, NULL, NULL, NULL },
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
