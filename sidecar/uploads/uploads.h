/*
 * The uploads: events go in, progress comes out. The store holds the facts as
 * nginx told them, the gauges are read when somebody asks. All functions are
 * thread-safe. now_ms is monotonic.
 *
 *   start, body, end ──▶ uploads_event ──▶ store: uploads ──┐
 *   spool            ──▶ uploads_spool ──▶ store: files  ───┤
 *                                                           ▼
 *   probe ◀── uploads_progress ◀── measure ◀── spool and socket gauge
 *   timer ──▶ uploads_tick ──▶ conclude what lost its end, sweep
 */
#ifndef SIDECAR_UPLOADS_H
#define SIDECAR_UPLOADS_H

#include <stdbool.h>
#include <stdint.h>

#include "event.h"
#include "gauge.h"
#include "store.h"

struct destroyed_sockets;
struct uploads;

struct uploads_options {
    bool gauges[GAUGES];         /* which gauges to read */
    int64_t check_interval_ms;   /* between looks whether an upload lives */
    int64_t inactive_timeout_ms; /* without any gauge: given up after this */
    int64_t piece_timeout_ms;    /* for the next piece of a file */
    int64_t ttl_ms[ZONES_MAX];   /* how long a finished one is kept, by zone */
    int held_max; /* temporary files to hold open for their last size */
    int64_t wall_offset_ms;     /* wall clock less monotonic; 0: as it is */
    int64_t (*clock_ms)(void);  /* the monotonic clock, to time turns by */
    int64_t (*thread_us)(void); /* of the thread on a processor: scans */
    struct destroyed_sockets *destroyed; /* the caller's; NULL: none */
};

enum phase {
    PHASE_STARTING,   /* unknown ID */
    PHASE_RECEIVING,  /* the body is on its way */
    PHASE_WAITING,    /* for the next piece of the file */
    PHASE_PROCESSING, /* all bytes came, the backend works */
    PHASE_DONE,
    PHASE_ERROR,
    PHASES
};

enum { PROGRESS_MISSING_MAX = 32 };

/* Of a file that comes in pieces. */
struct progress_pieces {
    bool in_pieces;
    int under_way;
    int64_t count;         /* taken so far */
    int64_t resumed_bytes; /* where it was resumed last; -1: it was not */
    const char *protocol;  /* "tus", ... */
    int missing_count;
    /* The first ranges without those that have come, [begin, end). */
    int64_t missing[PROGRESS_MISSING_MAX][2];
};

/* What is known of one ID at one moment. */
struct progress {
    enum upload_state state;
    enum phase phase;
    int status;             /* of the response; 0 until the end */
    int64_t received_bytes; /* of the body */
    int64_t size_bytes;     /* of the body; -1 if unknown */
    int64_t rate;           /* bytes a second, recently; -1 if unknown */
    int64_t eta_ms;         /* until all bytes are here; -1 if unknown */
    int64_t started_ms;     /* wall clock, like the next two; 0 if not yet */
    int64_t updated_ms;
    int64_t finished_ms;
    int64_t elapsed_ms;
    int protocol; /* 10, 11, 20, 30; 0 if unknown */
    enum gauge gauge;
    bool approximate; /* the gauge counts some protocol overhead too */
    bool inferred;    /* the end was concluded, nginx did not tell it */
    struct progress_pieces pieces;
};

/* Makes the uploads of a store, which outlives them. Aborts if out of memory.
 */
struct uploads *uploads_new(struct store *store,
                            const struct uploads_options *options);

/* Takes new options over. To be called while no other thread uses it. */
void uploads_configure(struct uploads *uploads,
                       const struct uploads_options *options);

/*
 * Follows the sockets of the uploads that run, and no others: after uploads
 * have come or gone in the store itself. To be called as uploads_configure().
 */
void uploads_follow_sockets(struct uploads *uploads);

void uploads_free(struct uploads *uploads);

/* Takes an event in. An unknown zone is logged, the event dropped. */
void uploads_event(struct uploads *uploads, const struct event *event,
                   int64_t now_ms);

/* Takes in that nginx spools a body to a file. */
void uploads_spool(struct uploads *uploads, const struct spool *spool,
                   int64_t now_ms);

/*
 * This thread calls uploads_progress() for this ID next, and for others, before
 * uploads_foreseen(): the kernel is asked for all of them at once.
 */
void uploads_foresee(struct uploads *uploads, int zone, const char *id,
                     int64_t now_ms);
void uploads_foreseen(void);

/* The progress of an ID; of an unknown one the state is UPLOAD_STARTING. */
void uploads_progress(struct uploads *uploads, int zone, const char *id,
                      int64_t now_ms, struct progress *progress);

/*
 * To be called a few times a second: looks after uploads whose end was lost,
 * forgets files that are gone, sweeps what has expired. Bounded work a call.
 */
void uploads_tick(struct uploads *uploads, int64_t now_ms);

const char *phase_name(enum phase phase);

/*
 * Hundredths of a percent received, cut, not rounded: 10000 means every byte.
 * -1 where the size is not known.
 */
int progress_hundredths(const struct progress *progress);

#endif
