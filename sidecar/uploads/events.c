/* Taking events in: which attempt of which upload they are about. */
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "assembly.h"
#include "destroyed_sockets.h"
#include "form.h"
#include "log.h"
#include "log_pace.h"
#include "spool_gauge.h"
#include "transitions.h"
#include "uploads_internal.h"

enum {
    ATTEMPTS_MAX = 4, /* of one ID, kept at the same time */
    FINISHED_MAX = 8, /* of those, where more run, as forms do */
};

void
outdate_predecessors(struct uploads *uploads, const struct event *event,
                     int64_t now_ms)
{
    struct upload rows[ATTEMPTS_MAX];
    unsigned evicted;
    int count;

    if (event->protocol >= 20 || event->connection_requests <= 1 ||
        event->pid == 0 || event->connection == 0) {
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

/* Logs what became of it; returns whether it was written. */
static bool
was_written(struct uploads *uploads, const struct upload *upload,
            enum store_result result, unsigned evicted, int64_t now_ms)
{
    struct log_pace *pace = &uploads->full_pace[upload->zone];

    switch (result) {
    case STORE_OK:
    case STORE_NOT_FOUND:
        log_pace_well(pace, now_ms);
        break;
    case STORE_FULL:
        if (log_pace_fault(pace, now_ms)) {
            log_write(LOG_WARNING,
                      "upload %s: the zone is full of running uploads, new "
                      "ones are not tracked",
                      upload->id);
        }
        break;
    case STORE_ERROR:
        log_store_error(uploads, "writing an upload");
        break;
    }
    if (evicted > 0) {
        log_write(LOG_INFO, "the zone is full: %u finished uploads made room",
                  evicted);
    }
    return result == STORE_OK;
}

bool
write_row(struct uploads *uploads, const struct upload *upload, int64_t now_ms)
{
    unsigned evicted;
    enum store_result result =
        store_upload_put(uploads->store, upload, &evicted);

    return was_written(uploads, upload, result, evicted, now_ms);
}

bool
write_file(struct uploads *uploads, const struct upload *file,
           const struct assembly *assembly, int64_t now_ms)
{
    unsigned evicted;
    enum store_result result =
        store_assembly_put(uploads->store, file, assembly, &evicted);

    return was_written(uploads, file, result, evicted, now_ms);
}

/*
 * Finds the row of the event's attempt among those of its ID, or makes one.
 * Returns false when the ID has too many running attempts.
 */
static bool
find_among(struct uploads *uploads, const struct event *event, int zone,
           struct upload *rows, int max, struct upload *upload, bool *again)
{
    const struct upload *oldest = NULL;
    int count =
        store_upload_attempts(uploads->store, zone, event->id, rows, max);
    int finished = 0;

    for (int i = 0; i < count; i++) {
        if (memcmp(rows[i].attempt, event->attempt, UPLOAD_ATTEMPT_BYTES) ==
            0) {
            *upload = rows[i];
            return true;
        }
        if (upload_runs(&rows[i])) {
            *again = true;
            continue;
        }
        finished++;
        if (oldest == NULL || rows[i].finished_ms < oldest->finished_ms) {
            oldest = &rows[i];
        }
    }
    if (count == max || finished == FINISHED_MAX) {
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

/* Forms may be pieces of one file: their ID is rightly that of several. */
static bool
find_attempt(struct uploads *uploads, const struct event *event, int zone,
             struct upload *upload, bool *again)
{
    struct upload few[ATTEMPTS_MAX];
    struct upload *many;
    bool found;

    if (!is_form(event)) {
        return find_among(uploads, event, zone, few, ATTEMPTS_MAX, upload,
                          again);
    }
    many = alloc_array(REQUESTS_MAX, sizeof(*many));
    found = find_among(uploads, event, zone, many, REQUESTS_MAX, upload, again);
    free(many);
    *again = false;
    return found;
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

/* Returns false if the event is of no piece, as far as that could be read. */
static bool
take_piece_event(struct uploads *uploads, int zone, const struct event *event,
                 int64_t now_ms, bool *unread)
{
    struct event whole = *event;
    bool taken;

    if (event->fault.field != NULL) {
        log_write(LOG_INFO,
                  "upload %s: %s: %s, so the request is no piece of a file",
                  event->id, event->fault.field, event->fault.why);
    }
    if (event->kind == EVENT_END) {
        read_form(uploads, &whole, now_ms);
    }
    pthread_mutex_lock(&uploads->lock);
    taken = assembly_event(uploads, zone, &whole, now_ms);
    pthread_mutex_unlock(&uploads->lock);
    *unread = whole.unread;
    return taken;
}

/*
 * A small request with the ID of a file that comes, or has come, in pieces:
 * some clients say so when all are sent. It is no upload under that ID.
 */
static bool
is_about_file(struct uploads *uploads, int zone, const struct event *event)
{
    struct upload file;

    return event->request.method != NULL && event->request.method[0] != '\0' &&
           !is_form(event) &&
           store_upload_get(uploads->store, zone, event->id, store_no_attempt,
                            &file) == STORE_OK;
}

void
uploads_event(struct uploads *uploads, const struct event *event,
              int64_t now_ms)
{
    struct upload upload;
    bool again = false;
    bool unread = false;
    bool tracked;
    int zone = store_zone_find(uploads->store, event->zone);

    if (zone < 0) {
        log_write(LOG_ERR, "upload %s: unknown zone \"%s\"", event->id,
                  event->zone);
        return;
    }
    if (event->request.method != NULL && event->request.method[0] != '\0' &&
        (take_piece_event(uploads, zone, event, now_ms, &unread) ||
         !event->sends)) {
        return;
    }
    if (event->id[0] == '\0' || is_about_file(uploads, zone, event)) {
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
        upload.piece_at =
            unread || (event->kind != EVENT_END && is_form(event)) ? -1 : 0;
        if (!write_row(uploads, &upload, now_ms)) {
            destroyed_sockets_forget(uploads->options.destroyed, &upload);
        }
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

/* nginx tells the path as configured, /proc the one behind symbolic links. */
static void
resolve_folder(char path[SPOOL_PATH_MAX + 1])
{
    char *slash = strrchr(path, '/');
    char resolved[PATH_MAX];
    size_t len;

    if (slash == NULL || slash == path) {
        return;
    }
    *slash = '\0';
    len = realpath(path, resolved) != NULL ? strlen(resolved) : 0;
    *slash = '/';
    if (len == 0 || len + strlen(slash) > SPOOL_PATH_MAX) {
        return;
    }
    memmove(path + len, slash, strlen(slash) + 1);
    memcpy(path, resolved, len);
}

void
uploads_spool(struct uploads *uploads, const struct spool *spool,
              int64_t now_ms)
{
    static atomic_bool full_logged;
    struct spool row = *spool;

    if (!uploads->options.gauges[GAUGE_SPOOL]) {
        return;
    }
    if (!spool_gauge_is_name(row.path)) {
        log_write(LOG_NOTICE, "spool: %s is no temporary file of nginx",
                  row.path);
        return;
    }
    row.seen_ms = now_ms;
    resolve_folder(row.path);
    switch (store_spool_add(uploads->store, &row)) {
    case STORE_OK:
    case STORE_NOT_FOUND:
        break;
    case STORE_FULL:
        if (!atomic_exchange(&full_logged, true)) {
            log_write(LOG_ERR,
                      "more than %d temporary files at once: %s is not "
                      "followed",
                      STORE_SPOOLS_MAX, spool->path);
        }
        return;
    case STORE_ERROR:
        log_store_error(uploads, "writing a temporary file");
        return;
    }
    log_write(LOG_INFO, "spool: worker %" PRId64 ", connection %" PRId64 ", %s",
              spool->pid, spool->connection, spool->path);
    resolve_files(uploads, spool->pid, now_ms);
}
