/*
 * Pieces of the protocols with arguments: in the query of a request, or in the
 * fields of a form in front of the file.
 */
#include "piece_internal.h"

#include <string.h>
#include <strings.h>

#include "multipart.h"
#include "piece_chunk.h"
#include "progress_id.h"
#include "values.h"

static const struct dialect dialects[] = {
    /* Without forceChunkSize the last chunk is up to two chunks long. */
    { PIECE_RESUMABLE_JS,
      1,
      true,
      false,
      { "resumableChunkNumber", "resumableTotalChunks", "resumableChunkSize",
        "resumableCurrentChunkSize", "resumableTotalSize", NULL,
        "resumableIdentifier" },
      { [ARG_SIZE] = true, [ARG_LENGTH] = true, [ARG_TOTAL] = true } },
    { PIECE_FLOW_JS,
      1,
      true,
      false,
      { "flowChunkNumber", "flowTotalChunks", "flowChunkSize",
        "flowCurrentChunkSize", "flowTotalSize", NULL, "flowIdentifier" },
      { [ARG_SIZE] = true, [ARG_LENGTH] = true, [ARG_TOTAL] = true } },
    /* Its "name" is that of the file, no identity. */
    { PIECE_PLUPLOAD,
      0,
      false,
      true,
      { "chunk", "chunks", NULL, NULL, NULL, NULL, NULL },
      { [ARG_COUNT] = true } },
    { PIECE_DROPZONE,
      0,
      false,
      false,
      { "dzchunkindex", "dztotalchunkcount", "dzchunksize", NULL,
        "dztotalfilesize", "dzchunkbyteoffset", "dzuuid" },
      { [ARG_COUNT] = true,
        [ARG_SIZE] = true,
        [ARG_TOTAL] = true,
        [ARG_OFFSET] = true } },
    /* Its "chunk size" is that of this chunk. */
    { PIECE_FINE_UPLOADER,
      0,
      false,
      false,
      { "qqpartindex", "qqtotalparts", NULL, "qqchunksize", "qqtotalfilesize",
        "qqpartbyteoffset", "qquuid" },
      { [ARG_COUNT] = true,
        [ARG_LENGTH] = true,
        [ARG_TOTAL] = true,
        [ARG_OFFSET] = true } },
};

enum { DIALECTS = sizeof(dialects) / sizeof(dialects[0]) };

/* The arguments of a request, as they stand there. */
struct arguments {
    struct {
        const char *text;
        size_t len;
        unsigned seen; /* how often */
    } of[DIALECTS][ARGS];
    bool encoded; /* with escapes */
    bool cut;     /* some may be missing */
};

static void
keep(struct arguments *arguments, const char *name, size_t name_len,
     const char *value, size_t value_len)
{
    for (int d = 0; d < DIALECTS; d++) {
        for (int a = 0; a < ARGS; a++) {
            const char *known = dialects[d].names[a];

            if (known != NULL && strlen(known) == name_len &&
                memcmp(known, name, name_len) == 0) {
                arguments->of[d][a].text = value;
                arguments->of[d][a].len = value_len;
                arguments->of[d][a].seen++;
            }
        }
    }
}

static void
keep_query(struct arguments *arguments, const char *uri)
{
    const char *p = uri + strcspn(uri, "?#");

    arguments->encoded = true;
    while (*p == '?' || *p == '&') {
        size_t len = strcspn(++p, "&#");
        const char *equals = memchr(p, '=', len);

        if (equals != NULL) {
            keep(arguments, p, (size_t)(equals - p), equals + 1,
                 (size_t)(p + len - equals - 1));
        }
        p += len;
    }
}

/* The dialect spoken, -1 if none. */
static int
find_dialect(const struct arguments *arguments)
{
    for (int d = 0; d < DIALECTS; d++) {
        if (arguments->of[d][ARG_NUMBER].seen > 0 &&
            (!dialects[d].common || arguments->of[d][ARG_COUNT].seen > 0)) {
            return d;
        }
    }
    return -1;
}

/* Reads the numbers; -1 where there is none. */
static bool
read_numbers(const struct arguments *arguments, int d, int64_t numbers[ARGS],
             struct piece_fault *fault)
{
    for (int a = 0; a < ARGS; a++) {
        const char *name = dialects[d].names[a];
        char text[24]; /* an int64_t has 19 digits */

        numbers[a] = -1;
        if (arguments->of[d][a].seen > 1) {
            return piece_is_wrong(fault, name, "is there twice");
        }
        if (arguments->of[d][a].seen == 0) {
            if (dialects[d].needed[a]) {
                return piece_is_wrong(fault, name,
                                      arguments->cut ? "is not in what was read"
                                                     : "is missing");
            }
            continue;
        }
        if (a == ARG_ID) {
            continue;
        }
        if (!query_decode(arguments->of[d][a].text, arguments->of[d][a].len,
                          text, sizeof(text)) ||
            !value_number(text, &numbers[a])) {
            return piece_is_wrong(fault, name, "is no number");
        }
    }
    return true;
}

