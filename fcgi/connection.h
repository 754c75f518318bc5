/*
 * One accepted connection, as the protocols see it. It belongs to one I/O
 * thread, which alone calls what is here.
 */
#ifndef FCGI_CONNECTION_H
#define FCGI_CONNECTION_H

#include <stdatomic.h>

#include "buffer.h"
#include "io.h"
#include "message.h"
#include "server.h"

struct connection {
    struct io_source source; /* first: readiness arrives as its address */
    uint32_t events;         /* that it waits for; 0: in no set yet */
    bool peer_ends;          /* it sends no more, or is gone */
    struct server *server;
    const struct protocol *protocol;
    struct buffer input;     /* bytes read and not yet answered */
    struct request *request; /* the request whose body streams in, or NULL */
    struct buffer output;    /* of an answer that the peer is slow to take */
    size_t output_at;        /* bytes of output that are sent */
    bool keep;               /* once that is sent, for the next request */

    /* Under the server's lock. */
    struct connection *next;
    struct connection *previous;

    /* For the threads that sweep and drain. */
    atomic_llong deadline_ms; /* monotonic; 0 for none */
    atomic_bool idle;         /* between two requests */
};

struct protocol {
    const char *name;
    size_t connection_size; /* of the structure that begins with connection,
                               and all else of which begins as zeros */
    void (*ready)(struct connection *c);
    void (*release)(struct connection *c);
};

enum {
    REQUEST_HEADER_MAX = 65536, /* bytes of parameters in one request */
    CONNECTION_SIZE_MAX = 1024, /* bytes of any protocol's connection */
};

enum connection_wait {
    WAIT_HEADER,  /* for the rest of a request's parameters */
    WAIT_BODY,    /* for more of a body */
    WAIT_REQUEST, /* idle, kept open for the next request */
    WAIT_SEND,    /* for the peer to take more of an answer */
};

/*
 * Waits, and closes the connection when that fails. Another thread may have it
 * afterwards, if it is new.
 */
void connection_wait(struct connection *c, enum connection_wait what);

/*
 * Something may be left unread: the next connection_wait() has the set look.
 * Without this it need not, where everything was read before WAIT_REQUEST.
 */
void connection_unread(struct connection *c);

/*
 * Sends an answer of len bytes, as the peer takes it, then waits for the next
 * request or closes. The connection may be gone, or another thread's,
 * afterwards.
 */
void connection_send(struct connection *c, const void *answer, size_t len,
                     bool keep);

/* Closes the descriptor and frees the connection. */
void connection_close(struct connection *c);

/* Runs the handler and renders its response to out. */
void connection_respond(struct connection *c, const struct request *request,
                        struct buffer *out);

/*
 * Tells the handler of a body that began or grew. Returns whether it asks to
 * respond at once.
 */
bool connection_body(struct connection *c, const struct request *request);

#endif
