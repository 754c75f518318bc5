/* Pieces of files: what is known after the response. */
#include "piece_internal.h"

#include <string.h>
#include <strings.h>

#include "progress_id.h"
#include "resource.h"
#include "values.h"

static bool
is_success(int status)
{
    return status >= 200 && status <= 299;
}

/* Of what a client may well send the same again. */
static bool
is_passing(int status)
{
    static const int passing[] = {
        0,   /* no answer */
        408, /* Request Timeout */
        409, /* Conflict: another offset, a chunk before it is missing */
        423, /* Locked, by the request before */
        425, /* Too Early */
        429, /* Too Many Requests */
        444, /* nginx has closed the connection */
        460, /* tus: Checksum Mismatch */
        499, /* the client has closed it */
    };

    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        if (status == passing[i]) {
            return true;
        }
    }
    return status >= 500;
}

/* The protocols whose upload is a resource of its own. */
static bool
has_resource(enum piece_protocol protocol)
{
    return protocol == PIECE_TUS || protocol == PIECE_DRAFT ||
           protocol == PIECE_FILEPOND;
}

/*
 * Of requests for the upload's resource 404 and 410 tell that it is not there;
 * elsewhere they are about the URL that takes all uploads. Of a termination
 * both are as good as success. Redirects: 301 to 303 follow on a request that
 * was taken, as after the upload of a form; 307 and 308 ask for it elsewhere.
 */
static enum piece_fate
read_fate(const struct piece *piece, int status)
{
    bool resource = has_resource(piece->protocol) &&
                    piece->kind != PIECE_CREATION &&
                    piece->kind != PIECE_CONCATENATION;

    if (is_success(status)) {
        return piece->kind == PIECE_TERMINATION ? PIECE_GONE : PIECE_TAKEN;
    }
    if (resource && (status == 404 || status == 410)) {
        return PIECE_GONE;
    }
    if (status >= 301 && status <= 303 && !has_resource(piece->protocol)) {
        return PIECE_TAKEN;
    }
    return status < 400 || is_passing(status) ? PIECE_RETRY : PIECE_REFUSED;
}

/* Numbers of the draft have parameters, those of the others none. */
static int64_t
read_number(const struct piece *piece, const char *text)
{
    int64_t number;

    return (piece->protocol == PIECE_DRAFT || piece->protocol == PIECE_NONE
                ? value_item_number(text, &number)
                : value_number(text, &number))
               ? number
               : -1;
}

/* Whether the server calls the upload complete, by the draft's headers. */
static bool
says_complete(const struct piece_response *response)
{
    bool value;

    if (value_item_boolean(response->upload_complete, &value)) {
        return value;
    }
    return value_item_boolean(response->upload_incomplete, &value) && !value;
}

static bool
says_incomplete(const struct piece_response *response)
{
    bool value;

    if (value_item_boolean(response->upload_complete, &value)) {
        return !value;
    }
    return value_item_boolean(response->upload_incomplete, &value) && value;
}

/* Where the piece ends in the file; -1 unknown. */
static int64_t
end_of(const struct piece *piece)
{
    return piece->offset_bytes < 0 || piece->length_bytes < 0
               ? -1
               : piece->offset_bytes + piece->length_bytes;
}

/*
 * tus, the draft, FilePond: pieces come one after the other, and where the
 * server does not tell how far it is, it is where the piece taken ends. A
 * creation of tus tells it where it has taken data: else it has left that.
 */
static void
read_resource(const struct piece *piece, const struct piece_response *response,
              struct piece_outcome *outcome)
{
    bool data = piece->kind == PIECE_DATA || piece->kind == PIECE_CREATION;

    if (outcome->total_bytes < 0) {
        outcome->total_bytes = read_number(piece, response->upload_length);
    }
    outcome->offset_bytes = read_number(piece, response->upload_offset);
    if (outcome->offset_bytes < 0 && data && outcome->fate == PIECE_TAKEN) {
        outcome->offset_bytes =
            piece->kind == PIECE_CREATION && piece->protocol == PIECE_TUS
                ? 0
                : end_of(piece);
    }
    if (piece->protocol == PIECE_DRAFT) {
        outcome->complete =
            says_complete(response) ||
            (data && piece->last && outcome->fate == PIECE_TAKEN &&
             !says_incomplete(response));
        /* Sent in whole, but refused by what it was for. */
        if (outcome->complete && outcome->fate == PIECE_RETRY &&
            response->status >= 400) {
            outcome->fate = PIECE_REFUSED;
        }
    }
    if (piece->kind == PIECE_CONCATENATION) {
        outcome->complete = outcome->fate == PIECE_TAKEN;
    }
}

