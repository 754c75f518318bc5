/* The growable buffer: numbers, and text that does not fit at first. */
#include "unit.h"

#include "buffer.h"

static void
numbers(void **state)
{
    static const struct {
        int64_t number;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { 7, "7" },
        { -1, "-1" },
        { 10, "10" },
        { 1234567890123, "1234567890123" },
        { INT64_MAX, "9223372036854775807" },
        { INT64_MIN, "-9223372036854775808" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer b = BUFFER_INIT;

        buffer_append_number(&b, rows[i].number);
        buffer_append(&b, "", 1);
        ASSERT_TEXT(rows[i].text, b.data, rows[i].text);
        buffer_release(&b);
    }
}

/* Around the size at which it has to grow, each length on its own. */
static void
printed_text(void **state)
{
    (void)state;
    for (int before = 0; before < 300; before++) {
        for (int width = 0; width < 200; width += 7) {
            struct buffer b = BUFFER_INIT;
            char expected[512];

            buffer_printf(&b, "%*s", before, "");
            buffer_printf(&b, "<%*s>", width, "x");
            snprintf(expected, sizeof(expected), "%*s<%*s>", before, "", width,
                     "x");
            assert_int_equal(b.len, strlen(expected));
            assert_memory_equal(b.data, expected, b.len);
            assert_true(b.len <= b.capacity);
            buffer_release(&b);
        }
    }
}

/* One that begins in an array leaves that when it has to, and never frees it.
 */
static void
borrowed_room(void **state)
{
    (void)state;
    for (size_t before = 0; before < 40; before++) {
        for (size_t more = 0; more < 40; more++) {
            char room[32];
            char expected[128];
            struct buffer b = BUFFER_IN(room);

            buffer_printf(&b, "%*s", (int)before, "");
            buffer_reserve(&b, more);
            assert_true(b.capacity - b.len >= more);
            buffer_append_number(&b, 12345);
            snprintf(expected, sizeof(expected), "%*s12345", (int)before, "");
            assert_int_equal(b.len, strlen(expected));
            assert_memory_equal(b.data, expected, b.len);
            assert_int_equal(b.borrowed, b.data == room);
            buffer_release(&b);
            assert_int_equal(b.capacity, 0);
            buffer_append_string(&b, "again"); /* not in the room any more */
            assert_false(b.borrowed);
            buffer_release(&b);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(printed_text),
        cmocka_unit_test(borrowed_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
