/* Sets of byte ranges: what is added and asked, the limit, no memory. */
#include "range_set_unit.h"

/* The next allocation of a set fails. */
static bool memory_fails;

/* In place of the C library's, which range_set.c would be linked with. */
void *
reallocarray(void *memory, size_t count, size_t size)
{
    if (memory_fails) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, count * size);
}

static const struct add_row {
    const char *name;
    struct piece pieces[PIECES_MAX];
    const char *ranges;
    int64_t bytes;
    size_t count;
} add_rows[] = {
    { "nothing", { { 0, 0 } }, "", 0, 0 },
    { "one byte", { { 0, 1 } }, "0-1", 1, 1 },
    { "not from 0 on", { { 7, 9 } }, "7-9", 2, 1 },
    { "again", { { 7, 9 }, { 7, 9 } }, "7-9", 2, 1 },
    { "apart", { { 0, 2 }, { 3, 5 } }, "0-2 3-5", 4, 2 },
    { "apart, the later one first", { { 3, 5 }, { 0, 2 } }, "0-2 3-5", 4, 2 },
    { "touching", { { 0, 2 }, { 2, 5 } }, "0-5", 5, 1 },
    { "touching before", { { 2, 5 }, { 0, 2 } }, "0-5", 5, 1 },
    { "overlapping", { { 0, 3 }, { 2, 5 } }, "0-5", 5, 1 },
    { "overlapping before", { { 2, 5 }, { 0, 3 } }, "0-5", 5, 1 },
    { "within", { { 0, 9 }, { 3, 5 } }, "0-9", 9, 1 },
    { "within, from its begin", { { 0, 9 }, { 0, 5 } }, "0-9", 9, 1 },
    { "within, to its end", { { 0, 9 }, { 5, 9 } }, "0-9", 9, 1 },
    { "around", { { 3, 5 }, { 0, 9 } }, "0-9", 9, 1 },
    { "longer", { { 3, 5 }, { 3, 9 } }, "3-9", 6, 1 },
    { "longer to the front", { { 3, 5 }, { 1, 5 } }, "1-5", 4, 1 },
    { "between two", { { 0, 2 }, { 8, 9 }, { 4, 6 } }, "0-2 4-6 8-9", 5, 3 },
    { "all between two", { { 0, 2 }, { 6, 9 }, { 2, 6 } }, "0-9", 9, 1 },
    { "over what is between two",
      { { 0, 2 }, { 6, 9 }, { 1, 7 } },
      "0-9",
      9,
      1 },
    { "to the next one", { { 0, 2 }, { 6, 9 }, { 4, 6 } }, "0-2 4-9", 7, 2 },
    { "from the one before",
      { { 0, 2 }, { 6, 9 }, { 2, 4 } },
      "0-4 6-9",
      7,
      2 },
    { "over three of five",
      { { 0, 1 }, { 2, 3 }, { 4, 5 }, { 6, 7 }, { 8, 9 }, { 3, 6 } },
      "0-1 2-7 8-9",
      7,
      3 },
    { "over all of five",
      { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 }, { 9, 10 }, { 0, 11 } },
      "0-11",
      11,
      1 },
    { "every second, from behind",
      { { 16, 18 }, { 12, 14 }, { 8, 10 }, { 4, 6 }, { 0, 2 } },
      "0-2 4-6 8-10 12-14 16-18",
      10,
      5 },
    { "all that can be", { { 0, END } }, "0-9223372036854775807", END, 1 },
    { "the last byte",
      { { END - 1, END } },
      "9223372036854775806-9223372036854775807",
      1,
      1 },
    { "the first and the last byte",
      { { END - 1, END }, { 0, 1 } },
      "0-1 9223372036854775806-9223372036854775807",
      2,
      2 },
    { "all of it in two",
      { { 1, END }, { 0, 1 } },
      "0-9223372036854775807",
      END,
      1 },
    { "all over and over",
      { { 0, END }, { 0, END }, { 5, END }, { 0, 9 } },
      "0-9223372036854775807",
      END,
      1 },
};

