/* Noticing that an attempt is over although nothing has told its end. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "assembly.h"
#include "destroyed_sockets.h"
#include "log.h"
#include "socket_gauge.h"
#include "spool_gauge.h"
#include "transitions.h"
#include "uploads_internal.h"

enum {
    STATUS_CLIENT_GONE = 499,    /* nginx's own, for a client that went away */
    PREREAD_BYTES_MAX = 65536,   /* of a body, read before its start event */
    SUCCESSOR_BYTES_MIN = 16384, /* more than what TLS takes besides a body */
    LATE_MS = 200,               /* by which a turn may come too late, mostly */
};

enum life {
    LIFE_ALIVE,
    LIFE_GONE,
    LIFE_UNKNOWN, /* no gauge can tell */
};

static enum life
look_at_file(struct uploads *uploads, const struct upload *upload,
             int64_t now_ms)
{
    struct spool spools[FILES_MAX];
    int64_t size_bytes;
    int count = files_of(uploads, upload, spools, FILES_MAX);

    for (int i = 0; i < count; i++) {
        if (file_size(uploads, &spools[i], now_ms, &size_bytes)) {
            return LIFE_ALIVE;
        }
    }
    /* One that could not be looked at is not gone. */
    return files_of(uploads, upload, spools, FILES_MAX) > 0 ? LIFE_ALIVE
                                                            : LIFE_GONE;
}

static enum life
look_for_life(struct uploads *uploads, struct upload *upload, int64_t now_ms)
{
    bool has_file = upload->spool_row != 0 && upload->spool_certain;
    struct destroyed_socket last;
    int64_t read_bytes;

    if (has_file && look_at_file(uploads, upload, now_ms) == LIFE_ALIVE) {
        return LIFE_ALIVE;
    }
    /*
     * nginx closes the file when the backend's answer begins, which may take
     * long to end, and may be a failure. On HTTP/1.x the connection shows that
     * the request may still go on.
     */
    if (upload->socket.family == 0 || (has_file && !is_alone(upload))) {
        return has_file ? LIFE_GONE : LIFE_UNKNOWN;
    }
    if (destroyed_sockets_last(uploads->options.destroyed, upload, &last)) {
        return LIFE_GONE;
    }
    if (upload->socket.cookie == 0) { /* never seen */
        return has_file ? LIFE_GONE : LIFE_UNKNOWN;
    }
    switch (socket_gauge_read(&upload->socket, &read_bytes)) {
    case SOCKET_OPEN:
        return LIFE_ALIVE;
    case SOCKET_GONE:
        return LIFE_GONE;
    case SOCKET_UNKNOWN:
        return has_file ? LIFE_GONE : LIFE_UNKNOWN;
    }
    abort();
}

/*
 * Where it is not known at which byte of the connection the body begins, nginx
 * may have read any part of it before its start event. A whole body is then one
 * that the connection's bytes have room for, and that was answered; nginx does
 * not answer a client that went away early.
 */
static bool
had_all_by_answer(const struct upload *upload,
                  const struct destroyed_socket *last)
{
    int64_t header_bytes = upload->header_bytes > 0 ? upload->header_bytes : 0;

    return last->answered &&
           last->read_bytes - header_bytes >= upload->size_bytes;
}

/* Whether a later request must have come, whose start was not told. */
static bool
has_successor(const struct upload *upload, const struct destroyed_socket *last)
{
    return (last->read_bytes - upload->socket_base_bytes -
            SUCCESSOR_BYTES_MIN) /
               65 * 64 >
           upload->size_bytes;
}

/* Whether all bytes had come, allowing for what the gauge cannot see. */
static bool
had_all(const struct uploads *uploads, const struct upload *upload)
{
    int64_t missing = upload->size_bytes - upload->received_bytes;
    struct destroyed_socket last;

    if (upload->body_complete) {
        return true;
    }
    if (upload->size_bytes < 0) {
        return false;
    }
    if (missing <= 0 && !upload->approximate) {
        return true;
    }
    if (!upload->socket_exact &&
        destroyed_sockets_last(uploads->options.destroyed, upload, &last) &&
        !has_successor(upload, &last)) {
        return had_all_by_answer(upload, &last);
    }
    if (upload->approximate) {
        return missing <= upload->size_bytes / 100;
    }
    if (upload->gauge == GAUGE_SOCKET && !upload->socket_exact) {
        return upload->received_bytes > 0 && missing <= PREREAD_BYTES_MAX;
    }
    return false;
}

static void
conclude(struct uploads *uploads, struct upload *upload, int64_t at_ms)
{
    bool complete = had_all(uploads, upload);

    upload->state = transition(upload->state, complete ? HAPPENING_VANISHED
                                                       : HAPPENING_CUT_SHORT);
    upload->inferred = true;
    if (complete && upload->size_bytes > 0) {
        upload->received_bytes = upload->size_bytes;
    }
    if (!complete) {
        upload->status = STATUS_CLIENT_GONE;
    }
    finish(uploads, upload, at_ms);
    log_write(LOG_NOTICE, "upload %s: no end was told, concluded: %s",
              upload->id, state_name(upload->state));
}

