/*
 * Files that come in pieces, each piece a request of its own. Of a file there
 * is one row, which probes are told of, with what has been received beside it;
 * of each piece under way there is a row as of any request, which goes when the
 * piece has ended.
 *
 *   start ──▶ begin_piece ──▶ row of the piece ──▶ its gauges ──┐
 *   end   ──▶ end_piece   ──▶ received ranges of the file ──────┴──▶ probe
 *   timer ──▶ assembly_check: the next piece never came
 *
 * Here: which file an event is about.
 */
#include "assembly.h"

#include <string.h>

#include "assembly_alias.h"
#include "assembly_piece.h"
#include "assembly_unread.h"
#include "form.h"
#include "piece.h"
#include "resource.h"
#include "uploads_internal.h"

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

/* The client's own ID, else the protocol's; returns where a part begins. */
static int64_t
find_id(struct uploads *uploads, int zone, struct event *event,
        const struct piece_outcome *outcome, char id[UPLOAD_ID_MAX + 1])
{
    char own[UPLOAD_ID_MAX + 1];
    struct alias alias;

    strcpy(own, event->piece.id[0] != '\0' ? event->piece.id : outcome->id);
    strcpy(id, own);
    alias = assembly_resolve(uploads, zone, id);
    if (event->id[0] != '\0' && strcmp(id, event->id) != 0) {
        strcpy(id, event->id);
        alias = (struct alias){ .known = false };
    }
    /* A part that nobody asks for as a whole is a file of its own. */
    event->piece.partial =
        alias.is_part || (event->piece.partial && strcmp(id, own) != 0);
    return alias.base_bytes;
}

/* Requests without marks: HEAD and DELETE of a resource that is followed. */
static bool
is_of_known_resource(struct uploads *uploads, int zone, struct event *event)
{
    char id[UPLOAD_ID_MAX + 1];

    if (event->kind != EVENT_END || event->piece.protocol != PIECE_NONE ||
        event->sends || !resource_of_request(event->request.uri, id)) {
        return false;
    }
    strcpy(event->piece.id, id);
    if (!assembly_resolve(uploads, zone, id).known) {
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

/* What the server's answer says; at a start there is none yet. */
static void
read_outcome(struct event *event, bool unmarked, struct piece_outcome *outcome)
{
    *outcome = (struct piece_outcome){ .offset_bytes = -1, .total_bytes = -1 };
    /* nginx takes an interim response for the final one, which follows it. */
    if (event->status >= 100 && event->status < 200) {
        event->response.status = 201;
    }
    if (event->kind == EVENT_END &&
        !piece_from_response(&event->piece, &event->request, &event->response,
                             outcome)) {
        outcome->fate = unmarked && event->piece.kind == PIECE_TERMINATION
                            ? PIECE_GONE
                            : PIECE_RETRY;
    }
}

/* Of a form of which nobody could read what it tells. */
static bool
end_unread(struct uploads *uploads, int zone, const struct event *event,
           int64_t now_ms)
{
    struct event assumed = *event;
    struct piece_outcome outcome;
    struct file file;
    bool taken;

    if (event->kind != EVENT_END || !is_form(event) || event->id[0] == '\0' ||
        !assembly_open(uploads, zone, event->id, now_ms, &file)) {
        return false;
    }
    assumed.piece.protocol = (enum piece_protocol)file.assembly.protocol;
    assumed.piece.kind = PIECE_DATA;
    read_outcome(&assumed, false, &outcome);
    taken = assembly_end_unread(uploads, &file, event, outcome.fate, now_ms);
    if (taken) {
        assembly_save(uploads, &file, now_ms);
    }
    assembly_close(&file);
    return taken;
}

bool
assembly_event(struct uploads *uploads, int zone, struct event *event,
               int64_t now_ms)
{
    bool unmarked = is_of_known_resource(uploads, zone, event);
    struct piece_outcome outcome;
    char id[UPLOAD_ID_MAX + 1];
    int64_t base_bytes;
    struct file file;

    if (event->kind != EVENT_END &&
        ended_requests_have(&uploads->ended, event->attempt)) {
        return true; /* its end has told it all */
    }
    recall_piece(uploads, zone, event);
    if (event->piece.protocol == PIECE_NONE && !unmarked) {
        return end_unread(uploads, zone, event, now_ms);
    }
    read_outcome(event, unmarked, &outcome);
    base_bytes = find_id(uploads, zone, event, &outcome, id);
    if (id[0] == '\0' || !assembly_open(uploads, zone, id, now_ms, &file)) {
        return true;
    }
    if (event->kind != EVENT_END) {
        outdate_predecessors(uploads, event, now_ms);
        assembly_begin_piece(uploads, &file, event, base_bytes, now_ms);
        assembly_save(uploads, &file, now_ms);
    } else if (file.known || tells_of_file(event, &outcome)) {
        assembly_end_piece(uploads, &file, event, &outcome, base_bytes, now_ms);
        assembly_save(uploads, &file, now_ms);
    }
    assembly_close(&file);
    return true;
}
