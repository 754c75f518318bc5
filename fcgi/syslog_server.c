/* The event sockets, their drainer and the parsing thread. */
#include "syslog_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "datagram_ring.h"
#include "unix_socket.h"

enum {
    SOCKETS_MAX = 16,
    BATCH = 64,            /* datagrams per recvmmsg(2) */
    DATAGRAM_MAX = 65536,  /* bytes: no datagram is cut short */
    RING_BYTES = 16 << 20, /* two receive buffers of the default size */
};

struct syslog_server {
    io_log_fn log;
    syslog_message_fn message;
    void *context;
    struct address addresses[SOCKETS_MAX];
    struct pollfd sockets[SOCKETS_MAX + 1]; /* the last one in use: stop_fd */
    nfds_t socket_count;
    int stop_fd; /* eventfd */
    struct datagram_ring *ring;
    pthread_t drainer;
    pthread_t parser;
    bool draining;
    bool parsing;

    /* The drainer's. */
    char (*buffers)[DATAGRAM_MAX];
    bool drop_logged;
};

struct syslog_server *
syslog_server_new(io_log_fn log, syslog_message_fn message, void *context)
{
    struct syslog_server *server = calloc(1, sizeof(*server));

    if (server == NULL) {
        return NULL;
    }
    server->log = log;
    server->message = message;
    server->context = context;
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->ring = datagram_ring_new(RING_BYTES);
    server->buffers = malloc(BATCH * sizeof(*server->buffers));
    if (server->stop_fd < 0 || server->ring == NULL ||
        server->buffers == NULL) {
        syslog_server_free(server);
        return NULL;
    }
    return server;
}

static void
set_receive_buffer(struct syslog_server *server, int fd, int wanted)
{
    int granted = 0;
    socklen_t len = sizeof(granted);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) <
        0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
    }
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len);
    if (granted / 2 < wanted) { /* the kernel reports twice what it grants */
        server->log(LOG_NOTICE,
                    "syslog: the receive buffer is %d bytes instead of %d: "
                    "raise net.core.rmem_max to take larger bursts",
                    granted / 2, wanted);
    }
}

int
syslog_server_listen(struct syslog_server *server,
                     const struct address *address, int rcvbuf_bytes,
                     unsigned mode)
{
    int fd;
    int error;

    if (server->socket_count == SOCKETS_MAX) {
        errno = ENOBUFS;
        return -1;
    }
    fd = socket(address->storage.ss_family,
                SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (address_path(address) != NULL
            ? unix_socket_bind(fd, address, mode) < 0
            : bind(fd, (const struct sockaddr *)&address->storage,
                   address->len) < 0) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    if (address_path(address) == NULL) {
        set_receive_buffer(server, fd, rcvbuf_bytes);
    }
    server->addresses[server->socket_count] = *address;
    server->sockets[server->socket_count].fd = fd;
    server->sockets[server->socket_count].events = POLLIN;
    server->socket_count++;
    return 0;
}

static void
drain_socket(struct syslog_server *server, int fd)
{
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    int count;

    memset(messages, 0, sizeof(messages));
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_base = server->buffers[i];
        vectors[i].iov_len = DATAGRAM_MAX;
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    do {
        count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) {
            if (!datagram_ring_put(server->ring, server->buffers[i],
                                   messages[i].msg_len) &&
                !server->drop_logged) {
                server->drop_logged = true;
                server->log(LOG_ERR, "syslog: events come faster than they "
                                     "can be parsed, some are dropped");
            }
        }
    } while (count == BATCH);
}

static void *
drain(void *argument)
{
    struct syslog_server *server = argument;
    struct pollfd *stop = &server->sockets[server->socket_count];

    while (stop->revents == 0) {
        if (poll(server->sockets, server->socket_count + 1, -1) < 0) {
            continue;
        }
        for (nfds_t i = 0; i < server->socket_count; i++) {
            if (server->sockets[i].revents != 0) {
                drain_socket(server, server->sockets[i].fd);
            }
        }
    }
    datagram_ring_close(server->ring);
    return NULL;
}

static void *
parse(void *argument)
{
    struct syslog_server *server = argument;
    char message[DATAGRAM_MAX + 1];
    int len;

    while ((len = datagram_ring_take(server->ring, message, DATAGRAM_MAX)) >=
           0) {
        message[len] = '\0';
        server->message(server->context, message);
    }
    return NULL;
}

int
syslog_server_start(struct syslog_server *server)
{
    int error;

    server->sockets[server->socket_count].fd = server->stop_fd;
    server->sockets[server->socket_count].events = POLLIN;
    error = pthread_create(&server->parser, NULL, parse, server);
    server->parsing = error == 0;
    if (error == 0) {
        error = pthread_create(&server->drainer, NULL, drain, server);
        server->draining = error == 0;
    }
    errno = error;
    return error == 0 ? 0 : -1;
}

void
syslog_server_stop(struct syslog_server *server)
{
    uint64_t one = 1;

    if (write(server->stop_fd, &one, sizeof(one)) < 0) {
        abort(); /* an eventfd below its maximum always takes a write */
    }
    if (server->draining) {
        pthread_join(server->drainer, NULL);
    }
    datagram_ring_close(server->ring);
    if (server->parsing) {
        pthread_join(server->parser, NULL);
    }
    server->draining = server->parsing = false;
}

void
syslog_server_free(struct syslog_server *server)
{
    if (server == NULL) {
        return;
    }
    for (nfds_t i = 0; i < server->socket_count; i++) {
        close(server->sockets[i].fd);
        if (address_path(&server->addresses[i]) != NULL) {
            unlink(address_path(&server->addresses[i]));
        }
    }
    if (server->stop_fd >= 0) {
        close(server->stop_fd);
    }
    datagram_ring_free(server->ring);
    free(server->buffers);
    free(server);
}
