/*
 * Pieces: which bytes of which file a request carries, for the protocols that
 * send a file in several requests, and what is known after the response. Pure,
 * thread-safe: no function here does I/O, reads a clock or allocates.
 *
 * Where each protocol is read from, and what its texts and sources are:
 *
 *   Content-Range  RFC 9110, sections 14.4 and 14.5; jquery.fileupload.js of
 *                  blueimp-file-upload 10.32; "308 Resume Incomplete" as Google
 *                  Cloud Storage's resumable uploads have it
 *   session        upload-protocol.md of nginx-upload-module;
 *                  request_processor.lua of nginx-big-upload
 *   tus            protocol.md 1.0 of tus-resumable-upload-protocol;
 *                  upload.js of tus-js-client 4.3
 *   draft          draft-ietf-httpbis-resumable-upload, from interop version 3
 *                  (Upload-Incomplete) on; RFC 9651 for its values
 *   FilePond       filepond.js 4.32, "process chunks"
 *   resumable.js   resumable.js 1.1          flow.js       flow.js 2.14
 *   plupload       plupload.js 2.3           Dropzone      options.ts 6.3
 *   Fine Uploader  fine-uploader.core.js 5.16, the traditional endpoint
 *
 * A request may seem to be of several: tus first, as it names itself; then the
 * draft, FilePond, ranges, arguments. But "Upload-Complete: ?1" without an
 * offset comes last, since Apple's URLSession adds it to each upload of an app,
 * those of a piece in another protocol among them.
 */
#ifndef SIDECAR_PIECE_H
#define SIDECAR_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "upload.h"

enum piece_protocol {
    PIECE_NONE, /* an ordinary request */
    PIECE_CONTENT_RANGE,
    PIECE_SESSION,
    PIECE_TUS,
    PIECE_DRAFT,
    PIECE_FILEPOND,
    PIECE_RESUMABLE_JS,
    PIECE_FLOW_JS,
    PIECE_PLUPLOAD,
    PIECE_DROPZONE,
    PIECE_FINE_UPLOADER,
    PIECE_PROTOCOLS
};

enum piece_kind {
    PIECE_DATA,
    PIECE_CREATION,     /* of the upload; may carry data, too */
    PIECE_OFFSET,       /* asks how far it is, or whether a chunk is there */
    PIECE_TERMINATION,  /* the client gives the upload up */
    PIECE_CONCATENATION /* of uploads into one, see piece_concatenated() */
};

/*
 * A request as nginx passes it. No text is NULL; "" is a header that is not
 * there. The caller has made "" of the "-" that nginx writes to its log.
 */
struct piece_request {
    const char *method;          /* $request_method */
    const char *method_override; /* X-HTTP-Method-Override */
    const char *uri; /* $request_uri: path and query as the client sent them */
    const char *content_type;
    const char *content_range;
    const char *x_content_range;
    const char *session_id;
    const char *x_session_id;
    const char *tus_resumable;
    const char *upload_length;
    const char *upload_defer_length;
    const char *upload_offset;
    const char *upload_complete;
    const char *upload_incomplete; /* of the draft's interop version 3 */
    const char *upload_concat;
    int64_t content_length_bytes; /* -1 unknown, as of a chunked body */
};

/* clang-format off */
#define PIECE_REQUEST_INIT \
    { .method = "", .method_override = "", .uri = "", .content_type = "",     \
      .content_range = "", .x_content_range = "", .session_id = "",           \
      .x_session_id = "", .tus_resumable = "", .upload_length = "",           \
      .upload_defer_length = "", .upload_offset = "", .upload_complete = "",  \
      .upload_incomplete = "", .upload_concat = "",                           \
      .content_length_bytes = -1 }
/* clang-format on */

/*
 * What the client was answered, by the server or by nginx: $sent_http_location
 * and the like, since proxy_redirect changes a Location. As above. An interim
 * 104 of the draft, which has the Location of an upload that is cut short
 * later, does not get through nginx.
 */
struct piece_response {
    int status; /* 0 if unknown */
    const char *location;
    const char *range; /* of nginx-upload-module and of a 308 */
    const char *x_session_id;
    const char *upload_offset;
    const char *upload_length;
    const char *upload_complete;
    const char *upload_incomplete;
};

/* clang-format off */
#define PIECE_RESPONSE_INIT \
    { .status = 0, .location = "", .range = "", .x_session_id = "",           \
      .upload_offset = "", .upload_length = "", .upload_complete = "",        \
      .upload_incomplete = "" }
