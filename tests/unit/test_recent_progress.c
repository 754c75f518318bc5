/* What was answered a moment ago: told again only where it is still true. */
#include "recent_progress.h"
#include "unit.h"

enum { ZONE = 3, STORED = 7, AT_MS = 1000 };

static struct progress
received(int64_t bytes)
{
    return (struct progress){ .state = UPLOAD_UPLOADING,
                              .received_bytes = bytes };
}

static int
setup(void **state)
{
    struct progress progress = received(10);

    *state = recent_progress_new();
    recent_progress_put(*state, ZONE, "one", STORED, AT_MS, &progress);
    return 0;
}

static int
teardown(void **state)
{
    recent_progress_free(*state);
    return 0;
}

static void
what_is_found(void **state)
{
    static const struct {
        const char *name;
        int zone;
        const char *id;
        uint32_t version;
        int64_t now_ms;
        bool found;
    } rows[] = {
        { "at once", ZONE, "one", STORED, AT_MS, true },
        { "in time", ZONE, "one", STORED, AT_MS + RECENT_MS - 1, true },
        { "too late", ZONE, "one", STORED, AT_MS + RECENT_MS, false },
        { "another zone", ZONE + 1, "one", STORED, AT_MS, false },
        { "another ID", ZONE, "two", STORED, AT_MS, false },
        { "another version", ZONE, "one", STORED + 1, AT_MS, false },
        { "no ID", ZONE, "", STORED, AT_MS, false },
    };
    struct progress progress;

    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_INT(rows[i].name,
                   recent_progress_find(*state, rows[i].zone, rows[i].id,
                                        rows[i].version, rows[i].now_ms,
                                        &progress),
                   rows[i].found);
        if (rows[i].found) {
            ASSERT_INT(rows[i].name, progress.received_bytes, 10);
        }
    }
}

/* Of two threads the one that looked first may write last. */
static void
what_came_further_stays(void **state)
{
    struct progress progress = received(9);

    recent_progress_put(*state, ZONE, "one", STORED, AT_MS, &progress);
    assert_true(
        recent_progress_find(*state, ZONE, "one", STORED, AT_MS, &progress));
    assert_int_equal(progress.received_bytes, 10);
    progress = received(11);
    recent_progress_put(*state, ZONE, "one", STORED, AT_MS, &progress);
    assert_true(
        recent_progress_find(*state, ZONE, "one", STORED, AT_MS, &progress));
    assert_int_equal(progress.received_bytes, 11);
    /* Of a new attempt fewer may be right. */
    progress = received(1);
    recent_progress_put(*state, ZONE, "one", STORED + 1, AT_MS, &progress);
    assert_true(recent_progress_find(*state, ZONE, "one", STORED + 1, AT_MS,
                                     &progress));
    assert_int_equal(progress.received_bytes, 1);
}

/* More IDs than there is room for: each is told its own or nothing. */
static void
many(void **state)
{
    struct progress progress;
    char id[32];
    int found = 0;

    for (int i = 0; i < 100000; i++) {
        snprintf(id, sizeof(id), "many-%d", i);
        progress = received(i);
        recent_progress_put(*state, ZONE, id, STORED, AT_MS, &progress);
    }
    for (int i = 0; i < 100000; i++) {
        snprintf(id, sizeof(id), "many-%d", i);
        if (recent_progress_find(*state, ZONE, id, STORED, AT_MS, &progress)) {
            assert_int_equal(progress.received_bytes, i);
            found++;
        }
    }
    assert_in_range(found, 1000, 99999);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_came_further_stays, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
