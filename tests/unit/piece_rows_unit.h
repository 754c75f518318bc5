/* Tables of requests, each with what their headers alone tell of a piece. */
#ifndef TESTS_PIECE_ROWS_UNIT_H
#define TESTS_PIECE_ROWS_UNIT_H

#include "pieces_unit.h"

struct row {
    const char *name;
    struct piece_request request;
    const char *expected;
};

static inline void
check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct piece_request request = pieces_request(&rows[i].request);
        struct piece_fault fault;
        struct pieces_line line;
        struct piece piece;
        bool found = piece_from_request(&request, &piece, &fault);

        ASSERT_TEXT(rows[i].name, pieces_answer(found, &piece, &fault, &line),
                    rows[i].expected);
    }
}

#define LEN(bytes) .content_length_bytes = (bytes)
#define FORM                                                  \
    .content_type = "multipart/form-data; boundary=----WebKi" \
                    "tFormBoundaryAbc"
#define POST(path) .method = "POST", .uri = (path)
#define PUT(path)  .method = "PUT", .uri = (path)

#endif
