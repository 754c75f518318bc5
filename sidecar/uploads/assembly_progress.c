/* What a probe is told of a file in pieces. */
#include <stdlib.h>
#include <string.h>

#include "assembly.h"
#include "assembly_piece.h"
#include "form.h"
#include "piece.h"
#include "uploads_internal.h"

bool
assembly_look_into(struct uploads *uploads, const struct upload *seen,
                   int64_t now_ms)
{
    struct piece piece;
    struct upload row;
    enum form_answer answer = read_form_of(uploads, seen, &piece, now_ms);

    if (answer == FORM_UNKNOWN) {
        return false;
    }
    pthread_mutex_lock(&uploads->lock);
    /* An event may have come since. */
    if (store_upload_get(uploads->store, seen->zone, seen->id, seen->attempt,
                         &row) == STORE_OK &&
        upload_runs(&row) && row.piece_at < 0) {
        if (answer == FORM_PIECE) {
            assembly_adopt_form(uploads, &row, &piece, now_ms);
        } else {
            row.piece_at = 0;
            write_row(uploads, &row, now_ms);
        }
    }
    pthread_mutex_unlock(&uploads->lock);
    return true;
}

/* The file itself, where the ID is that of its resource or of a part of it. */
static bool
open_whole(struct uploads *uploads, const struct upload *row, int64_t now_ms,
           struct file *file)
{
    char whole[UPLOAD_ID_MAX + 1];

    if (!assembly_open(uploads, row->zone, row->id, now_ms, file)) {
        return false;
    }
    if (file->assembly.whole[0] != '\0') {
        memcpy(whole, file->assembly.whole, sizeof(whole));
        assembly_close(file);
        if (!assembly_open(uploads, row->zone, whole, now_ms, file)) {
            return false;
        }
    }
    if (!file->known) { /* it has expired meanwhile */
        assembly_close(file);
    }
    return file->known;
}

/* Whether requests of the file's ID have been found to be pieces of it. */
static bool
look_into_forms(struct uploads *uploads, const struct file *file,
                int64_t now_ms)
{
    bool found = false;
    int count;
    struct upload *requests =
        assembly_requests(uploads, file->row.zone, file->row.id, &count);

    for (int i = 0; i < count; i++) {
        if (requests[i].piece_at < 0) {
            found |= assembly_look_into(uploads, &requests[i], now_ms);
        }
    }
    free(requests);
    return found;
}

static void
measure_piece(struct uploads *uploads, struct file *file, struct upload *piece,
              int64_t now_ms)
{
    measure(uploads, piece, now_ms);
    store_upload_measured(uploads->store, piece);
    file->row.gauge = piece->gauge;
    file->row.approximate |= piece->approximate;
    assembly_add_range(file, piece->piece_at - 1, assembly_live_bytes(piece));
}

/* Counts the pieces under way in; returns their number. */
static int
measure_pieces(struct uploads *uploads, struct file *file, int64_t now_ms)
{
    int pieces = 0;
    int count;
    struct upload *requests =
        assembly_requests(uploads, file->row.zone, file->row.id, &count);

    for (int i = 0; i < count; i++) {
        if (requests[i].piece_at > 0) {
            measure_piece(uploads, file, &requests[i], now_ms);
            pieces++;
        }
    }
    free(requests);
    assembly_count(file, now_ms);
    move_marks(&file->row, now_ms);
    store_upload_measured(uploads->store, &file->row);
    return pieces;
}

static void
list_missing(const struct file *file, struct progress_pieces *told)
{
    int64_t at = 0;

    while (told->missing_count < PROGRESS_MISSING_MAX &&
           range_set_missing(&file->assembly.received, at, file->row.size_bytes,
                             &told->missing[told->missing_count][0],
                             &told->missing[told->missing_count][1])) {
        at = told->missing[told->missing_count++][1];
    }
}

bool
assembly_measure(struct uploads *uploads, struct upload *row, int64_t now_ms,
                 struct progress_pieces *told)
{
    struct file file;

    if (!open_whole(uploads, row, now_ms, &file)) {
        return false;
    }
    if (upload_runs(&file.row) && look_into_forms(uploads, &file, now_ms)) {
        assembly_close(&file);
        if (!open_whole(uploads, row, now_ms, &file)) {
            return false;
        }
    }
    told->in_pieces = true;
    told->count = file.assembly.pieces;
    told->resumed_bytes = file.assembly.resumed_bytes;
    told->protocol =
        piece_protocol_name((enum piece_protocol)file.assembly.protocol);
    if (upload_runs(&file.row)) {
        told->under_way = measure_pieces(uploads, &file, now_ms);
    }
    if (file.row.state != UPLOAD_DONE) {
        list_missing(&file, told);
    }
    *row = file.row;
    assembly_close(&file);
    return true;
}
