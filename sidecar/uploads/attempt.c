/* One attempt: what an event, a reading or a conclusion makes of its row. */
#include <stdlib.h>
#include <string.h>

#include "destroyed_sockets.h"
#include "log.h"
#include "socket_gauge.h"
#include "transitions.h"
#include "uploads_internal.h"
#include "wall_clock.h"

enum {
    ERROR_STATUS_MIN = 400,
    PROXY_HEADER_MAX = 4096, /* nginx takes no longer one */
};

bool
upload_runs(const struct upload *upload)
{
    return upload->finished_ms == 0;
}

void
finish(struct uploads *uploads, struct upload *upload, int64_t at_ms)
{
    upload->finished_ms = at_ms > 0 ? at_ms : 1;
    upload->expires_ms =
        upload->finished_ms + (upload->ttl_ms
                                   ? upload->ttl_ms
                                   : uploads->options.ttl_ms[upload->zone]);
    upload->check_ms = 0;
    upload->gone_ms = 0;
    destroyed_sockets_forget(uploads->options.destroyed, upload);
    /* What only a running attempt needs; a zero costs no byte in a row. */
    memset(&upload->socket, 0, sizeof(upload->socket));
    upload->socket_base_bytes = 0;
    upload->socket_exact = false;
    upload->spool_row = 0;
    upload->spool_certain = false;
    upload->connection_requests = 0;
    upload->request_hash = 0;
}

/*
 * Whether a chunked body may have been cut short, by the client or by nginx:
 * $content_length is then the length of what had come. An application may
 * answer so, too; without a word from nginx the size is not known there.
 */
static bool
may_be_cut_short(const struct upload *upload, const struct event *event)
{
    return event->kind == EVENT_END && (upload->chunked || event->chunked) &&
           (event->status == 400 || event->status == 408 ||
            event->status == 413 || event->status == 499);
}

/* What every event may tell, and none takes back. */
static void
take_facts(struct upload *upload, const struct event *event)
{
    upload->ttl_ms = event->ttl_ms ? event->ttl_ms : upload->ttl_ms;
    upload->tls |= event->tls;
    upload->chunked |= event->chunked;
    upload->pid = event->pid;
    upload->connection = event->connection;
    if (event->content_length_bytes >= 0 && !may_be_cut_short(upload, event)) {
        upload->size_bytes = event->content_length_bytes;
    }
    if (event->header_length_bytes > 0) {
        upload->header_bytes = event->header_length_bytes;
    }
    if (event->protocol > 0) {
        upload->protocol = event->protocol;
    }
}

static void
take_started(struct upload *upload, int64_t started_ms)
{
    if (upload->started_ms == 0 || started_ms < upload->started_ms) {
        upload->started_ms = started_ms > 0 ? started_ms : 1;
    }
}

/* Where the body begins in the bytes of the connection. */
static void
take_socket(struct uploads *uploads, struct upload *upload,
            const struct event *event)
{
    struct destroyed_sockets *destroyed = uploads->options.destroyed;
    int64_t read_bytes = 0;
    int64_t before_bytes;
    bool first;

    if (!uploads->options.gauges[GAUGE_SOCKET] || upload->socket.family != 0 ||
        socket_gauge_address(&upload->socket, event->remote_addr,
                             event->remote_port, event->server_addr,
                             event->server_port) < 0) {
        return;
    }
    switch (socket_gauge_read(&upload->socket, &read_bytes)) {
    case SOCKET_OPEN:
        break;
    case SOCKET_GONE: /* already, or in another network namespace */
        if (destroyed_sockets_are_told(destroyed)) {
            read_bytes = INT64_MAX; /* it will be told if it was here */
            break;
        }
        upload->socket.family = 0;
        return;
    case SOCKET_UNKNOWN:
        upload->socket.family = 0;
        return;
    }
    if (is_alone(upload)) {
        destroyed_sockets_follow(destroyed, upload);
    }
    first = event->connection_requests == 1 && !event->tls &&
            event->protocol < HTTP_2 && event->header_length_bytes > 0;
    upload->socket_exact = first && !event->proxy_protocol;
    before_bytes = event->header_length_bytes;
    if (event->proxy_protocol && before_bytes < read_bytes) {
        before_bytes += PROXY_HEADER_MAX; /* no overflow, whatever was told */
    }
    /*
     * What nginx has read by now is the header, what came before it on the
     * connection, and perhaps the beginning of the body: an upper bound.
     */
    upload->socket_base_bytes =
        first && before_bytes < read_bytes ? before_bytes : read_bytes;
}

void
apply_start(struct uploads *uploads, struct upload *upload,
            const struct event *event, int64_t now_ms)
{
    take_facts(upload, event);
    take_started(upload, wall_clock_event_ms(uploads, event, now_ms));
    upload->state = transition(upload->state, HAPPENING_START);
    if (!upload_runs(upload)) {
        return;
    }
    upload->connection_requests = event->connection_requests;
    upload->request_hash = event->request_hash;
    if (upload->check_ms == 0) {
        upload->check_ms = UPLOAD_IN_TURN;
    }
    if (event->kind == EVENT_START) {
        take_socket(uploads, upload, event);
        return;
    }
    count_received(upload, (int64_t)event->body_bytes, GAUGE_BODY, false,
                   now_ms);
    if (event->body_complete) {
        upload->size_bytes = (int64_t)event->body_bytes;
        upload->body_complete = true;
    }
}

/* The body's length as the log line has it, -1 where it does not tell. */
static int64_t
logged_body_bytes(const struct upload *upload, const struct event *event)
{
    if (upload->chunked || event->chunked) {
        /* Once a chunked body was read, $content_length is its true length. */
        return event->content_length_bytes;
    }
    return event_body_bytes(event);
}

void
apply_end(struct uploads *uploads, struct upload *upload,
          const struct event *event, int64_t now_ms)
{
    int64_t at_ms = wall_clock_event_ms(uploads, event, now_ms);
    bool success = event->status > 0 && event->status < ERROR_STATUS_MIN;

    take_facts(upload, event);
    take_started(upload, event_began_ms(event, at_ms));
    if (logged_body_bytes(upload, event) >= 0) {
        count_received(upload, logged_body_bytes(upload, event), GAUGE_END,
                       false, at_ms);
        upload->gauge = GAUGE_END; /* also where it adds nothing */
        upload->approximate = false;
    }
    upload->state = transition(upload->state,
                               success ? HAPPENING_SUCCESS : HAPPENING_FAILURE);
    upload->status = event->status > 0 ? (int)event->status : 0;
    upload->inferred = false;
    release_files(uploads, upload, at_ms, now_ms);
    finish(uploads, upload, at_ms);
}

void
log_store_error(struct uploads *uploads, const char *what)
{
    char text[STORE_ERROR_MAX];

    store_error(uploads->store, text, sizeof(text));
    log_write(LOG_CRIT, "store: %s: %s", what, text);
}
