/*
 * Pieces in one line, so that a table's row says all that is expected of one:
 *
 *   tus data 5+10/100 last /files/a
 *
 * is the piece of 10 bytes from byte 5 on of a file of 100; "?" stands for what
 * is not known. Of chunks "#0 of 3" follows, and "partial", "form@120" (where
 * in the body the file begins) or "form" (not known where), the identity at
 * last. "none" is an ordinary request, "FIELD: why" one with a fault.
 */
#ifndef TESTS_PIECES_UNIT_H
#define TESTS_PIECES_UNIT_H

#include "unit.h"

#include "piece.h"

/* Makes "" of the texts that a row leaves out. */
static inline struct piece_request
pieces_request(const struct piece_request *row)
{
    struct piece_request request = *row;
    const char **const texts[] = {
        &request.method,
        &request.method_override,
        &request.uri,
        &request.content_type,
        &request.content_range,
        &request.x_content_range,
        &request.session_id,
        &request.x_session_id,
        &request.tus_resumable,
        &request.upload_length,
        &request.upload_defer_length,
        &request.upload_offset,
        &request.upload_complete,
        &request.upload_incomplete,
        &request.upload_concat,
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        *texts[i] = *texts[i] != NULL ? *texts[i] : "";
    }
    return request;
}

static inline struct piece_response
pieces_response(const struct piece_response *row)
{
    struct piece_response response = *row;
    const char **const texts[] = {
        &response.location,          &response.range,
        &response.x_session_id,      &response.upload_offset,
        &response.upload_length,     &response.upload_complete,
        &response.upload_incomplete,
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        *texts[i] = *texts[i] != NULL ? *texts[i] : "";
    }
    return response;
}

/* A line that is being written. */
struct pieces_line {
    char text[1024];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static inline void
pieces_add(struct pieces_line *line, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line->text + line->len, sizeof(line->text) - line->len,
                    format, args);
    va_end(args);
    assert_true(len >= 0 && line->len + (size_t)len < sizeof(line->text));
    line->len += (size_t)len;
}

static inline void
pieces_add_number(struct pieces_line *line, int64_t number)
{
    if (number == -1) {
        pieces_add(line, "?");
    } else {
        pieces_add(line, "%" PRId64, number);
    }
}

static inline void
pieces_describe(const struct piece *piece, struct pieces_line *line)
{
    static const char *const kinds[] = { "data", "creation", "offset",
                                         "termination", "concatenation" };

    pieces_add(line, "%s %s ", piece_protocol_name(piece->protocol),
               kinds[piece->kind]);
    pieces_add_number(line, piece->offset_bytes);
    pieces_add(line, "+");
    pieces_add_number(line, piece->length_bytes);
    pieces_add(line, "/");
    pieces_add_number(line, piece->total_bytes);
    if (piece->number >= 0) {
        pieces_add(line, " #%" PRId64 " of ", piece->number);
        pieces_add_number(line, piece->count);
    }
    pieces_add(line, "%s%s", piece->last ? " last" : "",
               piece->partial ? " partial" : "");
    if (piece->enveloped) {
        pieces_add(line, " form");
        if (piece->body_at_bytes >= 0) {
            pieces_add(line, "@%" PRId64, piece->body_at_bytes);
        }
    } else {
        assert_true(piece->body_at_bytes <= 0);
    }
    pieces_add(line, "%s%s", piece->id[0] != '\0' ? " " : "", piece->id);
}

/* The whole answer to a request, or its body. */
static inline const char *
pieces_answer(bool found, const struct piece *piece,
              const struct piece_fault *fault, struct pieces_line *line)
{
    line->len = 0;
    line->text[0] = '\0';
    assert_int_equal(found, piece->protocol != PIECE_NONE);
    assert_true(!found || fault->field == NULL);
    assert_true((fault->field == NULL) == (fault->why == NULL));
    if (fault->field != NULL) {
        pieces_add(line, "%s: %s", fault->field, fault->why);
    } else if (!found) {
        pieces_add(line, "none");
    } else {
        pieces_describe(piece, line);
    }
    return line->text;
}

#endif
