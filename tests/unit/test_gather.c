/* When a thread waits for more to come, against peers as they may be. */
#include "unit.h"

#include "gather.h"

enum { DELAY_MS = 2 };

/* What a time under a load has brought. */
struct outcome {
    int64_t notices;
    int64_t waits;
    int64_t waited_ms; /* with answering what had come meanwhile */
    int64_t ms;
};

/*
 * Peers that ask rate times a second whatever happens (connections 0), or so
 * many that each ask anew as soon as they are answered, which takes them and
 * the thread a second / rate for all of them.
 */
static struct outcome
live(struct gather *gather, int64_t *now_us, int rate, int connections, int ms)
{
    struct outcome outcome = { 0 };
    const int64_t began_us = *now_us;
    int64_t asked = 0;
    bool waits = false;

    while (*now_us < began_us + ms * INT64_C(1000)) {
        int64_t before_us = *now_us;
        int64_t ready;

        if (waits) {
            *now_us += DELAY_MS * 1000;
        } else {
            *now_us += 1000000 / rate;
        }
        if (connections == 0) {
            ready = (*now_us - began_us) * rate / 1000000 - asked;
        } else {
            ready = waits ? connections : 1;
        }
        if (ready == 0) {
            continue;
        }
        asked += ready;
        if (waits) {
            /* They are answered one after the other. */
            *now_us += connections > 0 ? ready * 1000000 / rate : 0;
            outcome.waits++;
            outcome.waited_ms += *now_us - before_us;
        }
        waits = gather_round(gather, (int)ready, DELAY_MS,
                             *now_us / 4000 * 4); /* the clock's tick */
        outcome.notices += ready;
    }
    outcome.waited_ms /= 1000;
    outcome.ms = ms;
    return outcome;
}

