/*
 * Takes nginx's syslog datagrams (RFC 3164 form) on Unix-domain and UDP
 * sockets. One thread moves them into a ring, so that bursts are not lost;
 * another parses them and calls the application. Without Unix-domain sockets
 * the first thread parses a few itself, at once, while there are none in the
 * ring.
 */
#ifndef FCGI_SYSLOG_SERVER_H
#define FCGI_SYSLOG_SERVER_H

#include <stdbool.h>

#include "address.h"
#include "io.h"
#include "unix_socket.h"

struct syslog_server;

/* The application. Called by one thread at a time, in the order of messages. */
struct syslog_handler {
    /* One NUL-terminated message. */
    void (*message)(void *context, char *message);
    /* Optional. Several messages follow at once, and are over. */
    void (*burst_begin)(void *context);
    void (*burst_end)(void *context);
    void *context;
};

/* Makes a server. Returns NULL with errno set. */
struct syslog_server *syslog_server_new(io_log_fn log,
                                        const struct syslog_handler *handler);

/* What to receive on. */
struct syslog_listen {
    struct address address;
    int rcvbuf_bytes;
    struct unix_socket_access access; /* to a Unix-domain socket */
    bool local_only; /* datagrams from other hosts are dropped */
    int fd;          /* inherited and bound already, to be owned; else -1 */
    bool keep_path;  /* a Unix-domain socket is not removed with the server */
};

/*
 * Receives, or, where it does so already, takes over what is new of access
 * and receive buffer. Warns, by the name of the sysctl to set, where the kernel
 * does not grant rcvbuf_bytes, or where the queue of a Unix-domain socket is
 * short. To be called while the server is stopped. Returns 0, or -1 with errno
 * set.
 */
int syslog_server_listen(struct syslog_server *server,
                         const struct syslog_listen *listen)
    __attribute__((warn_unused_result));

/* As server_listen_only(), while the server is stopped. */
void syslog_server_listen_only(struct syslog_server *server,
                               bool (*wanted)(void *context,
                                              const struct address *address),
                               void *context);

/* Calls take for each socket, which stays the server's; while stopped. */
void syslog_server_each_socket(struct syslog_server *server,
                               void (*take)(void *context, int fd,
                                            bool keep_path),
                               void *context);

/* Starts both threads. Returns 0, or -1 with errno set. */
int syslog_server_start(struct syslog_server *server)
    __attribute__((warn_unused_result));

/*
 * Ends both threads; what has been received is still handed over. It may be
 * started again.
 */
void syslog_server_stop(struct syslog_server *server);

/* Closes the sockets and removes Unix-domain ones, after the stop. */
void syslog_server_free(struct syslog_server *server);

#endif
