/*
 * Listeners and their connections. A server answers FastCGI and SCGI requests
 * on any number of Unix-domain and TCP listeners through one handler.
 *
 *   listener --accept--> connection --readable--> protocol --> handler
 *                             |
 *                        deadlines, swept by a timer: a peer that sends half
 *                        a request or nothing is shut down, never waited for
 */
#ifndef FCGI_SERVER_H
#define FCGI_SERVER_H

#include "address.h"
#include "io.h"
#include "message.h"

struct protocol;
struct server;

extern const struct protocol fastcgi_protocol;
extern const struct protocol scgi_protocol;
extern const struct protocol either_protocol; /* of the two */

struct server_options {
    struct handler handler;
    io_log_fn log;
    int64_t header_timeout_ms; /* from the first byte to complete parameters */
    int64_t body_timeout_ms;   /* between two reads of a body */
    int64_t keepalive_timeout_ms; /* an idle kept FastCGI connection */
    unsigned connections_max;     /* further ones are closed at once */
};

/* Makes a server; io outlives it. Returns NULL with errno set. */
struct server *server_new(struct io *io, const struct server_options *options);

/*
 * Listens on address. A stale Unix-domain socket is replaced, one that
 * another process listens on is EADDRINUSE; mode is the permission of a
 * Unix-domain socket. Returns 0, or -1 with errno set.
 */
int server_listen(struct server *server, const struct protocol *protocol,
                  const struct address *address, int backlog, unsigned mode)
    __attribute__((warn_unused_result));

/* Starts the deadline timer. Returns 0, or -1 with errno set. */
int server_start(struct server *server) __attribute__((warn_unused_result));

/*
 * Closes all connections and listeners and removes the Unix-domain sockets,
 * after io_stop().
 */
void server_free(struct server *server);

#endif