static void
judge(struct uploads *uploads, struct upload *upload, enum life life,
      int64_t now_ms)
{
    int64_t heard_ms = upload->updated_ms > upload->started_ms
                           ? upload->updated_ms
                           : upload->started_ms;

    if (upload->gone_ms == 0 && life == LIFE_GONE) {
        upload->gone_ms = now_ms;
        upload->check_ms = now_ms + GRACE_MS;
    } else if (upload->gone_ms != 0 && now_ms - upload->gone_ms >= GRACE_MS) {
        conclude(uploads, upload, upload->gone_ms);
    } else if (upload->gone_ms != 0) {
        upload->check_ms = upload->gone_ms + GRACE_MS;
    } else if (life == LIFE_UNKNOWN &&
               now_ms - heard_ms >= uploads->options.inactive_timeout_ms) {
        conclude(uploads, upload, now_ms);
    } else {
        upload->check_ms = UPLOAD_IN_TURN;
    }
}

/* What becomes of an attempt that may be over. */
static void
check_end(struct uploads *uploads, const struct upload *seen, enum life life,
          int64_t now_ms)
{
    struct upload upload;
    unsigned evicted;
    int64_t gone_ms;
    int64_t check_ms;

    pthread_mutex_lock(&uploads->lock);
    /* An event may have come since: judge the row as it is now. */
    if (store_upload_get(uploads->store, seen->zone, seen->id, seen->attempt,
                         &upload) == STORE_OK &&
        upload_runs(&upload)) {
        gone_ms = upload.gone_ms;
        check_ms = upload.check_ms;
        judge(uploads, &upload, life, now_ms);
        if (!upload_runs(&upload) && upload.piece_at > 0) {
            assembly_piece_over(uploads, &upload, now_ms);
            store_upload_delete(uploads->store, upload.zone, upload.id,
                                upload.attempt);
        } else if ((upload.gone_ms != gone_ms || upload.check_ms != check_ms) &&
                   store_upload_put(uploads->store, &upload, &evicted) !=
                       STORE_OK) {
            log_store_error(uploads, "writing a checked upload");
        }
    }
    pthread_mutex_unlock(&uploads->lock);
}

static void
check(struct uploads *uploads, struct upload *seen, int64_t now_ms)
{
    enum life life;

    if (store_is_assembly(seen)) {
        assembly_check(uploads, seen, now_ms);
        return;
    }
    measure(uploads, seen, now_ms);
    life = seen->alive_ms == now_ms ? LIFE_ALIVE
                                    : look_for_life(uploads, seen, now_ms);
    if (life == LIFE_ALIVE) {
        seen->alive_ms = now_ms;
    }
    store_upload_measured(uploads->store, seen);
    if (life != LIFE_ALIVE || seen->check_ms != UPLOAD_IN_TURN) {
        check_end(uploads, seen, life, now_ms);
    }
}

static void
check_each(struct uploads *uploads, struct upload *due, int count,
           int64_t now_ms)
{
    store_batch_begin(uploads->store);
    for (int i = 0; i < count; i++) {
        check(uploads, &due[i], now_ms);
    }
    store_batch_end(uploads->store);
}

/* By time, not by number, or many uploads would be looked at seldom. */
static bool
has_time(const struct uploads *uploads, int64_t began_ms)
{
    return uploads->options.clock_ms() - began_ms < DUE_MS_PER_TICK;
}

/*
 * Those of which nothing is suspected. A probe sees what a look would: a turn
 * passes over whom somebody has seen so lately that by the next turn it will
 * not be longer ago than an interval.
 */
static void
check_in_turn(struct uploads *uploads, struct upload *due, int64_t began_ms,
              int64_t now_ms)
{
    int64_t interval_ms = uploads->options.check_interval_ms;
    int64_t late_ms = interval_ms / 8 < LATE_MS ? interval_ms / 8 : LATE_MS;
    int64_t turn_ms = (interval_ms - late_ms + 1) / 2;
    int left = turns_due(&uploads->upload_turns,
                         store_upload_running(uploads->store), turn_ms, now_ms);
    bool again = true; /* from the first one on */

    while (left > 0 && has_time(uploads, began_ms)) {
        int max = left < DUE_AT_ONCE ? left : DUE_AT_ONCE;
        int count;
        int passed =
            store_upload_in_turn(uploads->store, &uploads->looked_at,
                                 now_ms - turn_ms - late_ms, due, max, &count);

        if (count > 0) {
            check_each(uploads, due, count, now_ms);
        }
        left -= passed > 0 ? passed : 0;
        if (passed < max) {
            memset(&uploads->looked_at, 0, sizeof(uploads->looked_at));
            turns_begin_anew(&uploads->upload_turns);
            if (!again) {
                break;
            }
            again = false;
        }
    }
}

void
check_due(struct uploads *uploads, int64_t now_ms)
{
    struct upload *due = alloc_array(DUE_AT_ONCE, sizeof(*due));
    int64_t began_ms = uploads->options.clock_ms();
    int count;

    do {
        count = store_upload_due(uploads->store, now_ms, due, DUE_AT_ONCE);
        check_each(uploads, due, count, now_ms);
    } while (count == DUE_AT_ONCE && has_time(uploads, began_ms));
    check_in_turn(uploads, due, began_ms, now_ms);
    free(due);
}
