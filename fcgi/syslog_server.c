/* The event sockets, their drainer and the parsing thread. */
#include "syslog_server.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "datagram_ring.h"
#include "log_pace.h"
#include "unix_socket.h"

enum {
    SOCKETS_MAX = 16,
    BATCH = 64,            /* datagrams per recvmmsg(2) */
    BURST_MAX = 64,        /* messages of a burst */
    DATAGRAM_MAX = 65536,  /* bytes: no datagram is cut short */
    RING_BYTES = 16 << 20, /* two receive buffers of the default size */
    QUIET_MS = 1000,       /* without an event: a burst is over */
    NAP_MS = 1,            /* between two looks at sockets that can wait */
    RATE_MS = 16,          /* over which the rate of datagrams is taken */
    FEW = 4,               /* datagrams that the drainer parses itself */
    NAP_RATE = 2,         /* datagrams in a millisecond, from which on to nap */
    UNIX_QUEUE_MIN = 512, /* messages, before a short queue is warned of */
};

struct event_socket {
    struct address address;
    int fd;
    bool keep_path;  /* somebody else removes it */
    bool local_only; /* datagrams from other hosts are dropped */
};

struct syslog_server {
    io_log_fn log;
    struct syslog_handler handler;
    struct event_socket sockets[SOCKETS_MAX];
    nfds_t socket_count;
    int stop_fd; /* eventfd */
    struct datagram_ring *ring;
    pthread_t drainer;
    pthread_t parser;
    bool draining;
    bool parsing;
    atomic_int queued; /* messages that the parser has not done with yet */

    /* The drainer's. */
    char (*buffers)[DATAGRAM_MAX + 1];
    struct log_pace drop_pace;
    uint64_t dropped_told; /* of the ring's, in the log so far */
    bool foreign_logged;
    bool has_short_queue; /* a Unix-domain socket's */
    int64_t rate_since_ms;
    int rate_count; /* datagrams since */
    bool are_many;
};

struct syslog_server *
syslog_server_new(io_log_fn log, const struct syslog_handler *handler)
{
    struct syslog_server *server = calloc(1, sizeof(*server));

    if (server == NULL) {
        return NULL;
    }
    server->log = log;
    server->handler = *handler;
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
        server->log(LOG_WARNING,
                    "syslog: the receive buffer is %d bytes instead of %d, a "
                    "burst beyond it is lost: set net.core.rmem_max to %d, or "
                    "rcvbuf to less",
                    granted / 2, wanted, wanted);
    }
}

/* A Unix-domain socket takes the length of its queue over when it is made. */
static void
check_queue(const struct syslog_server *server, const char *path)
{
    FILE *stream = fopen("/proc/sys/net/unix/max_dgram_qlen", "re");
    char line[32] = "";
    long len;

    if (stream == NULL) {
        return;
    }
    len = fgets(line, sizeof(line), stream) != NULL ? strtol(line, NULL, 10)
                                                    : UNIX_QUEUE_MIN;
    fclose(stream);
    if (len < UNIX_QUEUE_MIN) {
        server->log(LOG_WARNING,
                    "syslog: %s: the queue holds %ld messages, a burst beyond "
                    "it is lost: set net.unix.max_dgram_qlen to %d before the "
                    "start, or listen on UDP",
                    path, len + 1, UNIX_QUEUE_MIN);
    }
}

