/* The uploads: telling progress, and what the timer does. */
#include "uploads.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "assembly.h"
#include "destroyed_sockets.h"
#include "form.h"
#include "recent_progress.h"
#include "socket_gauge.h"
#include "uploads_internal.h"
#include "wall_clock.h"

static const char *const phase_names[PHASES] = {
    [PHASE_STARTING] = "starting", [PHASE_RECEIVING] = "receiving",
    [PHASE_WAITING] = "waiting",   [PHASE_PROCESSING] = "processing",
    [PHASE_DONE] = "done",         [PHASE_ERROR] = "error",
};

const char *
phase_name(enum phase phase)
{
    return phase_names[phase];
}

int
progress_hundredths(const struct progress *progress)
{
    if (progress->state == UPLOAD_STARTING || progress->size_bytes < 0) {
        return -1;
    }
    if (progress->size_bytes == 0) {
        return 10000;
    }
    return (int)((__int128)progress->received_bytes * 10000 /
                 progress->size_bytes);
}

struct uploads *
uploads_new(struct store *store, const struct uploads_options *options)
{
    struct uploads *uploads = alloc_zeroed(1, sizeof(*uploads));

    uploads->scanned = alloc_array(FILES_PER_TICK, sizeof(*uploads->scanned));
    uploads->recent = recent_progress_new();
    uploads->gone_files = gone_files_new();
    uploads->store = store;
    uploads->options = *options;
    pthread_mutex_init(&uploads->lock, NULL);
    pthread_mutex_init(&uploads->worker_lock, NULL);
    pthread_mutex_init(&uploads->gone_lock, NULL);
    return uploads;
}

void
uploads_configure(struct uploads *uploads,
                  const struct uploads_options *options)
{
    uploads->options = *options;
}

static void
follow(void *destroyed, const struct upload *upload)
{
    if (is_alone(upload)) {
        destroyed_sockets_follow(destroyed, upload);
    }
}

void
uploads_follow_sockets(struct uploads *uploads)
{
    struct destroyed_sockets *destroyed = uploads->options.destroyed;

    if (destroyed == NULL) {
        return;
    }
    if (store_upload_each_running(uploads->store, follow, destroyed) < 0) {
        log_store_error(uploads, "looking for running uploads");
        return;
    }
    destroyed_sockets_forget_others(destroyed);
}

void
uploads_free(struct uploads *uploads)
{
    if (uploads == NULL) {
        return;
    }
    pthread_mutex_destroy(&uploads->gone_lock);
    pthread_mutex_destroy(&uploads->worker_lock);
    pthread_mutex_destroy(&uploads->lock);
    gone_files_free(uploads->gone_files);
    recent_progress_free(uploads->recent);
    free(uploads->scanned);
    free(uploads);
}

/* Whether the request is tracked under another ID, that of its header. */
static bool
belongs_elsewhere(struct uploads *uploads, const struct spool *spool)
{
    struct upload peer;

    return store_upload_on_connection(uploads->store, spool->pid,
                                      spool->connection, &peer, 1) > 0 &&
           is_alone(&peer) && spool->seen_ms >= peer.started_ms;
}

/*
 * An upload whose start was lost shows by its file, if its ID was in the URI.
 * finished is the last one of that ID, or NULL: its own file is not another's.
 */
static bool
progress_of_file(struct uploads *uploads, const char *id,
                 const struct upload *finished, int64_t now_ms,
                 struct upload *upload)
{
    struct spool spool;
    int64_t size_bytes;

    if (store_spool_by_id(uploads->store, id, &spool, 1) != 1 ||
        (finished != NULL && (spool.seen_ms <= finished->finished_ms ||
                              (spool.pid == finished->pid &&
                               spool.connection == finished->connection))) ||
        belongs_elsewhere(uploads, &spool) ||
        !file_size(uploads, &spool, now_ms, &size_bytes)) {
        return false;
    }
    memset(upload, 0, sizeof(*upload));
    upload->state = UPLOAD_UPLOADING;
    upload->size_bytes = -1;
    upload->started_ms = spool.seen_ms;
    upload->updated_ms = now_ms;
    upload->received_bytes = size_bytes;
    upload->gauge = GAUGE_SPOOL;
    /* Its start may only be late, and tell of a piece. */
    upload->piece_at =
        now_ms - spool.seen_ms < FORM_UNKNOWN_MS && begins_as_form(&spool) ? -1
                                                                           : 0;
    return true;
}

