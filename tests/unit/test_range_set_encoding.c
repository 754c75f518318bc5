/*
 * Sets of byte ranges in a database column: the bytes of each, and what is no
 * such bytes.
 */
#include "range_set_unit.h"
#include "store.h"

#define MAX_NUMBER "\xff\xff\xff\xff\xff\xff\xff\xff\x7f" /* END */
#define MAX_LESS_1 "\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" /* END - 1 */
#define MAX_LESS_2 "\xfd\xff\xff\xff\xff\xff\xff\xff\x7f" /* END - 2 */
#define MAX_LESS_3 "\xfc\xff\xff\xff\xff\xff\xff\xff\x7f" /* END - 3 */

static const struct encoding_row {
    const char *name;
    struct piece pieces[PIECES_MAX];
    const char *data;
    size_t len;
} encoding_rows[] = {
    { "nothing", { { 0, 0 } }, BYTES("") },
    { "one byte", { { 0, 1 } }, BYTES("\0\0") },
    { "128 bytes", { { 0, 128 } }, BYTES("\0\x7f") },
    { "129 bytes", { { 0, 129 } }, BYTES("\0\x80\x01") },
    { "16 KiB", { { 0, 16384 } }, BYTES("\0\xff\x7f") },
    { "a byte more", { { 0, 16385 } }, BYTES("\0\x80\x80\x01") },
    { "5 GiB", { { 0, INT64_C(5) << 30 } }, BYTES("\0\xff\xff\xff\xff\x13") },
    { "not from 0 on", { { 1, 2 } }, BYTES("\x01\0") },
    { "from 128 on", { { 128, 130 } }, BYTES("\x80\x01\x01") },
    { "two, a byte apart", { { 0, 1 }, { 2, 3 } }, BYTES("\0\0\0\0") },
    { "two", { { 3, 5 }, { 10, 300 } }, BYTES("\x03\x01\x04\xa1\x02") },
    { "all that can be", { { 0, END } }, BYTES("\0" MAX_LESS_1) },
    { "the last byte", { { END - 1, END } }, BYTES(MAX_LESS_1 "\0") },
    { "the first and the last",
      { { 0, 1 }, { END - 1, END } },
      BYTES("\0\0" MAX_LESS_3 "\0") },
};

static void
test_encoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(encoding_rows); i++) {
        const struct encoding_row *row = &encoding_rows[i];
        struct range_set set = RANGE_SET_INIT;
        struct range_set other = RANGE_SET_INIT;
        uint8_t *copy = unit_copy(row->data, row->len);
        uint8_t *data;
        size_t len;

        add_all(row->name, &set, row->pieces);
        data = encode(row->name, &set, &len);
        ASSERT_BYTES(row->name, data, len, row->data, row->len);
        /* In place of what is there. */
        ASSERT_INT(row->name, range_set_add(&other, 1000, 2000), 0);
        ASSERT_INT(row->name, range_set_decode(&other, copy, row->len), 0);
        assert_same(row->name, &other, &set);
        ASSERT_INT(row->name, range_set_add(&other, 1, 4), 0);
        ASSERT_INT(row->name, range_set_add(&set, 1, 4), 0);
        assert_same(row->name, &other, &set);
        free(data);
        free(copy);
        range_set_release(&set);
        range_set_release(&other);
    }
}

static void
test_nothing_decoded(void **state)
{
    struct range_set set = RANGE_SET_INIT;

    (void)state;
    assert_int_equal(range_set_add(&set, 1, 2), 0);
    assert_int_equal(range_set_decode(&set, NULL, 0), 0);
    assert_int_equal(range_set_count(&set), 0);
    assert_int_equal(range_set_encode(&set, NULL, 0), 0);
    range_set_release(&set);
}

