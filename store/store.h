/*
 * Uploads by zone and progress ID in an in-memory SQLite database: one
 * connection, one lock, prepared statements. Every function is thread-safe;
 * rows are copied out, nothing that is returned points into the store. Time
 * is a parameter (monotonic milliseconds). Functions that return a number of
 * rows return -1 on an SQLite error, see store_error().
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "upload.h"

struct store;

enum store_result {
    STORE_OK,
    STORE_NOT_FOUND,
    STORE_FULL,  /* the zone's limit; nothing finished could make room */
    STORE_ERROR, /* SQLite's; see store_error() */
};

enum {
    ZONE_SIZE_MIN = 32768, /* bytes: eight pages of 4 KiB, as in nginx */
    ZONES_MAX = 64,
    STORE_SPOOLS_MAX = 100000, /* temporary files followed at once */
    STORE_ERROR_MAX = 256      /* room for store_error(), with NUL */
};

/* Opens an empty database. Returns NULL and sets *message on failure. */
struct store *store_new(const char **message);

void store_free(struct store *store);

/* Copies SQLite's message for the last error. */
void store_error(struct store *store, char *text, size_t size);

/*
 * Adds a zone of size_bytes, or gives the one of that name another size: where
 * it has more, its oldest finished uploads go. Returns its index, or -1 when
 * there are ZONES_MAX. To be called while no other thread uses the store.
 */
int store_zone_set(struct store *store, const char *name, int64_t size_bytes);

/*
 * Removes a zone with all of its uploads; its index may be another's then. To
 * be called while no other thread uses the store.
 */
void store_zone_remove(struct store *store, int zone);

/* When a snapshot was taken, or is loaded. */
struct store_moment {
    int64_t monotonic_ms; /* the clock of all times in the store */
    int64_t wall_ms;      /* since 1970 */
    char boot_id[37];     /* of the boot that the monotonic clock belongs to */
};

/*
 * Copies all that is stored into a database file, which is overwritten; other
 * threads go on meanwhile. The file is synchronised to disk. Returns 0, or -1
 * with a text in *message, to be freed.
 */
int store_snapshot_save(struct store *store, const char *path,
                        const struct store_moment *now, char **message)
    __attribute__((warn_unused_result));

/* The same into an empty file that is open, such as that of memfd_create(2). */
int store_snapshot_write(struct store *store, int fd,
                         const struct store_moment *now, char **message)
    __attribute__((warn_unused_result));

/* What a snapshot has brought. */
struct store_loaded {
    int64_t uploads;
    int64_t without_zone; /* left out: their zone is not configured any more */
};

/*
 * Takes a snapshot over, its times moved by what has passed since. Nothing is
 * changed where it is damaged or not one: then it returns -1, with a text in
 * *message, to be freed. To be called while no other thread uses the store.
 */
int store_snapshot_load(struct store *store, const char *path,
                        const struct store_moment *now,
                        struct store_loaded *loaded, char **message)
    __attribute__((warn_unused_result));

/* The same from an open file. */
int store_snapshot_read(struct store *store, int fd,
                        const struct store_moment *now,
                        struct store_loaded *loaded, char **message)
    __attribute__((warn_unused_result));

/* The name of a zone, or NULL where there is none of that index. */
const char *store_zone_name(const struct store *store, int zone);

/* The index of a zone, or -1. */
int store_zone_find(const struct store *store, const char *name);

/* Bytes in use of a zone's limit. */
int64_t store_zone_used(struct store *store, int zone);

/*
 * What is changed between the two, by whomever, costs half as much as it is
 * made one transaction; everybody sees it at once all the same. Batches may
 * overlap. Thread-safe.
 */
void store_batch_begin(struct store *store);
void store_batch_end(struct store *store);

/*
 * The attempt that a probe asks for: the earliest started that runs, else the
 * one that finished last.
 */
enum store_result store_upload_find(struct store *store, int zone,
                                    const char *id, struct upload *upload);

/*
 * A number that is another one after each change of an upload of that ID, but
 * for what store_upload_measured() writes. Does not wait.
 */
uint32_t store_version(struct store *store, int zone, const char *id);

/* One attempt by its whole key. */
enum store_result store_upload_get(struct store *store, int zone,
                                   const char *id, const uint8_t *attempt,
                                   struct upload *upload);

/* The attempts of one ID, at most max. Returns their number. */
int store_upload_attempts(struct store *store, int zone, const char *id,
                          struct upload *uploads, int max);

/* The running attempts on one connection, at most max. Returns their number. */
int store_upload_on_connection(struct store *store, int64_t pid,
                               int64_t connection, struct upload *uploads,
                               int max);

/*
 * Writes a row, new or known by its key. For a new one the oldest finished
 * uploads of the zone make room where the limit wants it; *evicted is their
 * number. received_bytes never falls below what is stored.
 */
