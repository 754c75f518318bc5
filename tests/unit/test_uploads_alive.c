/*
 * An upload whose connection goes without a word, on a real connection: how
 * long it takes to notice, whoever has seen it alive before, and how often it
 * is looked at.
 */
#include "connection_unit.h"

enum {
    CHECK_MS = 1000,
    GRACE_MS = 1000, /* for an end that is under way */
    TICK_MS = 100,
    LATE_MS = 2 * TICK_MS,
    OTHERS = 50,
    DIES_MS = NOW_MS + 3730,
    LAST_MS = DIES_MS + 10000
};

struct fixture {
    struct store *store;
    struct uploads *uploads;
    struct connection c;
};

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct uploads_options options = { .check_interval_ms = CHECK_MS,
                                       .inactive_timeout_ms = 60000,
                                       .ttl_ms = { 60000 },
                                       .wall_offset_ms = 1,
                                       .clock_ms = still_clock,
                                       .thread_us = still_clock };
    const char *message = NULL;
    struct event event;

    options.gauges[GAUGE_SOCKET] = true;
    f->store = store_new(&message);
    assert_non_null(f->store);
    assert_int_equal(store_zone_set(f->store, "uploads", 1 << 20), 0);
    f->uploads = uploads_new(f->store, &options);
    connect_both(&f->c);
    event = start_of(&f->c, HEADER, false);
    uploads_event(f->uploads, &event, NOW_MS);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    close(f->c.client);
    close(f->c.server);
    uploads_free(f->uploads);
    store_free(f->store);
    free(f);
    return 0;
}

/* At once, nothing of it stays. */
static void
reset(struct connection *c)
{
    struct linger linger = { .l_onoff = 1 };

    setsockopt(c->server, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(c->server);
    close(c->client);
    c->server = c->client = -1;
}

static bool
is_over(struct fixture *f)
{
    struct upload upload;

    assert_int_equal(store_upload_find(f->store, 0, "one", &upload), STORE_OK);
    return upload.finished_ms != 0;
}

/* Probes every so often until the connection goes: when that is noticed. */
static int64_t
noticed_ms(struct fixture *f, int64_t every_ms)
{
    struct progress progress;
    int64_t now_ms = NOW_MS;

    for (; now_ms < LAST_MS && !is_over(f); now_ms += 10) {
        if (now_ms == DIES_MS) {
            reset(&f->c);
        }
        if (now_ms < DIES_MS && every_ms > 0 &&
            (now_ms - NOW_MS) % every_ms == 0) {
            uploads_progress(f->uploads, 0, "one", now_ms, &progress);
            assert_int_equal(progress.state, UPLOAD_UPLOADING);
        }
        if ((now_ms - NOW_MS) % TICK_MS == 0) {
            uploads_tick(f->uploads, now_ms);
        }
    }
    return now_ms;
}

static void
goes_unnoticed_for_an_interval(void **state)
{
    static const int64_t every_ms[] = { 0, 10, 50, 130, 490, 510, 730, 2500 };

    for (size_t i = 0; i < COUNT(every_ms); i++) {
        int64_t at_ms = noticed_ms(*state, every_ms[i]);
        const char *name = unit_case("probed every %d ms: after %d ms",
                                     (int)every_ms[i], (int)(at_ms - DIES_MS));

        ASSERT_THAT(name, at_ms > DIES_MS);
        ASSERT_THAT(name, at_ms <= DIES_MS + CHECK_MS + GRACE_MS + LATE_MS);
        tear_down(state);
        set_up(state);
    }
}

/* When the timer has looked at it: nothing else has marked it as alive. */
static int
looks_of_the_timer(struct fixture *f, int64_t every_ms)
{
    struct progress progress;
    struct upload upload;
    int64_t seen_ms = 0;
    int looks = 0;

    for (int64_t now_ms = NOW_MS; now_ms < NOW_MS + 10 * CHECK_MS;
         now_ms += TICK_MS) {
        if (every_ms > 0 && (now_ms - NOW_MS) % every_ms == 0) {
            uploads_progress(f->uploads, 0, "one", now_ms, &progress);
            seen_ms = now_ms;
        }
        uploads_tick(f->uploads, now_ms + 1);
        store_upload_find(f->store, 0, "one", &upload);
        looks += upload.alive_ms > seen_ms;
        seen_ms = upload.alive_ms;
    }
    return looks;
}

static void
is_looked_at_where_nobody_asks(void **state)
{
    int looks = looks_of_the_timer(*state, 0);

    ASSERT_THAT(unit_case("%d looks", looks), looks >= 8 && looks <= 12);
}

/* Not as often as when there were many: only until all had their turn. */
static void
is_looked_at_no_more_often_once_others_have_ended(void **state)
{
    struct fixture *f = *state;
    int looks;

    for (int i = 0; i < 2 * OTHERS; i++) {
        struct event event = start_of(&f->c, HEADER, false);

        snprintf(event.id, sizeof(event.id), "other-%d", i % OTHERS);
        if (i >= OTHERS) {
            uploads_tick(f->uploads, NOW_MS);
            event.kind = EVENT_END;
            event.status = 200;
        }
        uploads_event(f->uploads, &event, NOW_MS);
    }
    looks = looks_of_the_timer(f, 0);
    ASSERT_THAT(unit_case("%d looks", looks), looks >= 8 && looks <= 12);
}

static void
is_left_to_whoever_asks(void **state)
{
    ASSERT_INT("looks", looks_of_the_timer(*state, CHECK_MS / 2), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(goes_unnoticed_for_an_interval, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(is_looked_at_where_nobody_asks, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            is_looked_at_no_more_often_once_others_have_ended, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(is_left_to_whoever_asks, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
