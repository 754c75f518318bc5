/*
 * Files that come in pieces, each piece a request of its own. Of a file there
 * is one row, which probes are told of, with what has been received beside it;
 * of each piece under way there is a row as of any request, which goes when the
 * piece has ended.
 *
 *   start ──▶ begin_piece ──▶ row of the piece ──▶ its gauges ──┐
 *   end   ──▶ end_piece   ──▶ received ranges of the file ──────┴──▶ probe
 *   timer ──▶ assembly_check: the next piece never came
 */
#include "assembly.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "form.h"
#include "log.h"
#include "piece.h"
#include "resource.h"
#include "uploads_internal.h"

enum {
    PIECES_MAX = 128,         /* under way at the same time, of one file */
    STATUS_CLIENT_GONE = 499, /* nginx's own, for a client that went away */
    STATUS_TIMEOUT = 408,
};

/* A file as it is in the store, and what becomes of it. */
struct file {
    struct upload row;
    struct assembly assembly;
    bool known; /* there was a row */
};

static const uint8_t no_attempt[UPLOAD_ATTEMPT_BYTES];

static bool
open_file(struct uploads *uploads, int zone, const char *id, int64_t now_ms,
          struct file *file)
{
    enum store_result result =
        store_upload_get(uploads->store, zone, id, no_attempt, &file->row);

    file->known = result == STORE_OK;
    if (result == STORE_ERROR ||
        store_assembly_get(uploads->store, zone, id, &file->assembly) ==
            STORE_ERROR) {
        log_store_error(uploads, "reading a file in pieces");
        return false;
    }
    if (!file->known) {
        memset(&file->row, 0, sizeof(file->row));
        file->row.zone = zone;
        strcpy(file->row.id, id);
        file->row.state = UPLOAD_UPLOADING;
        file->row.size_bytes = -1;
        file->row.header_bytes = -1;
        file->row.started_ms = now_ms > 0 ? now_ms : 1;
    }
    if (file->assembly.id[0] == '\0') {
        file->assembly.zone = zone;
        strcpy(file->assembly.id, id);
        file->assembly.resumed_bytes = -1;
    }
    return true;
}

static int64_t
received_in_a_row(const struct file *file)
{
    int64_t begin = INT64_MAX;
    int64_t end;

    range_set_missing(&file->assembly.received, 0, INT64_MAX, &begin, &end);
    return begin;
}

/* Where too many ranges lie apart, the count stays behind. */
static void
add_range(struct file *file, int64_t begin, int64_t length)
{
    if (begin >= 0 && length > 0 && length <= INT64_MAX - begin) {
        (void)!range_set_add(&file->assembly.received, begin, begin + length);
    }
}

/* By the server's or the client's word the server has just so many bytes. */
static void
has_in_a_row(struct file *file, int64_t bytes)
{
    if (bytes != received_in_a_row(file) ||
        range_set_count(&file->assembly.received) > 1) {
        range_set_release(&file->assembly.received);
        add_range(file, 0, bytes);
    }
}

static bool
is_whole(const struct file *file)
{
    int64_t begin;
    int64_t end;

    return file->row.size_bytes >= 0 &&
           !range_set_missing(&file->assembly.received, 0, file->row.size_bytes,
                              &begin, &end);
}

/* It never falls: what a failed piece has brought was received once. */
static void
set_received(struct file *file, int64_t now_ms)
{
    int64_t bytes = range_set_bytes(&file->assembly.received);

    if (file->row.size_bytes >= 0 && bytes > file->row.size_bytes) {
        bytes = file->row.size_bytes;
    }
    if (bytes > file->row.received_bytes) {
        file->row.received_bytes = bytes;
        file->row.updated_ms = now_ms;
    }
}

/* What was there at the start has not come at any speed. */
static void
start_rate(struct upload *row, int64_t bytes, int64_t now_ms)
{
    row->mark_ms[0] = row->mark_ms[1] = now_ms > 0 ? now_ms : 1;
    row->mark_bytes[0] = row->mark_bytes[1] = bytes;
}