static void
test_refused_encodings(void **state)
{
    static const struct {
        const char *name;
        const char *data;
        size_t len;
    } rows[] = {
        { "a number alone", BYTES("\0") },
        { "three numbers", BYTES("\0\0\0") },
        { "a byte behind", BYTES("\0\x7f\0") },
        { "half a number", BYTES("\0\x80") },
        { "half a number behind", BYTES("\0\0\x80") },
        { "half a number, of two", BYTES("\0\0\0\x80") },
        { "nothing but halves", BYTES("\xff\xff\xff\xff") },
        { "begin with a zero too many", BYTES("\x80\0\0") },
        { "length with a zero too many", BYTES("\0\x80\0") },
        { "a longer one", BYTES("\0\xff\x80\0") },
        { "zero in ten bytes",
          BYTES("\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\0") },
        { "a number of 64 bits",
          BYTES("\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01") },
        { "all bits of it",
          BYTES("\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") },
        { "begin of 64 bits",
          BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0") },
        { "a bit of it that would be lost",
          BYTES("\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02") },
        { "a number without end", BYTES("\0" MAX_NUMBER MAX_NUMBER "\xff") },
        { "length one too large", BYTES("\0" MAX_NUMBER) },
        { "begin one too large", BYTES(MAX_NUMBER "\0") },
        { "end one too large", BYTES(MAX_LESS_1 "\x01") },
        { "both too large", BYTES(MAX_NUMBER MAX_NUMBER) },
        { "gap one too large", BYTES("\0\0" MAX_LESS_2 "\0") },
        { "gap too large", BYTES("\0\0" MAX_NUMBER "\0") },
        { "second length too large", BYTES("\0\0" MAX_LESS_3 "\x01") },
        { "behind the last byte", BYTES("\0" MAX_LESS_1 "\0\0") },
        { "a gap behind the last byte", BYTES(MAX_LESS_1 "\0\x05\0") },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t *data = unit_copy(rows[i].data, rows[i].len);
        struct range_set set = RANGE_SET_INIT;

        ASSERT_REFUSED(rows[i].name, &set,
                       range_set_decode(&set, data, rows[i].len), EINVAL);
        ASSERT_INT(rows[i].name, range_set_add(&set, 3, 7), 0);
        ASSERT_REFUSED(rows[i].name, &set,
                       range_set_decode(&set, data, rows[i].len), EINVAL);
        free(data);
        range_set_release(&set);
    }
}

static void
test_full_encoded(void **state)
{
    uint8_t zeros[2 * (RANGES_MAX + 1)] = { 0 };
    struct range_set set = RANGE_SET_INIT;
    struct range_set other = RANGE_SET_INIT;
    uint8_t *data;
    size_t len;

    (void)state;
    add_every_second(&set, RANGES_MAX);
    data = encode("full", &set, &len);
    ASSERT_BYTES("full", data, len, zeros, 2 * RANGES_MAX);
    free(data);
    ASSERT_INT("full", range_set_decode(&other, zeros, 2 * RANGES_MAX), 0);
    assert_same("full", &other, &set);
    ASSERT_REFUSED("full", &other, range_set_add(&other, END - 1, END), ENOSPC);
    ASSERT_REFUSED("one too many", &other,
                   range_set_decode(&other, zeros, sizeof(zeros)), EINVAL);
    range_set_release(&set);
    range_set_release(&other);
}

/* What was decoded has no room to spare, and can still become full. */
static void
test_full_after_decoding(void **state)
{
    static const size_t counts[] = { 1, RANGES_MAX / 2 + 100, RANGES_MAX - 1 };

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        const char *row = unit_case("%zu ranges", counts[i]);
        uint8_t zeros[2 * RANGES_MAX] = { 0 };
        struct range_set set = RANGE_SET_INIT;

        ASSERT_INT(row, range_set_decode(&set, zeros, 2 * counts[i]), 0);
        for (int64_t at = (int64_t)counts[i]; at < RANGES_MAX; at++) {
            ASSERT_INT(row, range_set_add(&set, at * 2, at * 2 + 1), 0);
        }
        ASSERT_INT(row, range_set_count(&set), RANGES_MAX);
        ASSERT_REFUSED(row, &set, range_set_add(&set, END - 1, END), ENOSPC);
        range_set_release(&set);
    }
}

/* The longest gaps and ranges that a full set can have. */
static void
test_largest_encoding(void **state)
{
    const int64_t step = END / RANGES_MAX;
    struct range_set set = RANGE_SET_INIT;
    struct range_set other = RANGE_SET_INIT;
    uint8_t more[RANGE_SET_ENCODED_MAX + 2];
    uint8_t *data;
    size_t len;

    (void)state;
    for (int64_t i = 0; i < RANGES_MAX; i++) {
        assert_int_equal(range_set_add(&set, i * step, i * step + step / 2), 0);
    }
    data = encode("largest", &set, &len);
    /* The first begins at 0. */
    ASSERT_INT("largest", len, RANGES_MAX * 2 * 8 - 7);
    ASSERT_INT("largest", range_set_decode(&other, data, len), 0);
    assert_same("largest", &other, &set);
    ASSERT_THAT("room in a zone",
                (int)RANGE_SET_ENCODED_MAX < (int)ZONE_SIZE_MIN);
    memset(more, 0xff, sizeof(more));
    more[sizeof(more) - 1] = more[sizeof(more) - 2] = 0;
    ASSERT_REFUSED("too long", &other,
                   range_set_decode(&other, more, sizeof(more)), EINVAL);
    free(data);
    range_set_release(&set);
    range_set_release(&other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_nothing_decoded),
        cmocka_unit_test(test_refused_encodings),
        cmocka_unit_test(test_full_encoded),
        cmocka_unit_test(test_full_after_decoding),
        cmocka_unit_test(test_largest_encoding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
