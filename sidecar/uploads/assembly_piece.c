/* What the start and the end of a piece tell of its file. */
#include "assembly_piece.h"

#include <stdlib.h>
#include <string.h>

#include "assembly_alias.h"
#include "assembly_unread.h"
#include "piece.h"
#include "wall_clock.h"

enum {
    STATUS_CLIENT_GONE = 499, /* nginx's own, for a client that went away */
    STATUS_BAD_REQUEST = 400,
    STATUS_TIMEOUT = 408,
};

/* By nginx's clock, if that is told, however late the line has come. */
static int64_t
began_at_ms(struct uploads *uploads, const struct event *event, int64_t now_ms)
{
    return event_began_ms(event, wall_clock_event_ms(uploads, event, now_ms));
}

/* Whether a piece of that offset says that all before it is there. */
static bool
is_sequential(const struct piece *piece)
{
    return !piece->partial &&
           (piece->protocol == PIECE_TUS || piece->protocol == PIECE_DRAFT ||
            piece->protocol == PIECE_FILEPOND);
}

/* Of the piece in the file, or in its part; -1 where that is not known yet. */
static int64_t
offset_of(const struct file *file, const struct piece *piece)
{
    int64_t chunk_bytes = file->assembly.chunk_bytes;

    if (piece->offset_bytes >= 0) {
        return piece->offset_bytes;
    }
    if (piece->kind == PIECE_CREATION || piece->number == 0) {
        return 0;
    }
    return piece->number > 0 && chunk_bytes > 0 &&
                   piece->number <= UPLOAD_PIECES_BYTES_MAX / chunk_bytes
               ? piece->number * chunk_bytes
               : -1;
}

/* In the file; -1 where it is not known, or beyond what is followed. */
static int64_t
place_of(int64_t base_bytes, int64_t offset_bytes)
{
    return offset_bytes >= 0 &&
                   offset_bytes <= UPLOAD_PIECES_BYTES_MAX - base_bytes
               ? base_bytes + offset_bytes
               : -1;
}

/* What a request tells of its file, whatever becomes of it. */
static void
take_file_facts(struct file *file, const struct event *event,
                int64_t offset_bytes)
{
    const struct piece *piece = &event->piece;

    if (piece->protocol != PIECE_NONE) {
        file->assembly.protocol = (int)piece->protocol;
    }
    file->row.ttl_ms = event->ttl_ms ? event->ttl_ms : file->row.ttl_ms;
    file->row.tls |= event->tls;
    if (event->protocol > 0) {
        file->row.protocol = event->protocol;
    }
    if (piece->partial) {
        return; /* its total is that of the part */
    }
    if (piece->total_bytes >= 0) {
        file->row.size_bytes = piece->total_bytes;
    } else if (piece->last && offset_bytes >= 0 && piece->length_bytes >= 0) {
        file->row.size_bytes = offset_bytes + piece->length_bytes;
    }
}

static bool
carries_data(const struct event *event)
{
    return event->piece.kind == PIECE_DATA ||
           (event->piece.kind == PIECE_CREATION &&
            event->piece.protocol != PIECE_FILEPOND &&
            event->content_length_bytes != 0);
}

/* A body's first byte of the file, at the latest; of a form it may be late. */
static int64_t
body_at(const struct event *event)
{
    const struct piece *piece = &event->piece;

    if (!piece->enveloped) {
        return 0;
    }
    if (piece->body_at_bytes >= 0) {
        return piece->body_at_bytes;
    }
    return piece->length_bytes >= 0 &&
                   event->content_length_bytes >= piece->length_bytes
               ? event->content_length_bytes - piece->length_bytes
               : UPLOAD_PIECES_BYTES_MAX;
}

static void
new_piece(struct uploads *uploads, const struct file *file,
          const struct event *event, struct upload *row)
{
    if (store_upload_get(uploads->store, file->row.zone, file->row.id,
                         event->attempt, row) == STORE_OK) {
        return;
    }
    memset(row, 0, sizeof(*row));
    row->zone = file->row.zone;
    strcpy(row->id, file->row.id);
    memcpy(row->attempt, event->attempt, sizeof(row->attempt));
    row->size_bytes = -1;
    row->header_bytes = -1;
}

