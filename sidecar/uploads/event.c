/* Events, read from parameters and log fields. */
#include "event.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hash.h"
#include "progress_id.h"

static void *
field_at(struct event *event, size_t offset)
{
    return (char *)event + offset;
}

static bool
set_number(struct event *event, const char *value, size_t offset)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end != '\0' || errno != 0) {
        return false;
    }
    *(int64_t *)field_at(event, offset) = number;
    return true;
}

/* Seconds with three decimals, as in $msec and $request_time. */
static bool
set_seconds(struct event *event, const char *value, size_t offset)
{
    char *end;
    long long seconds;

    errno = 0;
    seconds = strtoll(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || errno != 0 ||
        seconds > INT64_MAX / 2000 || end[0] != '.' ||
        strspn(end + 1, "0123456789") != 3 || end[4] != '\0') {
        return false;
    }
    *(int64_t *)field_at(event, offset) =
        seconds * 1000 + strtoll(end + 1, NULL, 10);
    return true;
}

static bool
set_text(struct event *event, const char *value, size_t size, size_t offset)
{
    size_t len = strlen(value);

    if (len >= size) {
        return false;
    }
    memcpy(field_at(event, offset), value, len + 1);
    return true;
}

static bool
set_address(struct event *event, const char *value, size_t offset)
{
    return set_text(event, value, sizeof(event->zone), offset);
}

static bool
set_port(struct event *event, const char *value, size_t offset)
{
    return set_text(event, value, sizeof(event->remote_port), offset);
}

/* Any value but "" and "off" is true. */
static bool
set_flag(struct event *event, const char *value, size_t offset)
{
    *(bool *)field_at(event, offset) = strcmp(value, "off") != 0;
    return true;
}

static bool
set_chunked(struct event *event, const char *value, size_t offset)
{
    (void)offset;
    event->chunked = strcasecmp(value, "chunked") == 0;
    return true;
}

static bool
set_protocol(struct event *event, const char *value, size_t offset)
{
    (void)offset;
    if (strncmp(value, "HTTP/", 5) != 0 || value[5] < '0' || value[5] > '9' ||
        value[6] != '.' || value[7] < '0' || value[7] > '9' ||
        value[8] != '\0') {
        return false;
    }
    event->protocol = (value[5] - '0') * 10 + value[7] - '0';
    return true;
}