static int
bind_socket(const struct syslog_listen *options)
{
    const struct address *address = &options->address;
    int fd = socket(address->storage.ss_family,
                    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd >= 0 && (address_path(address) != NULL
                        ? unix_socket_bind(fd, address, &options->access) < 0
                        : bind(fd, (const struct sockaddr *)&address->storage,
                               address->len) < 0)) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static struct event_socket *
find_socket(struct syslog_server *server, const struct address *address)
{
    for (nfds_t i = 0; i < server->socket_count; i++) {
        if (address_is(&server->sockets[i].address, address)) {
            return &server->sockets[i];
        }
    }
    return NULL;
}

int
syslog_server_listen(struct syslog_server *server,
                     const struct syslog_listen *options)
{
    const char *path = address_path(&options->address);
    struct event_socket *s = find_socket(server, &options->address);

    if (s != NULL && path != NULL &&
        unix_socket_set_access(path, &options->access) < 0) {
        return -1;
    }
    if (s == NULL) {
        int fd;

        if (server->socket_count == SOCKETS_MAX) {
            errno = ENOBUFS;
            return -1;
        }
        fd = options->fd >= 0 ? options->fd : bind_socket(options);
        if (fd < 0) {
            return -1;
        }
        s = &server->sockets[server->socket_count++];
        *s = (struct event_socket){ .address = options->address,
                                    .fd = fd,
                                    .keep_path = options->keep_path };
    }
    s->local_only = options->local_only && path == NULL;
    if (path == NULL) {
        set_receive_buffer(server, s->fd, options->rcvbuf_bytes);
    } else {
        check_queue(server, path);
    }
    return 0;
}

/* Whether a datagram may be taken in; of the first that may not it is said. */
static bool
is_welcome(struct syslog_server *server, bool local_only,
           const struct address *sender)
{
    char text[ADDRESS_TEXT_MAX];

    if (!local_only || address_is_local(sender)) {
        return true;
    }
    if (!server->foreign_logged) {
        server->foreign_logged = true;
        address_format(sender, text, sizeof(text));
        server->log(LOG_WARNING,
                    "syslog: datagrams from %s and other addresses that are "
                    "not loopback are dropped, as there is no key",
                    text);
    }
    return false;
}

static void
close_socket(const struct event_socket *s)
{
    close(s->fd);
    if (address_path(&s->address) != NULL && !s->keep_path) {
        unlink(address_path(&s->address));
    }
}

void
syslog_server_listen_only(struct syslog_server *server,
                          bool (*wanted)(void *context,
                                         const struct address *address),
                          void *context)
{
    nfds_t kept = 0;

    for (nfds_t i = 0; i < server->socket_count; i++) {
        if (wanted(context, &server->sockets[i].address)) {
            server->sockets[kept++] = server->sockets[i];
        } else {
            close_socket(&server->sockets[i]);
        }
    }
    server->socket_count = kept;
}

void
syslog_server_each_socket(struct syslog_server *server,
                          void (*take)(void *context, int fd, bool keep_path),
                          void *context)
{
    for (nfds_t i = 0; i < server->socket_count; i++) {
        take(context, server->sockets[i].fd, server->sockets[i].keep_path);
    }
}

/* For the parser. */
static void
keep(struct syslog_server *server, const char *data, size_t len)
{
    atomic_fetch_add(&server->queued, 1);
    if (datagram_ring_put(server->ring, data, len)) {
        return;
    }
    atomic_fetch_sub(&server->queued, 1);
    if (log_pace_fault(&server->drop_pace, io_now_ms())) {
        server->log(LOG_ERR, "syslog: events come faster than they can be "
                             "parsed, some are dropped");
    }
}

/*
 * Waking the parser takes longer than parsing, and the file that a line tells
 * of may be gone by then. Short queues must not wait for that, though; and what
 * came before is parsed before.
 */
static bool
may_parse(const struct syslog_server *server, int count)
{
    return count <= FEW && !server->are_many && !server->has_short_queue &&
           atomic_load(&server->queued) == 0;
}

static void
take(struct syslog_server *server, char *data, size_t len, int count)
{
    const struct syslog_handler *handler = &server->handler;

    if (may_parse(server, count)) {
        data[len] = '\0';
        handler->message(handler->context, data);
    } else {
        keep(server, data, len);
    }
}

static void
drain_socket(struct syslog_server *server, const struct event_socket *s)
{
    struct mmsghdr messages[BATCH];
    struct address senders[BATCH];
    struct iovec vectors[BATCH];
    int count;

    memset(messages, 0, sizeof(messages));
    memset(senders, 0, sizeof(senders));
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_base = server->buffers[i];
        vectors[i].iov_len = DATAGRAM_MAX;
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &senders[i].storage;
    }
    do {
        for (int i = 0; i < BATCH; i++) {
            messages[i].msg_hdr.msg_namelen = sizeof(senders[i].storage);
            senders[i].storage.ss_family = AF_UNSPEC;
        }
        count = recvmmsg(s->fd, messages, BATCH, MSG_DONTWAIT, NULL);
        server->rate_count += count > 0 ? count : 0;
        for (int i = 0; i < count; i++) {
            senders[i].len = messages[i].msg_hdr.msg_namelen;
            if (is_welcome(server, s->local_only, &senders[i])) {
                take(server, server->buffers[i], messages[i].msg_len, count);
            }
        }
        log_pace_well(&server->drop_pace, io_now_ms());
    } while (count == BATCH);
}

