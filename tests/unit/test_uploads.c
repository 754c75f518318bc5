/* The uploads: every ordering of an attempt's events, attempts of one ID. */
#include "recent_progress.h"
#include "uploads_unit.h"

static const char *const names[] = { "start", "spool", "body", "end" };

/* What is to be seen depends on what has happened, not on the order. */
static void
check_outcome(const struct progress *p, unsigned happened, const char *order)
{
    int64_t received = 0;

    print_message("    %s\n", order);
    if (happened & 1u << END) {
        assert_int_equal(p->state, UPLOAD_DONE);
        assert_int_equal(p->phase, PHASE_DONE);
        assert_int_equal(p->status, 200);
        assert_int_equal(p->received_bytes, SIZE);
        assert_int_equal(p->size_bytes, SIZE);
        assert_int_equal(p->started_ms, OFFSET_MS + BEGAN_MS);
        assert_int_equal(p->finished_ms, OFFSET_MS + ENDED_MS);
        assert_false(p->inferred);
        return;
    }
    if (happened == 0) {
        assert_int_equal(p->state, UPLOAD_STARTING);
        return;
    }
    if (happened & 1u << BODY_PART) {
        received = BODY;
    }
    if (happened & 1u << SPOOL) {
        received = SPOOLED;
    }
    assert_int_equal(p->state, UPLOAD_UPLOADING);
    assert_int_equal(p->phase, PHASE_RECEIVING);
    assert_int_equal(p->received_bytes, received);
    assert_int_equal(p->size_bytes, happened == 1u << SPOOL ? -1 : SIZE);
    assert_int_equal(p->status, 0);
}

/* Runs one order on fixtures of its own; repeat says every event twice. */
static void
run_order(const enum happening *order, int count, bool repeat)
{
    struct fixture *f;
    struct progress p;
    void *state;
    char text[64] = "";
    unsigned happened = 0;

    set_up(&state);
    f = state;
    for (int i = 0; i < count; i++) {
        for (int times = 0; times <= repeat; times++) {
            happen(f, order[i], ENDED_MS + 10 + i);
        }
        happened |= 1u << order[i];
        strcat(text, names[order[i]]);
        strcat(text, i + 1 < count ? ", " : repeat ? " (all twice)" : "");
    }
    p = ask(f, ENDED_MS + 100);
    check_outcome(&p, happened, text);
    tear_down(&state);
}

static void
permute(enum happening *order, int fixed, int count)
{
    if (fixed == count) {
        run_order(order, count, false);
        run_order(order, count, true);
        return;
    }
    for (int i = fixed; i < count; i++) {
        enum happening swap = order[fixed];

        order[fixed] = order[i];
        order[i] = swap;
        permute(order, fixed + 1, count);
        order[i] = order[fixed];
        order[fixed] = swap;
    }
}

static void
every_subset_in_every_order(void **state)
{
    (void)state;
    for (unsigned subset = 0; subset < 1u << HAPPENINGS; subset++) {
        enum happening order[HAPPENINGS];
        int count = 0;

        for (int i = 0; i < HAPPENINGS; i++) {
            if (subset & 1u << i) {
                order[count++] = (enum happening)i;
            }
        }
        permute(order, 0, count);
    }
}