static int
hex_digit(char c)
{
    if (isdigit((unsigned char)c)) {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
set_request_id(struct event *event, const char *value, size_t offset)
{
    (void)offset;
    if (strlen(value) != sizeof(event->attempt) * 2) {
        return false;
    }
    for (size_t i = 0; i < UPLOAD_ATTEMPT_BYTES; i++) {
        int high = hex_digit(value[(size_t)2 * i]);
        int low = hex_digit(value[(size_t)2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        event->attempt[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool
set_request(struct event *event, const char *value, size_t offset)
{
    (void)offset;
    event->request_hash = event_request_hash(value);
    return true;
}

/* As much of the URI as fits: the beginning tells the location. */
static bool
set_uri(struct event *event, const char *value, size_t offset)
{
    size_t len = strcspn(value, "?");

    (void)offset;
    len = len < sizeof(event->uri) ? len : sizeof(event->uri) - 1;
    memcpy(event->uri, value, len);
    event->uri[len] = '\0';
    return true;
}

static bool
set_host(struct event *event, const char *value, size_t offset)
{
    return set_text(event, value, sizeof(event->host), offset);
}

#define FIELD(NAME, name, setter, field, variable)                            \
    {                                                                         \
        "UPLOAD_PROGRESS_" NAME, name, setter, offsetof(struct event, field), \
            variable                                                          \
    }

const struct event_field event_fields[] = {
    FIELD("ZONE", "zone", set_address, zone, "$upload_progress_zone"),
    FIELD("HOST", "host", set_host, host, "$host"),
    FIELD("URI", "uri", set_uri, uri, "$upload_progress_uri"),
    FIELD("REQUEST_ID", "request_id", set_request_id, attempt, "$request_id"),
    FIELD("PID", "pid", set_number, pid, "$pid"),
    FIELD("CONNECTION", "connection", set_number, connection, "$connection"),
    FIELD("CONNECTION_REQUESTS", "connection_requests", set_number,
          connection_requests, "$connection_requests"),
    FIELD("CONTENT_LENGTH", "content_length", set_number, content_length_bytes,
          "$content_length"),
    FIELD("HEADER_LENGTH", "header_length", set_number, header_length_bytes,
          "$upload_progress_header_length"),
    FIELD("REQUEST_LENGTH", "request_length", set_number, request_length_bytes,
          "$request_length"),
    FIELD("STATUS", "status", set_number, status, "$status"),
    FIELD("MSEC", "msec", set_seconds, msec, "$msec"),
    FIELD("REQUEST_TIME", "request_time", set_seconds, request_time_ms,
          "$request_time"),
    FIELD("PROTOCOL", "protocol", set_protocol, protocol, "$server_protocol"),
    FIELD("HTTPS", "https", set_flag, tls, "$https"),
    FIELD("PROXY_PROTOCOL", "proxy_protocol", set_flag, proxy_protocol,
          "$proxy_protocol_addr"),
    FIELD("TRANSFER_ENCODING", "transfer_encoding", set_chunked, chunked,
          "$http_transfer_encoding"),
    FIELD("REQUEST", "request", set_request, request_hash, "$request"),
    FIELD("REMOTE_ADDR", "remote_addr", set_address, remote_addr,
          "$realip_remote_addr"),
    FIELD("REMOTE_PORT", "remote_port", set_port, remote_port,
          "$realip_remote_port"),
    FIELD("SERVER_ADDR", "server_addr", set_address, server_addr,
          "$server_addr"),
    FIELD("SERVER_PORT", "server_port", set_port, server_port, "$server_port"),
    { NULL, NULL, NULL, 0, NULL },
};

static void
reset(struct event *event, enum event_kind kind)
{
    memset(event, 0, sizeof(*event));
    event->kind = kind;
    event->content_length_bytes = -1;
    event->header_length_bytes = -1;
    event->request_length_bytes = -1;
    event->status = -1;
    event->msec = -1;
    event->request_time_ms = -1;
}

static const char *
read_fields(const struct request *request, bool from_log, struct event *event)
{
    static const uint8_t none[UPLOAD_ATTEMPT_BYTES];

    for (const struct event_field *f = event_fields; f->param; f++) {
        const char *value =
            request_param(request, from_log ? f->log : f->param);

        if (value[0] != '\0' && !f->set(event, value, f->offset)) {
            return f->param;
        }
    }
    if (memcmp(event->attempt, none, sizeof(none)) == 0) {
        return "UPLOAD_PROGRESS_REQUEST_ID";
    }
    return NULL;
}

const char *
event_from_params(const struct request *request, struct event *event)
{
    const char *kind = request_param(request, "UPLOAD_PROGRESS_EVENT");

    if (strcmp(kind, "start") != 0 && strcmp(kind, "body") != 0) {
        return "UPLOAD_PROGRESS_EVENT";
    }
    reset(event, strcmp(kind, "start") == 0 ? EVENT_START : EVENT_BODY);
    if (!progress_id_choose(request_param(request, "UPLOAD_PROGRESS_ID"),
                            request_param(request, "UPLOAD_PROGRESS_ARG"),
                            event->id)) {
        return "UPLOAD_PROGRESS_ID";
    }
    event->body_bytes = request->body_bytes;
    event->body_complete = request->body_complete;
    return read_fields(request, false, event);
}

const char *
event_from_log(const struct request *request, struct event *event)
{
    const char *wrong;

    reset(event, EVENT_END);
    if (!progress_id_choose(request_param(request, "id"),
                            request_param(request, "arg"), event->id)) {
        return "UPLOAD_PROGRESS_ID";
    }
    wrong = read_fields(request, true, event);
    if (wrong == NULL && event->status < 0) {
        wrong = "UPLOAD_PROGRESS_STATUS"; /* the line is cut short */
    }
    return wrong;
}

uint64_t
event_request_hash(const char *line)
{
    uint64_t hash;

    if (line[0] == '\0') {
        return 0;
    }
    hash = hash_bytes(line, strlen(line));
    /* SQLite's integers are signed, and 0 means unknown. */
    hash &= INT64_MAX;
    return hash ? hash : 1;
}

bool
event_spool_from_log(const struct request *request, const char *argument_name,
                     struct spool *spool)
{
    static const char prefix[] =
        "a client request body is buffered to a temporary file ";
    static const char doing[] = " while ";
    const char *message = request_param(request, "message");
    const char *line = request_param(request, "request");
    const char *path = message + sizeof(prefix) - 1;
    char *action = NULL;

    memset(spool, 0, sizeof(*spool));
    spool->fd = -1;
    if (strncmp(message, prefix, sizeof(prefix) - 1) != 0 || path[0] == '\0' ||
        strlen(path) > SPOOL_PATH_MAX ||
        /* Without what follows it, the path may be cut short. */
        request_param(request, "client")[0] == '\0') {
        return false;
    }
    strcpy(spool->path, path);
    /* nginx adds what it was doing, "... while reading client request". */
    for (char *next = spool->path; (next = strstr(next, doing)) != NULL;
         next++) {
        action = next; /* the last one: a path may hold the word, too */
    }
    if (action != NULL) {
        *action = '\0';
    }
    spool->pid = strtoll(request_param(request, "pid"), NULL, 10);
    spool->connection = strtoll(request_param(request, "connection"), NULL, 10);
    if (request_param(request, "truncated")[0] == '\0') {
        spool->request_hash = event_request_hash(line);
    }
    if (!progress_id_from_request_line(line, argument_name, spool->id)) {
        spool->id[0] = '\0';
    }
    return true;
}
