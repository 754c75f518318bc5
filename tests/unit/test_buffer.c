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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(printed_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
