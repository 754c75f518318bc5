/* Pieces of files: which protocol a request speaks, and those of ranges. */
#include "piece_internal.h"

#include <string.h>
#include <strings.h>

#include "progress_id.h"
#include "values.h"

const char *
piece_protocol_name(enum piece_protocol protocol)
{
    static const char *const names[PIECE_PROTOCOLS] = {
        [PIECE_NONE] = "none",
        [PIECE_CONTENT_RANGE] = "Content-Range",
        [PIECE_SESSION] = "session",
        [PIECE_TUS] = "tus",
        [PIECE_DRAFT] = "draft",
        [PIECE_FILEPOND] = "FilePond",
        [PIECE_RESUMABLE_JS] = "resumable.js",
        [PIECE_FLOW_JS] = "flow.js",
        [PIECE_PLUPLOAD] = "plupload",
        [PIECE_DROPZONE] = "Dropzone",
        [PIECE_FINE_UPLOADER] = "Fine Uploader",
    };

    return names[(unsigned)protocol < PIECE_PROTOCOLS ? protocol : PIECE_NONE];
}

void
piece_reset(struct piece *piece)
{
    memset(piece, 0, sizeof(*piece));
    piece->offset_bytes = -1;
    piece->length_bytes = -1;
    piece->total_bytes = -1;
    piece->body_at_bytes = -1;
    piece->number = -1;
    piece->count = -1;
}

const char *
piece_method(const struct piece_request *request)
{
    if (request->method_override[0] != '\0' &&
        (request->tus_resumable[0] != '\0' ||
         strcmp(request->method, "POST") == 0)) {
        return request->method_override;
    }
    return request->method;
}

bool
piece_method_sends(const char *method)
{
    return strcasecmp(method, "POST") == 0 || strcasecmp(method, "PUT") == 0 ||
           strcasecmp(method, "PATCH") == 0;
}

bool
piece_is_form(const struct piece_request *request)
{
    return value_is_media_type(request->content_type, "multipart/form-data");
}

bool
piece_fit_body(const struct piece_request *request, struct piece *piece,
               struct piece_fault *fault)
{
    int64_t body = request->content_length_bytes;

    piece->enveloped = piece_is_form(request);
    piece->body_at_bytes = piece->enveloped ? -1 : 0;
    if (piece->enveloped) {
        /* Not even an empty piece comes without its part's header. */
        if (body >= 0 && body <= piece->length_bytes) {
            return piece_is_wrong(fault, "Content-Length",
                                  "is shorter than the piece in the form");
        }
        return true;
    }
    if (piece->length_bytes < 0) {
        piece->length_bytes = body;
    } else if (body >= 0 && body != piece->length_bytes) {
        return piece_is_wrong(fault, "Content-Length",
                              "is not the length of the piece");
    }
    return true;
}

/*
 * The range in one of its two headers. That of an empty file, which RFC 9110
 * has no form for, is "0-0/0" in nginx-big-upload.
 */
static enum value_range
read_range(const struct piece_request *request, const char *text,
           struct byte_range *range)
{
    enum value_range kind = value_content_range(text, range);

    if (kind != RANGE_BYTES || range->total < 0 || range->last < range->total) {
        return kind;
    }
    if (range->last != 0 || range->total != 0 ||
        request->content_length_bytes != 0) {
        return RANGE_BAD;
    }
    range->last = -1;
    return RANGE_BYTES;
}

/* Reads both; RANGE_BAD comes with a fault. */
static enum value_range
choose_range(const struct piece_request *request, struct byte_range *range,
             struct piece_fault *fault)
{
    struct byte_range other = { -1, -1, -1 };
    enum value_range kind = read_range(request, request->content_range, range);
    enum value_range x_kind =
        read_range(request, request->x_content_range, &other);

    if (kind == RANGE_BAD) {
        piece_is_wrong(fault, "Content-Range", "is no range of bytes");
        return RANGE_BAD;
    }
    if (x_kind == RANGE_BAD) {
        piece_is_wrong(fault, "X-Content-Range", "is no range of bytes");
        return RANGE_BAD;
    }
    if (kind == RANGE_OTHER) {
        *range = other;
        return x_kind;
    }
    if (x_kind != RANGE_OTHER &&
        (x_kind != kind || other.first != range->first ||
         other.last != range->last || other.total != range->total)) {
        piece_is_wrong(fault, "X-Content-Range", "differs from Content-Range");
        return RANGE_BAD;
    }
    return kind;
}

/* Sets protocol and identity: with a session, or the header of one. */
static bool
read_session(const struct piece_request *request, struct piece *piece,
             struct piece_fault *fault)
{
    const char *session = request->session_id;

    if (session[0] == '\0') {
        session = request->x_session_id;
    } else if (request->x_session_id[0] != '\0' &&
               strcmp(request->x_session_id, session) != 0) {
        return piece_is_wrong(fault, "X-Session-ID", "differs from Session-ID");
    }
    piece->protocol = PIECE_CONTENT_RANGE;
    if (session[0] != '\0' || request->content_range[0] == '\0') {
        piece->protocol = PIECE_SESSION;
    }
    if (progress_id_is_valid(session)) {
        strcpy(piece->id, session);
    }
    return true;
}

static bool
from_range(const struct piece_request *request, struct piece *piece,
           struct piece_fault *fault)
{
    struct byte_range range = { -1, -1, -1 };
    enum value_range kind;

    /* RFC 9110, section 14.4: of other methods it has no meaning. */
    if (!piece_method_sends(piece_method(request))) {
        return false;
    }
    kind = choose_range(request, &range, fault);
    if (kind == RANGE_OTHER || kind == RANGE_BAD ||
        !read_session(request, piece, fault)) {
        return false;
    }
    piece->total_bytes = range.total;
    if (kind == RANGE_QUESTION) {
        piece->kind = PIECE_OFFSET;
        piece->length_bytes = 0;
        return true;
    }
    piece->kind = PIECE_DATA;
    piece->offset_bytes = range.first;
    piece->length_bytes = range.last - range.first + 1;
    piece->last = range.last + 1 == range.total;
    return piece_fit_body(request, piece, fault);
}

typedef bool (*reader_fn)(const struct piece_request *, struct piece *,
                          struct piece_fault *);

bool
piece_from_request(const struct piece_request *request, struct piece *piece,
                   struct piece_fault *fault)
{
    bool whole = piece_is_whole_draft(request);
    const reader_fn readers[] = {
        piece_from_tus,       whole ? NULL : piece_from_draft,
        piece_from_filepond,  from_range,
        piece_from_arguments, whole ? piece_from_draft : NULL,
    };

    piece_is_wrong(fault, NULL, NULL);
    if (request->content_length_bytes > UPLOAD_PIECES_BYTES_MAX) {
        piece_reset(piece);
        return piece_is_wrong(fault, "Content-Length", "is beyond any file");
    }
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        piece_reset(piece);
        if (readers[i] == NULL) {
            continue;
        }
        if (readers[i](request, piece, fault)) {
            return true;
        }
        if (fault->field != NULL) {
            break;
        }
    }
    piece_reset(piece);
    return false;
}
