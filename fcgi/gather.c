/* Whether threads wait for more to come. */
#include "gather.h"

#include <stdlib.h>

enum {
    OFF_MS = 128,     /* that a load must be worth it */
    ON_MS = 512,      /* a busy machine is uneven */
    TURN_MIN_MS = 32, /* a few ticks of the coarse clock */
    TURN_DELAYS = 16,
    TURNS_MAX = 8,       /* of a trial, each with and without waiting */
    TRIAL_TURNS = 128,   /* where notices stop again and again */
    STILL_MS = 20,       /* longer: the machine stood still, or the peers */
    SETTLE_MS = 6,       /* behind a wait, for what came before the turn */
    BACKLOG_MS = 16,     /* for what has come meanwhile */
    EACH_MIN = 4,        /* notices in a delay that are worth the wait */
    EACH_MAX = 64,       /* where there are more, they come together anyway */
    AGAIN_MS = 16000,    /* from a trial that went well to the next */
    PAUSE_MIN_MS = 2000, /* between two trials that fail */
    PAUSE_MAX_MS = 60000,
};

void
gather_init(struct gather *g, int delay_ms, unsigned thread_count)
{
    *g = (struct gather){ .lock = PTHREAD_MUTEX_INITIALIZER,
                          .delay_ms = delay_ms,
                          .thread_count = thread_count };
    atomic_init(&g->waits, false);
}

static int64_t
rate_of(const struct gather_count *count)
{
    return count->ms > 0 ? count->notices * 1000 / count->ms : 0;
}

/* How many notices a thread would find after each wait. */
static int64_t
each_of(const struct gather *g, int64_t rate)
{
    return rate * g->delay_ms / 1000 / g->thread_count;
}

static void
add(struct gather_count *sum, const struct gather_count *count)
{
    sum->ms += count->ms;
    sum->rounds += count->rounds;
    sum->notices += count->notices;
}

static void
enter(struct gather *g, enum gather_state state)
{
    g->state = state;
    atomic_store_explicit(&g->waits, state != GATHER_OFF, memory_order_relaxed);
}

static void
begin_trial(struct gather *g, int64_t now_ms)
{
    g->tried = g->beside = (struct gather_count){ 0 };
    g->turns = 0;
    g->trial_ms = now_ms;
    enter(g, GATHER_TRIAL);
}

/* The peers waited for their answers, or their number has fallen suddenly. */
static void
give_up(struct gather *g, int64_t now_ms)
{
    g->pause_ms *= 2;
    if (g->pause_ms == 0) {
        g->pause_ms = PAUSE_MIN_MS;
    }
    if (g->pause_ms > PAUSE_MAX_MS) {
        g->pause_ms = PAUSE_MAX_MS;
    }
    g->retry_ms = now_ms + g->pause_ms;
    enter(g, GATHER_OFF);
}

static void
decide_off(struct gather *g, int64_t now_ms)
{
    int64_t rate = rate_of(&g->count);
    int64_t each = each_of(g, rate);

    if (now_ms >= g->retry_ms && each >= EACH_MIN && each <= EACH_MAX &&
        each * g->count.rounds > 2 * g->count.notices) {
        begin_trial(g, now_ms);
    }
}

static void
decide_on(struct gather *g, int64_t now_ms)
{
    int64_t rate = rate_of(&g->count);
    int64_t each = each_of(g, rate);

    if (each < EACH_MIN / 2 || each > EACH_MAX) {
        enter(g, GATHER_OFF);
    } else if (now_ms - g->tried_ms >= AGAIN_MS || rate < g->rate / 2 ||
               rate > g->rate * 2) {
        begin_trial(g, now_ms); /* it may be another load */
    }
}

/* The more has been seen, the smaller a difference counts. */
static bool
is_slower(const struct gather *g)
{
    int64_t tried = rate_of(&g->tried);
    int64_t beside = rate_of(&g->beside);

    return tried < beside / 2 || (g->turns > 1 && tried < beside * 3 / 4) ||
           (g->turns >= TURNS_MAX && tried < beside * 7 / 8);
}

/* After one turn of waiting, or one without it. */
static void
decide_trial(struct gather *g, int64_t now_ms)
{
    bool waited = atomic_load_explicit(&g->waits, memory_order_relaxed);

    add(waited ? &g->tried : &g->beside, &g->count);
    if (waited) {
        atomic_store_explicit(&g->waits, false, memory_order_relaxed);
        return;
    }
    g->turns++;
    if (is_slower(g)) {
        give_up(g, now_ms);
    } else if (g->turns < TURNS_MAX) {
        atomic_store_explicit(&g->waits, true, memory_order_relaxed);
    } else {
        g->rate = rate_of(&g->tried);
        g->tried_ms = now_ms;
        g->pause_ms = 0;
        enter(g, GATHER_ON);
    }
}

static int64_t
turn_ms(const struct gather *g)
{
    int64_t ms = (int64_t)g->delay_ms * TURN_DELAYS;

    return ms > TURN_MIN_MS ? ms : TURN_MIN_MS;
}

static int64_t
window_ms(const struct gather *g)
{
    switch (g->state) {
    case GATHER_OFF:
        return OFF_MS;
    case GATHER_TRIAL:
        return turn_ms(g);
    case GATHER_ON:
        return ON_MS;
    }
    abort();
}

static void
decide(struct gather *g, int64_t now_ms)
{
    if (g->state == GATHER_TRIAL) {
        if (now_ms - g->trial_ms >= TRIAL_TURNS * turn_ms(g)) {
            give_up(g, now_ms);
        } else if (now_ms - g->last_ms > STILL_MS + g->delay_ms) {
            g->began_ms = now_ms + BACKLOG_MS; /* the turn anew */
        }
    }
    if (now_ms < g->began_ms) {
        g->count = (struct gather_count){ 0 };
        return;
    }
    g->count.ms = now_ms - g->began_ms;
    if (g->count.ms < window_ms(g)) {
        return;
    }
    switch (g->state) {
    case GATHER_OFF:
        decide_off(g, now_ms);
        break;
    case GATHER_TRIAL:
        decide_trial(g, now_ms);
        break;
    case GATHER_ON:
        decide_on(g, now_ms);
        break;
    }
    g->began_ms = now_ms;
    if (g->state == GATHER_TRIAL) {
        g->began_ms += g->delay_ms + SETTLE_MS;
    }
    g->count = (struct gather_count){ 0 };
}

bool
gather_round(struct gather *g, struct gather_share *share, int notices,
             int64_t now_ms)
{
    share->rounds++;
    share->notices += notices;
    if (now_ms != share->now_ms) {
        pthread_mutex_lock(&g->lock);
        g->count.rounds += share->rounds;
        g->count.notices += share->notices;
        decide(g, now_ms);
        g->last_ms = now_ms;
        pthread_mutex_unlock(&g->lock);
        *share = (struct gather_share){ .now_ms = now_ms };
    }
    return atomic_load_explicit(&g->waits, memory_order_relaxed);
}
