/* The life of the running daemon: start, signals, reload, replacement, stop. */
#ifndef SIDECAR_LIFECYCLE_H
#define SIDECAR_LIFECYCLE_H

#include "config.h"

/* Where the configuration comes from, and the command line, for a new program.
 */
struct lifecycle_source {
    const char *file;    /* NULL: the built-in configuration */
    const char *globals; /* directives of -g; NULL: none */
    char **argv;
};

/*
 * Runs the daemon until a signal ends it. Owns config. Returns the exit
 * status.
 */
int lifecycle_run(struct config *config, const struct lifecycle_source *source);

#endif