/* clang-format on */

struct piece {
    enum piece_protocol protocol;
    enum piece_kind kind;
    int64_t offset_bytes; /* of its first byte in the file; -1 unknown */
    /*
     * Of file data in this request, of PIECE_OFFSET of the chunk asked for;
     * -1: whatever the body, or the file in a multipart body, turns out to be.
     */
    int64_t length_bytes;
    int64_t total_bytes; /* of the file; -1 unknown */
    bool last;           /* the file ends with this piece */
    bool partial;   /* tus: of an upload that is to be concatenated to others */
    bool enveloped; /* multipart: the body is longer than the file's data */
    /* In the body, of the file's first byte; -1 unknown, 0 if not enveloped. */
    int64_t body_at_bytes;
    int64_t number; /* of the chunk, from 0; -1 unknown */
    int64_t count;  /* of all chunks; -1 unknown */
    /*
     * The protocol's own identity of the upload, at most UPLOAD_ID_MAX bytes of
     * printable ASCII: of tus, the draft and FilePond the path of its resource
     * (see resource.h), of sessions, resumable.js, flow.js, Dropzone and Fine
     * Uploader the ID that the client has made. "" where the protocol has none,
     * where it is yet to come with the response, and where it cannot be an ID.
     */
    char id[UPLOAD_ID_MAX + 1];
};

/* Why a request that has marks of a protocol is taken for an ordinary one. */
struct piece_fault {
    const char *field; /* header, argument or field; NULL: nothing was wrong */
    const char *why;   /* follows on "FIELD: " in a log line */
};

enum piece_fate {
    PIECE_TAKEN,   /* the server has it; of PIECE_OFFSET: it has answered */
    PIECE_RETRY,   /* not, or not all; clients send it, or the rest, again */
    PIECE_REFUSED, /* the same again would be refused again */
    PIECE_GONE     /* the upload itself is no more: terminated, or not known */
};

struct piece_outcome {
    enum piece_fate fate;
    bool complete;        /* by its own word the server has all of the file */
    int64_t offset_bytes; /* that it has without a gap; -1 unknown */
    int64_t total_bytes;  /* of the file; -1 unknown */
    char
        id[UPLOAD_ID_MAX + 1]; /* as the piece's, or as Location tells; or "" */
};

/*
 * Reads a request, without its body. Returns false, and PIECE_NONE, if it is an
 * ordinary one; then fault tells if that is because something is malformed, or
 * contradicts something else.
 *
 * Of a multipart body the arguments may be within: piece_from_body().
 */
bool piece_from_request(const struct piece_request *request,
                        struct piece *piece, struct piece_fault *fault);

/*
 * Reads on in the beginning of the body, at most the whole of it, where that is
 * multipart/form-data: what piece_from_request() has made of the request is the
 * piece to begin with, PIECE_NONE included. Takes the arguments of
 * resumable.js, flow.js, plupload, Dropzone and Fine Uploader from the fields
 * in front of the file, and looks where the file begins. Returns as above.
 *
 * The length of plupload's pieces, and so the offset of all but the last one,
 * come from where the file begins and the length of the body, since plupload
 * has the file as the last part.
 */
bool piece_from_body(const struct piece_request *request, const char *body,
                     size_t len, struct piece *piece,
                     struct piece_fault *fault);

/*
 * Reads the response to a piece. Returns false if it was an ordinary request
 * and says nothing of an upload; a HEAD that got an Upload-Offset does, as the
 * draft and FilePond do not mark theirs.
 *
 * Of a test whether a chunk is there (resumable.js, flow.js), PIECE_TAKEN means
 * that it is, PIECE_RETRY that it is not.
 */
bool piece_from_response(const struct piece *piece,
                         const struct piece_request *request,
                         const struct piece_response *response,
                         struct piece_outcome *outcome);

/*
 * The uploads that a PIECE_CONCATENATION joins, in their order: the identity of
 * the next one goes to id, "" if it cannot be one, and *at on to the one
 * behind; *at is NULL at the first call. Returns false behind the last.
 */
bool piece_concatenated(const struct piece_request *request, const char **at,
                        char id[UPLOAD_ID_MAX + 1]);

/* "tus", "Dropzone", ...; "none", also of what is no protocol. */
const char *piece_protocol_name(enum piece_protocol protocol);

#endif
