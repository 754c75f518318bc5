/* Connections and their deadlines. */
#include "connection.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "server_internal.h"

enum { ROOM_BYTES = 512 }; /* enough for most answers */

static const uint32_t events_unknown = UINT32_MAX;

static void
finish(struct connection *c, bool keep)
{
    if (keep && !c->peer_ends) {
        connection_wait(c, WAIT_REQUEST);
    } else {
        connection_close(c);
    }
}

/* Returns how many bytes the peer has taken, or -1 if it takes no more. */
static ssize_t
send_some(const struct connection *c, const char *data, size_t len)
{
    ssize_t sent = send(c->source.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

void
connection_send(struct connection *c, const void *answer, size_t len, bool keep)
{
    ssize_t sent = send_some(c, answer, len);

    if (sent < 0) {
        connection_close(c);
    } else if ((size_t)sent == len) {
        finish(c, keep);
    } else {
        c->keep = keep;
        c->output_at = 0;
        buffer_append(&c->output, (const char *)answer + sent,
                      len - (size_t)sent);
        connection_wait(c, WAIT_SEND);
    }
}

static void
send_rest(struct connection *c)
{
    ssize_t sent = send_some(c, c->output.data + c->output_at,
                             c->output.len - c->output_at);

    if (sent < 0) {
        connection_close(c);
        return;
    }
    c->output_at += (size_t)sent;
    if (c->output_at < c->output.len) {
        connection_wait(c, WAIT_SEND);
    } else {
        buffer_release(&c->output);
        finish(c, c->keep);
    }
}

static void
connection_ready(struct io_source *source, uint32_t events)
{
    struct connection *c = (struct connection *)source;

    /* What went wrong shows up when the protocol reads. */
    c->peer_ends = (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    if (c->output.len > 0) {
        send_rest(c);
    } else {
        c->protocol->ready(c);
    }
}

static bool
link_connection(struct connection *c)
{
    struct server *server = c->server;
    bool room;

    pthread_mutex_lock(&server->lock);
    room = server->connection_count < server->options.connections_max;
    if (room) {
        server->connection_count++;
        c->next = server->connections;
        if (c->next != NULL) {
            c->next->previous = c;
        }
        server->connections = c;
    }
    pthread_mutex_unlock(&server->lock);
    return room;
}

static void
unlink_connection(struct connection *c)
{
    struct server *server = c->server;

    pthread_mutex_lock(&server->lock);
    server->connection_count--;
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        server->connections = c->next;
    }
    pthread_mutex_unlock(&server->lock);
}

void
connection_open(struct server *server, const struct protocol *protocol, int fd)
{
    struct connection *c = calloc(1, protocol->connection_size);

    if (c == NULL) {
        close(fd);
        return;
    }
    c->source.fd = fd;
    c->source.ready = connection_ready;
    c->server = server;
    c->protocol = protocol;
    atomic_init(&c->deadline_ms,
                io_now_ms() + server->options.header_timeout_ms);
    if (!link_connection(c)) {
        if (log_pace_fault(&server->crowd_pace, io_now_ms())) {
            server->options.log(
                LOG_WARNING, "%s: more than %u connections, closing new ones",
                protocol->name, server->options.connections_max);
        }
        free(c);
        close(fd);
        return;
    }
    log_pace_well(&server->crowd_pace, io_now_ms());
    /* A request is often there already; then one of SCGI is in no set at all.
     */
    protocol->ready(c);
}

static int64_t
deadline_for(const struct connection *c, enum connection_wait what)
{
    const struct server_options *options = &c->server->options;

    switch (what) {
    case WAIT_HEADER:
        return io_coarse_ms() + options->header_timeout_ms;
    case WAIT_BODY:
        return io_coarse_ms() + options->body_timeout_ms;
    case WAIT_SEND:
        return io_coarse_ms() + options->send_timeout_ms;
    case WAIT_REQUEST:
        return io_coarse_ms() + options->keepalive_timeout_ms;
    }
    abort();
}

static void
set_deadline(struct connection *c, enum connection_wait what)
{
    bool was_idle = atomic_exchange_explicit(&c->idle, what == WAIT_REQUEST,
                                             memory_order_relaxed);

    /* A header's runs on: a trickle of bytes does not extend it. */
    if (what != WAIT_HEADER || was_idle) {
        atomic_store_explicit(&c->deadline_ms, deadline_for(c, what),
                              memory_order_relaxed);
    }
}

/*
 * While a request is read the set tells for as long as there is more. Between
 * two requests nothing is left, and the set need not look at the connection
 * again after each.
 */
static uint32_t
events_for(enum connection_wait what)
{
    switch (what) {
    case WAIT_HEADER:
    case WAIT_BODY:
        return EPOLLIN;
    case WAIT_SEND:
        return EPOLLOUT;
    case WAIT_REQUEST:
        return EPOLLIN | EPOLLRDHUP | EPOLLET;
    }
    abort();
}

void
connection_wait(struct connection *c, enum connection_wait what)
{
    uint32_t before = c->events;
    int result = 0;

    set_deadline(c, what);
    c->events = events_for(what);
    if (before == 0) {
        result = io_add(c->server->io, &c->source, c->events);
    } else if (before != c->events) {
        result = io_modify(&c->source, c->events);
    }
    if (result < 0) {
        connection_close(c);
    }
}

void
connection_unread(struct connection *c)
{
    if (c->events != 0) {
        c->events = events_unknown;
    }
}

void
connection_close(struct connection *c)
{
    int fd = c->source.fd;

    io_remove(&c->source);
    unlink_connection(c); /* before the number can be used again */
    c->protocol->release(c);
    buffer_release(&c->input);
    buffer_release(&c->output);
    free(c->request);
    free(c);
    close(fd);
}

void
connection_respond(struct connection *c, const struct request *request,
                   struct buffer *out)
{
    const struct handler *handler = &c->server->options.handler;
    char header[ROOM_BYTES];
    char body[ROOM_BYTES];
    struct response response = { .status = 200,
                                 .header = BUFFER_IN(header),
                                 .body = BUFFER_IN(body) };

    handler->respond(handler->context, request, &response);
    response_render(&response, out);
    response_release(&response);
}

bool
connection_body(struct connection *c, const struct request *request)
{
    const struct handler *handler = &c->server->options.handler;

    return handler->body != NULL && handler->body(handler->context, request);
}