static bool
has_failed_before(const struct file *file, int64_t began_ms)
{
    return file->assembly.failed_ms != 0 &&
           began_ms >= file->assembly.failed_ms;
}

static void
resume(struct file *file, int64_t at_bytes)
{
    file->assembly.resumed_bytes = at_bytes;
    file->assembly.failed_ms = 0;
}

static bool
begins_anew(const struct file *file, const struct piece *piece)
{
    return file->row.state == UPLOAD_DONE || piece->offset_bytes == 0 ||
           piece->number == 0;
}

/* What the file learns as a piece begins; returns its place, -1 if unknown. */
static int64_t
place_piece(struct uploads *uploads, struct file *file,
            const struct event *event, int64_t base_bytes, int64_t began_ms,
            int64_t now_ms)
{
    const struct piece *piece = &event->piece;
    int64_t offset_bytes = offset_of(file, piece);
    int64_t at_bytes = place_of(base_bytes, offset_bytes);

    if (!upload_runs(&file->row)) {
        assembly_revive(file, begins_anew(file, piece), now_ms);
    }
    take_file_facts(file, event, offset_bytes);
    if (!carries_data(event) || at_bytes < 0) {
        return -1;
    }
    if (has_failed_before(file, began_ms) ||
        (is_sequential(piece) && at_bytes != assembly_in_a_row(file) &&
         !assembly_is_under_way(uploads, file))) {
        resume(file, at_bytes);
    }
    if (is_sequential(piece)) {
        assembly_has_in_a_row(file, at_bytes);
    } else if (piece->partial) {
        assembly_add_range(file, base_bytes, offset_bytes);
    }
    return at_bytes;
}

static void
write_piece(struct uploads *uploads, struct upload *row,
            const struct event *event, int64_t at_bytes, int64_t now_ms)
{
    row->piece_at = at_bytes + 1;
    row->piece_length = event->piece.length_bytes;
    row->piece_body_at = body_at(event);
    write_row(uploads, row, now_ms);
}

void
assembly_begin_piece(struct uploads *uploads, struct file *file,
                     const struct event *event, int64_t base_bytes,
                     int64_t now_ms)
{
    int64_t at_bytes =
        place_piece(uploads, file, event, base_bytes, now_ms, now_ms);
    struct upload row;

    if (at_bytes >= 0) {
        new_piece(uploads, file, event, &row);
        apply_start(uploads, &row, event, now_ms);
        write_piece(uploads, &row, event, at_bytes, now_ms);
    }
}

void
assembly_adopt_form(struct uploads *uploads, struct upload *row,
                    const struct piece *piece, int64_t now_ms)
{
    struct event event = { .kind = EVENT_START,
                           .content_length_bytes = row->size_bytes,
                           .protocol = row->protocol,
                           .tls = row->tls,
                           .ttl_ms = row->ttl_ms };
    struct file file;
    int64_t at_bytes;

    event.piece = *piece;
    if (!assembly_open(uploads, row->zone, row->id, now_ms, &file)) {
        return;
    }
    at_bytes = place_piece(uploads, &file, &event, 0, row->started_ms, now_ms);
    if (at_bytes >= 0) {
        write_piece(uploads, row, &event, at_bytes, now_ms);
        assembly_save(uploads, &file, now_ms);
    }
    assembly_close(&file);
}

int64_t
assembly_live_bytes(const struct upload *piece)
{
    int64_t bytes = piece->received_bytes - piece->piece_body_at;

    if (piece->piece_length >= 0 && bytes > piece->piece_length) {
        bytes = piece->piece_length;
    }
    return bytes > 0 ? bytes : 0;
}

/* The bytes of the file in a body that has come whole. */
static int64_t
length_of(const struct event *event, int64_t body_bytes)
{
    int64_t at = body_at(event);

    if (event->piece.length_bytes >= 0) {
        return event->piece.length_bytes;
    }
    return at < body_bytes ? body_bytes - at : body_bytes;
}

/*
 * The next piece may have been told first, as one that goes on behind what was
 * missing then. How much a creation has brought is not always told.
 */
static void
join_to_next(struct file *file, const struct piece *piece, int64_t end_bytes)
{
    int64_t *resumed_bytes = &file->assembly.resumed_bytes;

    if (is_sequential(piece) && *resumed_bytes > 0 &&
        (*resumed_bytes == end_bytes || piece->kind == PIECE_CREATION)) {
        *resumed_bytes = -1;
    }
}

