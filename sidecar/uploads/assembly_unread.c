/* Forms whose fields nobody could read: pieces by their length. */
#include "assembly_unread.h"

#include <stdlib.h>

#include "alloc.h"
#include "assembly_piece.h"

enum { DIGITS_MAX = 64 }; /* by which two pieces' fields differ in length */

/* The nearer one of two lengths; -1 is none. */
static int64_t
nearer(int64_t one, int64_t other, int64_t to)
{
    return one < 0 || llabs(to - other) < llabs(to - one) ? other : one;
}

bool
assembly_knows_pieces(const struct file *file)
{
    return file->assembly.chunk_bytes > 0 && file->assembly.form_bytes > 0;
}

/*
 * The bytes of the file in a body of that length, -1 if it is no piece of it.
 * The last piece is the rest, or that and a chunk: resumable.js and flow.js
 * make none of their own of it.
 */
static int64_t
piece_bytes(const struct file *file, int64_t body_bytes)
{
    int64_t chunk_bytes = file->assembly.chunk_bytes;
    int64_t length = body_bytes - file->assembly.form_bytes;
    int64_t found;

    if (!assembly_knows_pieces(file)) {
        return -1;
    }
    found = chunk_bytes;
    if (file->row.size_bytes > chunk_bytes &&
        file->row.size_bytes % chunk_bytes > 0) {
        int64_t rest = file->row.size_bytes % chunk_bytes;

        found = nearer(found, rest, length);
        found = nearer(found, chunk_bytes + rest, length);
    }
    return llabs(length - found) <= DIGITS_MAX ? found : -1;
}

/* Returns false where nothing is missing any more: it is of another file. */
static bool
take_unread(struct file *file, int64_t length)
{
    int64_t left = UPLOAD_PIECES_BYTES_MAX - file->assembly.unplaced_bytes;

    if (file->row.size_bytes >= 0) {
        left = assembly_missing_bytes(file) - file->assembly.unplaced_bytes;
    }
    if (left <= 0) {
        return false;
    }
    file->assembly.unplaced_bytes += length < left ? length : left;
    file->row.approximate = true;
    assembly_count_pieces(file, 1);
    return true;
}

static bool
end_piece(struct uploads *uploads, struct file *file, const struct event *event,
          enum piece_fate fate, int64_t length, int64_t now_ms)
{
    switch (fate) {
    case PIECE_TAKEN:
        if (!take_unread(file, length)) {
            return false;
        }
        if (assembly_is_whole(file)) {
            assembly_end(uploads, file, UPLOAD_DONE, (int)event->status,
                         now_ms);
        }
        break;
    case PIECE_RETRY:
        assembly_fail_piece(uploads, file, event, now_ms);
        break;
    case PIECE_REFUSED:
    case PIECE_GONE:
        assembly_end(uploads, file, UPLOAD_ERROR, (int)event->status, now_ms);
        break;
    }
    return true;
}

bool
assembly_end_unread(struct uploads *uploads, struct file *file,
                    const struct event *event, enum piece_fate fate,
                    int64_t now_ms)
{
    int64_t body_bytes = event_body_bytes(event);
    bool cut = body_bytes >= 0 && assembly_was_cut_short(event, body_bytes);
    bool whole = body_bytes >= 0 && body_bytes >= event->content_length_bytes;
    int64_t length = whole && event->unread
                         ? piece_bytes(file, event->content_length_bytes)
                         : -1;

    if (!file->known || !upload_runs(&file->row) || (!cut && length < 0) ||
        !end_piece(uploads, file, event, cut ? PIECE_RETRY : fate, length,
                   now_ms)) {
        return false;
    }
    (void)assembly_end_request(uploads, file, event, now_ms);
    return true;
}

/* Whether a row is of a form that was taken, and that nobody could read. */
static bool
is_taken_unread(const struct upload *row)
{
    return row->piece_at < 0 && row->state == UPLOAD_DONE &&
           !upload_runs(row) && !store_is_assembly(row);
}

void
assembly_adopt_unread(struct uploads *uploads, struct file *file)
{
    struct upload *rows;
    int count;

    if (!assembly_knows_pieces(file)) {
        return;
    }
    rows = alloc_array(REQUESTS_MAX, sizeof(*rows));
    count = store_upload_attempts(uploads->store, file->row.zone, file->row.id,
                                  rows, REQUESTS_MAX);
    for (int i = 0; i < count; i++) {
        int64_t length = is_taken_unread(&rows[i])
                             ? piece_bytes(file, rows[i].size_bytes)
                             : -1;

        if (length >= 0) {
            (void)take_unread(file, length); /* else one that came twice */
            store_upload_delete(uploads->store, rows[i].zone, rows[i].id,
                                rows[i].attempt);
            ended_requests_add(&uploads->ended, rows[i].attempt);
        }
    }
    free(rows);
}