static void
save_file(struct uploads *uploads, struct file *file, int64_t now_ms)
{
    set_received(file, now_ms);
    if (upload_runs(&file->row)) {
        file->row.check_ms = now_ms + uploads->options.piece_timeout_ms;
    }
    if (file->row.mark_ms[0] == 0) {
        start_rate(&file->row, file->row.received_bytes, now_ms);
    }
    if (write_row(uploads, &file->row, now_ms) &&
        store_assembly_put(uploads->store, &file->assembly) != STORE_OK) {
        log_store_error(uploads, "writing a file in pieces");
    }
}

static void
close_file(struct file *file)
{
    range_set_release(&file->assembly.received);
}

static void
end_file(struct uploads *uploads, struct file *file, enum upload_state state,
         int status, int64_t at_ms)
{
    if (state == UPLOAD_DONE) {
        if (file->row.size_bytes < 0) {
            file->row.size_bytes = received_in_a_row(file);
        }
        add_range(file, 0, file->row.size_bytes);
    }
    file->row.state = state;
    file->row.status = status;
    finish(uploads, &file->row, at_ms);
}

/* A new start under the same ID, or the going on of what was given up. */
static void
revive(struct file *file, const struct piece *piece, int64_t now_ms)
{
    bool anew = file->row.state == UPLOAD_DONE || piece->offset_bytes == 0 ||
                piece->number == 0;
    int64_t ttl_ms = file->row.ttl_ms;

    file->row.state = UPLOAD_UPLOADING;
    file->row.status = 0;
    file->row.inferred = false;
    file->row.finished_ms = 0;
    file->row.expires_ms = 0;
    file->assembly.failed_ms = anew ? 0 : 1;
    if (anew) {
        range_set_release(&file->assembly.received);
        file->assembly.pieces = 0;
        file->assembly.chunk_bytes = 0;
        file->assembly.resumed_bytes = -1;
        file->row.size_bytes = -1;
        file->row.approximate = false;
        file->row.received_bytes = 0;
        file->row.started_ms = now_ms > 0 ? now_ms : 1;
        file->row.ttl_ms = ttl_ms;
        start_rate(&file->row, 0, now_ms);
    }
}

/* Whether a piece of that offset says that all before it is there. */
static bool
is_sequential(const struct piece *piece)
{
    return !piece->partial &&
           (piece->protocol == PIECE_TUS || piece->protocol == PIECE_DRAFT ||
            piece->protocol == PIECE_FILEPOND);
}

static int64_t
offset_of(const struct file *file, const struct piece *piece)
{
    if (piece->offset_bytes >= 0) {
        return piece->offset_bytes;
    }
    if (piece->kind == PIECE_CREATION || piece->number == 0) {
        return 0;
    }
    return piece->number > 0 && file->assembly.chunk_bytes > 0 &&
                   piece->number < INT64_MAX / file->assembly.chunk_bytes
               ? piece->number * file->assembly.chunk_bytes
               : -1;
}

