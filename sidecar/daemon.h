/* Putting the parts of the daemon together and taking them apart. */
#ifndef SIDECAR_DAEMON_H
#define SIDECAR_DAEMON_H

#include "config.h"

struct daemon;

/*
 * Opens the store and all sockets as configured. config outlives it. Returns
 * NULL after logging why.
 */
struct daemon *daemon_new(const struct config *config);

/* Starts the threads. Returns 0, or -1 after logging why. */
int daemon_start(struct daemon *daemon) __attribute__((warn_unused_result));

/* Ends the threads, closes everything, frees the daemon. */
void daemon_free(struct daemon *daemon);

#endif
