/* Requests and responses for the targets of pieces, out of fields by a NUL. */
#ifndef TESTS_FUZZ_PIECES_H
#define TESTS_FUZZ_PIECES_H

#include "fuzz.h"
#include "piece.h"

enum { PIECE_TEXTS = 15, RESPONSE_TEXTS = 7 };

/* A byte that chooses a length: of all sizes, small ones often. */
static inline int64_t
fuzz_length(struct fuzz_input *input)
{
    uint8_t byte = fuzz_byte(input);

    if (byte < 128) {
        return byte;
    }
    return byte < 191 ? (int64_t)1 << (byte - 128) : -1;
}

/* One byte chooses: the common methods, or what the input says. */
static inline char *
fuzz_method(struct fuzz_input *input)
{
    static const char *const methods[] = { "POST", "PUT",    "PATCH",
                                           "HEAD", "DELETE", "GET" };
    uint8_t byte = fuzz_byte(input);

    if (byte % 8 < COUNT(methods)) {
        return fuzz_string(methods[byte % 8], strlen(methods[byte % 8]));
    }
    return fuzz_field(input);
}

/* The texts are to be freed, one after the other. */
static inline void
fuzz_piece_request(struct fuzz_input *input, struct piece_request *request,
                   char *texts[PIECE_TEXTS])
{
    const char **const fields[PIECE_TEXTS] = {
        &request->method,
        &request->method_override,
        &request->uri,
        &request->content_type,
        &request->content_range,
        &request->x_content_range,
        &request->session_id,
        &request->x_session_id,
        &request->tus_resumable,
        &request->upload_length,
        &request->upload_defer_length,
        &request->upload_offset,
        &request->upload_complete,
        &request->upload_incomplete,
        &request->upload_concat,
    };

    request->content_length_bytes = fuzz_length(input);
    for (int i = 0; i < PIECE_TEXTS; i++) {
        texts[i] = i == 0 ? fuzz_method(input) : fuzz_field(input);
        *fields[i] = texts[i];
    }
}

static inline void
fuzz_piece_response(struct fuzz_input *input, struct piece_response *response,
                    char *texts[RESPONSE_TEXTS])
{
    const char **const fields[RESPONSE_TEXTS] = {
        &response->location,          &response->range,
        &response->x_session_id,      &response->upload_offset,
        &response->upload_length,     &response->upload_complete,
        &response->upload_incomplete,
    };
    int class = fuzz_byte(input) % 6;

    response->status = class * 100 + fuzz_byte(input) % 100;
    for (int i = 0; i < RESPONSE_TEXTS; i++) {
        texts[i] = fuzz_field(input);
        *fields[i] = texts[i];
    }
}

static inline void
fuzz_free(char **texts, int count)
{
    while (count > 0) {
        free(texts[--count]);
    }
}

/* An identity is "", or an ID that a probe could name. */
static inline void
fuzz_check_id(const char *id)
{
    FUZZ_HOLDS(strnlen(id, UPLOAD_ID_MAX + 1) <= UPLOAD_ID_MAX);
    FUZZ_HOLDS(strcmp(id, "-") != 0);
    for (const char *p = id; *p != '\0'; p++) {
        FUZZ_HOLDS(*p >= ' ' && *p <= '~');
    }
}

/* What holds of any piece, and of an ordinary request. */
static inline void
fuzz_check_piece(bool found, const struct piece *piece,
                 const struct piece_fault *fault)
{
    bool known = piece->offset_bytes >= 0 && piece->length_bytes >= 0;

    FUZZ_HOLDS(found == (piece->protocol != PIECE_NONE));
    FUZZ_HOLDS((fault->field == NULL) == (fault->why == NULL));
    FUZZ_HOLDS(!found || fault->field == NULL);
    FUZZ_HOLDS(piece->protocol < PIECE_PROTOCOLS &&
               piece_protocol_name(piece->protocol) != NULL);
    FUZZ_HOLDS(piece->offset_bytes >= -1 && piece->length_bytes >= -1 &&
               piece->total_bytes >= -1 && piece->body_at_bytes >= -1);
    FUZZ_HOLDS(piece->number >= -1 && piece->count >= -1);
    FUZZ_HOLDS(piece->count < 0 || piece->number < piece->count);
    if (known) { /* adding them up overflows nowhere, nor passes the end */
        FUZZ_HOLDS(piece->offset_bytes <= INT64_MAX - piece->length_bytes);
        FUZZ_HOLDS(piece->total_bytes < 0 ||
                   piece->offset_bytes + piece->length_bytes <=
                       piece->total_bytes);
        FUZZ_HOLDS(piece->total_bytes < 0 || !piece->last ||
                   piece->offset_bytes + piece->length_bytes ==
                       piece->total_bytes);
    }
    fuzz_check_id(piece->id);
    if (!found) {
        FUZZ_HOLDS(piece->offset_bytes == -1 && piece->length_bytes == -1 &&
                   piece->total_bytes == -1 && piece->number == -1 &&
                   piece->count == -1 && !piece->last && !piece->enveloped &&
                   piece->id[0] == '\0');
    }
}

#endif