/* What a request tells of its file, whatever becomes of it. */
static void
take_file_facts(struct file *file, const struct event *event,
                int64_t offset_bytes)
{
    const struct piece *piece = &event->piece;

    file->assembly.protocol = (int)piece->protocol;
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
               : INT64_MAX / 8;
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

/* Those of an ID that are under way, in a list that is to be freed. */
static struct upload *
read_pieces(struct uploads *uploads, const struct upload *file, int *count)
{
    struct upload *pieces = alloc_array(PIECES_MAX, sizeof(*pieces));
    int found = store_upload_attempts(uploads->store, file->zone, file->id,
                                      pieces, PIECES_MAX);

    *count = 0;
    for (int i = 0; i < found; i++) {
        if (pieces[i].piece_at > 0 && upload_runs(&pieces[i])) {
            pieces[(*count)++] = pieces[i];
        }
    }
    return pieces;
}

/* Whether the end of a piece is still to be told; starts may overtake ends. */
static bool
is_under_way(struct uploads *uploads, const struct upload *file)
{
    int count;

    free(read_pieces(uploads, file, &count));
    return count > 0;
}

/* Where the piece that goes on has begun already, its start has overtaken. */
static void
take_failure(struct uploads *uploads, struct file *file,
             const struct event *event, int64_t now_ms)
{
    int count;
    struct upload *pieces = read_pieces(uploads, &file->row, &count);

    if (count > 0 && is_sequential(&event->piece)) {
        file->assembly.resumed_bytes = pieces[0].piece_at - 1;
    } else {
        file->assembly.failed_ms = now_ms;
    }
    free(pieces);
}

/* What the file learns as a piece begins; returns its offset, -1 if unknown. */
static int64_t
place_piece(struct uploads *uploads, struct file *file,
            const struct event *event, int64_t base_bytes, int64_t began_ms,
            int64_t now_ms)
{
    const struct piece *piece = &event->piece;
    int64_t offset_bytes = offset_of(file, piece);

    if (!upload_runs(&file->row)) {
        revive(file, piece, now_ms);
    }
    take_file_facts(file, event, offset_bytes);
    if (!carries_data(event) || offset_bytes < 0) {
        return -1;
    }
    if (has_failed_before(file, began_ms) ||
        (is_sequential(piece) && offset_bytes != received_in_a_row(file) &&
         !is_under_way(uploads, &file->row))) {
        file->assembly.resumed_bytes = base_bytes + offset_bytes;
        file->assembly.failed_ms = 0;
    }
    if (is_sequential(piece)) {
        has_in_a_row(file, base_bytes + offset_bytes);
        if (file->row.mark_ms[0] == 0) {
            start_rate(&file->row, offset_bytes, now_ms);
        }
    } else if (piece->partial) {
        add_range(file, base_bytes, offset_bytes);
    }
    return base_bytes + offset_bytes;
}

static void
write_piece(struct uploads *uploads, struct upload *row,
            const struct event *event, int64_t offset_bytes, int64_t now_ms)
{
    row->piece_at = offset_bytes + 1;
    row->piece_length = event->piece.length_bytes;
    row->piece_body_at = body_at(event);
    write_row(uploads, row, now_ms);
}

static void
begin_piece(struct uploads *uploads, struct file *file,
            const struct event *event, int64_t base_bytes, int64_t now_ms)
{
    int64_t offset_bytes =
        place_piece(uploads, file, event, base_bytes, now_ms, now_ms);
    struct upload row;

    if (offset_bytes >= 0) {
        new_piece(uploads, file, event, &row);
        apply_start(uploads, &row, event, now_ms);
        write_piece(uploads, &row, event, offset_bytes, now_ms);
    }
}

/* The bytes of the file in a body that has come whole. */
static int64_t
piece_length(const struct file *file, const struct event *event,
             int64_t body_bytes)
{
    int64_t at = body_at(event);

    (void)file;
    if (event->piece.length_bytes >= 0) {
        return event->piece.length_bytes;
    }
    return at < body_bytes ? body_bytes - at : body_bytes;
}

static void
take_piece(struct file *file, const struct event *event, int64_t base_bytes,
           int64_t body_bytes, int64_t began_ms)
{
    const struct piece *piece = &event->piece;
    int64_t length = piece_length(file, event, body_bytes);
    int64_t offset_bytes;

    if (piece->number >= 0 && piece->number + 1 < piece->count) {
        file->assembly.chunk_bytes = length;
    }
    if (piece->length_bytes < 0 && piece->enveloped) {
        file->row.approximate = true; /* the form around it counts, too */
    }
    offset_bytes = offset_of(file, piece);
    if (offset_bytes < 0) {
        return;
    }
    /* Of a form that nobody looked into before its end. */
    if (has_failed_before(file, began_ms)) {
        file->assembly.resumed_bytes = base_bytes + offset_bytes;
        file->assembly.failed_ms = 0;
    }
    add_range(file, base_bytes + offset_bytes, length);
    if (piece->last && file->row.size_bytes < 0 && !piece->partial) {
        file->row.size_bytes = offset_bytes + length;
    }
    file->assembly.pieces++;
}

/* Has the ID of a resource, or of a part, lead to the file. */
static void
add_alias(struct uploads *uploads, struct file *file, const char *id,
          int64_t total_bytes, bool is_part, int64_t now_ms)
{
    struct file alias;

    if (id[0] == '\0' || strcmp(id, file->row.id) == 0 ||
        !open_file(uploads, file->row.zone, id, now_ms, &alias)) {
        return;
    }
    strcpy(alias.assembly.whole, file->row.id);
    if (is_part && total_bytes >= 0) {
        int64_t before = file->row.size_bytes > 0 ? file->row.size_bytes : 0;

        alias.assembly.base_bytes = before;
        file->row.size_bytes = before + total_bytes;
    }
    alias.row.ttl_ms = file->row.ttl_ms;
    save_file(uploads, &alias, now_ms);
    close_file(&alias);
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
            store_upload_get(uploads->store, zone, id, no_attempt, &part) !=
                STORE_OK ||
            part.size_bytes < 0) {
            return -1;
        }
        total += part.size_bytes;
    }
    return total;
}

