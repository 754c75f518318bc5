/* Reading the gauges of a running attempt, and what follows from them. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "destroyed_sockets.h"
#include "socket_gauge.h"
#include "uploads_internal.h"

enum {
    RATE_MIN_MS = 100, /* over less, a rate is noise */
    CHUNKED_MIN_BYTES = 65536,
};

/*
 * TLS adds at most 29 bytes to a record of up to 16 KiB, chunked coding 7 to a
 * chunk of 1 KiB. Taking off 29 of 4125 bytes stays behind the truth for TLS
 * records of 4 KiB and chunks of 1 KiB on, and within 0.6 % of it for the
 * usual full ones. Of a chunked body the first bytes are not counted: there a
 * few small chunks weigh the most, and nginx does not spool them yet.
 */
static int64_t
without_overhead(const struct upload *upload, int64_t bytes)
{
    if (upload->chunked && bytes < CHUNKED_MIN_BYTES) {
        return 0;
    }
    return bytes - bytes * 29 / (4096 + 29);
}

/* What the last look at a file that is gone has left in the store. */
static int64_t
credited_bytes(struct uploads *uploads, const struct upload *upload)
{
    struct upload stored;

    return store_upload_get(uploads->store, upload->zone, upload->id,
                            upload->attempt, &stored) == STORE_OK
               ? stored.received_bytes
               : -1;
}

/* The lowest of the files that can be this attempt's; -1 without any. */
static int64_t
spool_bytes(struct uploads *uploads, struct upload *upload, int64_t now_ms)
{
    struct spool spools[FILES_MAX];
    int64_t lowest = -1;
    int64_t size_bytes;
    int open = 0;
    int last = 0;
    int uncertain = 0; /* files that may be those of uploads that are over */
    unsigned releases = atomic_load(&uploads->held_releases);
    int count;
    int claims;

    if (!uploads->options.gauges[GAUGE_SPOOL]) {
        return -1;
    }
    count = files_of(uploads, upload, spools, FILES_MAX);
    for (int i = 0; i < count; i++) {
        if (spools[i].fd < 0) {
            resolve_files(uploads, upload->pid, now_ms);
            count = files_of(uploads, upload, spools, FILES_MAX);
            break;
        }
    }
    for (int i = 0; i < count; i++) {
        if (own_file_size(uploads, upload, &spools[i], releases, now_ms,
                          &size_bytes)) {
            lowest = lowest < 0 || size_bytes < lowest ? size_bytes : lowest;
            uncertain += spools[i].uncertain_until_ms > now_ms;
            open++;
            last = i;
        }
    }
    if (open == 0) {
        return count > 0 ? credited_bytes(uploads, upload) : -1;
    }
    claims =
        is_alone(upload)
            ? 1
            : store_spool_claims(uploads->store, &spools[last]) + uncertain;
    if (claims > open) {
        return 0; /* one of them has no file yet, perhaps this one */
    }
    if (open == 1) {
        upload->spool_row = spools[last].row;
        upload->spool_certain = is_alone(upload) || spools[last].id[0] != '\0';
    }
    return lowest;
}

/*
 * Of a client that went away early nginx has read the end of the stream, which
 * the kernel counts as a byte: where the body is not whole, or would be whole
 * by it alone and nobody answered, that byte is taken off.
 */
static int64_t
last_read_bytes(const struct upload *upload,
                const struct destroyed_socket *last)
{
    int64_t body_bytes = last->read_bytes - upload->socket_base_bytes;
    bool is_whole = upload->size_bytes >= 0 && body_bytes >= upload->size_bytes;

    return last->read_bytes -
           (last->may_count_end && !(is_whole && last->answered));
}

/* Whether its connection's bytes are its body's. */
static bool
has_socket(const struct upload *upload)
{
    return upload->socket.family != 0 && upload->protocol < HTTP_2;
}

bool
asks_socket(const struct upload *upload)
{
    return has_socket(upload) && upload->socket.cookie != 0;
}

/* What nginx has read of the body by the kernel's count; -1 if it can't say. */
static int64_t
socket_bytes(struct uploads *uploads, struct upload *upload, bool *exact,
             bool *open)
{
    struct destroyed_socket last;
    int64_t read_bytes;

    if (!has_socket(upload)) {
        return -1;
    }
    if (asks_socket(upload) &&
        socket_gauge_read(&upload->socket, &read_bytes) == SOCKET_OPEN) {
        *open = true;
    } else if (destroyed_sockets_last(uploads->options.destroyed, upload,
                                      &last)) {
        read_bytes = last_read_bytes(upload, &last);
    } else {
        return -1;
    }
    if (read_bytes < upload->socket_base_bytes) {
        return -1;
    }
    read_bytes -= upload->socket_base_bytes;
    *exact = !upload->tls && !upload->chunked;
    return *exact ? read_bytes : without_overhead(upload, read_bytes);
}

/*
 * Two marks make the window: the rate is measured from the older one, and the
 * newer one takes its place once it is half a window old.
 */
void
move_marks(struct upload *upload, int64_t now_ms)
{
    if (upload->mark_ms[0] == 0) {
        upload->mark_ms[0] = upload->started_ms;
        upload->mark_bytes[0] = 0;
        upload->mark_ms[1] = now_ms;
        upload->mark_bytes[1] = upload->received_bytes;
        return;
    }
    if (now_ms - upload->mark_ms[1] < RATE_WINDOW_MS / 2) {
        return;
    }
    upload->mark_ms[0] = upload->mark_ms[1];
    upload->mark_bytes[0] = upload->mark_bytes[1];
    upload->mark_ms[1] = now_ms;
    upload->mark_bytes[1] = upload->received_bytes;
}

int64_t
measured_rate(const struct upload *upload, int64_t now_ms)
{
    int64_t since_ms =
        upload->mark_ms[0] ? upload->mark_ms[0] : upload->started_ms;
    int64_t bytes = upload->received_bytes - upload->mark_bytes[0];
    __int128 rate;

    if (upload->finished_ms != 0) { /* of a whole upload: the average */
        since_ms = upload->started_ms;
        bytes = upload->received_bytes;
    }
    if (now_ms - since_ms < RATE_MIN_MS) {
        return -1;
    }
    rate = (__int128)bytes * 1000 / (now_ms - since_ms);
    return rate < INT64_MAX ? (int64_t)rate : INT64_MAX;
}

void
measure(struct uploads *uploads, struct upload *upload, int64_t now_ms)
{
    bool exact = false;
    bool open = false;
    int64_t of_spool = -1;
    int64_t of_socket;

    /*
     * An exact socket is ahead of the file by what nginx holds in memory; the
     * file is still wanted once, as its end tells the end of the request. It is
     * read first, or what comes in between would put it ahead.
     */
    if (!upload->socket_exact || upload->chunked || upload->spool_row == 0) {
        of_spool = spool_bytes(uploads, upload, now_ms);
    }
    of_socket = socket_bytes(uploads, upload, &exact, &open);
    if (of_socket < 0 && of_spool < 0) {
        of_spool = spool_bytes(uploads, upload, now_ms);
    }
    if (of_spool >= 0 && (!exact || of_spool > of_socket)) {
        count_received(upload, of_spool, GAUGE_SPOOL, false, now_ms);
    } else {
        count_received(upload, of_socket, GAUGE_SOCKET, !exact, now_ms);
    }
    upload->measured_ms = now_ms;
    if (open && is_alone(upload)) {
        upload->alive_ms = now_ms;
    }
    move_marks(upload, now_ms);
}
