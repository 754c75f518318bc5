/*
 * Takes nginx's syslog datagrams (RFC 3164 form) on Unix-domain and UDP
 * sockets. One thread moves them into a ring and does nothing else, so that
 * bursts are not lost; another parses them and calls the application.
 */
#ifndef FCGI_SYSLOG_SERVER_H
#define FCGI_SYSLOG_SERVER_H

#include "address.h"
#include "io.h"

struct syslog_server;

/* Called on the parsing thread with one NUL-terminated message. */
typedef void (*syslog_message_fn)(void *context, char *message);

/* Makes a server. Returns NULL with errno set. */
struct syslog_server *syslog_server_new(io_log_fn log,
                                        syslog_message_fn message,
                                        void *context);

/*
 * Receives on address, with a receive buffer of rcvbuf_bytes where the kernel
 * grants it (else it is logged what it does grant). Returns 0, or -1 with
 * errno set.
 */
int syslog_server_listen(struct syslog_server *server,
                         const struct address *address, int rcvbuf_bytes,
                         unsigned mode) __attribute__((warn_unused_result));

/* Starts both threads. Returns 0, or -1 with errno set. */
int syslog_server_start(struct syslog_server *server)
    __attribute__((warn_unused_result));

/* Ends both threads; what has been received is still handed over. */
void syslog_server_stop(struct syslog_server *server);

/* Closes the sockets and removes Unix-domain ones, after the stop. */
void syslog_server_free(struct syslog_server *server);

#endif
