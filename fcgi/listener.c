/* Listening sockets: binding, accepting, removing. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "connection.h"
#include "server_internal.h"
#include "unix_socket.h"

enum { ACCEPTS_PER_NOTICE = 16 };

struct listener {
    struct io_source source; /* first: readiness arrives as its address */
    struct server *server;
    const struct protocol *protocol;
    struct address address;
    struct listener *next;

    /* Out of descriptors or memory: the deadline timer goes on accepting. */
    atomic_bool paused;
    bool pause_logged; /* whoever owns the source */
};

static void
wait_for_next(struct listener *listener)
{
    if (io_rearm(listener->server->io, &listener->source, EPOLLIN) < 0) {
        abort(); /* the descriptor is ours and in the set */
    }
}

void
listeners_resume(struct server *server)
{
    for (struct listener *l = server->listeners; l != NULL; l = l->next) {
        if (atomic_exchange(&l->paused, false)) {
            wait_for_next(l);
        }
    }
}

/* Returns whether to wait for the next connection at once. */
static bool
accept_failed(struct listener *listener)
{
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) {
        return true;
    }
    if (!listener->pause_logged) {
        listener->server->options.log(
            LOG_ERR, "%s: accept() failed: %m; trying again quietly",
            listener->protocol->name);
    }
    listener->pause_logged = true;
    return false;
}

static void
accept_ready(struct io_source *source, uint32_t events)
{
    struct listener *listener = (struct listener *)source;
    struct server *server = listener->server;
    int one = 1;
    bool go_on = true;

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_NOTICE; i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            go_on = accept_failed(listener);
            break;
        }
        listener->pause_logged = false;
        if (address_path(&listener->address) == NULL) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        }
        connection_open(server, listener->protocol, fd);
    }
    if (go_on) {
        wait_for_next(listener);
    } else {
        atomic_store(&listener->paused, true);
    }
}

static int
bind_and_listen(int fd, const struct address *address, int backlog,
                unsigned mode)
{
    int one = 1;

    if (address_path(address) != NULL) {
        if (unix_socket_bind(fd, address, mode) < 0) {
            return -1;
        }
    } else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) <
                   0 ||
               bind(fd, (const struct sockaddr *)&address->storage,
                    address->len) < 0) {
        return -1;
    }
    return listen(fd, backlog);
}

int
server_listen(struct server *server, const struct protocol *protocol,
              const struct address *address, int backlog, unsigned mode)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    int error;

    if (listener == NULL) {
        return -1;
    }
    listener->server = server;
    listener->protocol = protocol;
    listener->address = *address;
    listener->source.ready = accept_ready;
    listener->source.fd = socket(address->storage.ss_family,
                                 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->source.fd < 0) {
        goto out;
    }
    if (bind_and_listen(listener->source.fd, address, backlog, mode) < 0 ||
        io_add(server->io, &listener->source, EPOLLIN) < 0) {
        goto out;
    }
    listener->next = server->listeners;
    server->listeners = listener;
    return 0;
out:
    error = errno;
    if (listener->source.fd >= 0) {
        close(listener->source.fd);
    }
    free(listener);
    errno = error;
    return -1;
}

void
listeners_free(struct server *server)
{
    while (server->listeners != NULL) {
        struct listener *listener = server->listeners;

        server->listeners = listener->next;
        close(listener->source.fd);
        if (address_path(&listener->address) != NULL) {
            unlink(address_path(&listener->address));
        }
        free(listener);
    }
}
