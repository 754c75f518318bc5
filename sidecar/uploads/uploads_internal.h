/* What the source files of the uploads share. */
#ifndef SIDECAR_UPLOADS_INTERNAL_H
#define SIDECAR_UPLOADS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "ended_requests.h"
#include "gone_files.h"
#include "log_pace.h"
#include "uploads.h"

enum {
    FILES_MAX = 8,      /* files of one upload looked at */
    REQUESTS_MAX = 128, /* under way at the same time, of one file in pieces */
    HTTP_2 = 20,
    WORKERS_MAX = 64, /* workers whose scans are paced */
    RATE_WINDOW_MS = 5000,
    GRACE_MS = 1000, /* for an end event that is still under way */
    DUE_AT_ONCE = 64,
    DUE_MS_PER_TICK = 50, /* for looks whether uploads live */
    FILES_PER_TICK = 128, /* a look at one takes longer than at an upload */
    SWEEP_PER_TICK = 2000,
    FORM_UNKNOWN_MS = 500, /* until a form's fields have been read, mostly */
};

/* When a worker's descriptors may be looked through again. */
struct worker {
    int64_t pid;     /* 0: free */
    int64_t paid_us; /* when the time that scans took will be made up for */
    bool scanned;    /* by somebody, now */
    bool missed;     /* somebody wanted a scan since the last one began */
};

/* Something looked at evenly, one after the other. */
struct turns {
    int64_t at_ms; /* when the last ones were due */
    int64_t owed;  /* of one turn, in parts of the interval */
    int total;     /* the most that there were since the first had its turn */
};

struct uploads {
    struct store *store;
    struct uploads_options options;

    pthread_mutex_t lock; /* makes reading and writing back of a row one step */
    struct ended_requests ended; /* pieces of files; under the lock */

    /* The wall clock less ours, renewed when somebody has set it. */
    atomic_llong wall_offset_ms;

    struct log_pace full_pace[ZONES_MAX]; /* a zone full of running uploads */

    atomic_int held_count;     /* temporary files that are held open */
    atomic_uint held_releases; /* of them so far, counted beforehand */
    pthread_mutex_t gone_lock; /* makes taking a row and keeping its file one */
    struct gone_files *gone_files;

    pthread_mutex_t worker_lock;
    struct worker workers[WORKERS_MAX];

    struct recent_progress *recent;

    /* The timer's. */
    struct turns file_turns;
    int64_t scan_row;      /* the file it looked at last */
    struct spool *scanned; /* room for FILES_PER_TICK */
    struct turns upload_turns;
    struct upload looked_at; /* last in turn: its key */
};

/*
 * How many of the total have their turn by now, where each shall have it once
 * an interval. Fewer and fewer are left of those that end as they are looked
 * at: their last one has its turn in time, too.
 */
int turns_due(struct turns *turns, int total, int64_t interval_ms,
              int64_t now_ms);

/* The last one has had its turn: it is the first one's again. */
void turns_begin_anew(struct turns *turns);

/* Whether the end of an attempt has not been told or concluded yet. */
bool upload_runs(const struct upload *upload);

/*
 * Reads the gauges of a running attempt and updates its measured fields. Takes
 * no lock of the uploads.
 */
void measure(struct uploads *uploads, struct upload *upload, int64_t now_ms);

/* Whether measure() has the kernel asked about the upload's connection. */
bool asks_socket(const struct upload *upload);

/* Bytes a second over the window, or -1. */
int64_t measured_rate(const struct upload *upload, int64_t now_ms);

/* Has the descriptors of a worker's new files found, if it is time to look. */
void resolve_files(struct uploads *uploads, int64_t pid, int64_t now_ms);

/*
 * The size of a temporary file; forgets one that is gone. Returns whether
 * there is a size.
 */
bool file_size(struct uploads *uploads, const struct spool *spool,
               int64_t now_ms, int64_t *size_bytes);

/*
 * The same for one of an attempt's files. Of one that is certainly its own, and
 * held, the size alone is read, which takes a fraction of the time, and is its
 * last one once the file is gone: the timer notices that. releases is
 * held_releases from before the row was read.
 */
bool own_file_size(struct uploads *uploads, const struct upload *upload,
                   const struct spool *spool, unsigned releases, int64_t now_ms,
                   int64_t *size_bytes);

/* Whether one request at a time runs on the connection, as on HTTP/1.x. */
bool is_alone(const struct upload *upload);

/* Lets go of the files of an attempt that nginx has ended at at_ms. */
void release_files(struct uploads *uploads, const struct upload *upload,
                   int64_t at_ms, int64_t now_ms);

/* The same of those whose end was not told for a while. The timer's. */
void release_gone_files(struct uploads *uploads, int64_t now_ms);

/* The temporary files that belong, or may belong, to an attempt. */
int files_of(struct uploads *uploads, const struct upload *upload,
             struct spool *spools, int max);

/*
 * What an event makes of an attempt, and what ends it. They change the row in
 * memory; the caller writes it back.
 */
void apply_start(struct uploads *uploads, struct upload *upload,
                 const struct event *event, int64_t now_ms);
void apply_end(struct uploads *uploads, struct upload *upload,
               const struct event *event, int64_t now_ms);

void finish(struct uploads *uploads, struct upload *upload, int64_t at_ms);

/*
 * Raises received to bytes, within the size; it never falls. Returns whether
 * it rose.
 */
bool count_received(struct upload *upload, int64_t bytes, enum gauge gauge,
                    bool approximate, int64_t now_ms);

/*
 * On HTTP/1.x a request on a connection means that all before it are over; what
 * lost its end is concluded after a grace. Under the lock.
 */
void outdate_predecessors(struct uploads *uploads, const struct event *event,
                          int64_t now_ms);

/* Writes a row, and logs why not; returns whether it was written. */
bool write_row(struct uploads *uploads, const struct upload *upload,
               int64_t now_ms);

/* The same of a file in pieces. */
bool write_file(struct uploads *uploads, const struct upload *file,
                const struct assembly *assembly, int64_t now_ms);

/* Moves the two marks of the rate's window on. */
void move_marks(struct upload *upload, int64_t now_ms);

/* Looks whether due attempts live; concludes what does not. */
void check_due(struct uploads *uploads, int64_t now_ms);

/* Logs that SQLite failed. */
void log_store_error(struct uploads *uploads, const char *what);

#endif
