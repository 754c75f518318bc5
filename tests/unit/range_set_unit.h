/* What the tests of sets of byte ranges share. */
#ifndef TESTS_RANGE_SET_UNIT_H
#define TESTS_RANGE_SET_UNIT_H

#include <errno.h>

#include "range_set.h"
#include "unit.h"

struct piece {
    int64_t begin;
    int64_t end;
};

enum { PIECES_MAX = 10, TEXT_MAX = 256 };

/* Adds the pieces up to one that ends at 0. */
static inline void
add_all(const char *row, struct range_set *set, const struct piece *pieces)
{
    for (int i = 0; i < PIECES_MAX && pieces[i].end != 0; i++) {
        ASSERT_INT(row, range_set_add(set, pieces[i].begin, pieces[i].end), 0);
    }
}

/* What is not missing, as "0-5 7-9". */
static inline const char *
describe(const struct range_set *set)
{
    static char text[TEXT_MAX];
    int64_t size = range_set_end(set);
    int64_t begin = 0;
    int64_t end = 0;
    size_t len = 0;

    text[0] = '\0';
    for (int64_t at = 0; at < size; at = end) {
        if (!range_set_missing(set, at, size, &begin, &end)) {
            begin = end = size;
        }
        if (begin > at) {
            len += (size_t)snprintf(text + len, sizeof(text) - len,
                                    "%s%" PRId64 "-%" PRId64,
                                    len > 0 ? " " : "", at, begin);
        }
    }
    return text;
}

/* The set in a database column; to be freed. */
static inline uint8_t *
encode(const char *row, const struct range_set *set, size_t *len)
{
    uint8_t *data;

    *len = range_set_encoded_size(set);
    ASSERT_THAT(row, *len <= RANGE_SET_ENCODED_MAX);
    data = malloc(*len > 0 ? *len : 1);
    assert_non_null(data);
    if (*len > 0) {
        errno = 0;
        ASSERT_INT(row, range_set_encode(set, data, *len - 1), -1);
        ASSERT_INT(row, errno, ENOSPC);
    }
    ASSERT_INT(row, range_set_encode(set, data, *len), *len);
    return data;
}

static inline void
assert_same(const char *row, const struct range_set *got,
            const struct range_set *expected)
{
    size_t len;
    size_t expected_len;
    uint8_t *data = encode(row, got, &len);
    uint8_t *expected_data = encode(row, expected, &expected_len);

    ASSERT_BYTES(row, data, len, expected_data, expected_len);
    ASSERT_INT(row, range_set_bytes(got), range_set_bytes(expected));
    ASSERT_INT(row, range_set_count(got), range_set_count(expected));
    ASSERT_INT(row, range_set_end(got), range_set_end(expected));
    free(data);
    free(expected_data);
}

/* A call that is to fail with that errno, and to leave the set alone. */
#define ASSERT_REFUSED(row, set, call, expected_errno)        \
    do {                                                      \
        size_t len_;                                          \
        size_t len_after_;                                    \
        uint8_t *before_ = encode(row, set, &len_);           \
        uint8_t *after_;                                      \
                                                              \
        errno = 0;                                            \
        ASSERT_INT(row, call, -1);                            \
        ASSERT_INT(row, errno, expected_errno);               \
        after_ = encode(row, set, &len_after_);               \
        ASSERT_BYTES(row, after_, len_after_, before_, len_); \
        free(before_);                                        \
        free(after_);                                         \
    } while (0)

#define END INT64_MAX

/* Every second byte of so many. */
static inline void
add_every_second(struct range_set *set, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t begin = (int64_t)i * 2;

        ASSERT_INT("every second", range_set_add(set, begin, begin + 1), 0);
    }
}

#endif