static void
test_add(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(add_rows); i++) {
        const struct add_row *row = &add_rows[i];
        struct range_set set = RANGE_SET_INIT;

        add_all(row->name, &set, row->pieces);
        ASSERT_TEXT(row->name, describe(&set), row->ranges);
        ASSERT_INT(row->name, range_set_bytes(&set), row->bytes);
        ASSERT_INT(row->name, range_set_count(&set), row->count);
        range_set_release(&set);
        ASSERT_INT(row->name, range_set_bytes(&set), 0);
        ASSERT_INT(row->name, range_set_count(&set), 0);
        ASSERT_INT(row->name, range_set_end(&set), 0);
        /* And is as good as new. */
        add_all(row->name, &set, row->pieces);
        ASSERT_TEXT(row->name, describe(&set), row->ranges);
        range_set_release(&set);
    }
}

static void
test_what_is_no_range(void **state)
{
    static const struct {
        const char *name;
        int64_t begin;
        int64_t end;
    } rows[] = {
        { "empty", 5, 5 },
        { "empty at 0", 0, 0 },
        { "empty at the end", END, END },
        { "backwards", 6, 5 },
        { "below 0", -1, 5 },
        { "all below 0", -5, -1 },
        { "from the lowest number on", INT64_MIN, END },
        { "backwards over all", END, INT64_MIN },
    };
    struct range_set set = RANGE_SET_INIT;

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const char *row = rows[i / 2].name;
        int64_t begin = rows[i / 2].begin;
        int64_t end = rows[i / 2].end;

        ASSERT_REFUSED(row, &set, range_set_add(&set, begin, end), EINVAL);
        ASSERT_INT(row, range_set_has(&set, begin, end), false);
        ASSERT_INT(row, range_set_covered(&set, begin, end), 0);
        if (i % 2 == 0) {
            ASSERT_INT(row, range_set_add(&set, 0, END), 0);
        } else {
            range_set_release(&set);
        }
    }
    range_set_release(&set);
}

/* Of 10-20 30-40 41-50. */
static void
test_has_and_covered(void **state)
{
    static const struct {
        int64_t begin;
        int64_t end;
        bool has;
        int64_t covered;
    } rows[] = {
        { 0, 1, false, 0 },         { 0, 10, false, 0 },
        { 0, 11, false, 1 },        { 9, 10, false, 0 },
        { 10, 11, true, 1 },        { 10, 20, true, 10 },
        { 10, 21, false, 10 },      { 9, 20, false, 10 },
        { 12, 15, true, 3 },        { 19, 20, true, 1 },
        { 20, 21, false, 0 },       { 20, 30, false, 0 },
        { 19, 31, false, 2 },       { 15, 45, false, 19 },
        { 30, 40, true, 10 },       { 30, 50, false, 19 },
        { 40, 41, false, 0 },       { 39, 42, false, 2 },
        { 41, 50, true, 9 },        { 49, 50, true, 1 },
        { 49, 51, false, 1 },       { 50, 51, false, 0 },
        { 0, 50, false, 29 },       { 0, END, false, 29 },
        { 45, END, false, 5 },      { 50, END, false, 0 },
        { END - 1, END, false, 0 },
    };
    static const struct piece pieces[PIECES_MAX] = { { 10, 20 },
                                                     { 30, 40 },
                                                     { 41, 50 } };
    struct range_set set = RANGE_SET_INIT;

    (void)state;
    add_all("add", &set, pieces);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *row =
            unit_case("%" PRId64 "-%" PRId64, rows[i].begin, rows[i].end);

        ASSERT_INT(row, range_set_has(&set, rows[i].begin, rows[i].end),
                   rows[i].has);
        ASSERT_INT(row, range_set_covered(&set, rows[i].begin, rows[i].end),
                   rows[i].covered);
    }
    range_set_release(&set);
}