static void
size_of_a_chunked_body(void **state)
{
    static const struct {
        int status;
        int64_t size_bytes;
    } rows[] = {
        { 200, SPOOLED }, { 500, SPOOLED }, { 400, -1 },
        { 408, -1 },      { 413, -1 },      { 499, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct event event = make_event(EVENT_START, 1);
        struct progress p;
        void *own;

        set_up(&own);
        event.chunked = true;
        event.content_length_bytes = -1;
        uploads_event(((struct fixture *)own)->uploads, &event, BEGAN_MS);
        event = end_event(1, rows[i].status, ENDED_MS);
        event.chunked = true;
        event.content_length_bytes = SPOOLED;
        uploads_event(((struct fixture *)own)->uploads, &event, ENDED_MS);
        p = ask(own, ENDED_MS + 1);
        assert_int_equal(p.status, rows[i].status);
        assert_int_equal(p.received_bytes, SPOOLED);
        assert_int_equal(p.size_bytes, rows[i].size_bytes);
        tear_down(&own);
    }
}

static void
swept_after_its_time(void **state)
{
    struct fixture *f = *state;

    happen(f, START, BEGAN_MS);
    happen(f, END, ENDED_MS);
    uploads_tick(f->uploads, ENDED_MS + TTL_MS - 1);
    assert_int_equal(ask(f, ENDED_MS + TTL_MS - 1).state, UPLOAD_DONE);
    uploads_tick(f->uploads, ENDED_MS + TTL_MS);
    assert_int_equal(ask(f, ENDED_MS + TTL_MS).state, UPLOAD_STARTING);
    assert_int_equal(store_upload_count(f->store), 0);
}

/* Two attempts of one ID, their four events in every order. */
static void
two_attempts_in_every_order(void **state)
{
    static const int orders[24][4] = {
        { 0, 1, 2, 3 }, { 0, 1, 3, 2 }, { 0, 2, 1, 3 }, { 0, 2, 3, 1 },
        { 0, 3, 1, 2 }, { 0, 3, 2, 1 }, { 1, 0, 2, 3 }, { 1, 0, 3, 2 },
        { 1, 2, 0, 3 }, { 1, 2, 3, 0 }, { 1, 3, 0, 2 }, { 1, 3, 2, 0 },
        { 2, 0, 1, 3 }, { 2, 0, 3, 1 }, { 2, 1, 0, 3 }, { 2, 1, 3, 0 },
        { 2, 3, 0, 1 }, { 2, 3, 1, 0 }, { 3, 0, 1, 2 }, { 3, 0, 2, 1 },
        { 3, 1, 0, 2 }, { 3, 1, 2, 0 }, { 3, 2, 0, 1 }, { 3, 2, 1, 0 },
    };

    (void)state;
    for (int i = 0; i < 24; i++) {
        struct event events[4] = {
            make_event(EVENT_START, 1),
            end_event(1, 500, ENDED_MS - 1000),
            make_event(EVENT_START, 2),
            end_event(2, 200, ENDED_MS),
        };
        struct progress p;
        void *own;

        set_up(&own);
        for (int k = 0; k < 4; k++) {
            struct fixture *f = own;

            events[orders[i][k]].connection = CONNECTION + orders[i][k] / 2;
            uploads_event(f->uploads, &events[orders[i][k]], ENDED_MS + k);
        }
        p = ask(own, ENDED_MS + 10);
        print_message("    order %d\n", i);
        assert_int_equal(p.state, UPLOAD_DONE);
        assert_int_equal(p.status, 200);
        assert_int_equal(p.finished_ms, OFFSET_MS + ENDED_MS);
        tear_down(&own);
    }
}

static void
the_first_of_two_running_is_shown(void **state)
{
    struct fixture *f = *state;
    struct event first = make_event(EVENT_START, 1);
    struct event second = make_event(EVENT_START, 2);
    struct event end = end_event(1, 500, ENDED_MS);

    second.connection++;
    second.msec += 1000;
    second.content_length_bytes = 2 * SIZE;
    uploads_event(f->uploads, &second, BEGAN_MS + 1100);
    uploads_event(f->uploads, &first, BEGAN_MS + 1200);
    assert_int_equal(ask(f, BEGAN_MS + 1300).size_bytes, SIZE);
    /* Its end leaves the other one to be shown, not an error. */
    uploads_event(f->uploads, &end, ENDED_MS);
    assert_int_equal(ask(f, ENDED_MS).size_bytes, 2 * SIZE);
    assert_int_equal(ask(f, ENDED_MS).state, UPLOAD_UPLOADING);
}

static void
received_never_falls_nor_passes_size(void **state)
{
    struct fixture *f = *state;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    assert_int_equal(ftruncate(f->fd, SPOOLED / 2), 0);
    assert_int_equal(ask(f, BEGAN_MS + 102).received_bytes, SPOOLED);
    happen(f, BODY_PART, BEGAN_MS + 103);
    assert_int_equal(ask(f, BEGAN_MS + 103).received_bytes, SPOOLED);
    assert_int_equal(ftruncate(f->fd, 3 * SIZE), 0);
    assert_int_equal(ask(f, BEGAN_MS + 204).received_bytes, SIZE);
    assert_int_equal(ask(f, BEGAN_MS + 204).phase, PHASE_PROCESSING);
}

/* Who asks again at once gets the answer of before, but for what was told. */
static void
a_look_is_shared_for_a_moment(void **state)
{
    struct fixture *f = *state;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    assert_int_equal(ftruncate(f->fd, SIZE), 0);
    assert_int_equal(ask(f, BEGAN_MS + RECENT_MS).received_bytes, SPOOLED);
    assert_int_equal(ask(f, BEGAN_MS + 1 + RECENT_MS).received_bytes, SIZE);
    happen(f, END, ENDED_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1 + RECENT_MS).state, UPLOAD_DONE);
}

