/* The server's own state, shared by its source files in this folder only. */
#ifndef FCGI_SERVER_INTERNAL_H
#define FCGI_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "log_pace.h"
#include "server.h"

struct connection;
struct listener;

struct server {
    struct io *io;
    struct server_options options;
    struct listener *listeners; /* before io_start(): the main thread's */
    struct io_timer timer;
    atomic_bool draining; /* no further connections are taken */

    pthread_mutex_t lock; /* the connection list */
    struct connection *connections;
    unsigned connection_count;

    struct log_pace crowd_pace; /* more connections than allowed */
};

/* Prepares libfcgi; once per process suffices. Returns 0 or -1. */
int fastcgi_init(void);

/* Takes over an accepted, non-blocking descriptor. */
void connection_open(struct server *server, const struct protocol *protocol,
                     int fd);

/* Lets listeners go on that had run out of descriptors. */
void listeners_resume(struct server *server);

/* Closes the listeners and removes their Unix-domain sockets. */
void listeners_free(struct server *server);

#endif