enum store_result store_upload_put(struct store *store,
                                   const struct upload *upload,
                                   unsigned *evicted);

/*
 * Writes what a probe has measured: received, its gauge, marks, file,
 * updated, when that was; not the rest, which an event may have changed
 * meanwhile. Leaves a finished attempt, and one that has received more, alone.
 */
enum store_result store_upload_measured(struct store *store,
                                        const struct upload *upload);

enum store_result store_upload_delete(struct store *store, int zone,
                                      const char *id, const uint8_t *attempt);

/*
 * The running attempts whose check_ms has come, earliest first, but for those
 * that are looked at in turn.
 */
int store_upload_due(struct store *store, int64_t now_ms,
                     struct upload *uploads, int max);

/*
 * Those that are looked at in turn, in the order of their keys: moves *place,
 * of which only the key counts, over the next max of them. Those that have not
 * been seen alive since are put into uploads, *count of them. Returns how many
 * it has moved over, fewer than max: there are no more; or -1 on an SQLite
 * error.
 */
int store_upload_in_turn(struct store *store, struct upload *place,
                         int64_t alive_since_ms, struct upload *uploads,
                         int max, int *count);

/* The number of running attempts. */
int store_upload_running(struct store *store);

/*
 * Calls take with each running attempt. take must not call the store. To be
 * called while no other thread uses the store. Returns 0, or -1 on an SQLite
 * error.
 */
int store_upload_each_running(struct store *store,
                              void (*take)(void *context,
                                           const struct upload *upload),
                              void *context);

/* Deletes at most max expired uploads. Returns how many. */
int store_sweep(struct store *store, int64_t now_ms, int max);

/* The number of attempts stored. */
int store_upload_count(struct store *store);

/* The attempt of the row of a file which comes in pieces: zeroes. */
extern const uint8_t store_no_attempt[UPLOAD_ATTEMPT_BYTES];

/* Whether a row is that of such a file. */
bool store_is_assembly(const struct upload *upload);

/*
 * The assembly of a file; its received ranges are the caller's to release, of
 * which there are none on any result but STORE_OK. STORE_NOT_FOUND: there is no
 * such assembly.
 */
enum store_result store_assembly_get(struct store *store, int zone,
                                     const char *id, struct assembly *assembly);

/*
 * Writes a file, new or known: its row, see store_upload_put(), and with it its
 * assembly, of the same zone and ID, which goes with the row. What the assembly
 * takes counts in the zone, where nothing makes room for it.
 */
enum store_result store_assembly_put(struct store *store,
                                     const struct upload *file,
                                     const struct assembly *assembly,
                                     unsigned *evicted);

/*
 * Adds a temporary file, or does nothing if the path is known for the
 * connection. STORE_FULL at STORE_SPOOLS_MAX.
 */
enum store_result store_spool_add(struct store *store,
                                  const struct spool *spool);

/*
 * Writes the worker's descriptor of a file, and the caller's own of it.
 * STORE_NOT_FOUND when another thread has found it before.
 */
enum store_result store_spool_found(struct store *store, int64_t row,
                                    int64_t fd, int64_t held_fd);

/* Writes the held_fd of a file that was found, where it is -1. */
enum store_result store_spool_mark(struct store *store, int64_t row,
                                   int64_t held_fd);

/*
 * Deletes a file and hands its held_fd over to the caller. STORE_NOT_FOUND
 * when another thread has taken it.
 */
enum store_result store_spool_take(struct store *store, int64_t row,
                                   int64_t *held_fd);

/*
 * The files that can be an upload's, at most max, the first seen first: on its
 * connection, not seen before it started; of its request line, where it is not
 * alone on the connection. Returns their number.
 */
int store_spool_of_upload(struct store *store, const struct upload *upload,
                          bool alone, struct spool *spools, int max);

/*
 * Marks the files without an ID that could be the upload's: until then they
 * may be those of an upload that is over.
 */
enum store_result store_spool_uncertain(struct store *store,
                                        const struct upload *upload,
                                        int64_t until_ms);

/* How many running attempts a file can belong to by its request line. */
int store_spool_claims(struct store *store, const struct spool *spool);

/* The files whose request line carried this ID, newest first. */
int store_spool_by_id(struct store *store, const char *id, struct spool *spools,
                      int max);

/* The files of one worker whose descriptor is not known yet. */
int store_spool_unresolved(struct store *store, int64_t pid,
                           struct spool *spools, int max);

/* The workers that have such files, at most max. Returns their number. */
int store_spool_unresolved_pids(struct store *store, int64_t *pids, int max);

/* The number of files. */
int store_spool_count(struct store *store);

/* The files in order, from the one behind row after on. */
int store_spool_scan(struct store *store, int64_t after, struct spool *spools,
                     int max);

#endif