/* What the response says of the file as a whole. */
static void
take_outcome(struct uploads *uploads, struct file *file,
             const struct event *event, const struct piece_outcome *outcome,
             int64_t base_bytes, int64_t body_bytes, int64_t now_ms)
{
    const struct piece *piece = &event->piece;

    if (outcome->total_bytes >= 0 && !piece->partial) {
        file->row.size_bytes = outcome->total_bytes;
    }
    switch (piece->kind) {
    case PIECE_OFFSET:
        if (piece->offset_bytes >= 0 && piece->length_bytes > 0) {
            add_range(file, piece->offset_bytes, piece->length_bytes);
        }
        break;
    case PIECE_CONCATENATION:
        if (file->row.size_bytes < 0) {
            file->row.size_bytes = joined_bytes(uploads, file->row.zone, event);
        }
        end_file(uploads, file, UPLOAD_DONE, (int)event->status, now_ms);
        return;
    case PIECE_CREATION:
        add_alias(uploads, file, outcome->id, piece->total_bytes,
                  piece->partial, now_ms);
        break;
    case PIECE_DATA:
    case PIECE_TERMINATION:
        break;
    }
    if (carries_data(event)) {
        take_piece(
            file, event, base_bytes, body_bytes,
            now_ms - (event->request_time_ms > 0 ? event->request_time_ms : 0));
    }
    if (outcome->offset_bytes >= 0 && is_sequential(piece)) {
        has_in_a_row(file, outcome->offset_bytes);
    } else if (outcome->offset_bytes >= 0) {
        add_range(file, base_bytes, outcome->offset_bytes);
    }
    if (!piece->partial && (outcome->complete || is_whole(file))) {
        end_file(uploads, file, UPLOAD_DONE, (int)event->status, now_ms);
    }
}

/* Ends the row of the request, if there is one; returns its body's length. */
static int64_t
end_request(struct uploads *uploads, const struct file *file,
            const struct event *event, int64_t now_ms)
{
    struct upload row;

    new_piece(uploads, file, event, &row);
    apply_end(uploads, &row, event, now_ms);
    store_upload_delete(uploads->store, row.zone, row.id, row.attempt);
    return row.received_bytes;
}

/* nginx answers 400 or 408 where the body breaks off; that is nobody's no. */
static bool
was_cut_short(const struct event *event, int64_t body_bytes)
{
    return (event->status == 400 || event->status == 408 ||
            event->status == STATUS_CLIENT_GONE) &&
           (event->chunked || body_bytes < event->content_length_bytes);
}

static void
end_piece(struct uploads *uploads, struct file *file, const struct event *event,
          const struct piece_outcome *outcome, int64_t base_bytes,
          int64_t now_ms)
{
    int64_t body_bytes = end_request(uploads, file, event, now_ms);
    int64_t took_ms = event->request_time_ms > 0 ? event->request_time_ms : 0;

    if (!upload_runs(&file->row)) {
        if (now_ms - took_ms <= file->row.finished_ms ||
            outcome->fate != PIECE_TAKEN) {
            return; /* a late one: the file's end stays what it is */
        }
        revive(file, &event->piece, now_ms);
    }
    take_file_facts(file, event, offset_of(file, &event->piece));
    switch (was_cut_short(event, body_bytes) ? PIECE_RETRY : outcome->fate) {
    case PIECE_TAKEN:
        take_outcome(uploads, file, event, outcome, base_bytes, body_bytes,
                     now_ms);
        break;
    case PIECE_RETRY:
        if (carries_data(event)) {
            take_failure(uploads, file, event, now_ms);
        }
        break;
    case PIECE_REFUSED:
    case PIECE_GONE:
        end_file(uploads, file, UPLOAD_ERROR,
                 event->piece.kind == PIECE_TERMINATION ? STATUS_CLIENT_GONE
                                                        : (int)event->status,
                 now_ms);
        break;
    }
}

