/*
 * A peer of the real connection code, all on one thread: it writes a stream in
 * pieces, the connection is told of each as epoll would tell it, and what it
 * answers is collected. Asserts for every stream:
 *
 * - The connection is closed when the peer has closed, and not touched later.
 * - No descriptor is left behind.
 * - Each notice leads somewhere: it does not ask to be told of the same again.
 * - A notice without anything to read changes nothing.
 * - A body that streams in never shrinks.
 */
#ifndef TESTS_FUZZ_PEER_H
#define TESTS_FUZZ_PEER_H

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "fastcgi_round.h"
#include "fuzz.h"
#include "server_internal.h"

enum {
    NOTICES_MAX = 1000, /* of one piece */
    ANSWER_BYTES = 100,
};

/* How the peer behaves; the first bytes of an input. */
struct peer_manner {
    bool either;        /* a listener for both protocols */
    bool polite;        /* no piece reaches beyond the end of a request */
    bool abrupt;        /* closes instead of waiting for answers */
    bool timeout;       /* is shut down in the middle, as by a deadline */
    bool spurious;      /* notices come without anything to read, too */
    bool at_once;       /* the handler asks to answer where a body begins */
    unsigned cuts;      /* seed of the pieces' lengths; 0: all at once */
    unsigned stretch;   /* this byte of the stream... */
    unsigned stretched; /* ...is there so many times more */
};

#define MANNER_BYTES 7u

static inline struct peer_manner
peer_manner(struct fuzz_input *input)
{
    unsigned flags = fuzz_byte(input);
    struct peer_manner manner = {
        .either = (flags & 1) != 0,
        .polite = (flags & 2) != 0,
        .abrupt = (flags & 12) == 4,
        .timeout = (flags & 48) == 16,
        .at_once = (flags & 64) != 0,
        .spurious = (flags & 128) != 0,
    };

    manner.cuts = fuzz_byte(input) << 8;
    manner.cuts |= fuzz_byte(input);
    manner.stretch = fuzz_byte(input) << 8;
    manner.stretch |= fuzz_byte(input);
    manner.stretched = fuzz_byte(input) << 8;
    manner.stretched |= fuzz_byte(input);
    return manner;
}

/* The stream: long records out of short inputs. */
static inline void
peer_stream(const struct fuzz_input *input, const struct peer_manner *manner,
            struct buffer *stream)
{
    size_t at = manner->stretch < input->len ? manner->stretch : 0;

    buffer_append(stream, input->data, input->len);
    if (input->len > 0 && manner->stretched > 0) {
        buffer_reserve(stream, manner->stretched);
        memmove(stream->data + at + manner->stretched, stream->data + at,
                stream->len - at);
        memset(stream->data + at, stream->data[at + manner->stretched],
               manner->stretched);
        stream->len += manner->stretched;
    }
}

/* What the target looks at; requests in the order of their answers. */
static void peer_on_request(const struct request *request);

static uint64_t peer_body_bytes;
static bool peer_at_once;

static inline bool
peer_body(void *context, const struct request *request)
{
    (void)context;
    FUZZ_HOLDS(!request->body_complete);
    FUZZ_HOLDS(request->body_bytes >= peer_body_bytes);
    peer_body_bytes = request->body_bytes;
    return peer_at_once;
}

static inline void
peer_respond(void *context, const struct request *request,
             struct response *response)
{
    (void)context;
    FUZZ_HOLDS(request->body_complete || peer_at_once);
    FUZZ_HOLDS(request->body_bytes >= peer_body_bytes);
    FUZZ_HOLDS(request->param_count <= REQUEST_PARAMS_MAX);
    peer_body_bytes = 0;
    peer_on_request(request);
    response_header(response, "Content-Type", "text/plain");
    for (int i = 0; i < ANSWER_BYTES; i++) {
        buffer_append(&response->body, "x", 1);
    }
}

__attribute__((format(printf, 2, 3))) static inline void
peer_log(int level, const char *format, ...)
{
    (void)level;
    (void)format;
}

