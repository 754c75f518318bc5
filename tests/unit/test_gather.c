/* When threads wait for more to come, against peers as they may be. */
#include "unit.h"

#include "gather.h"

enum {
    DELAY_MS = 2,
    STEP_US = 20,
    TICK_US = 4000, /* of the coarse clock */
    THREADS_MAX = 4,
};

/* Threads and their peers; begins with gather_init() and a time. */
struct scene {
    struct gather gather;
    int delay_ms;
    int64_t now_us;
    unsigned thread_count;
    struct thread {
        struct gather_share share;
        int64_t free_us; /* it answers or waits until then */
        int ready;
    } threads[THREADS_MAX];
};

/* What the peers do. */
struct load {
    int rate;        /* requests a second, whatever happens; or */
    int connections; /* of each thread, that ask anew when they are answered */
    int answer_us;   /* what a thread takes for one */
    int still_ms;    /* the machine stands still, ten times a second */
};

/* What a time under a load has brought. */
struct outcome {
    int64_t ms;
    int64_t still_ms;
    int64_t answered;
    int64_t waits;
    int64_t waited_us; /* with answering what had come meanwhile */
};

static struct scene
begin(unsigned thread_count, int delay_ms)
{
    struct scene scene = { .delay_ms = delay_ms,
                           .now_us = INT64_C(1000000000),
                           .thread_count = thread_count };

    gather_init(&scene.gather, delay_ms, thread_count);
    return scene;
}

/* Most of the requests are one thread's for a while, then another's. */
static struct thread *
taker(struct scene *scene, int64_t request)
{
    int64_t turn = scene->now_us / 100000 % scene->thread_count;

    return &scene->threads[request % 4 == 0 ? request / 4 % scene->thread_count
                                            : turn];
}

static void
run_thread(struct scene *scene, struct thread *thread, const struct load *load,
           struct outcome *outcome)
{
    int ready = thread->ready;
    bool waits;

    if (ready == 0 || scene->now_us < thread->free_us) {
        return;
    }
    waits = gather_round(&scene->gather, &thread->share, ready,
                         scene->now_us / TICK_US * (TICK_US / 1000));
    outcome->answered += ready;
    outcome->waits += waits;
    thread->free_us = scene->now_us + (int64_t)ready * load->answer_us +
                      (waits ? scene->delay_ms * INT64_C(1000) : 0);
    outcome->waited_us += waits ? thread->free_us - scene->now_us : 0;
    thread->ready = load->connections; /* by then they ask again */
}

static struct outcome
live(struct scene *scene, struct load load, int ms)
{
    struct outcome outcome = { .ms = ms };
    const int64_t began_us = scene->now_us;
    int64_t asked = 0;

    if (load.answer_us == 0) {
        load.answer_us = 20;
    }
    for (unsigned i = 0; i < scene->thread_count; i++) {
        scene->threads[i].ready = load.connections;
    }
    while (scene->now_us < began_us + ms * INT64_C(1000)) {
        int64_t due;

        scene->now_us += STEP_US;
        if (load.still_ms > 0 && scene->now_us % 100000 == 0) {
            scene->now_us += load.still_ms * INT64_C(1000);
            outcome.still_ms += load.still_ms;
        }
        due = (scene->now_us - began_us) * load.rate / 1000000;
        for (; asked < due; asked++) {
            taker(scene, asked)->ready++;
        }
        for (unsigned i = 0; i < scene->thread_count; i++) {
            run_thread(scene, &scene->threads[i], &load, &outcome);
        }
    }
    return outcome;
}

/* Percent of the time that the threads have. */
static int64_t
waiting(const struct scene *scene, const struct outcome *outcome)
{
    return outcome->waited_us / 10 / (outcome->ms - outcome->still_ms) /
           scene->thread_count;
}