static const struct missing_row {
    const char *name;
    struct piece pieces[PIECES_MAX];
    int64_t from;
    int64_t size;
    bool found;
    struct piece missing;
} missing_rows[] = {
    { "all", { { 0, 0 } }, 0, 9, true, { 0, 9 } },
    { "all from a place on", { { 0, 0 } }, 5, 9, true, { 5, 9 } },
    { "from below 0", { { 0, 0 } }, -5, 9, true, { 0, 9 } },
    { "from the end", { { 0, 0 } }, 9, 9, false, { 0, 0 } },
    { "from behind the end", { { 0, 0 } }, 10, 9, false, { 0, 0 } },
    { "of an empty file", { { 0, 0 } }, 0, 0, false, { 0, 0 } },
    { "of an unknown size", { { 0, 0 } }, 0, -1, false, { 0, 0 } },
    { "nothing", { { 0, 9 } }, 0, 9, false, { 0, 0 } },
    { "nothing, and more is there", { { 0, 12 } }, 0, 9, false, { 0, 0 } },
    { "the end", { { 0, 5 } }, 0, 9, true, { 5, 9 } },
    { "the last byte", { { 0, 8 } }, 0, 9, true, { 8, 9 } },
    { "the begin", { { 5, 9 } }, 0, 9, true, { 0, 5 } },
    { "the begin, from within", { { 5, 9 } }, 4, 9, true, { 4, 5 } },
    { "nothing behind", { { 5, 9 } }, 5, 9, false, { 0, 0 } },
    { "between", { { 0, 2 }, { 5, 9 } }, 0, 9, true, { 2, 5 } },
    { "between, from there", { { 0, 2 }, { 5, 9 } }, 2, 9, true, { 2, 5 } },
    { "between, cut", { { 0, 2 }, { 5, 9 } }, 3, 9, true, { 3, 5 } },
    { "between, cut at the size",
      { { 0, 2 }, { 5, 9 } },
      1,
      4,
      true,
      { 2, 4 } },
    { "to where the size is", { { 0, 2 }, { 5, 9 } }, 0, 5, true, { 2, 5 } },
    { "size within a range", { { 0, 2 }, { 5, 9 } }, 5, 7, false, { 0, 0 } },
    { "all is behind the size", { { 5, 9 } }, 0, 3, true, { 0, 3 } },
    { "the second gap",
      { { 0, 2 }, { 5, 7 }, { 8, 9 } },
      5,
      9,
      true,
      { 7, 8 } },
    { "of all that can be", { { 0, 0 } }, 0, END, true, { 0, END } },
    { "the last that can be",
      { { 0, END - 1 } },
      0,
      END,
      true,
      { END - 1, END } },
    { "nothing of all that can be", { { 0, END } }, 0, END, false, { 0, 0 } },
    { "from the last place", { { 0, END } }, END, END, false, { 0, 0 } },
};

static void
test_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(missing_rows); i++) {
        const struct missing_row *row = &missing_rows[i];
        struct range_set set = RANGE_SET_INIT;
        int64_t begin = -7;
        int64_t end = -7;

        add_all(row->name, &set, row->pieces);
        ASSERT_INT(row->name,
                   range_set_missing(&set, row->from, row->size, &begin, &end),
                   row->found);
        ASSERT_INT(row->name, begin, row->found ? row->missing.begin : -7);
        ASSERT_INT(row->name, end, row->found ? row->missing.end : -7);
        range_set_release(&set);
    }
}

/* As the header of the module has it: the place is where the last one ended. */
static void
test_missing_in_turn(void **state)
{
    static const struct piece pieces[PIECES_MAX] = { { 2, 4 },
                                                     { 5, 9 },
                                                     { 12, 20 } };
    static const struct piece expected[] = {
        { 0, 2 }, { 4, 5 }, { 9, 12 }, { 20, 30 }
    };
    struct range_set set = RANGE_SET_INIT;
    int64_t begin;
    size_t count = 0;

    (void)state;
    add_all("add", &set, pieces);
    for (int64_t at = 0; range_set_missing(&set, at, 30, &begin, &at);
         count++) {
        assert_true(count < COUNT(expected));
        assert_int_equal(begin, expected[count].begin);
        assert_int_equal(at, expected[count].end);
    }
    assert_int_equal(count, COUNT(expected));
    range_set_release(&set);
}