static inline struct server *
peer_server(void)
{
    static struct server *server;
    struct server_options options = {
        .handler = { .body = peer_body, .respond = peer_respond },
        .log = peer_log,
        .header_timeout_ms = 60000,
        .body_timeout_ms = 60000,
        .send_timeout_ms = 60000,
        .keepalive_timeout_ms = 60000,
        .connections_max = 1,
    };

    if (server == NULL) {
        server = server_new(io_new(), &options);
        FUZZ_HOLDS(server != NULL);
    }
    return server;
}

static inline bool
peer_is_ready(const struct connection *c)
{
    struct pollfd ready = { .fd = c->source.fd, .events = POLLIN };

    return poll(&ready, 1, 0) != 0;
}

/* Tells the connection what epoll would, until it waits or is closed. */
static inline void
peer_serve(const struct server *server, bool spurious)
{
    struct connection *c;
    int notices = 0;

    while ((c = server->connections) != NULL && peer_is_ready(c)) {
        FUZZ_HOLDS(notices++ < NOTICES_MAX);
        c->source.ready(&c->source, EPOLLIN);
        fastcgi_round_end();
    }
    if (c != NULL && spurious) {
        c->source.ready(&c->source, EPOLLIN);
        fastcgi_round_end();
        FUZZ_HOLDS(server->connections == c && server->connection_count == 1);
    }
}

static inline void
peer_receive(int fd, struct buffer *answer)
{
    ssize_t got;

    do {
        buffer_reserve(answer, 4096);
        got = recv(fd, answer->data + answer->len, 4096, MSG_DONTWAIT);
        answer->len += got > 0 ? (size_t)got : 0;
    } while (got > 0);
}

/* Mostly a few bytes, sometimes thousands: both ways of reading are taken. */
static inline size_t
peer_piece(unsigned *seed)
{
    unsigned draw;

    if (*seed == 0) {
        return SIZE_MAX;
    }
    *seed = *seed * 1103515245u + 12345u;
    draw = *seed >> 16;
    *seed |= 1;
    return 1 + (draw & 0xff) %
                   (draw & 0x100   ? 8
                    : draw & 0x200 ? 64
                                   : 256) *
                   (draw & 0xc00 ? 1 : 64);
}

/* The lowest free number. */
static inline int
peer_free_descriptor(void)
{
    int fd = eventfd(0, 0);

    close(fd);
    return fd;
}

/*
 * Sends the stream; pieces end at the offsets in ends, which 0 ends. Appends
 * what comes back to answer.
 */
static inline void
peer_talk(const struct protocol *protocol, const struct peer_manner *manner,
          const struct buffer *stream, const size_t *ends,
          struct buffer *answer)
{
    struct server *server = peer_server();
    int before = peer_free_descriptor();
    unsigned seed = manner->cuts;
    size_t at = 0;
    int pair[2];

    FUZZ_HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    peer_body_bytes = 0;
    peer_at_once = manner->at_once;
    connection_open(server, protocol, pair[1]);
    fastcgi_round_end();
    FUZZ_HOLDS(server->connection_count == 1);
    peer_serve(server, manner->spurious);
    while (at < stream->len && server->connections != NULL) {
        size_t len = peer_piece(&seed);
        ssize_t sent;

        while (*ends != 0 && *ends <= at) {
            ends++;
        }
        len = *ends != 0 && len > *ends - at ? *ends - at : len;
        len = len > stream->len - at ? stream->len - at : len;
        sent = send(pair[0], stream->data + at, len, MSG_NOSIGNAL);
        if (manner->timeout && at > stream->len / 2) {
            shutdown(pair[1], SHUT_RDWR);
        }
        peer_serve(server, manner->spurious);
        peer_receive(pair[0], answer);
        /* What was sent has been read, so that there is room again. */
        FUZZ_HOLDS(sent > 0 || server->connections == NULL);
        at += sent > 0 ? (size_t)sent : 0;
    }
    if (manner->abrupt) {
        close(pair[0]);
    } else {
        shutdown(pair[0], SHUT_WR);
    }
    peer_serve(server, false);
    FUZZ_HOLDS(server->connections == NULL);
    FUZZ_HOLDS(server->connection_count == 0);
    if (!manner->abrupt) {
        peer_receive(pair[0], answer);
        close(pair[0]);
    }
    FUZZ_HOLDS(peer_free_descriptor() == before);
}

#endif