static void
read_id(const struct arguments *arguments, int d, struct piece *piece)
{
    const char *text = arguments->of[d][ARG_ID].text;
    size_t len = arguments->of[d][ARG_ID].len;

    if (text == NULL) {
        return;
    }
    if (arguments->encoded) {
        if (!progress_id_decode(text, len, piece->id)) {
            piece->id[0] = '\0';
        }
    } else if (len <= UPLOAD_ID_MAX && memchr(text, '\0', len) == NULL) {
        memcpy(piece->id, text, len);
        piece->id[len] = '\0';
        if (!progress_id_is_valid(piece->id)) {
            piece->id[0] = '\0';
        }
    }
}

static bool
from_arguments(const struct piece_request *request,
               const struct arguments *arguments, struct piece *piece,
               struct piece_fault *fault)
{
    const char *method = piece_method(request);
    bool sends = piece_method_sends(method);
    int d = find_dialect(arguments);
    int64_t n[ARGS];

    if (d < 0 ||
        (!sends && (!dialects[d].asks || (strcasecmp(method, "GET") != 0 &&
                                          strcasecmp(method, "HEAD") != 0)))) {
        return false;
    }
    if (!read_numbers(arguments, d, n, fault)) {
        return false;
    }
    if (dialects[d].common && n[ARG_COUNT] == 0 && n[ARG_NUMBER] == 0) {
        return false; /* plupload's empty file, sent as a whole */
    }
    piece->protocol = dialects[d].protocol;
    piece->kind = sends ? PIECE_DATA : PIECE_OFFSET;
    if (!piece_place_chunk(&dialects[d], n, piece, fault)) {
        return false;
    }
    read_id(arguments, d, piece);
    if (sends && !piece_fit_body(request, piece, fault)) {
        return false;
    }
    return dialects[d].names[ARG_TOTAL] != NULL ||
           piece_place_by_length(piece, fault);
}

bool
piece_from_arguments(const struct piece_request *request, struct piece *piece,
                     struct piece_fault *fault)
{
    struct arguments arguments = { .cut = false };

    keep_query(&arguments, request->uri);
    return from_arguments(request, &arguments, piece, fault);
}

/* Sets where the file begins, and compares the length of the body with it. */
static bool
fit_file(const struct piece_request *request, const struct multipart *form,
         const struct multipart_part *file, struct piece *piece,
         struct piece_fault *fault)
{
    int64_t left;

    piece->body_at_bytes = (int64_t)file->at;
    if (request->content_length_bytes < 0) {
        return true;
    }
    left = request->content_length_bytes - piece->body_at_bytes -
           (int64_t)multipart_end_bytes(form);
    if (left < 0 || left < piece->length_bytes) {
        return piece_is_wrong(fault, "Content-Length",
                              "is shorter than the piece in the form");
    }
    if (piece->protocol == PIECE_PLUPLOAD) {
        piece->length_bytes = left;
        return piece_place_by_length(piece, fault);
    }
    return true;
}

bool
piece_from_body(const struct piece_request *request, const char *body,
                size_t len, struct piece *piece, struct piece_fault *fault)
{
    struct arguments arguments = { .encoded = false };
    struct multipart form;
    struct multipart_part part;
    enum multipart_step step;
    bool open = piece->protocol == PIECE_NONE ||
                (piece->protocol == PIECE_DRAFT &&
                 piece->kind == PIECE_CREATION && piece->last);
    struct piece found = *piece;

    piece_is_wrong(fault, NULL, NULL);
    if ((!open && !piece->enveloped) ||
        request->content_length_bytes > UPLOAD_PIECES_BYTES_MAX ||
        !multipart_init(&form, request->content_type, body, len)) {
        return piece->protocol != PIECE_NONE;
    }
    while ((step = multipart_next(&form, &part)) == MULTIPART_FIELD) {
        keep(&arguments, part.name, part.name_len, part.value, part.value_len);
    }
    arguments.cut = step == MULTIPART_CUT || step == MULTIPART_BAD;
    if (open) {
        piece_reset(&found);
        if (!from_arguments(request, &arguments, &found, fault)) {
            if (fault->field != NULL) {
                piece_reset(piece);
            }
            return piece->protocol != PIECE_NONE;
        }
    }
    if (step == MULTIPART_FILE && found.enveloped &&
        !fit_file(request, &form, &part, &found, fault)) {
        piece_reset(piece);
        return false;
    }
    *piece = found;
    return true;
}
