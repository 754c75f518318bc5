/* Listening sockets: binding, accepting, removing. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "connection.h"
#include "log_pace.h"
#include "server_internal.h"
#include "unix_socket.h"

enum { ACCEPTS_PER_NOTICE = 16 };

struct listener {
    struct io_source source; /* first: readiness arrives as its address */
    struct server *server;
    const struct protocol *protocol;
    struct address address;
    bool keep_path;
    struct listener *next;

    /* Out of descriptors or memory: the deadline timer goes on accepting. */
    atomic_bool paused;
    struct log_pace pause_pace;
};

static void
pause_listener(struct listener *listener)
{
    io_pause(listener->server->io, &listener->source);
    atomic_store(&listener->paused, true);
}

void
listeners_resume(struct server *server)
{
    for (struct listener *l = server->listeners; l != NULL; l = l->next) {
        if (atomic_exchange(&l->paused, false)) {
            io_resume(server->io, &l->source);
        }
    }
}

/* Returns whether to go on waiting for connections. */
static bool
accept_failed(struct listener *listener)
{
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) {
        return true;
    }
    if (log_pace_fault(&listener->pause_pace, io_now_ms())) {
        listener->server->options.log(
            LOG_ERR, "%s: accept() failed: %m; trying again quietly",
            listener->protocol->name);
    }
    return false;
}

static void
accept_ready(struct io_source *source, uint32_t events)
{
    struct listener *listener = (struct listener *)source;
    struct server *server = listener->server;
    int one = 1;

    (void)events;
    if (atomic_load(&server->draining)) {
        pause_listener(listener);
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_NOTICE; i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (!accept_failed(listener)) {
                pause_listener(listener);
            }
            return;
        }
        log_pace_well(&listener->pause_pace, io_now_ms());
        if (address_path(&listener->address) == NULL) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        }
        connection_open(server, listener->protocol, fd);
    }
}

static int
bind_and_listen(int fd, const struct address *address, int backlog,
                const struct unix_socket_access *access)
{
    int one = 1;

    if (address_path(address) != NULL) {
        if (unix_socket_bind(fd, address, access) < 0) {
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

static struct listener *
find_listener(const struct server *server, const struct address *address)
{
    struct listener *l = server->listeners;

    while (l != NULL && !address_is(&l->address, address)) {
        l = l->next;
    }
    return l;
}

/* Opens the socket, or takes over one that listens already. */
static int
open_socket(const struct server_listen *options)
{
    const struct address *address = &options->address;
    int fd = options->fd;
    int error;

    if (fd >= 0) {
        return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ? -1
                                                                       : fd;
    }
    fd = socket(address->storage.ss_family,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        bind_and_listen(fd, address, options->backlog, &options->access) < 0) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int
add_listener(struct server *server, const struct server_listen *options)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    int error;

    if (listener == NULL) {
        return -1;
    }
    listener->server = server;
    listener->protocol = options->protocol;
    listener->address = options->address;
    listener->keep_path = options->keep_path;
    listener->source.ready = accept_ready;
    listener->source.fd = open_socket(options);
    if (listener->source.fd < 0 ||
        io_share(server->io, &listener->source) < 0) {
        error = errno;
        if (listener->source.fd >= 0) {
            close(listener->source.fd);
        }
        free(listener);
        errno = error;
        return -1;
    }
    listener->next = server->listeners;
    server->listeners = listener;
    return 0;
}

int
server_listen(struct server *server, const struct server_listen *options)
{
    struct listener *known = find_listener(server, &options->address);
    const char *path = address_path(&options->address);

    if (known == NULL) {
        return add_listener(server, options);
    }
    known->protocol = options->protocol;
    if (path != NULL && unix_socket_set_access(path, &options->access) < 0) {
        return -1;
    }
    return listen(known->source.fd, options->backlog);
}

static void
free_listener(struct listener *listener)
{
    io_unshare(listener->server->io, &listener->source);
    close(listener->source.fd);
    if (address_path(&listener->address) != NULL && !listener->keep_path) {
        unlink(address_path(&listener->address));
    }
    free(listener);
}

void
server_listen_only(struct server *server,
                   bool (*wanted)(void *context, const struct address *address),
                   void *context)
{
    struct listener **at = &server->listeners;

    while (*at != NULL) {
        struct listener *listener = *at;

        if (wanted(context, &listener->address)) {
            at = &listener->next;
        } else {
            *at = listener->next;
            free_listener(listener);
        }
    }
}

void
server_each_socket(struct server *server,
                   void (*take)(void *context, int fd, bool keep_path),
                   void *context)
{
    for (struct listener *l = server->listeners; l != NULL; l = l->next) {
        take(context, l->source.fd, l->keep_path);
    }
}

void
listeners_free(struct server *server)
{
    while (server->listeners != NULL) {
        struct listener *listener = server->listeners;

        server->listeners = listener->next;
        free_listener(listener);
    }
}
