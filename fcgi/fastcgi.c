/*
 * FastCGI connections. libfcgi reads one request per blocking call, so it is
 * handed a connection only when the scan has seen the whole request:
 *
 *   peek ── whole request, nothing behind it ──▶ libfcgi reads the socket
 *     └─── anything else ──▶ read and keep ── parameters complete ──▶ libfcgi
 *                            reads them from a socket pair, then answers on
 *                            the connection once the body has been counted
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
#include "fastcgi_scan.h"
#include "server_internal.h"

enum {
    PEEK_BYTES = 16384,
    READS_PER_NOTICE = 16 /* then others get their turn */
};

struct fastcgi_connection {
    struct connection base;
    struct fastcgi_scan scan; /* of the request that is being read */
    bool reading;             /* part of a request has been read already */
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
fastcgi_connection_init(struct connection *c)
{
    (void)c;
}

static void
fastcgi_release(struct connection *c)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;

    if (c->request != NULL) {
        FCGX_Free(&f->libfcgi, 0); /* the descriptor is not libfcgi's */
    }
}

/* Has libfcgi read one complete request, or its parameters, from fd. */
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

        if (equals == NULL) {
            continue;
        }
        *equals = '\0';
        if (request_add(request, *entry, equals + 1) < 0) {
            abort(); /* the scan has counted them */
        }
    }
}

/* Answers, then waits for the next request or closes. */
static void
answer(struct connection *c, FCGX_Request *libfcgi,
       const struct request *request)
{
    struct buffer out = BUFFER_INIT;
    int keep = libfcgi->keepConnection;

    connection_own(c);
    connection_respond(c, request, &out);
    FCGX_PutStr(out.data, (int)out.len, libfcgi->out);
    buffer_release(&out);
    libfcgi->keepConnection = 1; /* closing is ours, except after an error */
    FCGX_Finish_r(libfcgi);
    free(c->request);
    c->request = NULL;
    if (libfcgi->ipcFd < 0) {
        connection_forget(c);
    } else if (!keep) {
        connection_close(c);
    } else {
        connection_wait(c, WAIT_REQUEST);
    }
}

/* The whole request lies in the socket, and nothing behind it. */
static void
answer_from_socket(struct connection *c, uint64_t body_bytes)
{
    FCGX_Request libfcgi;
    struct request request = { .body_bytes = body_bytes,
                               .body_complete = true };
    char scratch[4096];

    connection_own(c);
    if (accept_request(&libfcgi, c->source.fd) < 0) {
        connection_forget(c);
        return;
    }
    while (FCGX_GetStr(scratch, sizeof(scratch), libfcgi.in) ==
           (int)sizeof(scratch)) {
        /* The body is counted already. */
    }
    collect_params(&libfcgi, &request);
    answer(c, &libfcgi, &request);
}

static void
put_record(struct buffer *out, unsigned type, unsigned id, const void *content,
           size_t len)
{
    uint8_t header[FCGI_HEADER_LEN] = {
        FCGI_VERSION_1, (uint8_t)type,       (uint8_t)(id >> 8),
        (uint8_t)id,    (uint8_t)(len >> 8), (uint8_t)len,
    };

    buffer_append(out, header, sizeof(header));
    buffer_append(out, content, len);
}

/* The request up to its parameters, in as few records as can be. */
static void
put_request(const struct connection *c, struct buffer *out)
{
    const struct fastcgi_connection *f = (const struct fastcgi_connection *)c;
    unsigned id = f->scan.request_id;

    put_record(out, FCGI_BEGIN_REQUEST, id, f->scan.begin_body,
               sizeof(f->scan.begin_body));
    for (size_t at = 0, len; at < c->input.len; at += len) {
        len = c->input.len - at < FCGI_MAX_LENGTH ? c->input.len - at
                                                  : FCGI_MAX_LENGTH;
        put_record(out, FCGI_PARAMS, id, c->input.data + at, len);
    }
    put_record(out, FCGI_PARAMS, id, NULL, 0);
}

/* Has libfcgi read the kept request; afterwards it writes to the connection. */
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
        libfcgi->ipcFd = c->source.fd;
        libfcgi->detached = 1;
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

static void
count_body(struct connection *c, uint64_t *told)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;

    c->request->body_bytes = f->scan.body_bytes;
    if (*told != f->scan.body_bytes) {
        (void)connection_body(c, c->request);
        *told = f->scan.body_bytes;
    }
}

static void
read_request(struct connection *c)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;
    uint64_t told = c->request != NULL ? f->scan.body_bytes : UINT64_MAX;
    char data[PEEK_BYTES];

    for (int i = 0; i < READS_PER_NOTICE; i++) {
        ssize_t got = recv(c->source.fd, data, sizeof(data), 0);
        int progress;

        if (got < 0 && errno == EAGAIN) {
            break;
        }
        progress = got > 0 ? take(c, data, (size_t)got) : -1;
        if (progress < 0) {
            connection_close(c);
            return;
        }
        if (progress > 0) {
            c->request->body_bytes = f->scan.body_bytes;
            c->request->body_complete = true;
            f->reading = false;
            answer(c, &f->libfcgi, c->request);
            return;
        }
    }
    if (c->request != NULL) {
        count_body(c, &told);
    }
    connection_wait(c, c->request != NULL ? WAIT_BODY : WAIT_HEADER);
}

static void
fastcgi_ready(struct connection *c)
{
    struct fastcgi_connection *f = (struct fastcgi_connection *)c;
    struct fastcgi_scan scan = FASTCGI_SCAN_INIT;
    uint8_t data[PEEK_BYTES];
    enum fastcgi_result result;
    size_t consumed;
    size_t params_len;
    ssize_t got;

    if (f->reading) {
        read_request(c);
        return;
    }
    got = recv(c->source.fd, data, sizeof(data), MSG_PEEK);
    if (got < 0 && errno == EAGAIN) {
        connection_wait(c, WAIT_REQUEST);
        return;
    }
    if (got <= 0) {
        connection_close(c);
        return;
    }
    result = fastcgi_scan(&scan, data, (size_t)got, &params_len);
    if (result == FASTCGI_PARAMS) {
        result = fastcgi_scan(&scan, data + params_len,
                              (size_t)got - params_len, &consumed);
        params_len += consumed;
    }
    /* libfcgi takes the padding of a record that ends a stream for the next. */
    if (result == FASTCGI_COMPLETE && params_len == (size_t)got &&
        !scan.padded_end) {
        answer_from_socket(c, scan.body_bytes);
        return;
    }
    connection_own(c); /* the header timeout starts now */
    f->scan = (struct fastcgi_scan)FASTCGI_SCAN_INIT;
    f->scan.kept_params = &c->input;
    f->reading = true;
    read_request(c);
}

const struct protocol fastcgi_protocol = {
    .name = "fastcgi",
    .connection_size = sizeof(struct fastcgi_connection),
    .init = fastcgi_connection_init,
    .ready = fastcgi_ready,
    .release = fastcgi_release,
};