/* Peers that wait for nobody: it is on when that spares most of the rounds. */
static void
open_peers(void **state)
{
    static const struct {
        int rate;
        bool on;
    } rows[] = {
        { 10, false },   { 500, false },   { 1500, false },
        { 2500, true },  { 5000, true },   { 10000, true },
        { 25000, true }, { 40000, false }, { 100000, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gather gather = { 0 };
        int64_t now_us = INT64_C(1000000000);
        struct outcome outcome = live(&gather, &now_us, rows[i].rate, 0, 10000);
        char name[32];

        snprintf(name, sizeof(name), "%d a second", rows[i].rate);
        ASSERT_INT(name, outcome.waited_ms > 9 * outcome.ms / 10, rows[i].on);
        ASSERT_INT(name, outcome.waits > 0, rows[i].on);
    }
}

/* Peers that wait for their answers get them as fast as without it. */
static void
closed_peers(void **state)
{
    static const struct {
        int rate;
        int connections;
    } rows[] = {
        { 3000, 1 },  { 12000, 1 },  { 25000, 1 },  { 12000, 2 },
        { 12000, 8 }, { 25000, 16 }, { 30000, 24 }, { 100000, 32 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gather gather = { 0 };
        int64_t now_us = INT64_C(1000000000);
        struct outcome outcome =
            live(&gather, &now_us, rows[i].rate, rows[i].connections, 200000);
        char name[48];

        snprintf(name, sizeof(name), "%d a second by %d", rows[i].rate,
                 rows[i].connections);
        ASSERT_INT(name, outcome.waited_ms < outcome.ms / 100, true);
        ASSERT_INT(name,
                   outcome.notices * 1000 / outcome.ms >
                       rows[i].rate * INT64_C(99) / 100,
                   true);
        if (rows[i].connections == 1) { /* from the start on */
            gather = (struct gather){ 0 };
            outcome = live(&gather, &now_us, rows[i].rate, 1, 5000);
            ASSERT_INT(name, outcome.waited_ms < outcome.ms * 3 / 100, true);
        }
    }
}

static void
load_that_changes(void **state)
{
    struct gather gather = { 0 };
    int64_t now_us = INT64_C(1000000000);

    (void)state;
    assert_true(live(&gather, &now_us, 5000, 0, 1000).waits > 400);
    /* Nobody is left to be waited for. */
    assert_true(live(&gather, &now_us, 100, 0, 5000).waits < 30);
    assert_true(live(&gather, &now_us, 5000, 0, 1000).waits > 400);
    /* It grows and falls slowly. */
    for (int rate = 5000; rate < 20000; rate += 500) {
        assert_true(live(&gather, &now_us, rate, 0, 100).waits > 40);
    }
    for (int rate = 20000; rate > 3000; rate -= 500) {
        assert_true(live(&gather, &now_us, rate, 0, 100).waits > 40);
    }
    /* After failed trials it is on again within a minute. */
    live(&gather, &now_us, 12000, 1, 300000);
    live(&gather, &now_us, 5000, 0, 61000);
    assert_true(live(&gather, &now_us, 5000, 0, 20000).waits > 8000);
    /* That was no mistake: from now on the next trial is soon. */
    live(&gather, &now_us, 12000, 1, 300);
    live(&gather, &now_us, 5000, 0, 1500);
    assert_true(live(&gather, &now_us, 5000, 0, 1000).waits > 400);
}

/* Counts rounds of so many notices, every DELAY_MS, or after longer_ms. */
static bool
count(struct gather *gather, int64_t *now_ms, int rounds, int notices,
      int longer_ms)
{
    bool waits = false;

    for (int i = 0; i < rounds; i++) {
        *now_ms += longer_ms > 0 ? longer_ms : DELAY_MS;
        waits = gather_round(gather, notices, DELAY_MS, *now_ms);
    }
    return waits;
}

/*
 * Where next to nobody comes in the first moment, it is given up at once, but
 * not if the thread stood still; later that may be a moment only.
 */
static void
first_moment(void **state)
{
    (void)state;
    for (int settled = 0; settled < 2; settled++) {
        for (int stood = 0; stood < 2; stood++) {
            struct gather gather = { 0 };
            int64_t now_us = INT64_C(1000000000);
            int64_t now_ms;
            bool waits;

            for (int ms = 0; ms < 500 && !gather.on; ms++) {
                live(&gather, &now_us, 5000, 0, 1);
            }
            assert_true(gather.on);
            now_ms = now_us / 1000;
            if (settled) {
                assert_true(count(&gather, &now_ms, 320, 10, 0));
            }
            waits = stood ? count(&gather, &now_ms, 1, 1, 40)
                          : count(&gather, &now_ms, 20, 1, 0);
            ASSERT_INT("goes on", waits, settled || stood);
        }
    }
}

/* It is off where there is nothing more to be gained. */
static void
no_gain(void **state)
{
    struct gather gather = { 0 };
    int64_t now_us = INT64_C(1000000000);

    (void)state;
    /* They come together by themselves. */
    for (int ms = 0; ms < 1000; ms++) {
        assert_false(gather_round(&gather, 5, DELAY_MS, ms));
    }
    /* Ever fewer, but never by half in a moment. */
    gather = (struct gather){ 0 };
    live(&gather, &now_us, 5000, 0, 1000);
    for (int rate = 5000; rate > 500; rate -= rate / 20) {
        live(&gather, &now_us, rate, 0, 100);
        if (rate > 1100 || rate < 900) {
            ASSERT_INT("a second", gather.on, rate > 1000);
        }
    }
}

/* As a machine that stands still now and then has them come: by fits. */
static void
uneven(void **state)
{
    struct gather gather = { 0 };
    int64_t now_us = INT64_C(1000000000);
    int64_t waited_ms = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        waited_ms += live(&gather, &now_us, 5000, 0, 60).waited_ms;
        /* Meanwhile nobody came to ask, nor was there anybody to answer. */
        now_us += 40000;
        waited_ms += live(&gather, &now_us, 15000, 0, 20).waited_ms;
    }
    ASSERT_INT("on", waited_ms > 60 * 1000, true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_peers),        cmocka_unit_test(closed_peers),
        cmocka_unit_test(load_that_changes), cmocka_unit_test(first_moment),
        cmocka_unit_test(no_gain),           cmocka_unit_test(uneven),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
