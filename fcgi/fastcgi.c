/*
 * FastCGI connections. libfcgi reads one request per blocking call, and takes
 * several system calls for that, so it is given those requests only that arrive
 * in pieces, and is never shown the connection itself:
 *
 *   read ── a whole request ──▶ answered at the end of the round
 *     └──── a piece of one ──▶ kept ── parameters complete ──▶ libfcgi reads
 *                              them from a socket pair; the request is answered
 *                              once its body has been counted
 */
#include <assert.h>
#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "fastcgi_records.h"
#include "fastcgi_round.h"
#include "fastcgi_scan.h"
#include "server_internal.h"

enum {
    READ_BYTES = 16384,
    READS_PER_NOTICE = 16, /* then others get their turn */
};

struct fastcgi_connection {
    struct connection base;
    struct fastcgi_scan scan; /* of the request that is being read */
    bool reading;             /* part of a request has been read already */
    uint64_t told_bytes;      /* of its body, to the handler */
    FCGX_Request libfcgi;     /* open while a body streams in */
};
static_assert(sizeof(struct fastcgi_connection) <= CONNECTION_SIZE_MAX,
              "room where the protocol is not known yet");

int
fastcgi_init(void)
{
    return FCGX_Init() == 0 ? 0 : -1;
}

static void
fastcgi_release(struct connection *c)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;

    if (c->request != NULL) {
        FCGX_Free(&f->libfcgi, 0);
    }
}

/* Has libfcgi read a request's parameters from fd. */
static int
accept_request(FCGX_Request *libfcgi, int fd)
{
    FCGX_InitRequest(libfcgi, -1, 0);
    libfcgi->ipcFd = fd;
    libfcgi->keepConnection = 1; /* or the first thing it does is close fd */
    libfcgi->detached = 1;       /* or it lingers 2 s over every close */
    return FCGX_Accept_r(libfcgi);
}

static void
collect_params(FCGX_Request *libfcgi, struct request *request)
{
    for (char **entry = libfcgi->envp; *entry != NULL; entry++) {
        char *equals = strchr(*entry, '=');

        if (equals == NULL || entry == libfcgi->envp) {
            continue; /* the first is FCGI_ROLE, libfcgi's own */
        }
        *equals = '\0';
        if (request_add(request, *entry, equals + 1) < 0) {
            abort(); /* the scan has counted them */
        }
    }
}

/* The request up to its parameters, in as few records as can be. */
static void
put_request(const struct connection *c, struct buffer *out)
{
    const struct fastcgi_connection *f = (const struct fastcgi_connection *)c;
    unsigned id = f->scan.request_id;

    fastcgi_put_record(out, FCGI_BEGIN_REQUEST, id, f->scan.begin_body,
                       sizeof(f->scan.begin_body));
    fastcgi_put_stream(out, FCGI_PARAMS, id, c->input.data, c->input.len);
}

/* Has libfcgi read the kept request. */
static int
replay(struct connection *c, FCGX_Request *libfcgi)
{
    struct buffer request = BUFFER_INIT;
    int pair[2];
    ssize_t sent;
    int result = -1;

    put_request(c, &request);
    c->input.len = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) < 0) {
        goto out;
    }
    sent = send(pair[0], request.data, request.len, MSG_NOSIGNAL);
    if (sent < 0 || (size_t)sent != request.len) {
        close(pair[1]);
    } else {
        result = accept_request(libfcgi, pair[1]); /* closes it on failure */
    }
    close(pair[0]);
    if (result == 0) {
        close(pair[1]);
        libfcgi->ipcFd = -1;
    }
out:
    buffer_release(&request);
    return result == 0 ? 0 : -1;
}

static int
begin_body(struct connection *c)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;

    if (replay(c, &f->libfcgi) < 0) {
        return -1;
    }
    c->request = calloc(1, sizeof(*c->request));
    if (c->request == NULL) {
        FCGX_Free(&f->libfcgi, 0);
        return -1;
    }
    collect_params(&f->libfcgi, c->request);
    f->told_bytes = UINT64_MAX; /* nor that there is one */
    return 0;
}

/*
 * Feeds what was read to the scan; keeps it until the parameters are complete.
 * Returns 1 once the request has ended, 0 to go on, -1 to give up.
 */
static int
take(struct connection *c, const char *data, size_t len)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;

    while (len > 0) {
        size_t consumed;
        enum fastcgi_result result =
            fastcgi_scan(&f->scan, (const uint8_t *)data, len, &consumed);

        data += consumed;
        len -= consumed;
        if (result == FASTCGI_GARBAGE ||
            (result == FASTCGI_PARAMS && begin_body(c) < 0)) {
            return -1;
        }
        if (result == FASTCGI_COMPLETE) {
            /* Bytes behind the end: a peer that did not wait for us. */
            return len == 0 ? 1 : -1;
        }
    }
    return 0;
}

/* Answers the request that came in pieces. */
static void
end_request(struct connection *c)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;
    struct buffer out = BUFFER_INIT;

    c->request->body_bytes = f->scan.body_bytes;
    c->request->body_complete = true;
    fastcgi_respond(c, &f->scan, c->request, &out);
    fastcgi_release(c);
    free(c->request);
    c->request = NULL;
    f->reading = false;
    connection_send(c, out.data, out.len, fastcgi_keeps(&f->scan));
    buffer_release(&out);
}

static void
count_body(struct connection *c)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;

    c->request->body_bytes = f->scan.body_bytes;
    if (f->told_bytes != f->scan.body_bytes) {
        (void)connection_body(c, c->request);
        f->told_bytes = f->scan.body_bytes;
    }
}

/* Returns whether to read on; the connection may be gone where not. */
static bool
take_piece(struct connection *c, const char *data, ssize_t len)
{
    int progress = len > 0 ? take(c, data, (size_t)len) : -1;

    if (progress < 0) {
        connection_close(c);
    } else if (progress > 0) {
        end_request(c);
    }
    return progress == 0;
}

static void
read_request(struct connection *c)
{
    char data[READ_BYTES];

    for (int i = 0; i < READS_PER_NOTICE; i++) {
        ssize_t got = recv(c->source.fd, data, sizeof(data), 0);

        if (got < 0 && errno == EAGAIN) {
            break;
        }
        if (!take_piece(c, data, got)) {
            return;
        }
    }
    if (c->request != NULL) {
        count_body(c);
    }
    connection_wait(c, c->request != NULL ? WAIT_BODY : WAIT_HEADER);
}

static void
fastcgi_ready(struct connection *c)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;
    char data[READ_BYTES];
    ssize_t got;

    if (f->reading) {
        read_request(c);
        return;
    }
    got = recv(c->source.fd, data, sizeof(data), 0);
    if (got < 0 && errno == EAGAIN) {
        if (c->events == 0) {
            connection_wait(c, WAIT_HEADER);
        }
        return;
    }
    if (got <= 0) {
        connection_close(c);
        return;
    }
    /* Where less came than there is room for, nothing is left; epoll(7). */
    if (got == sizeof(data) || !fastcgi_round_take(c, data, (size_t)got)) {
        connection_unread(c);
        f->scan = (struct fastcgi_scan)FASTCGI_SCAN_INIT;
        f->scan.kept_params = &c->input;
        f->reading = true;
        if (take_piece(c, data, got)) {
            read_request(c);
        }
    }
}

const struct protocol fastcgi_protocol = {
    .name = "fastcgi",
    .connection_size = sizeof(struct fastcgi_connection),
    .ready = fastcgi_ready,
    .release = fastcgi_release,
};
