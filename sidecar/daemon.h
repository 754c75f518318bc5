/*
 * Putting the parts of the daemon together and taking them apart. To be used
 * by one thread, the main one.
 */
#ifndef SIDECAR_DAEMON_H
#define SIDECAR_DAEMON_H

#include <stdbool.h>

#include "config.h"

struct daemon;
struct store;

/*
 * Opens the store and all sockets as configured. Owns config from now on, and
 * frees it on failure, too. Returns NULL after logging why.
 */
struct daemon *daemon_new(struct config *config);

/* Starts the threads. Returns 0, or -1 after logging why. */
int daemon_start(struct daemon *daemon) __attribute__((warn_unused_result));

/*
 * Ends the threads, each after the request it is at. Connections stay open;
 * what they and the event sockets bring waits for the next daemon_start().
 */
void daemon_stop(struct daemon *daemon);

/*
 * Takes no further connections and waits until the requests that have begun
 * are answered, half a second at most. daemon_start() takes connections again.
 */
void daemon_drain(struct daemon *daemon);

/* Whether the I/O threads have done their work lately. Thread-safe. */
bool daemon_is_alive(struct daemon *daemon, int64_t now_ms);

/*
 * Takes a new configuration over, while it is stopped: sockets and zones that
 * are in both stay as they are, with what they hold. Owns config then. On
 * failure returns -1 after logging why, and all is as before.
 */
int daemon_configure(struct daemon *daemon, struct config *config)
    __attribute__((warn_unused_result));

/* Called with a listening or event socket; given: see inherited.h. */
typedef void (*daemon_socket_fn)(void *context, int fd, bool given);

/* Calls take for each socket, which stays the daemon's. */
void daemon_each_socket(struct daemon *daemon, daemon_socket_fn take,
                        void *context);

/* Its store, to be saved and filled. */
struct store *daemon_store(struct daemon *daemon);

/* Ends the threads, closes everything, frees the daemon. */
void daemon_free(struct daemon *daemon);

#endif