/* Of a piece that begins there; a server may take less than has come. */
static int64_t
taken_bytes(const struct piece *piece, const struct piece_outcome *outcome,
            int64_t offset_bytes, int64_t length)
{
    int64_t end_bytes = outcome->offset_bytes;

    return is_sequential(piece) && end_bytes >= 0 &&
                   end_bytes - offset_bytes < length
               ? end_bytes - offset_bytes
               : length;
}

static void
take_piece(struct file *file, const struct event *event,
           const struct piece_outcome *outcome, int64_t base_bytes,
           int64_t body_bytes, int64_t began_ms)
{
    const struct piece *piece = &event->piece;
    int64_t length = length_of(event, body_bytes);
    int64_t offset_bytes;
    int64_t at_bytes;
    int64_t taken;

    if (length > UPLOAD_PIECES_BYTES_MAX) {
        return;
    }
    if (piece->number >= 0 && piece->number + 1 < piece->count) {
        file->assembly.chunk_bytes = length;
    }
    if (piece->length_bytes < 0 && piece->enveloped) {
        file->row.approximate = true; /* the form around it counts, too */
    } else if (piece->enveloped && body_bytes > length) {
        file->assembly.form_bytes = body_bytes - length;
    }
    offset_bytes = offset_of(file, piece);
    at_bytes = place_of(base_bytes, offset_bytes);
    if (at_bytes < 0) {
        return;
    }
    /* Of a form that nobody looked into before its end. */
    if (has_failed_before(file, began_ms)) {
        resume(file, at_bytes);
    }
    taken = taken_bytes(piece, outcome, offset_bytes, length);
    assembly_add_range(file, at_bytes, taken);
    join_to_next(file, piece, at_bytes + taken);
    if (piece->last && file->row.size_bytes < 0 && !piece->partial) {
        file->row.size_bytes = offset_bytes + length;
    }
    assembly_count_pieces(file, 1);
}

/* The total of what a tus server has joined. */
static int64_t
joined_bytes(struct uploads *uploads, int zone, const struct event *event)
{
    const char *at = NULL;
    char id[UPLOAD_ID_MAX + 1];
    struct upload part;
    int64_t total = 0;

    while (piece_concatenated(&event->request, &at, id)) {
        if (id[0] == '\0' ||
            store_upload_get(uploads->store, zone, id, store_no_attempt,
                             &part) != STORE_OK ||
            part.size_bytes < 0 ||
            part.size_bytes > UPLOAD_PIECES_BYTES_MAX - total) {
            return -1;
        }
        total += part.size_bytes;
    }
    return total;
}

/* What the server has beside the piece, by the request and the response. */
static void
take_resource(struct uploads *uploads, struct file *file,
              const struct event *event, const struct piece_outcome *outcome,
              int64_t now_ms)
{
    const struct piece *piece = &event->piece;

    if (outcome->total_bytes >= 0 && !piece->partial) {
        file->row.size_bytes = outcome->total_bytes;
    }
    if (piece->kind == PIECE_OFFSET) { /* the chunk that was asked for */
        assembly_find_range(file, piece->offset_bytes, piece->length_bytes);
    }
    if (piece->kind == PIECE_CONCATENATION && file->row.size_bytes < 0) {
        file->row.size_bytes = joined_bytes(uploads, file->row.zone, event);
    }
    if (piece->kind == PIECE_CREATION && piece->partial) {
        assembly_add_part(uploads, file, outcome->id, piece->total_bytes,
                          now_ms);
    } else if (piece->kind == PIECE_CREATION) {
        assembly_add_resource(uploads, file, outcome->id, now_ms);
    }
}

