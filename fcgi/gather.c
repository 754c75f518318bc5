/* Whether a thread waits for more to come. */
#include "gather.h"

enum {
    WINDOW_MS = 128,     /* a busy machine is uneven */
    TRIAL_MS = 32,       /* a few ticks of the coarse clock */
    EACH_MIN = 4,        /* notices in a delay that are worth the wait */
    EACH_MAX = 64,       /* where there are more, they come together anyway */
    SETTLED_MS = 10000,  /* on for so long, it was no mistake */
    PAUSE_MIN_MS = 1000, /* between two trials that fail */
    PAUSE_MAX_MS = 60000,
};

static bool
is_worth_it(const struct gather *g, int64_t each, int64_t now_ms)
{
    return now_ms >= g->retry_ms && each >= EACH_MIN && each <= EACH_MAX &&
           g->notices < 2 * g->rounds;
}

static void
switch_on(struct gather *g, int64_t now_ms)
{
    g->on = g->trial = true;
    g->on_ms = now_ms;
}

/* In the first moment far fewer come, though this thread did not stand still.
 */
static bool
has_failed(const struct gather *g, int delay_ms, int64_t elapsed_ms)
{
    return g->trial && elapsed_ms >= TRIAL_MS &&
           g->rounds * delay_ms * 2 >= elapsed_ms &&
           g->notices * 1000 / elapsed_ms < g->rate / 4;
}

/* The peers waited for their answers, or their number has fallen suddenly. */
static void
give_up(struct gather *g, int64_t now_ms)
{
    g->on = g->trial = false;
    g->pause_ms *= 2;
    if (g->pause_ms == 0 || now_ms - g->on_ms >= SETTLED_MS) {
        g->pause_ms = PAUSE_MIN_MS;
    }
    if (g->pause_ms > PAUSE_MAX_MS) {
        g->pause_ms = PAUSE_MAX_MS;
    }
    g->retry_ms = now_ms + g->pause_ms;
}

/* At the end of a window. */
static void
decide(struct gather *g, int delay_ms, int64_t elapsed_ms, int64_t now_ms)
{
    int64_t rate = g->notices * 1000 / elapsed_ms;
    int64_t each = rate * delay_ms / 1000;

    if (!g->on) {
        if (is_worth_it(g, each, now_ms)) {
            switch_on(g, now_ms);
        }
        g->rate = rate;
        return;
    }
    g->trial = false;
    if (rate < g->rate / 2) {
        give_up(g, now_ms);
    } else if (each < EACH_MIN / 2 || each > EACH_MAX) {
        g->on = false;
    }
    g->rate += (rate - g->rate) / 4;
}

bool
gather_round(struct gather *g, int notices, int delay_ms, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms - g->began_ms;

    g->rounds++;
    g->notices += notices;
    if (elapsed_ms >= WINDOW_MS) {
        decide(g, delay_ms, elapsed_ms, now_ms);
    } else if (has_failed(g, delay_ms, elapsed_ms)) {
        give_up(g, now_ms);
    } else {
        return g->on;
    }
    g->began_ms = now_ms;
    g->rounds = g->notices = 0;
    return g->on;
}
