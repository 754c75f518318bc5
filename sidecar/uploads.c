/* The uploads: taking events in, telling progress. */
#include "uploads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alloc.h"
#include "log.h"
#include "socket_gauge.h"
#include "transitions.h"
#include "uploads_internal.h"

enum {
    ATTEMPTS_MAX = 4, /* of one ID, kept at the same time */
    ERROR_STATUS_MIN = 400,
};

static const char *const phase_names[PHASES] = {
    [PHASE_STARTING] = "starting",     [PHASE_RECEIVING] = "receiving",
    [PHASE_PROCESSING] = "processing", [PHASE_DONE] = "done",
    [PHASE_ERROR] = "error",
};

const char *
phase_name(enum phase phase)
{
    return phase_names[phase];
}

struct uploads *
uploads_new(struct store *store, const struct uploads_options *options)
{
    struct uploads *uploads = alloc_zeroed(1, sizeof(*uploads));

    uploads->scanned = alloc_zeroed(FILES_PER_TICK, sizeof(*uploads->scanned));
    uploads->store = store;
    uploads->options = *options;
    pthread_mutex_init(&uploads->lock, NULL);
    pthread_mutex_init(&uploads->worker_lock, NULL);
    return uploads;
}

void
uploads_free(struct uploads *uploads)
{
    if (uploads == NULL) {
        return;
    }
    pthread_mutex_destroy(&uploads->worker_lock);
    pthread_mutex_destroy(&uploads->lock);
    free(uploads->scanned);
    free(uploads);
}

void
log_store_error(struct uploads *uploads, const char *what)
{
    char text[STORE_ERROR_MAX];

    store_error(uploads->store, text, sizeof(text));
    log_write(LOG_CRIT, "store: %s: %s", what, text);
}

bool
upload_runs(const struct upload *upload)
{
    return upload->finished_ms == 0;
}

/* The wall clock less the monotonic one, now: it moves when somebody sets it.
 */
static int64_t
wall_offset(const struct uploads *uploads, int64_t now_ms)
{
    struct timespec wall;

    if (uploads->options.wall_offset_ms != 0) {
        return uploads->options.wall_offset_ms;
    }
    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000 - now_ms;
}

/* nginx's time of the event on our clock; never in the future. */
static int64_t
event_ms(const struct uploads *uploads, const struct event *event,
         int64_t now_ms)
{
    int64_t at_ms = event->msec - wall_offset(uploads, now_ms);

    /* Beyond a minute the clocks disagree, and ours is the one that counts. */
    return event->msec < 0 || at_ms > now_ms || at_ms < now_ms - 60000 ? now_ms
                                                                       : at_ms;
}

void
finish(struct uploads *uploads, struct upload *upload, int64_t at_ms)
{
    upload->finished_ms = at_ms > 0 ? at_ms : 1;
    upload->expires_ms =
        upload->finished_ms + uploads->options.ttl_ms[upload->zone];
    upload->check_ms = 0;
    upload->gone_ms = 0;
    /* What only a running attempt needs; a zero costs no byte in a row. */
    memset(&upload->socket, 0, sizeof(upload->socket));
    upload->socket_base_bytes = 0;
    upload->socket_exact = false;
    upload->connection_requests = 0;
    upload->request_hash = 0;
}

static void
raise_received(struct upload *upload, int64_t bytes, enum gauge gauge,
               int64_t at_ms)
{
    if (upload->size_bytes >= 0 && bytes > upload->size_bytes) {
        bytes = upload->size_bytes;
    }
    if (bytes > upload->received_bytes) {
        upload->received_bytes = bytes;
        upload->updated_ms = at_ms;
    }
    upload->gauge = (int)gauge;
    upload->approximate = false;
}

