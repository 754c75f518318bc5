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

static void
connection_ready(struct io_source *source, uint32_t events)
{
    struct connection *c = (struct connection *)source;

    (void)events; /* errors show up when the protocol reads */
    c->protocol->ready(c);
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
    c->deadline_ms = io_now_ms() + server->options.header_timeout_ms;
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
    protocol->init(c);
    if (io_add(server->io, &c->source, EPOLLIN) < 0) {
        connection_close(c);
    }
}

static int64_t
deadline_for(const struct connection *c, enum connection_wait what)
{
    const struct server_options *options = &c->server->options;

    switch (what) {
    case WAIT_HEADER:
        /* Runs from the first wait: a trickle of bytes does not extend it. */
        return c->deadline_ms ? c->deadline_ms
                              : io_now_ms() + options->header_timeout_ms;
    case WAIT_BODY:
        return io_now_ms() + options->body_timeout_ms;
    case WAIT_REQUEST:
        return io_now_ms() + options->keepalive_timeout_ms;
    }
    abort();
}

void
connection_wait(struct connection *c, enum connection_wait what)
{
    pthread_mutex_lock(&c->server->lock);
    c->deadline_ms = deadline_for(c, what);
    c->idle = what == WAIT_REQUEST;
    pthread_mutex_unlock(&c->server->lock);
    if (io_rearm(c->server->io, &c->source, EPOLLIN) < 0) {
        connection_close(c);
    }
}

void
connection_own(struct connection *c)
{
    pthread_mutex_lock(&c->server->lock);
    c->deadline_ms = 0;
    pthread_mutex_unlock(&c->server->lock);
}

void
connection_forget(struct connection *c)
{
    unlink_connection(c);
    c->protocol->release(c);
    buffer_release(&c->input);
    free(c->request);
    free(c);
}

void
connection_close(struct connection *c)
{
    int fd = c->source.fd;

    connection_forget(c); /* before the number can be used again */
    close(fd);
}

void
connection_respond(struct connection *c, const struct request *request,
                   struct buffer *out)
{
    const struct handler *handler = &c->server->options.handler;
    struct response response = { .status = 200 };

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
