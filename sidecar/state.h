/*
 * The uploads beyond the life of one process: in a file (state_file), or in
 * memory that the next program of this process inherits. Thread-safe where
 * the store is.
 */
#ifndef SIDECAR_STATE_H
#define SIDECAR_STATE_H

#include "store.h"

/*
 * Writes the file anew: beside it first, then in its place. Where that fails it
 * is logged once, and once more when it goes again. On one thread only.
 */
void state_save(struct store *store, const char *file);

/*
 * Reads the file. One that is damaged, or none of ours, is set aside under its
 * name with ".refused", and logged; one that is not there is no error. To be
 * called while no other thread uses the store.
 */
void state_load(struct store *store, const char *file);

/* A memory file with all uploads, or -1 after logging why. */
int state_pass(struct store *store);

/* Takes such a file over, and closes it. As state_load(). */
void state_inherit(struct store *store, int fd);

#endif
