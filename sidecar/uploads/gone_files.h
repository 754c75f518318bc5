/*
 * Temporary files that nginx has closed before the line of the request's end
 * came: a form's fields may yet be wanted by it. What was held of such a file
 * is kept for a moment, of so many at most. All functions are thread-safe.
 * Times are monotonic.
 */
#ifndef SIDECAR_GONE_FILES_H
#define SIDECAR_GONE_FILES_H

#include "uploads.h"

enum { GONE_FILES_MAX = 32 };

struct gone_files;

/* Makes an empty list. Aborts if out of memory. */
struct gone_files *gone_files_new(void);

/* Closes what is kept. */
void gone_files_free(struct gone_files *files);

/*
 * Keeps a file by the descriptor held of it, which becomes the list's. Returns
 * the one that had to make room, which is the caller's to close, or -1.
 */
int gone_files_put(struct gone_files *files, const struct spool *spool,
                   int held_fd, int64_t now_ms);

/*
 * Takes out one of those that were told of on a connection; returns its
 * descriptor, which is the caller's to close, or -1 if there is none.
 */
int gone_files_take(struct gone_files *files, int64_t pid, int64_t connection);

/* The same of one that was put in before before_ms. */
int gone_files_take_old(struct gone_files *files, int64_t before_ms);

/*
 * Opens the file of a request that was told of last, for reading. The caller
 * closes the descriptor. Returns -1 where there is none, or errno tells why
 * not.
 */
int gone_files_open(struct gone_files *files, const struct upload *request);

#endif
