/* Uploads whose end nobody told: what is concluded, and when. */
#include "uploads_internal.h"
#include "uploads_unit.h"

enum { MANY = 1000, FILES = 90, TICK_MS = 250, LONG_CHECK_MS = 5000 };

static void
lost_end_after_all_bytes(void **state)
{
    struct fixture *f = *state;
    struct progress p;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    /* The rest comes, and nginx closes the file, between two looks. */
    assert_int_equal(ftruncate(f->fd, SIZE), 0);
    close_file(f);
    tick_until(f, BEGAN_MS + 10, BEGAN_MS + 2 * CHECK_MS + 1500);
    p = ask(f, BEGAN_MS + 4000);
    assert_int_equal(p.state, UPLOAD_DONE);
    assert_int_equal(p.received_bytes, SIZE);
    assert_true(p.inferred);
    assert_int_equal(p.status, 0);
}

static void
lost_end_before_all_bytes(void **state)
{
    struct fixture *f = *state;
    struct progress p;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    close_file(f);
    tick_until(f, BEGAN_MS + 10, BEGAN_MS + 2 * CHECK_MS + 1500);
    p = ask(f, BEGAN_MS + 4000);
    assert_int_equal(p.state, UPLOAD_ERROR);
    assert_int_equal(p.status, 499);
    assert_int_equal(p.received_bytes, SPOOLED);
    assert_true(p.inferred);
}

static void
late_end_overrules_a_conclusion(void **state)
{
    struct fixture *f = *state;
    struct progress p;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    close_file(f);
    tick_until(f, BEGAN_MS + 10, BEGAN_MS + 3500);
    assert_int_equal(ask(f, BEGAN_MS + 4000).state, UPLOAD_ERROR);
    happen(f, END, BEGAN_MS + 5000);
    p = ask(f, BEGAN_MS + 5000);
    assert_int_equal(p.state, UPLOAD_DONE);
    assert_int_equal(p.status, 200);
    assert_false(p.inferred);
}

static void
without_any_gauge_given_up_in_time(void **state)
{
    struct fixture *f = *state;

    happen(f, START, BEGAN_MS);
    tick_until(f, BEGAN_MS, BEGAN_MS + INACTIVE_MS - 1000);
    assert_int_equal(ask(f, BEGAN_MS + INACTIVE_MS - 1000).state,
                     UPLOAD_UPLOADING);
    tick_until(f, BEGAN_MS + INACTIVE_MS - 1000, BEGAN_MS + INACTIVE_MS + 2000);
    assert_int_equal(ask(f, BEGAN_MS + INACTIVE_MS + 2000).state, UPLOAD_ERROR);
}

/* What a worker that was killed leaves behind: all of it in one look. */
static void
many_lost_ends_at_once(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < MANY; i++) {
        struct event event = make_event(EVENT_START, 1);

        snprintf(event.id, sizeof(event.id), "%d", i);
        event.connection = i + 1;
        uploads_event(f->uploads, &event, BEGAN_MS);
    }
    uploads_tick(f->uploads, BEGAN_MS + INACTIVE_MS);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        struct progress p;

        snprintf(id, sizeof(id), "%d", i);
        uploads_progress(f->uploads, 0, id, BEGAN_MS + INACTIVE_MS, &p);
        assert_int_equal(p.state, UPLOAD_ERROR);
    }
}

/*
 * Those of a worker that was killed, each with a file: the last one is looked
 * at within an interval, too, though ever fewer are left to look at.
 */
static void
the_last_of_many_is_noticed_in_time(void **state)
{
    struct uploads_options options = usual_options();
    struct fixture *f = *state;
    int64_t gone_ms = BEGAN_MS + LONG_CHECK_MS + 110;
    struct progress p;

    options.check_interval_ms = LONG_CHECK_MS;
    uploads_configure(f->uploads, &options);
    for (int i = 0; i < FILES; i++) {
        struct event event = make_event(EVENT_START, 1);
        struct spool spool = make_spool(f, "");

        snprintf(event.id, sizeof(event.id), "%03d", i);
        event.connection = spool.connection = i + 1;
        uploads_event(f->uploads, &event, BEGAN_MS);
        uploads_spool(f->uploads, &spool, BEGAN_MS);
    }
    tick_until(f, BEGAN_MS + 10, gone_ms);
    for (int i = 0; i < FILES; i++) {
        p = ask_for(f, unit_case("%03d", i), gone_ms);
        ASSERT_INT(unit_case("%03d", i), p.received_bytes, SPOOLED);
    }
    close_file(f);
    tick_until(f, gone_ms + 150,
               gone_ms + LONG_CHECK_MS + GRACE_MS + 2 * TICK_MS);
    for (int i = 0; i < FILES; i++) {
        p = ask_for(f, unit_case("%03d", i), gone_ms + 2 * LONG_CHECK_MS);
        ASSERT_INT(unit_case("%03d", i), p.state, UPLOAD_ERROR);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOADS_TEST(lost_end_after_all_bytes),
        UPLOADS_TEST(lost_end_before_all_bytes),
        UPLOADS_TEST(late_end_overrules_a_conclusion),
        UPLOADS_TEST(without_any_gauge_given_up_in_time),
        UPLOADS_TEST(many_lost_ends_at_once),
        UPLOADS_TEST(the_last_of_many_is_noticed_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