/* What the response says of the file as a whole. */
static void
take_outcome(struct uploads *uploads, struct file *file,
             const struct event *event, const struct piece_outcome *outcome,
             int64_t base_bytes, int64_t body_bytes, int64_t now_ms)
{
    const struct piece *piece = &event->piece;
    bool knew_pieces = assembly_knows_pieces(file);
    bool is_created_anew =
        piece->kind == PIECE_CREATION &&
        began_at_ms(uploads, event, now_ms) > file->row.started_ms;

    take_resource(uploads, file, event, outcome, now_ms);
    if (carries_data(event)) {
        take_piece(file, event, outcome, base_bytes, body_bytes,
                   event_began_ms(event, now_ms));
    }
    if (!knew_pieces) {
        assembly_adopt_unread(uploads, file);
    }
    if (outcome->offset_bytes >= 0 && is_sequential(piece) &&
        (piece->kind == PIECE_OFFSET || is_created_anew)) {
        assembly_has_in_a_row(file, outcome->offset_bytes);
    } else { /* what is behind it may have been told first */
        assembly_add_range(file, base_bytes, outcome->offset_bytes);
    }
    if (piece->kind == PIECE_CONCATENATION ||
        (!piece->partial && (outcome->complete || assembly_is_whole(file)))) {
        assembly_end(uploads, file, UPLOAD_DONE, (int)event->status, now_ms);
    }
}

void
assembly_fail_piece(struct uploads *uploads, struct file *file,
                    const struct event *event, int64_t now_ms)
{
    int count;
    struct upload *requests =
        assembly_requests(uploads, file->row.zone, file->row.id, &count);
    const struct upload *next = NULL;
    int64_t began_ms = began_at_ms(uploads, event, now_ms);

    for (int i = 0; i < count && next == NULL; i++) {
        next = requests[i].piece_at > 0 && requests[i].started_ms >= began_ms
                   ? &requests[i]
                   : NULL;
    }
    /* Where the piece that goes on has begun, its start has overtaken. */
    if (next != NULL && is_sequential(&event->piece)) {
        file->assembly.resumed_bytes = next->piece_at - 1;
    } else {
        file->assembly.failed_ms = now_ms;
    }
    free(requests);
}

int64_t
assembly_end_request(struct uploads *uploads, const struct file *file,
                     const struct event *event, int64_t now_ms)
{
    struct upload row;

    new_piece(uploads, file, event, &row);
    apply_end(uploads, &row, event, now_ms);
    store_upload_delete(uploads->store, row.zone, row.id, row.attempt);
    ended_requests_add(&uploads->ended, row.attempt);
    return row.received_bytes;
}

/* Of the first request nothing may have been told before. */
static void
take_began(struct file *file, const struct event *event, int64_t began_ms)
{
    if ((!file->known || event->piece.kind == PIECE_CREATION) &&
        began_ms < file->row.started_ms) {
        file->row.started_ms = began_ms > 0 ? began_ms : 1;
    }
}

bool
assembly_was_cut_short(const struct event *event, int64_t body_bytes)
{
    bool is_short = body_bytes < event->content_length_bytes;

    switch (event->status) {
    case STATUS_BAD_REQUEST:
    case STATUS_TIMEOUT:
    case STATUS_CLIENT_GONE:
        return event->chunked || is_short;
    default:
        return event->status < 200 && !event->chunked && is_short;
    }
}

void
assembly_end_piece(struct uploads *uploads, struct file *file,
                   const struct event *event,
                   const struct piece_outcome *outcome, int64_t base_bytes,
                   int64_t now_ms)
{
    const struct piece *piece = &event->piece;
    int64_t body_bytes = assembly_end_request(uploads, file, event, now_ms);

    if (!upload_runs(&file->row)) {
        if (event_began_ms(event, now_ms) <= file->row.finished_ms ||
            outcome->fate != PIECE_TAKEN) {
            return; /* a late one: the file's end stays what it is */
        }
        assembly_revive(file, begins_anew(file, piece), now_ms);
    }
    take_began(file, event, began_at_ms(uploads, event, now_ms));
    take_file_facts(file, event, offset_of(file, piece));
    switch (assembly_was_cut_short(event, body_bytes) ? PIECE_RETRY
                                                      : outcome->fate) {
    case PIECE_TAKEN:
        take_outcome(uploads, file, event, outcome, base_bytes, body_bytes,
                     now_ms);
        break;
    case PIECE_RETRY:
        if (carries_data(event)) {
            assembly_fail_piece(uploads, file, event, now_ms);
        }
        break;
    case PIECE_REFUSED:
    case PIECE_GONE:
        assembly_end(uploads, file, UPLOAD_ERROR,
                     piece->kind == PIECE_TERMINATION ? STATUS_CLIENT_GONE
                                                      : (int)event->status,
                     now_ms);
        break;
    }
}