/* What every event may tell, and none takes back. */
static void
take_facts(struct upload *upload, const struct event *event)
{
    upload->tls |= event->tls;
    upload->chunked |= event->chunked;
    upload->pid = event->pid;
    upload->connection = event->connection;
    if (event->content_length_bytes >= 0) {
        upload->size_bytes = event->content_length_bytes;
    }
    if (event->header_length_bytes > 0) {
        upload->header_bytes = event->header_length_bytes;
    }
    if (event->protocol > 0) {
        upload->protocol = event->protocol;
    }
}

static void
take_started(struct upload *upload, int64_t started_ms)
{
    if (upload->started_ms == 0 || started_ms < upload->started_ms) {
        upload->started_ms = started_ms > 0 ? started_ms : 1;
    }
}

/* Where the body begins in the bytes of the connection. */
static void
take_socket(struct uploads *uploads, struct upload *upload,
            const struct event *event)
{
    int64_t read_bytes = 0;

    if (!uploads->options.gauges[GAUGE_SOCKET] || upload->socket.family != 0 ||
        socket_gauge_address(&upload->socket, event->remote_addr,
                             event->remote_port, event->server_addr,
                             event->server_port) < 0) {
        return;
    }
    switch (socket_gauge_read(&upload->socket, &read_bytes)) {
    case SOCKET_OPEN:
        break;
    case SOCKET_GONE: /* nothing to count any more, but that it is gone */
        upload->socket_base_bytes = -1;
        return;
    case SOCKET_UNKNOWN:
        upload->socket.family = 0;
        return;
    }
    upload->socket_exact = event->connection_requests == 1 && !event->tls &&
                           !event->proxy_protocol && event->protocol < 20 &&
                           event->header_length_bytes > 0;
    /*
     * What nginx has read by now is the header, what came before it on the
     * connection, and perhaps the beginning of the body: an upper bound.
     */
    upload->socket_base_bytes =
        upload->socket_exact ? event->header_length_bytes : read_bytes;
}

static void
apply_start(struct uploads *uploads, struct upload *upload,
            const struct event *event, int64_t now_ms)
{
    take_facts(upload, event);
    take_started(upload, event_ms(uploads, event, now_ms));
    upload->state = transition(upload->state, HAPPENING_START);
    if (!upload_runs(upload)) {
        return;
    }
    upload->connection_requests = event->connection_requests;
    upload->request_hash = event->request_hash;
    if (upload->check_ms == 0) {
        upload->check_ms = now_ms + uploads->options.check_interval_ms;
    }
    if (event->kind == EVENT_START) {
        take_socket(uploads, upload, event);
        return;
    }
    raise_received(upload, (int64_t)event->body_bytes, GAUGE_BODY, now_ms);
    if (event->body_complete) {
        upload->size_bytes = (int64_t)event->body_bytes;
        upload->body_complete = true;
    }
}

/* The body's length as the log line has it, -1 where it does not tell. */
static int64_t
logged_body_bytes(const struct upload *upload, const struct event *event)
{
    if (upload->chunked || event->chunked) {
        /* Once a chunked body was read, $content_length is its true length. */
        return event->content_length_bytes;
    }
    if (event->request_length_bytes < 0 || event->header_length_bytes < 0 ||
        event->request_length_bytes < event->header_length_bytes) {
        return -1;
    }
    return event->request_length_bytes - event->header_length_bytes;
}

static void
apply_end(struct uploads *uploads, struct upload *upload,
          const struct event *event, int64_t now_ms)
{
    int64_t at_ms = event_ms(uploads, event, now_ms);
    bool success = event->status > 0 && event->status < ERROR_STATUS_MIN;

    take_facts(upload, event);
    take_started(upload,
                 at_ms -
                     (event->request_time_ms > 0 ? event->request_time_ms : 0));
    if (logged_body_bytes(upload, event) >= 0) {
        raise_received(upload, logged_body_bytes(upload, event), GAUGE_END,
                       at_ms);
    }
    upload->state = transition(upload->state,
                               success ? HAPPENING_SUCCESS : HAPPENING_FAILURE);
    upload->status = event->status > 0 ? (int)event->status : 0;
    upload->inferred = false;
    finish(uploads, upload, at_ms);
}

