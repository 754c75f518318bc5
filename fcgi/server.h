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

#include <stdbool.h>

#include "address.h"
#include "io.h"
#include "message.h"
#include "unix_socket.h"

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
    int64_t send_timeout_ms;   /* between two writes of an answer */
    int64_t keepalive_timeout_ms; /* an idle kept FastCGI connection */
    unsigned connections_max;     /* further ones are closed at once */
};

/* Makes a server; io outlives it. Returns NULL with errno set. */
struct server *server_new(struct io *io, const struct server_options *options);

/* Takes new options over. To be called while no thread of io runs. */
void server_configure(struct server *server,
                      const struct server_options *options);

/*
 * What to listen on. A stale Unix-domain socket is replaced, one that another
 * process listens on is EADDRINUSE.
 */
struct server_listen {
    const struct protocol *protocol;
    struct address address;
    int backlog;
    struct unix_socket_access access; /* to a Unix-domain socket */
    int fd;         /* inherited and listening already, to be owned; else -1 */
    bool keep_path; /* a Unix-domain socket is not removed with the listener */
};

/*
 * Listens, or, where it does so already, takes over what is new of protocol,
 * backlog and mode. To be called while no thread of io runs. Returns 0, or -1
 * with errno set.
 */
int server_listen(struct server *server, const struct server_listen *listen)
    __attribute__((warn_unused_result));

/*
 * Calls wanted for each address that is listened on, and stops listening on
 * those that it returns false for. Connections stay. To be called while no
 * thread of io runs.
 */
void server_listen_only(struct server *server,
                        bool (*wanted)(void *context,
                                       const struct address *address),
                        void *context);

/* Calls take for each listening socket, which stays the server's. */
void server_each_socket(struct server *server,
                        void (*take)(void *context, int fd, bool keep_path),
                        void *context);

/* Starts the deadline timer. Returns 0, or -1 with errno set. */
int server_start(struct server *server) __attribute__((warn_unused_result));

/*
 * Takes no further connections until server_resume(), and waits until no
 * connection is in the middle of a request, but not longer than timeout_ms.
 */
void server_drain(struct server *server, int64_t timeout_ms);

/* Takes connections again. To be called while no thread of io runs. */
void server_resume(struct server *server);

/*
 * Closes all connections and listeners and removes the Unix-domain sockets,
 * after io_stop().
 */
void server_free(struct server *server);

#endif
