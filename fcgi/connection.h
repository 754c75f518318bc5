/*
 * One accepted connection, as the protocols see it. Between its readiness and
 * its re-arming or closing a connection belongs to one I/O thread.
 */
#ifndef FCGI_CONNECTION_H
#define FCGI_CONNECTION_H

#include "buffer.h"
#include "io.h"
#include "message.h"
#include "server.h"

struct connection {
    struct io_source source; /* first: readiness arrives as its address */
    struct server *server;
    const struct protocol *protocol;
    struct buffer input;     /* bytes read and not yet answered */
    struct request *request; /* the request whose body streams in, or NULL */

    /* Under the server's lock. */
    struct connection *next;
    struct connection *previous;
    int64_t deadline_ms; /* monotonic; 0 for none */
    bool idle;           /* between two requests */
};

struct protocol {
    const char *name;
    size_t connection_size; /* of the structure that begins with connection */
    void (*init)(struct connection *c);
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
};

/* Gives the connection back to the set; closes it when that fails. */
void connection_wait(struct connection *c, enum connection_wait what);

/*
 * Takes the deadline off, so that nobody but the caller touches the
 * descriptor; needed before code that may close it by itself.
 */
void connection_own(struct connection *c);

/* Closes the descriptor and frees the connection. */
void connection_close(struct connection *c);

/* Frees the connection, whose descriptor has been closed already. */
void connection_forget(struct connection *c);

/* Runs the handler and renders its response to out. */
void connection_respond(struct connection *c, const struct request *request,
                        struct buffer *out);

/*
 * Tells the handler of a body that began or grew. Returns whether it asks to
 * respond at once.
 */
bool connection_body(struct connection *c, const struct request *request);

#endif