/*
 * On HTTP/1.x a request on a connection means that all before it are over;
 * their end events are lost or late. The check concludes them after a grace.
 */
static void
outdate_predecessors(struct uploads *uploads, const struct event *event,
                     int64_t now_ms)
{
    struct upload rows[ATTEMPTS_MAX];
    unsigned evicted;
    int count;

    if (event->protocol >= 20 || event->connection_requests <= 1) {
        return;
    }
    count = store_upload_on_connection(uploads->store, event->pid,
                                       event->connection, rows, ATTEMPTS_MAX);
    for (int i = 0; i < count; i++) {
        if (rows[i].connection_requests < event->connection_requests &&
            rows[i].gone_ms == 0) {
            rows[i].gone_ms = now_ms;
            rows[i].check_ms = now_ms + GRACE_MS;
            store_upload_put(uploads->store, &rows[i], &evicted);
        }
    }
}

static void
write_row(struct uploads *uploads, const struct upload *upload)
{
    unsigned evicted = 0;

    switch (store_upload_put(uploads->store, upload, &evicted)) {
    case STORE_OK:
    case STORE_NOT_FOUND:
        break;
    case STORE_FULL:
        log_write(LOG_WARNING,
                  "upload %s: the zone is full of running uploads, it is not "
                  "tracked",
                  upload->id);
        break;
    case STORE_ERROR:
        log_store_error(uploads, "writing an upload");
        break;
    }
    if (evicted > 0) {
        log_write(LOG_INFO, "the zone is full: %u finished uploads made room",
                  evicted);
    }
}

/*
 * Finds the row of the event's attempt among those of its ID, or makes one.
 * Returns false when the ID has too many running attempts.
 */
static bool
find_attempt(struct uploads *uploads, const struct event *event, int zone,
             struct upload *upload, bool *again)
{
    struct upload rows[ATTEMPTS_MAX];
    const struct upload *oldest = NULL;
    int count = store_upload_attempts(uploads->store, zone, event->id, rows,
                                      ATTEMPTS_MAX);

    for (int i = 0; i < count; i++) {
        if (memcmp(rows[i].attempt, event->attempt, UPLOAD_ATTEMPT_BYTES) ==
            0) {
            *upload = rows[i];
            return true;
        }
        if (upload_runs(&rows[i])) {
            *again = true;
        } else if (oldest == NULL ||
                   rows[i].finished_ms < oldest->finished_ms) {
            oldest = &rows[i];
        }
    }
    if (count == ATTEMPTS_MAX) {
        if (oldest == NULL) {
            return false;
        }
        store_upload_delete(uploads->store, zone, event->id, oldest->attempt);
    }
    memset(upload, 0, sizeof(*upload));
    upload->zone = zone;
    upload->size_bytes = -1;
    upload->header_bytes = -1;
    strcpy(upload->id, event->id);
    memcpy(upload->attempt, event->attempt, UPLOAD_ATTEMPT_BYTES);
    return true;
}

static void
log_event(const struct event *event, const struct upload *upload)
{
    static const char *const kinds[EVENT_KINDS] = { "start", "body", "end" };

    log_write(LOG_INFO,
              "upload %s: %s, %s, %" PRId64 " of %" PRId64 " bytes, status %d",
              upload->id, kinds[event->kind], state_name(upload->state),
              upload->received_bytes, upload->size_bytes, upload->status);
}

void
uploads_event(struct uploads *uploads, const struct event *event,
              int64_t now_ms)
{
    struct upload upload;
    bool again = false;
    bool tracked;
    int zone = store_zone_find(uploads->store, event->zone);

    if (zone < 0) {
        log_write(LOG_ERR, "upload %s: unknown zone \"%s\"", event->id,
                  event->zone);
        return;
    }
    pthread_mutex_lock(&uploads->lock);
    tracked = find_attempt(uploads, event, zone, &upload, &again);
    if (tracked) {
        again = again && upload.started_ms == 0;
        if (event->kind == EVENT_END) {
            apply_end(uploads, &upload, event, now_ms);
        } else {
            outdate_predecessors(uploads, event, now_ms);
            apply_start(uploads, &upload, event, now_ms);
        }
        write_row(uploads, &upload);
    }
    pthread_mutex_unlock(&uploads->lock);
    if (again || !tracked) {
        log_write(LOG_NOTICE,
                  "upload %s: the ID is used while another upload "
                  "of it runs%s",
                  event->id, tracked ? "" : ", this one is not tracked");
    }
    if (tracked) {
        log_event(event, &upload);
    }
}

