/* Pieces of the protocols with Upload- headers: tus, the draft, FilePond. */
#include "piece_internal.h"

#include <string.h>
#include <strings.h>

#include "progress_id.h"
#include "resource.h"
#include "values.h"

/* Compares the piece with the total; sets whether it is the last. */
static bool
fit_total(struct piece *piece, struct piece_fault *fault)
{
    int64_t end = piece->length_bytes < 0
                      ? -1
                      : piece->offset_bytes + piece->length_bytes;

    if (end > UPLOAD_PIECES_BYTES_MAX) {
        return piece_is_wrong(fault, "Upload-Offset", "is too large");
    }
    if (piece->total_bytes < 0) {
        return true;
    }
    if (piece->offset_bytes > piece->total_bytes) {
        return piece_is_wrong(fault, "Upload-Offset", "is beyond the total");
    }
    if (end > piece->total_bytes) {
        return piece_is_wrong(fault, "Content-Length", "goes beyond the total");
    }
    piece->last = piece->last || end == piece->total_bytes;
    return true;
}

/* The headers' numbers; where there is no header, *number stays. */
static bool
read_number(const char *value, const char *name, int64_t *number,
            struct piece_fault *fault)
{
    return value[0] == '\0' || value_number(value, number) ||
           piece_is_wrong(fault, name, "is no number of bytes");
}

static bool
read_item(const char *value, const char *name, int64_t *number,
          struct piece_fault *fault)
{
    return value[0] == '\0' || value_item_number(value, number) ||
           piece_is_wrong(fault, name, "is no number of bytes");
}

/* What a creation of tus tells of the length: one of two headers. */
static bool
read_tus_length(const struct piece_request *request, struct piece *piece,
                struct piece_fault *fault)
{
    const char *defer = request->upload_defer_length;

    if (defer[0] != '\0' && strcmp(defer, "1") != 0) {
        return piece_is_wrong(fault, "Upload-Defer-Length", "is not 1");
    }
    if (defer[0] == '\0' && request->upload_length[0] == '\0') {
        return piece_is_wrong(fault, "Upload-Length", "is missing");
    }
    if (defer[0] != '\0' && request->upload_length[0] != '\0') {
        return piece_is_wrong(fault, "Upload-Defer-Length",
                              "contradicts Upload-Length");
    }
    return read_number(request->upload_length, "Upload-Length",
                       &piece->total_bytes, fault);
}

static bool
is_final(const struct piece_request *request)
{
    return strncmp(request->upload_concat, "final;", 6) == 0;
}

static bool
from_tus_creation(const struct piece_request *request, struct piece *piece,
                  struct piece_fault *fault)
{
    const char *concat = request->upload_concat;

    piece->length_bytes = 0;
    if (is_final(request)) {
        piece->kind = PIECE_CONCATENATION;
        if (request->upload_length[0] != '\0') {
            return piece_is_wrong(fault, "Upload-Length",
                                  "stands with a final Upload-Concat");
        }
        return true;
    }
    piece->kind = PIECE_CREATION;
    if (concat[0] != '\0' && strcmp(concat, "partial") != 0) {
        return piece_is_wrong(fault, "Upload-Concat",
                              "is neither partial nor final");
    }
    piece->offset_bytes = 0;
    if (value_is_media_type(request->content_type,
                            "application/offset+octet-stream")) {
        piece->length_bytes = request->content_length_bytes;
        piece->body_at_bytes = 0;
    }
    return read_tus_length(request, piece, fault) && fit_total(piece, fault);
}

bool
piece_from_tus(const struct piece_request *request, struct piece *piece,
               struct piece_fault *fault)
{
    const char *method = piece_method(request);

    if (request->tus_resumable[0] == '\0') {
        return false;
    }
    if (strncmp(request->tus_resumable, "1.", 2) != 0) {
        return piece_is_wrong(fault, "Tus-Resumable", "is not of version 1");
    }
    piece->protocol = PIECE_TUS;
    /* Of the creation by the protocol; tus-js-client has it in each request. */
    piece->partial = strcmp(request->upload_concat, "partial") == 0;
    if (strcasecmp(method, "POST") == 0) {
        return from_tus_creation(request, piece, fault);
    }
    resource_of_request(request->uri, piece->id);
    piece->length_bytes = 0;
    if (strcasecmp(method, "HEAD") == 0) {
        piece->kind = PIECE_OFFSET;
        return true;
    }
    if (strcasecmp(method, "DELETE") == 0) {
        piece->kind = PIECE_TERMINATION;
        return true;
    }
    if (strcasecmp(method, "PATCH") != 0) {
        return false;
    }
    piece->kind = PIECE_DATA;
    piece->length_bytes = request->content_length_bytes;
    piece->body_at_bytes = 0;
    if (request->upload_offset[0] == '\0') {
        return piece_is_wrong(fault, "Upload-Offset", "is missing");
    }
    return read_number(request->upload_offset, "Upload-Offset",
                       &piece->offset_bytes, fault) &&
           read_number(request->upload_length, "Upload-Length",
                       &piece->total_bytes, fault) &&
           fit_total(piece, fault);
}

/* Of the draft: whether no piece comes behind this one, by either header. */
static bool
read_complete(const struct piece_request *request, bool *complete,
              struct piece_fault *fault)
{
    bool incomplete;

    if (request->upload_complete[0] != '\0' &&
        !value_item_boolean(request->upload_complete, complete)) {
        return piece_is_wrong(fault, "Upload-Complete", "is no boolean");
    }
    if (request->upload_incomplete[0] == '\0') {
        return true;
    }
    if (!value_item_boolean(request->upload_incomplete, &incomplete)) {
        return piece_is_wrong(fault, "Upload-Incomplete", "is no boolean");
    }
    if (request->upload_complete[0] != '\0' && *complete == incomplete) {
        return piece_is_wrong(fault, "Upload-Incomplete",
                              "contradicts Upload-Complete");
    }
    *complete = !incomplete;
    return true;
}