/* Of a chunked body the size is told at the end, after it was estimated. */
static void
a_size_told_late_has_the_last_word(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(EVENT_START, 1);
    struct progress p;

    event.chunked = true;
    event.content_length_bytes = -1;
    uploads_event(f->uploads, &event, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    event = end_event(1, 200, ENDED_MS);
    event.chunked = true;
    event.content_length_bytes = SPOOLED - 100;
    uploads_event(f->uploads, &event, ENDED_MS);
    p = ask(f, ENDED_MS + 1);
    assert_int_equal(p.state, UPLOAD_DONE);
    assert_int_equal(p.size_bytes, SPOOLED - 100);
    assert_int_equal(p.received_bytes, SPOOLED - 100);
    assert_int_equal(progress_hundredths(&p), 10000);
}

static void
rate_over_a_sliding_window(void **state)
{
    struct fixture *f = *state;
    struct progress p = { .rate = 0 };

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ftruncate(f->fd, 0), 0);
    /* 1,000 bytes a second for 20 s, then 5,000 for 10 s. */
    for (int64_t ms = 500; ms <= 20000; ms += 500) {
        assert_int_equal(ftruncate(f->fd, ms), 0);
        p = ask(f, BEGAN_MS + ms);
        assert_in_range(p.rate, 999, 1001);
        assert_in_range(p.eta_ms, (SIZE - ms) * 0.99, (SIZE - ms) * 1.01);
    }
    for (int64_t ms = 500; ms <= 10000; ms += 500) {
        assert_int_equal(ftruncate(f->fd, 20000 + 5 * ms), 0);
        p = ask(f, BEGAN_MS + 20000 + ms);
    }
    assert_in_range(p.rate, 4990, 5010); /* the slow time is forgotten */
}

static void
too_many_running_attempts_of_one_id(void **state)
{
    struct fixture *f = *state;

    for (uint8_t attempt = 1; attempt <= 20; attempt++) {
        struct event event = make_event(EVENT_START, attempt);

        event.connection += attempt;
        uploads_event(f->uploads, &event, BEGAN_MS + attempt);
    }
    assert_in_range(store_upload_count(f->store), 1, 4);
    assert_int_equal(ask(f, BEGAN_MS + 30).state, UPLOAD_UPLOADING);
}

static void
an_unknown_zone_is_no_upload(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(EVENT_START, 1);

    strcpy(event.zone, "elsewhere");
    uploads_event(f->uploads, &event, BEGAN_MS);
    assert_int_equal(store_upload_count(f->store), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_subset_in_every_order),
        cmocka_unit_test(two_attempts_in_every_order),
        cmocka_unit_test(size_of_a_chunked_body),
        UPLOADS_TEST(swept_after_its_time),
        UPLOADS_TEST(the_first_of_two_running_is_shown),
        UPLOADS_TEST(a_look_is_shared_for_a_moment),
        UPLOADS_TEST(received_never_falls_nor_passes_size),
        UPLOADS_TEST(a_size_told_late_has_the_last_word),
        UPLOADS_TEST(rate_over_a_sliding_window),
        UPLOADS_TEST(too_many_running_attempts_of_one_id),
        UPLOADS_TEST(an_unknown_zone_is_no_upload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