/* Peers that wait for nobody: it is on when that spares most of the rounds. */
static void
open_peers(void **state)
{
    static const struct {
        unsigned threads;
        int rate; /* of each */
        int still_ms;
        bool on;
    } rows[] = {
        { 1, 10, 0, false },   { 1, 500, 0, false },   { 1, 1500, 0, false },
        { 1, 2500, 0, true },  { 1, 5000, 0, true },   { 1, 10000, 0, true },
        { 1, 25000, 0, true }, { 1, 40000, 0, false }, { 2, 500, 0, false },
        { 2, 1500, 0, false }, { 2, 2500, 0, true },   { 2, 5000, 0, true },
        { 4, 1500, 0, false }, { 4, 5000, 0, true },   { 2, 5000, 10, true },
        { 2, 5000, 30, true }, { 2, 5000, 50, true },  { 1, 10000, 40, true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scene scene = begin(rows[i].threads, DELAY_MS);
        struct load load = { .rate = rows[i].rate * (int)rows[i].threads,
                             .still_ms = rows[i].still_ms };
        struct outcome first = live(&scene, load, 5000);
        const bool soon = scene.gather.state == GATHER_ON;
        struct outcome later = live(&scene, load, 60000);
        char name[64];

        snprintf(name, sizeof(name), "%d a second for each of %u, still %d ms",
                 rows[i].rate, rows[i].threads, rows[i].still_ms);
        ASSERT_INT(name, waiting(&scene, &later) > 75, rows[i].on);
        ASSERT_INT(name, first.waits + later.waits > 0, rows[i].on);
        ASSERT_INT(name, soon, rows[i].on);
        /* Nobody waits for ever, nor is one forgotten. */
        ASSERT_INT(name,
                   llabs(later.answered * 1000 / later.ms - load.rate) <
                       load.rate / 10 + 2,
                   true);
    }
}

/* Peers that wait for their answers get them as fast as without it. */
static void
closed_peers(void **state)
{
    static const struct {
        unsigned threads;
        int connections; /* of each thread */
        int answer_us;
    } rows[] = {
        { 1, 1, 200 }, { 1, 1, 60 }, { 1, 1, 40 },  { 1, 2, 80 },
        { 1, 8, 80 },  { 1, 8, 40 }, { 1, 24, 40 }, { 2, 1, 200 },
        { 2, 2, 100 }, { 2, 8, 60 }, { 2, 16, 60 }, { 4, 8, 60 },
        { 1, 5, 400 }, { 4, 1, 80 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scene scene = begin(rows[i].threads, DELAY_MS);
        struct load load = { .connections = rows[i].connections,
                             .answer_us = rows[i].answer_us };
        const int64_t best =
            INT64_C(1000000) * rows[i].threads / rows[i].answer_us;
        struct outcome first = live(&scene, load, 5000);
        struct outcome later = live(&scene, load, 200000);
        char name[64];

        snprintf(name, sizeof(name), "%u times %d, %d us", rows[i].threads,
                 rows[i].connections, rows[i].answer_us);
        ASSERT_INT(name, first.answered / 5 > best * 96 / 100, true);
        if (rows[i].connections == 1) { /* one turn of each of 3 trials */
            ASSERT_INT(name, first.waits < 60 * rows[i].threads, true);
        }
        ASSERT_INT(name, later.answered / 200 > best * 99 / 100, true);
    }
}

static void
load_that_changes(void **state)
{
    const struct load open = { .rate = 10000 };
    const struct load closed = { .connections = 1, .answer_us = 80 };
    const struct load many = { .connections = 12, .answer_us = 60 };
    static const struct {
        int connections;
        int turns;
    } others[] = { { 4, 1 }, { 60, 2 }, { 133, 8 } };
    struct scene scene = begin(2, DELAY_MS);
    struct outcome outcome;

    (void)state;
    live(&scene, open, 2000);
    assert_int_equal(scene.gather.state, GATHER_ON);
    /* Nobody is left to be waited for. */
    outcome = live(&scene, (struct load){ .rate = 100 }, 5000);
    assert_true(outcome.waits < 200); /* of 500 */
    live(&scene, open, 2000);
    assert_int_equal(scene.gather.state, GATHER_ON);
    /* It grows and falls slowly. */
    for (int rate = 10000; rate < 40000; rate += 500) {
        outcome = live(&scene, (struct load){ .rate = rate }, 100);
        assert_true(outcome.waits > 20);
    }
    for (int rate = 40000; rate > 6000; rate -= 500) {
        outcome = live(&scene, (struct load){ .rate = rate }, 100);
        assert_true(outcome.waits > 20);
    }
    /* Ever fewer: it is off where there is no more to be gained. */
    for (int rate = 6000; rate > 1000; rate -= rate / 20) {
        live(&scene, (struct load){ .rate = rate }, 500);
    }
    assert_int_equal(scene.gather.state, GATHER_OFF);
    /* Other peers come, as many a second as before when it waits. */
    live(&scene, open, 2000);
    assert_int_equal(scene.gather.state, GATHER_ON);
    live(&scene, many, 20000);
    outcome = live(&scene, many, 10000);
    assert_true(outcome.answered / 10 > 2 * 1000000 / 60 * 95 / 100);
    /* Fewer, or more: the less waiting costs them, the more turns it takes. */
    for (size_t i = 0; i < COUNT(others); i++) {
        const struct load other = { .connections = others[i].connections,
                                    .answer_us = 60 };

        live(&scene, (struct load){ .rate = 8000 }, 62000);
        assert_int_equal(scene.gather.state, GATHER_ON);
        live(&scene, other, 2000);
        assert_int_equal(scene.gather.turns, others[i].turns);
        outcome = live(&scene, other, 2000);
        assert_true(outcome.answered / 2 > 2 * 1000000 / 60 * 85 / 100);
    }
    /* So many that they come together. */
    live(&scene, open, 62000);
    assert_int_equal(scene.gather.state, GATHER_ON);
    live(&scene, (struct load){ .rate = 90000, .answer_us = 2 }, 3000);
    assert_int_equal(scene.gather.state, GATHER_OFF);
    /* After failed trials it is on again within two minutes. */
    live(&scene, closed, 300000);
    live(&scene, open, 62000);
    assert_int_equal(scene.gather.state, GATHER_ON);
    /* That was no mistake: from now on the next trial is soon. */
    live(&scene, closed, 1000);
    assert_int_equal(scene.gather.state, GATHER_OFF);
    live(&scene, open, 4000);
    assert_int_equal(scene.gather.state, GATHER_ON);
}

/* Few that come at times are not made to wait for long. */
static void
trial_that_gets_nowhere(void **state)
{
    struct scene scene = begin(1, DELAY_MS);
    struct outcome outcome;

    (void)state;
    for (int ms = 0; ms < 500 && scene.gather.state == GATHER_OFF; ms++) {
        live(&scene, (struct load){ .rate = 5000 }, 1);
    }
    assert_int_equal(scene.gather.state, GATHER_TRIAL);
    outcome = live(&scene, (struct load){ .rate = 20 }, 10000);
    assert_true(outcome.waits <= 8 * 20 + 1);
    assert_int_equal(scene.gather.state, GATHER_OFF);
}

/* What it is told to wait may be anything that gather_delay may be. */
static void
other_delays(void **state)
{
    (void)state;
    for (int delay_ms = 1; delay_ms <= 20; delay_ms++) {
        struct scene scene = begin(1, delay_ms);
        const struct load open = { .rate = 30000 / delay_ms };
        const struct load closed = { .connections = 1, .answer_us = 200 };
        struct outcome outcome;
        char name[32];

        snprintf(name, sizeof(name), "%d ms", delay_ms);
        live(&scene, open, 15000);
        ASSERT_INT(name, scene.gather.state, GATHER_ON);
        live(&scene, closed, 20000);
        outcome = live(&scene, closed, 60000);
        ASSERT_INT(name, outcome.answered / 60 > 5000 * 97 / 100, true);
    }
}

/* Where they come together by themselves nothing is tried. */
static void
no_gain(void **state)
{
    struct gather_share share = { 0 };
    struct gather gather;

    (void)state;
    gather_init(&gather, DELAY_MS, 1);
    for (int ms = 0; ms < 1000; ms++) {
        assert_false(gather_round(&gather, &share, 5, ms));
    }
    gather_init(&gather, DELAY_MS, 1);
    share = (struct gather_share){ 0 };
    for (int us = 0; us < 1000000; us += 400) {
        gather_round(&gather, &share, 2, us / 1000);
    }
    assert_int_not_equal(gather.state, GATHER_OFF);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_peers),
        cmocka_unit_test(closed_peers),
        cmocka_unit_test(load_that_changes),
        cmocka_unit_test(trial_that_gets_nowhere),
        cmocka_unit_test(other_delays),
        cmocka_unit_test(no_gain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