/* The total: that of Upload-Length, and that which the last piece makes. */
static bool
read_draft_total(const struct piece_request *request, struct piece *piece,
                 struct piece_fault *fault)
{
    int64_t end;

    if (!read_item(request->upload_length, "Upload-Length", &piece->total_bytes,
                   fault)) {
        return false;
    }
    if (!piece->last || piece->length_bytes < 0) {
        return fit_total(piece, fault);
    }
    end = piece->offset_bytes + piece->length_bytes;
    if (end > UPLOAD_PIECES_BYTES_MAX) {
        return piece_is_wrong(fault, "Upload-Offset", "is too large");
    }
    if (piece->total_bytes >= 0 && piece->total_bytes != end) {
        return piece_is_wrong(fault, "Upload-Length",
                              "is not where the last piece ends");
    }
    piece->total_bytes = end;
    return true;
}

static bool
from_draft_data(const struct piece_request *request, const char *method,
                struct piece *piece, struct piece_fault *fault)
{
    bool patch = strcasecmp(method, "PATCH") == 0;
    bool complete = false;

    if (!read_complete(request, &complete, fault) ||
        !read_item(request->upload_offset, "Upload-Offset",
                   &piece->offset_bytes, fault)) {
        return false;
    }
    if (patch && piece->offset_bytes < 0 &&
        value_is_media_type(request->content_type,
                            "application/partial-upload")) {
        return piece_is_wrong(fault, "Upload-Offset", "is missing");
    }
    if (patch && piece->offset_bytes >= 0) {
        piece->kind = PIECE_DATA;
        resource_of_request(request->uri, piece->id);
    } else if (piece->offset_bytes > 0) {
        return piece_is_wrong(fault, "Upload-Offset", "stands with a creation");
    } else { /* of any method with content */
        piece->kind = PIECE_CREATION;
        piece->offset_bytes = 0;
    }
    piece->last = complete;
    piece->length_bytes = request->content_length_bytes;
    piece->body_at_bytes = 0;
    return read_draft_total(request, piece, fault);
}

bool
piece_is_whole_draft(const struct piece_request *request)
{
    struct piece_fault fault;
    bool complete = false;

    return (request->upload_complete[0] != '\0' ||
            request->upload_incomplete[0] != '\0') &&
           request->upload_offset[0] == '\0' &&
           read_complete(request, &complete, &fault) && complete;
}

bool
piece_from_draft(const struct piece_request *request, struct piece *piece,
                 struct piece_fault *fault)
{
    const char *method = piece_method(request);

    if (request->upload_complete[0] == '\0' &&
        request->upload_incomplete[0] == '\0') {
        return false;
    }
    piece->protocol = PIECE_DRAFT;
    if (piece_method_sends(method)) {
        return from_draft_data(request, method, piece, fault);
    }
    piece->length_bytes = 0;
    resource_of_request(request->uri, piece->id);
    if (strcasecmp(method, "HEAD") == 0) {
        piece->kind = PIECE_OFFSET;
        return true;
    }
    piece->kind = PIECE_TERMINATION;
    return strcasecmp(method, "DELETE") == 0;
}

/*
 * FilePond's own way, a likeness of tus without its Tus-Resumable: a POST of a
 * form with metadata asks for a transfer ID, which the response's body tells;
 * PATCH and HEAD go to it, by default as the query "patch=ID". The last PATCH
 * is empty where the file's size is a multiple of the chunks'.
 */
bool
piece_from_filepond(const struct piece_request *request, struct piece *piece,
                    struct piece_fault *fault)
{
    const char *method = piece_method(request);
    bool argument = resource_of_argument(request->uri, "patch", piece->id);

    piece->protocol = PIECE_FILEPOND;
    piece->length_bytes = 0;
    if (strcasecmp(method, "HEAD") == 0) {
        piece->kind = PIECE_OFFSET;
        return argument;
    }
    if (request->upload_length[0] == '\0') {
        return false;
    }
    if (strcasecmp(method, "POST") == 0) {
        piece->kind = PIECE_CREATION;
        piece->id[0] = '\0';
        piece->offset_bytes = 0;
        return piece_is_form(request) &&
               read_number(request->upload_length, "Upload-Length",
                           &piece->total_bytes, fault);
    }
    if (strcasecmp(method, "PATCH") != 0 || request->upload_offset[0] == '\0') {
        return false;
    }
    piece->kind = PIECE_DATA;
    if (!argument) {
        resource_of_request(request->uri, piece->id);
    }
    piece->length_bytes = request->content_length_bytes;
    piece->body_at_bytes = 0;
    return read_number(request->upload_offset, "Upload-Offset",
                       &piece->offset_bytes, fault) &&
           read_number(request->upload_length, "Upload-Length",
                       &piece->total_bytes, fault) &&
           fit_total(piece, fault);
}

bool
piece_concatenated(const struct piece_request *request, const char **at,
                   char id[UPLOAD_ID_MAX + 1])
{
    char reference[RESOURCE_PATH_MAX + 1];
    size_t len;

    if (*at == NULL) {
        *at = request->upload_concat + (is_final(request) ? 6 : 0);
        if (*at == request->upload_concat) {
            return false;
        }
    }
    *at += strspn(*at, " ");
    len = strcspn(*at, " ");
    if (len == 0) {
        return false;
    }
    id[0] = '\0';
    if (len < sizeof(reference)) {
        memcpy(reference, *at, len);
        reference[len] = '\0';
        resource_of_reference(request->uri, reference, id);
    }
    *at += len;
    return true;
}