/* Once no more come: how many there was no room for. */
static void
tell_dropped(struct syslog_server *server)
{
    uint64_t dropped = datagram_ring_dropped(server->ring);

    if (dropped != server->dropped_told) {
        server->log(LOG_ERR, "syslog: %" PRIu64 " events were dropped",
                    dropped - server->dropped_told);
        server->dropped_told = dropped;
    }
}

/*
 * What to wait for: first what cannot wait, which is the stop and sockets whose
 * queue is short. Sets how many those are; returns how many all are.
 */
static nfds_t
find_sources(struct syslog_server *server, struct pollfd *fds,
             const struct event_socket **sockets, nfds_t *urgent)
{
    nfds_t count = 1;

    fds[0] = (struct pollfd){ server->stop_fd, POLLIN, 0 };
    for (int is_unix = 1; is_unix >= 0; is_unix--) {
        for (nfds_t i = 0; i < server->socket_count; i++) {
            const struct event_socket *s = &server->sockets[i];

            if ((address_path(&s->address) != NULL) == is_unix) {
                fds[count] = (struct pollfd){ s->fd, POLLIN, 0 };
                sockets[count++] = s;
            }
        }
        if (is_unix) {
            *urgent = count;
        }
    }
    return count;
}

/* Whether datagrams come so fast that waking up for each one is a burden. */
static bool
are_many(struct syslog_server *server)
{
    int64_t now_ms = io_now_ms();
    int64_t took_ms = now_ms - server->rate_since_ms;

    if (took_ms >= RATE_MS) {
        server->are_many = server->rate_count >= NAP_RATE * took_ms;
        server->rate_since_ms = now_ms;
        server->rate_count = 0;
    }
    return server->are_many;
}

static void *
drain(void *argument)
{
    struct syslog_server *server = argument;
    const struct event_socket *sockets[SOCKETS_MAX + 1] = { NULL };
    struct pollfd fds[SOCKETS_MAX + 1];
    nfds_t urgent = 1;
    nfds_t count = find_sources(server, fds, sockets, &urgent);

    server->has_short_queue = urgent > 1; /* the first one is the stop's */
    while (fds[0].revents == 0) {
        bool untold =
            datagram_ring_dropped(server->ring) != server->dropped_told;
        int ready = poll(fds, count, untold ? QUIET_MS : -1);

        if (ready < 0) {
            continue;
        }
        if (ready == 0) {
            tell_dropped(server);
        }
        for (nfds_t i = 1; i < count; i++) {
            if (fds[i].revents != 0) {
                drain_socket(server, sockets[i]);
            }
        }
        /*
         * Whom nobody waits for has nobody to wake: of many lines that costs
         * nginx more than the sending itself. Of few, each is taken at once:
         * the file that it tells of may be gone in a moment.
         */
        if (ready > 0 && fds[0].revents == 0 && are_many(server)) {
            poll(fds, urgent, NAP_MS);
        }
    }
    for (nfds_t i = 1; i < count; i++) {
        drain_socket(server, sockets[i]); /* what came before the stop */
    }
    tell_dropped(server);
    datagram_ring_close(server->ring);
    return NULL;
}

static void *
parse(void *argument)
{
    struct syslog_server *server = argument;
    const struct syslog_handler *handler = &server->handler;
    char message[DATAGRAM_MAX + 1];
    int in_burst = 0; /* messages of it so far */
    bool more = false;
    int len;

    while ((len = datagram_ring_take(server->ring, message, DATAGRAM_MAX,
                                     &more)) >= 0) {
        if (more && in_burst == 0 && handler->burst_begin != NULL) {
            handler->burst_begin(handler->context);
            in_burst = 1;
        }
        message[len] = '\0';
        handler->message(handler->context, message);
        if (in_burst > 0 && (!more || ++in_burst > BURST_MAX)) {
            handler->burst_end(handler->context);
            in_burst = 0;
        }
        atomic_fetch_sub(&server->queued, 1);
    }
    if (in_burst > 0) {
        handler->burst_end(handler->context);
    }
    return NULL;
}

int
syslog_server_start(struct syslog_server *server)
{
    uint64_t stops;
    int error;

    /* What the last stop has left. */
    if (read(server->stop_fd, &stops, sizeof(stops)) < 0 && errno != EAGAIN) {
        return -1;
    }
    datagram_ring_open(server->ring);
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
        close_socket(&server->sockets[i]);
    }
    if (server->stop_fd >= 0) {
        close(server->stop_fd);
    }
    datagram_ring_free(server->ring);
    free(server->buffers);
    free(server);
}