/* Whether an end is worth a row where there is none yet. */
static bool
tells_of_file(const struct event *event, const struct piece_outcome *outcome)
{
    if (event->piece.kind == PIECE_TERMINATION) {
        return false;
    }
    if (event->piece.kind == PIECE_OFFSET) {
        return outcome->fate == PIECE_TAKEN &&
               (outcome->offset_bytes >= 0 || outcome->total_bytes >= 0 ||
                event->piece.offset_bytes >= 0);
    }
    return true;
}

/*
 * Finds the file that the ID stands for: of a resource or a part it is another
 * one, which begins at *base_bytes of it.
 */
static bool
resolve(struct uploads *uploads, int zone, char id[UPLOAD_ID_MAX + 1],
        int64_t *base_bytes)
{
    struct assembly alias;
    bool found = id[0] != '\0' && store_assembly_get(uploads->store, zone, id,
                                                     &alias) == STORE_OK;

    if (found && alias.whole[0] != '\0') {
        strcpy(id, alias.whole);
        *base_bytes = alias.base_bytes;
    }
    if (found) {
        range_set_release(&alias.received);
    }
    return found;
}

/* The client's own ID, else the protocol's; a part's place in the whole. */
static void
find_id(struct uploads *uploads, int zone, const struct event *event,
        const struct piece_outcome *outcome, char id[UPLOAD_ID_MAX + 1],
        int64_t *base_bytes)
{
    char own[UPLOAD_ID_MAX + 1];

    *base_bytes = 0;
    strcpy(own, event->piece.id[0] != '\0' ? event->piece.id : outcome->id);
    if (event->id[0] != '\0') {
        strcpy(id, event->id);
        if (event->piece.partial && event->piece.kind == PIECE_DATA) {
            (void)resolve(uploads, zone, own, base_bytes);
        }
        return;
    }
    strcpy(id, own);
    (void)resolve(uploads, zone, id, base_bytes);
}

/* Requests without marks: HEAD and DELETE of a resource that is followed. */
static bool
is_of_known_resource(struct uploads *uploads, int zone, struct event *event)
{
    int64_t base_bytes;
    char id[UPLOAD_ID_MAX + 1];

    if (event->kind != EVENT_END || event->piece.protocol != PIECE_NONE ||
        event->sends || !resource_of_request(event->request.uri, id)) {
        return false;
    }
    strcpy(event->piece.id, id);
    if (!resolve(uploads, zone, id, &base_bytes)) {
        return false;
    }
    if (strcmp(event->request.method, "DELETE") == 0) {
        event->piece.kind = PIECE_TERMINATION;
        return event->status >= 200 && event->status < 300;
    }
    event->piece.kind = PIECE_OFFSET;
    return strcmp(event->request.method, "HEAD") == 0;
}

/* A form that was found out to be a piece while it was under way. */
static void
recall_piece(struct uploads *uploads, int zone, struct event *event)
{
    struct assembly assembly;
    struct upload row;

    if (event->kind != EVENT_END || event->piece.protocol != PIECE_NONE ||
        event->id[0] == '\0' ||
        store_upload_get(uploads->store, zone, event->id, event->attempt,
                         &row) != STORE_OK ||
        row.piece_at <= 0 ||
        store_assembly_get(uploads->store, zone, event->id, &assembly) !=
            STORE_OK) {
        return;
    }
    event->piece.protocol = (enum piece_protocol)assembly.protocol;
    event->piece.kind = PIECE_DATA;
    event->piece.offset_bytes = row.piece_at - 1;
    event->piece.length_bytes = row.piece_length;
    event->piece.body_at_bytes = row.piece_body_at;
    event->piece.enveloped = true;
    event->piece.total_bytes = -1;
    event->piece.number = event->piece.count = -1;
    range_set_release(&assembly.received);
}