void
uploads_spool(struct uploads *uploads, const struct spool *spool,
              int64_t now_ms)
{
    struct spool row = *spool;

    if (!uploads->options.gauges[GAUGE_SPOOL]) {
        return;
    }
    row.seen_ms = now_ms;
    switch (store_spool_add(uploads->store, &row)) {
    case STORE_OK:
    case STORE_NOT_FOUND:
        break;
    case STORE_FULL:
        log_write(LOG_ERR,
                  "more than %d temporary files at once: %s is not "
                  "followed",
                  STORE_SPOOLS_MAX, spool->path);
        return;
    case STORE_ERROR:
        log_store_error(uploads, "writing a temporary file");
        return;
    }
    log_write(LOG_INFO, "spool: worker %" PRId64 ", connection %" PRId64 ", %s",
              spool->pid, spool->connection, spool->path);
    resolve_files(uploads, spool->pid, now_ms);
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
    return true;
}

static enum phase
phase_of(const struct upload *upload)
{
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
    return rate > 0 ? left * 1000 / rate : -1;
}

static void
describe(const struct uploads *uploads, const struct upload *upload,
         int64_t now_ms, struct progress *progress)
{
    int64_t wall_ms = wall_offset(uploads, now_ms);
    int64_t end_ms = upload->finished_ms ? upload->finished_ms : now_ms;

    progress->state = upload->state;
    progress->phase = phase_of(upload);
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

void
uploads_progress(struct uploads *uploads, int zone, const char *id,
                 int64_t now_ms, struct progress *progress)
{
    struct upload upload;
    enum store_result found =
        store_upload_find(uploads->store, zone, id, &upload);

    memset(progress, 0, sizeof(*progress));
    progress->size_bytes = progress->rate = progress->eta_ms = -1;
    if (found == STORE_ERROR) {
        log_store_error(uploads, "reading an upload");
        return;
    }
    if (found == STORE_OK && upload_runs(&upload)) {
        if (measure(uploads, &upload, now_ms) &&
            store_upload_measured(uploads->store, &upload) != STORE_OK) {
            log_store_error(uploads, "writing what was measured");
        }
    } else if (!progress_of_file(uploads, id,
                                 found == STORE_OK ? &upload : NULL, now_ms,
                                 &upload) &&
               found == STORE_NOT_FOUND) {
        return;
    }
    describe(uploads, &upload, now_ms, progress);
}

/* Looks at the next files in order, so that none that is gone stays known. */
static void
check_files(struct uploads *uploads, int64_t now_ms)
{
    struct spool *spools = uploads->scanned;
    int64_t size_bytes;
    int count;

    count = store_spool_scan(uploads->store, uploads->scan_row, spools,
                             FILES_PER_TICK);
    uploads->scan_row = count == FILES_PER_TICK ? spools[count - 1].row : 0;
    for (int i = 0; i < count; i++) {
        if (spools[i].fd < 0) {
            resolve_files(uploads, spools[i].pid, now_ms);
        } else {
            file_size(uploads, &spools[i], now_ms, &size_bytes);
        }
    }
}

void
uploads_tick(struct uploads *uploads, int64_t now_ms)
{
    check_files(uploads, now_ms);
    check_due(uploads, now_ms);
    if (store_sweep(uploads->store, now_ms, SWEEP_PER_TICK) < 0) {
        log_store_error(uploads, "sweeping");
    }
}