static void
test_full(void **state)
{
    struct range_set set = RANGE_SET_INIT;
    const int64_t end = RANGES_MAX * 2 - 1;

    (void)state;
    add_every_second(&set, RANGES_MAX);
    assert_int_equal(range_set_count(&set), RANGES_MAX);
    ASSERT_REFUSED("behind", &set, range_set_add(&set, end + 1, end + 2),
                   ENOSPC);
    ASSERT_REFUSED("far behind", &set, range_set_add(&set, END - 1, END),
                   ENOSPC);
    ASSERT_INT("known", range_set_add(&set, 8, 9), 0);
    ASSERT_INT("touching the last", range_set_add(&set, end, end + 5), 0);
    ASSERT_INT("count", range_set_count(&set), RANGES_MAX);
    ASSERT_INT("bytes", range_set_bytes(&set), RANGES_MAX + 5);
    ASSERT_INT("two to one", range_set_add(&set, 1, 2), 0);
    ASSERT_INT("count", range_set_count(&set), RANGES_MAX - 1);
    ASSERT_INT("room for one", range_set_add(&set, END - 1, END), 0);
    ASSERT_INT("count", range_set_count(&set), RANGES_MAX);
    ASSERT_REFUSED("and no more", &set, range_set_add(&set, END - 4, END - 2),
                   ENOSPC);
    ASSERT_INT("all to one", range_set_add(&set, 0, END), 0);
    ASSERT_INT("count", range_set_count(&set), 1);
    range_set_release(&set);
}

/* Nor where the new one would be the first, or between two. */
static void
test_full_elsewhere(void **state)
{
    struct range_set set = RANGE_SET_INIT;

    (void)state;
    for (int i = 0; i < RANGES_MAX; i++) {
        assert_int_equal(range_set_add(&set, i * 10 + 5, i * 10 + 6), 0);
    }
    ASSERT_REFUSED("before", &set, range_set_add(&set, 0, 4), ENOSPC);
    ASSERT_REFUSED("between", &set, range_set_add(&set, 507, 514), ENOSPC);
    ASSERT_INT("touching", range_set_add(&set, 506, 514), 0);
    ASSERT_INT("count", range_set_count(&set), RANGES_MAX);
    range_set_release(&set);
}

/* The worst order of the largest number of pieces that fits in any order. */
static void
test_every_second_piece_first(void **state)
{
    struct range_set set = RANGE_SET_INIT;
    const int64_t pieces = RANGES_MAX * 2;
    const int64_t size = 5 << 20;

    (void)state;
    for (int64_t i = 0; i < pieces; i += 2) {
        assert_int_equal(range_set_add(&set, i * size, (i + 1) * size), 0);
    }
    assert_int_equal(range_set_count(&set), RANGES_MAX);
    for (int64_t i = 1; i < pieces; i += 2) {
        assert_int_equal(range_set_add(&set, i * size, (i + 1) * size), 0);
    }
    assert_string_equal(describe(&set), "0-10737418240");
    range_set_release(&set);
}

static void
test_no_memory(void **state)
{
    struct range_set set = RANGE_SET_INIT;
    uint8_t data[] = { 0, 5, 1, 5 };
    int failures = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        size_t count = range_set_count(&set);

        memory_fails = true;
        if (range_set_add(&set, i * 2, i * 2 + 1) < 0) {
            failures++;
            assert_int_equal(errno, ENOMEM);
            assert_int_equal(range_set_count(&set), count);
            assert_int_equal(range_set_bytes(&set), count);
            memory_fails = false;
            assert_int_equal(range_set_add(&set, i * 2, i * 2 + 1), 0);
        }
        assert_int_equal(range_set_count(&set), i + 1);
    }
    assert_in_range(failures, 2, 10);
    memory_fails = true;
    ASSERT_REFUSED("decode", &set, range_set_decode(&set, data, sizeof(data)),
                   ENOMEM);
    ASSERT_INT("it takes none to merge", range_set_add(&set, 0, 200), 0);
    ASSERT_INT("or for nothing", range_set_decode(&set, data, 0), 0);
    memory_fails = false;
    range_set_release(&set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_what_is_no_range),
        cmocka_unit_test(test_has_and_covered),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_missing_in_turn),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_full_elsewhere),
        cmocka_unit_test(test_every_second_piece_first),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
