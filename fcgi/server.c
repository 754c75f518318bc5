/* The server: its life, and the sweep of its connections' deadlines. */
#include "server.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "connection.h"
#include "fastcgi_round.h"
#include "server_internal.h"

enum { DEADLINE_TICK_MS = 250 };

static void
on_timer(void *context)
{
    struct server *server = context;
    int64_t now_ms = io_now_ms();

    pthread_mutex_lock(&server->lock);
    for (struct connection *c = server->connections; c; c = c->next) {
        long long deadline_ms =
            atomic_load_explicit(&c->deadline_ms, memory_order_relaxed);

        if (deadline_ms != 0 && deadline_ms <= now_ms) {
            /* The owner sees the end of the stream and closes. */
            shutdown(c->source.fd, SHUT_RDWR);
            atomic_store_explicit(&c->deadline_ms, 0, memory_order_relaxed);
        }
    }
    pthread_mutex_unlock(&server->lock);
    if (!atomic_load(&server->draining)) {
        listeners_resume(server);
    }
}

static bool
is_idle(struct server *server)
{
    const struct connection *c;

    pthread_mutex_lock(&server->lock);
    c = server->connections;
    while (c != NULL && atomic_load(&c->idle)) {
        c = c->next;
    }
    pthread_mutex_unlock(&server->lock);
    return c == NULL;
}

void
server_drain(struct server *server, int64_t timeout_ms)
{
    int64_t end_ms = io_now_ms() + timeout_ms;

    atomic_store(&server->draining, true);
    while (!is_idle(server) && io_now_ms() < end_ms) {
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    }
}

void
server_resume(struct server *server)
{
    atomic_store(&server->draining, false);
    listeners_resume(server);
}

struct server *
server_new(struct io *io, const struct server_options *options)
{
    struct server *server = calloc(1, sizeof(*server));

    if (server == NULL || fastcgi_init() < 0) {
        free(server);
        return NULL;
    }
    server->io = io;
    io_end_rounds(io, fastcgi_round_end);
    server->options = *options;
    pthread_mutex_init(&server->lock, NULL);
    return server;
}

void
server_configure(struct server *server, const struct server_options *options)
{
    server->options = *options;
}

int
server_start(struct server *server)
{
    return io_timer_start(&server->timer, server->io, DEADLINE_TICK_MS,
                          on_timer, server);
}

void
server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    for (struct connection *c = server->connections, *next; c; c = next) {
        next = c->next;
        connection_close(c);
    }
    listeners_free(server);
    io_timer_release(&server->timer);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
