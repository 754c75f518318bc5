/* nginx's times of whole milliseconds on a clock of another fraction. */
#include "unit.h"

#include "wall_clock.h"

enum { NS_PER_MS = 1000000 };

static const struct row {
    const char *name;
    int64_t wall_ms;
    int64_t offset_ns;
    int64_t monotonic_ms;
} rows[] = {
    { "the same clock", 5, 0, 5 },
    { "whole milliseconds apart", 1005, INT64_C(1000) * NS_PER_MS, 5 },
    { "less than a millisecond ahead", 5, 1, 4 },
    { "nearly a millisecond ahead", 5, NS_PER_MS - 1, 4 },
    { "a fraction more", 1005, INT64_C(1000) * NS_PER_MS + 1, 4 },
    { "behind by whole milliseconds", 5, INT64_C(-1000) * NS_PER_MS, 1005 },
    { "behind by a fraction more", 5, INT64_C(-1000) * NS_PER_MS - 1, 1005 },
    { "behind by a fraction less", 5, INT64_C(-1000) * NS_PER_MS + 1, 1004 },
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_INT(
            rows[i].name,
            wall_clock_to_monotonic_ms(rows[i].wall_ms, rows[i].offset_ns),
            rows[i].monotonic_ms);
    }
}

/* What follows an event, in its millisecond, is not before it. */
static void
test_never_late(void **state)
{
    const int64_t step_ns = NS_PER_MS / 16;

    (void)state;
    for (int64_t offset_ns = 0; offset_ns < NS_PER_MS; offset_ns += step_ns) {
        for (int64_t at_ns = 0; at_ns < 4 * NS_PER_MS; at_ns += step_ns) {
            int64_t told_ms = (at_ns + offset_ns) / NS_PER_MS;
            int64_t at_ms = wall_clock_to_monotonic_ms(told_ms, offset_ns);
            const char *name = unit_case("%" PRId64 " ns, %" PRId64 " ns apart",
                                         at_ns, offset_ns);

            ASSERT_THAT(name, at_ms <= at_ns / NS_PER_MS);
            ASSERT_THAT(name, at_ms >= at_ns / NS_PER_MS - 1);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_never_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
