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

static bool
set_pointer(struct event *event, const char *value, size_t offset)
{
    *(const char **)field_at(event, offset) = value;
    return true;
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
    /* Of locations that take pieces of files: without the first, no more. */
    FIELD("METHOD", "method", set_pointer, request.method,
          "$upload_progress_method"),
    FIELD("METHOD_OVERRIDE", "method_override", set_pointer,
          request.method_override, "$http_x_http_method_override"),
    FIELD("REQUEST_URI", "request_uri", set_pointer, request.uri,
          "$request_uri"),
    FIELD("CONTENT_TYPE", "content_type", set_pointer, request.content_type,
          "$content_type"),
    FIELD("CONTENT_RANGE", "content_range", set_pointer, request.content_range,
          "$http_content_range"),
    FIELD("X_CONTENT_RANGE", "x_content_range", set_pointer,
          request.x_content_range, "$http_x_content_range"),
    FIELD("SESSION_ID", "session_id", set_pointer, request.session_id,
          "$http_session_id"),
    FIELD("X_SESSION_ID", "x_session_id", set_pointer, request.x_session_id,
          "$http_x_session_id"),
    FIELD("TUS_RESUMABLE", "tus_resumable", set_pointer, request.tus_resumable,
          "$http_tus_resumable"),
    FIELD("UPLOAD_LENGTH", "upload_length", set_pointer, request.upload_length,
          "$http_upload_length"),
    FIELD("UPLOAD_DEFER_LENGTH", "upload_defer_length", set_pointer,
          request.upload_defer_length, "$http_upload_defer_length"),
    FIELD("UPLOAD_OFFSET", "upload_offset", set_pointer, request.upload_offset,
          "$http_upload_offset"),
    FIELD("UPLOAD_COMPLETE", "upload_complete", set_pointer,
          request.upload_complete, "$http_upload_complete"),
    FIELD("UPLOAD_INCOMPLETE", "upload_incomplete", set_pointer,
          request.upload_incomplete, "$http_upload_incomplete"),
    FIELD("UPLOAD_CONCAT", "upload_concat", set_pointer, request.upload_concat,
          "$http_upload_concat"),
    FIELD("SENT_LOCATION", "sent_location", set_pointer, response.location,
          "$sent_http_location"),
    FIELD("SENT_RANGE", "sent_range", set_pointer, response.range,
          "$sent_http_range"),
    FIELD("SENT_SESSION_ID", "sent_session_id", set_pointer,
          response.x_session_id, "$sent_http_x_session_id"),
    FIELD("SENT_OFFSET", "sent_offset", set_pointer, response.upload_offset,
          "$sent_http_upload_offset"),
    FIELD("SENT_LENGTH", "sent_length", set_pointer, response.upload_length,
          "$sent_http_upload_length"),
    FIELD("SENT_COMPLETE", "sent_complete", set_pointer,
          response.upload_complete, "$sent_http_upload_complete"),
    FIELD("SENT_INCOMPLETE", "sent_incomplete", set_pointer,
          response.upload_incomplete, "$sent_http_upload_incomplete"),
    FIELD("FORM", "form", set_pointer, form, "$upload_progress_form_fields"),
    { NULL, NULL, NULL, 0, NULL },
};

enum { METHOD_AT = offsetof(struct event, request.method) };

static void
reset(struct event *event, enum event_kind kind)
{
    *event = (struct event){ .kind = kind,
                             .content_length_bytes = -1,
                             .header_length_bytes = -1,
                             .request_length_bytes = -1,
                             .status = -1,
                             .msec = -1,
                             .request_time_ms = -1,
                             .request = PIECE_REQUEST_INIT,
                             .response = PIECE_RESPONSE_INIT,
                             .form = "",
                             .sends = true };
}

static const char *
read_fields(const struct request *request, bool from_log, struct event *event)
{
    static const uint8_t none[UPLOAD_ATTEMPT_BYTES];

    for (const struct event_field *f = event_fields; f->param; f++) {
        const char *value =
            request_param(request, from_log ? f->log : f->param);

        if (value[0] == '\0' && f->offset == METHOD_AT) {
            break;
        }
        if (value[0] != '\0' && !f->set(event, value, f->offset)) {
            return f->param;
        }
    }
    if (memcmp(event->attempt, none, sizeof(none)) == 0) {
        return "UPLOAD_PROGRESS_REQUEST_ID";
    }
    return NULL;
}

/* Of a location that takes pieces: which one the request carries, if any. */
static void
read_piece(struct event *event)
{
    const char *method = event->request.method;

    event->sends = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
                   strcmp(method, "PATCH") == 0;
    event->response.status = event->status > 0 ? (int)event->status : 0;
    event->request.content_length_bytes =
        event->chunked ? -1 : event->content_length_bytes;
    (void)piece_from_request(&event->request, &event->piece, &event->fault);
}

static const char *
read_event(const struct request *request, bool from_log, struct event *event)
{
    const char *id =
        request_param(request, from_log ? "id" : "UPLOAD_PROGRESS_ID");
    const char *argument =
        request_param(request, from_log ? "arg" : "UPLOAD_PROGRESS_ARG");
    const char *wrong = read_fields(request, from_log, event);

    if (wrong != NULL) {
        return wrong;
    }
    if (!progress_id_choose(id, argument, event->id)) {
        event->id[0] = '\0';
        if (event->request.method[0] == '\0') {
            return "UPLOAD_PROGRESS_ID"; /* else a piece may tell it */
        }
    }
    if (from_log && event->status < 0) {
        return "UPLOAD_PROGRESS_STATUS"; /* the line is cut short */
    }
    if (event->request.method[0] != '\0') {
        read_piece(event);
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
    event->body_bytes = request->body_bytes;
    event->body_complete = request->body_complete;
    return read_event(request, false, event);
}

const char *
event_from_log(const struct request *request, struct event *event)
{
    reset(event, EVENT_END);
    return read_event(request, true, event);
}

int64_t
event_began_ms(const struct event *event, int64_t ended_ms)
{
    return ended_ms - (event->request_time_ms > 0 ? event->request_time_ms : 0);
}

int64_t
event_body_bytes(const struct event *event)
{
    if (event->request_length_bytes < 0 || event->header_length_bytes < 0 ||
        event->request_length_bytes < event->header_length_bytes) {
        return -1;
    }
    return event->request_length_bytes - event->header_length_bytes;
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