bool
assembly_event(struct uploads *uploads, int zone, struct event *event,
               int64_t now_ms)
{
    struct piece_outcome outcome = { .offset_bytes = -1, .total_bytes = -1 };
    bool unmarked = is_of_known_resource(uploads, zone, event);
    char id[UPLOAD_ID_MAX + 1];
    int64_t base_bytes;
    struct file file;

    recall_piece(uploads, zone, event);
    if (event->piece.protocol == PIECE_NONE && !unmarked) {
        return false;
    }
    /* nginx takes an interim response for the final one, which follows it. */
    if (event->status >= 100 && event->status < 200) {
        event->response.status = 201;
    }
    if (event->kind == EVENT_END &&
        !piece_from_response(&event->piece, &event->request, &event->response,
                             &outcome)) {
        outcome.fate = unmarked && event->piece.kind == PIECE_TERMINATION
                           ? PIECE_GONE
                           : PIECE_RETRY;
    }
    find_id(uploads, zone, event, &outcome, id, &base_bytes);
    /* A part that nobody asks for as a whole is a file of its own. */
    event->piece.partial = event->piece.partial &&
                           strcmp(id, event->piece.id) != 0 &&
                           strcmp(id, outcome.id) != 0;
    if (id[0] == '\0' || !open_file(uploads, zone, id, now_ms, &file)) {
        return true;
    }
    if (event->kind != EVENT_END) {
        outdate_predecessors(uploads, event, now_ms);
        begin_piece(uploads, &file, event, base_bytes, now_ms);
        save_file(uploads, &file, now_ms);
    } else if (file.known || tells_of_file(event, &outcome)) {
        end_piece(uploads, &file, event, &outcome, base_bytes, now_ms);
        save_file(uploads, &file, now_ms);
    }
    close_file(&file);
    return true;
}

/* Under the lock: makes the request what its form has turned out to be. */
static void
adopt(struct uploads *uploads, struct upload *row, const struct piece *piece,
      int64_t now_ms)
{
    struct event event = { .kind = EVENT_START,
                           .content_length_bytes = row->size_bytes,
                           .protocol = row->protocol,
                           .tls = row->tls,
                           .ttl_ms = row->ttl_ms };
    struct file file;
    int64_t offset_bytes;

    event.piece = *piece;
    if (!open_file(uploads, row->zone, row->id, now_ms, &file)) {
        return;
    }
    offset_bytes =
        place_piece(uploads, &file, &event, 0, row->started_ms, now_ms);
    if (offset_bytes >= 0) {
        write_piece(uploads, row, &event, offset_bytes, now_ms);
        save_file(uploads, &file, now_ms);
    }
    close_file(&file);
}

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
            adopt(uploads, &row, &piece, now_ms);
        } else {
            row.piece_at = 0;
            write_row(uploads, &row, now_ms);
        }
    }
    pthread_mutex_unlock(&uploads->lock);
    return true;
}

/* The bytes of the file that a piece under way has brought. */
static int64_t
live_bytes(const struct upload *piece)
{
    int64_t bytes = piece->received_bytes - piece->piece_body_at;

    if (piece->piece_length >= 0 && bytes > piece->piece_length) {
        bytes = piece->piece_length;
    }
    return bytes > 0 ? bytes : 0;
}

void
assembly_piece_over(struct uploads *uploads, const struct upload *piece,
                    int64_t now_ms)
{
    struct file file;

    if (!open_file(uploads, piece->zone, piece->id, now_ms, &file)) {
        return;
    }
    if (piece->state == UPLOAD_DONE) {
        add_range(&file, piece->piece_at - 1, live_bytes(piece));
        file.assembly.pieces++;
        if (upload_runs(&file.row) && is_whole(&file)) {
            file.row.inferred = true;
            end_file(uploads, &file, UPLOAD_DONE, 0, now_ms);
        }
    } else {
        file.assembly.failed_ms = now_ms;
    }
    save_file(uploads, &file, now_ms);
    close_file(&file);
}