static enum phase
phase_of(const struct upload *upload, const struct progress_pieces *pieces)
{
    if (upload->state == UPLOAD_UPLOADING && pieces->in_pieces &&
        pieces->under_way == 0) {
        return PHASE_WAITING;
    }
    switch (upload->state) {
    case UPLOAD_STARTING:
        return PHASE_STARTING;
    case UPLOAD_UPLOADING:
        return upload->body_complete ||
                       (upload->received_bytes == upload->size_bytes &&
                        !upload->approximate)
                   ? PHASE_PROCESSING
                   : PHASE_RECEIVING;
    case UPLOAD_DONE:
        return PHASE_DONE;
    case UPLOAD_ERROR:
        return PHASE_ERROR;
    }
    abort();
}

static int64_t
eta_ms(const struct upload *upload, int64_t rate)
{
    int64_t left = upload->size_bytes - upload->received_bytes;

    if (upload->size_bytes < 0 || upload->state != UPLOAD_UPLOADING) {
        return -1;
    }
    if (left == 0) {
        return 0;
    }
    return rate > 0 ? (int64_t)((__int128)left * 1000 / rate) : -1;
}

static void
describe(struct uploads *uploads, const struct upload *upload, int64_t now_ms,
         struct progress *progress)
{
    int64_t wall_ms = wall_clock_offset_ms(uploads, now_ms);
    int64_t end_ms = upload->finished_ms ? upload->finished_ms : now_ms;

    progress->state = upload->state;
    progress->phase = phase_of(upload, &progress->pieces);
    progress->status = upload->status;
    progress->received_bytes = upload->received_bytes;
    progress->size_bytes = upload->size_bytes;
    progress->rate = measured_rate(upload, end_ms);
    progress->eta_ms = eta_ms(upload, progress->rate);
    progress->started_ms = upload->started_ms + wall_ms;
    progress->updated_ms =
        (upload->updated_ms ? upload->updated_ms : upload->started_ms) +
        wall_ms;
    progress->finished_ms =
        upload->finished_ms ? upload->finished_ms + wall_ms : 0;
    progress->elapsed_ms = end_ms - upload->started_ms;
    progress->protocol = upload->protocol;
    progress->gauge = (enum gauge)upload->gauge;
    progress->approximate = upload->approximate;
    progress->inferred = upload->inferred;
}

/*
 * Of a form that may be one of several pieces the size is perhaps not the
 * file's; nor is the count, while it is likely to turn out which piece it is.
 */
static void
hide_form(struct upload *upload, int64_t now_ms)
{
    upload->size_bytes = -1;
    if (now_ms - upload->started_ms < FORM_UNKNOWN_MS) {
        upload->received_bytes = 0;
    }
}

/* What is told of an upload, by its row. */
static void
tell(struct uploads *uploads, struct upload *upload, int64_t now_ms,
     struct progress *progress)
{
    if (upload->piece_at < 0 && upload_runs(upload)) {
        hide_form(upload, now_ms);
    }
    /* What was counted before by estimate, the size puts right. */
    if (upload->size_bytes >= 0 &&
        upload->received_bytes > upload->size_bytes) {
        upload->received_bytes = upload->size_bytes;
    }
    describe(uploads, upload, now_ms, progress);
}

/* A look at each of the pieces that are under way. */
static void
tell_file(struct uploads *uploads, struct upload *file, int64_t now_ms,
          struct progress *progress)
{
    int zone = file->zone;
    char id[UPLOAD_ID_MAX + 1];
    uint32_t version = store_version(uploads->store, zone, file->id);

    strcpy(id, file->id); /* its own row may be another's */
    if (!recent_progress_find(uploads->recent, zone, id, version, now_ms,
                              progress) &&
        assembly_measure(uploads, file, now_ms, &progress->pieces)) {
        tell(uploads, file, now_ms, progress);
        recent_progress_put(uploads->recent, zone, id, version, now_ms,
                            progress);
    }
}

/* Whether its gauges were read a moment ago, for another probe. */
static bool
is_fresh(const struct upload *upload, int64_t now_ms)
{
    return upload->measured_ms != 0 && now_ms - upload->measured_ms < RECENT_MS;
}

/* Finds what a probe asks for; what a form has in it, may be another row. */
static enum store_result
find(struct uploads *uploads, int zone, const char *id, int64_t now_ms,
     struct upload *upload)
{
    enum store_result found =
        store_upload_find(uploads->store, zone, id, upload);