/*
 * Ranges, sessions. nginx-upload-module tells what it has in the Range of a
 * 201; a 308 is a "Resume Incomplete" that does so, or without Range has
 * nothing, unless it is the redirect that it is by RFC 9110, with a Location.
 */
static void
read_ranges(const struct piece *piece, const struct piece_response *response,
            struct piece_outcome *outcome)
{
    bool resume = response->status == 308 && response->location[0] == '\0';
    bool question = piece->kind == PIECE_OFFSET;
    int64_t total = -1;

    if (response->range[0] != '\0' &&
        (is_success(response->status) || response->status == 308)) {
        if (value_received_ranges(response->range, &outcome->offset_bytes,
                                  &total)) {
            resume = response->status == 308;
        } else {
            outcome->offset_bytes = -1;
            resume = false;
        }
    } else if (resume) {
        outcome->offset_bytes = 0;
    }
    if (outcome->total_bytes < 0) {
        outcome->total_bytes = total;
    }
    if (resume && (question || (end_of(piece) >= 0 &&
                                outcome->offset_bytes >= end_of(piece)))) {
        outcome->fate = PIECE_TAKEN;
    }
    if (question && is_success(response->status) &&
        response->range[0] == '\0') {
        outcome->complete = true; /* else it had been a 308 */
        outcome->offset_bytes = outcome->total_bytes;
    }
    if (outcome->id[0] == '\0' &&
        progress_id_is_valid(response->x_session_id)) {
        strcpy(outcome->id, response->x_session_id);
    }
}

/*
 * A test of resumable.js and flow.js: 200, 201, and of flow.js 202, mean that
 * the chunk is there; whatever else, that it is to be sent.
 */
static void
read_test(const struct piece *piece, const struct piece_response *response,
          struct piece_outcome *outcome)
{
    int status = response->status;
    bool there = status == 200 || status == 201 ||
                 (status == 202 && piece->protocol == PIECE_FLOW_JS);

    outcome->fate = there ? PIECE_TAKEN : PIECE_RETRY;
}

/* The identity of what was created. That of an answer to all of it is not. */
static void
read_location(const struct piece *piece, const struct piece_request *request,
              const struct piece_response *response,
              struct piece_outcome *outcome)
{
    bool creates =
        (piece->kind == PIECE_CREATION || piece->kind == PIECE_CONCATENATION) &&
        (piece->protocol == PIECE_TUS || piece->protocol == PIECE_DRAFT);

    if (creates && is_success(response->status) &&
        !(piece->protocol == PIECE_DRAFT && says_complete(response))) {
        resource_of_reference(request->uri, response->location, outcome->id);
    }
}

bool
piece_from_response(const struct piece *piece,
                    const struct piece_request *request,
                    const struct piece_response *response,
                    struct piece_outcome *outcome)
{
    memset(outcome, 0, sizeof(*outcome));
    outcome->offset_bytes = -1;
    outcome->total_bytes = piece->total_bytes;
    outcome->fate = read_fate(piece, response->status);
    strcpy(outcome->id, piece->id);
    if (piece->protocol == PIECE_NONE) {
        if (strcasecmp(piece_method(request), "HEAD") != 0 ||
            !is_success(response->status) ||
            read_number(piece, response->upload_offset) < 0) {
            return false;
        }
        resource_of_request(request->uri, outcome->id);
        outcome->total_bytes = -1;
        outcome->complete = says_complete(response);
    }
    if (piece->protocol == PIECE_CONTENT_RANGE ||
        piece->protocol == PIECE_SESSION) {
        read_ranges(piece, response, outcome);
    } else if (piece->protocol == PIECE_NONE || has_resource(piece->protocol)) {
        read_resource(piece, response, outcome);
        read_location(piece, request, response, outcome);
    } else if (piece->kind == PIECE_OFFSET) {
        read_test(piece, response, outcome);
    }
    /* An offset beyond the total contradicts it: neither says anything then. */
    if (outcome->total_bytes >= 0 &&
        outcome->offset_bytes > outcome->total_bytes) {
        outcome->offset_bytes = -1;
    }
    /* The draft has its own word for it, whatever the offset. */
    if (piece->protocol != PIECE_DRAFT && piece->protocol != PIECE_NONE &&
        outcome->total_bytes >= 0 &&
        outcome->offset_bytes == outcome->total_bytes) {
        outcome->complete = true;
    }
    return true;
}
