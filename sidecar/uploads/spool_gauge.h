/*
 * The spool gauge: the size of nginx's temporary body files, found among the
 * descriptors of the worker in proc(5). It needs to run as the worker's user,
 * or as root, in the same PID namespace. Thread-safe.
 */
#ifndef SIDECAR_SPOOL_GAUGE_H
#define SIDECAR_SPOOL_GAUGE_H

#include <stdbool.h>
#include <stdint.h>

#include "upload.h"

enum spool_answer {
    SPOOL_OPEN,    /* the size is set */
    SPOOL_GONE,    /* the worker has closed the file, or is gone itself */
    SPOOL_UNKNOWN, /* not found yet, or not to be read; see log_pace.h */
    SPOOL_LATER,   /* not now, for want of descriptors or memory; likewise */
};

/*
 * Whether nginx names a temporary file so: a number in some folder. Whoever
 * can send a log line can name any file; what looks otherwise is none.
 */
bool spool_gauge_is_name(const char *path);

/*
 * The size of a file whose descriptor is known. Where it is not, and the
 * worker's descriptors cannot be listed, that of the name, which stays with
 * client_body_in_file_only, if the file is the worker's user's.
 */
enum spool_answer spool_gauge_read(const struct spool *spool,
                                   int64_t *size_bytes);

/*
 * Looks through the descriptors of worker pid for the files, one pass for
 * all, and sets fd of those found. Returns SPOOL_OPEN when it could look,
 * SPOOL_GONE also when pid is not a process of nginx.
 */
enum spool_answer spool_gauge_find(int64_t pid, struct spool *spools,
                                   int count);

/*
 * Opens a file that was found, without access to its contents, so that its
 * last size can be read after the worker has closed it. The file's space is
 * freed only once the descriptor, which is the caller's, is closed. Returns it,
 * or -1.
 */
int spool_gauge_hold(const struct spool *spool);

/*
 * What tells a file that was found from every other that the worker may ever
 * have under its number: below -1, for held_fd where no descriptor is held.
 * Returns -1 where it cannot be told: where the file is not there, was made in
 * this very tick of the clock, or lies in a file system that does not know when
 * (statx(2), STATX_BTIME).
 */
int64_t spool_gauge_mark(const struct spool *spool);

/*
 * The size of a file that is held, also once the worker has closed it, by one
 * system call; -1 if it cannot be told.
 */
int64_t spool_gauge_held_bytes(int held_fd);

/*
 * Opens a file that is held, for reading: what is held is only a place in the
 * file system. Returns a descriptor that the caller closes; -1 and errno if it
 * can't.
 */
int spool_gauge_open(int held_fd);

#endif