    if (found == STORE_OK && upload->piece_at < 0 && upload_runs(upload) &&
        !is_fresh(upload, now_ms) &&
        assembly_look_into(uploads, upload, now_ms)) {
        found = store_upload_find(uploads->store, zone, id, upload);
    }
    if (found == STORE_ERROR) {
        log_store_error(uploads, "reading an upload");
    }
    return found;
}

static void
look_at(struct uploads *uploads, struct upload *upload, int64_t now_ms)
{
    if (is_fresh(upload, now_ms)) {
        return;
    }
    measure(uploads, upload, now_ms);
    if (store_upload_measured(uploads->store, upload) != STORE_OK) {
        log_store_error(uploads, "writing what was measured");
    }
}

void
uploads_foresee(struct uploads *uploads, int zone, const char *id,
                int64_t now_ms)
{
    struct upload upload;

    if (store_upload_find(uploads->store, zone, id, &upload) == STORE_OK &&
        upload_runs(&upload) && !is_fresh(&upload, now_ms) &&
        asks_socket(&upload)) {
        socket_gauge_foresee(&upload.socket);
    }
}

void
uploads_foreseen(void)
{
    socket_gauge_foreseen();
}

void
uploads_progress(struct uploads *uploads, int zone, const char *id,
                 int64_t now_ms, struct progress *progress)
{
    struct upload upload;
    enum store_result found = find(uploads, zone, id, now_ms, &upload);

    memset(progress, 0, sizeof(*progress));
    progress->size_bytes = progress->rate = progress->eta_ms = -1;
    if (found == STORE_OK && store_is_assembly(&upload)) {
        tell_file(uploads, &upload, now_ms, progress);
    } else if (found == STORE_OK && upload_runs(&upload)) {
        look_at(uploads, &upload, now_ms);
        tell(uploads, &upload, now_ms, progress);
    } else if (found != STORE_ERROR &&
               (progress_of_file(uploads, id,
                                 found == STORE_OK ? &upload : NULL, now_ms,
                                 &upload) ||
                found == STORE_OK)) {
        tell(uploads, &upload, now_ms, progress);
    }
}

int
turns_due(struct turns *turns, int total, int64_t interval_ms, int64_t now_ms)
{
    int64_t since_ms = now_ms - turns->at_ms;
    int64_t count;

    turns->at_ms = now_ms;
    if (total < turns->total) {
        total = turns->total;
    }
    turns->total = total;
    if (since_ms >= interval_ms) {
        turns->owed = 0;
        return total;
    }
    turns->owed += since_ms > 0 ? since_ms * total : 0;
    count = turns->owed / interval_ms;
    turns->owed %= interval_ms;
    return count < total ? (int)count : total;
}

void
turns_begin_anew(struct turns *turns)
{
    turns->total = 0;
}

/* New files that could not be looked for at once. */
static void
resolve_new_files(struct uploads *uploads, int64_t now_ms)
{
    int64_t pids[WORKERS_MAX];
    int count = store_spool_unresolved_pids(uploads->store, pids, WORKERS_MAX);

    for (int i = 0; i < count; i++) {
        resolve_files(uploads, pids[i], now_ms);
    }
}

/*
 * Looks at the next files in order, so that none that is gone stays known, nor
 * stays held. Those of uploads in flight are looked at with them besides.
 */
static void
check_files(struct uploads *uploads, int64_t now_ms)
{
    struct spool *spools = uploads->scanned;
    int share =
        turns_due(&uploads->file_turns, store_spool_count(uploads->store),
                  uploads->options.check_interval_ms, now_ms);
    int max = share < FILES_PER_TICK ? share : FILES_PER_TICK;
    int64_t size_bytes;
    int count;

    if (max == 0) {
        return;
    }
    count = store_spool_scan(uploads->store, uploads->scan_row, spools, max);
    for (int i = 0; i < count; i++) {
        if (spools[i].fd >= 0) {
            (void)file_size(uploads, &spools[i], now_ms, &size_bytes);
        }
    }
    if (count == max) {
        uploads->scan_row = spools[count - 1].row;
    } else {
        uploads->scan_row = 0;
        turns_begin_anew(&uploads->file_turns);
    }
}

void
uploads_tick(struct uploads *uploads, int64_t now_ms)
{
    resolve_new_files(uploads, now_ms);
    check_files(uploads, now_ms);
    release_gone_files(uploads, now_ms);
    check_due(uploads, now_ms);
    if (store_sweep(uploads->store, now_ms, SWEEP_PER_TICK) < 0) {
        log_store_error(uploads, "sweeping");
    }
}