void
assembly_check(struct uploads *uploads, const struct upload *seen,
               int64_t now_ms)
{
    int count;
    struct file file;
    struct upload *pieces;

    pthread_mutex_lock(&uploads->lock);
    pieces = read_pieces(uploads, seen, &count);
    if (open_file(uploads, seen->zone, seen->id, now_ms, &file)) {
        if (file.known && upload_runs(&file.row) &&
            file.row.check_ms <= now_ms) {
            if (count == 0) {
                file.row.inferred = true;
                end_file(uploads, &file, UPLOAD_ERROR, STATUS_TIMEOUT, now_ms);
                log_write(LOG_NOTICE, "upload %s: the next piece never came",
                          file.row.id);
            }
            save_file(uploads, &file, now_ms);
        }
        close_file(&file);
    }
    free(pieces);
    pthread_mutex_unlock(&uploads->lock);
}

/* Forms of the same ID may be pieces of the file, too. */
static void
look_into_forms(struct uploads *uploads, const struct upload *file,
                int64_t now_ms)
{
    struct upload *rows = alloc_array(PIECES_MAX, sizeof(*rows));
    int count = store_upload_attempts(uploads->store, file->zone, file->id,
                                      rows, PIECES_MAX);

    for (int i = 0; i < count; i++) {
        if (rows[i].piece_at < 0 && upload_runs(&rows[i])) {
            assembly_look_into(uploads, &rows[i], now_ms);
        }
    }
    free(rows);
}

static void
list_missing(const struct range_set *received, int64_t size_bytes,
             struct progress_pieces *told)
{
    int64_t at = 0;

    while (told->missing_count < PROGRESS_MISSING_MAX &&
           range_set_missing(received, at, size_bytes,
                             &told->missing[told->missing_count][0],
                             &told->missing[told->missing_count][1])) {
        at = told->missing[told->missing_count++][1];
    }
}

void
assembly_measure(struct uploads *uploads, struct upload *file, int64_t now_ms,
                 struct progress_pieces *told)
{
    struct assembly assembly;
    struct upload whole;
    struct upload *pieces;
    int count;

    if (store_assembly_get(uploads->store, file->zone, file->id, &assembly) !=
        STORE_OK) {
        return;
    }
    if (assembly.whole[0] != '\0' &&
        store_upload_get(uploads->store, file->zone, assembly.whole, no_attempt,
                         &whole) == STORE_OK) {
        *file = whole;
        range_set_release(&assembly.received);
        if (store_assembly_get(uploads->store, file->zone, file->id,
                               &assembly) != STORE_OK) {
            return;
        }
    }
    look_into_forms(uploads, file, now_ms);
    pieces = read_pieces(uploads, file, &count);
    for (int i = 0; i < count; i++) {
        int64_t begin = pieces[i].piece_at - 1;
        int64_t length;

        if (measure(uploads, &pieces[i], now_ms).changed) {
            store_upload_measured(uploads->store, &pieces[i]);
        }
        file->gauge = pieces[i].gauge;
        file->approximate |= pieces[i].approximate;
        length = live_bytes(&pieces[i]);
        if (length > 0 && length <= INT64_MAX - begin) {
            (void)!range_set_add(&assembly.received, begin, begin + length);
        }
    }
    free(pieces);
    told->in_pieces = true;
    told->under_way = count;
    told->count = assembly.pieces;
    told->resumed_bytes = assembly.resumed_bytes;
    told->protocol =
        piece_protocol_name((enum piece_protocol)assembly.protocol);
    if (upload_runs(file)) {
        int64_t bytes = range_set_bytes(&assembly.received);

        if (file->size_bytes >= 0 && bytes > file->size_bytes) {
            bytes = file->size_bytes;
        }
        if (bytes > file->received_bytes) {
            file->received_bytes = bytes;
            file->updated_ms = now_ms;
        }
        move_marks(file, now_ms);
        store_upload_measured(uploads->store, file);
    }
    if (file->size_bytes >= 0 && file->state != UPLOAD_DONE) {
        list_missing(&assembly.received, file->size_bytes, told);
    }
    range_set_release(&assembly.received);
}
