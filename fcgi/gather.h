/*
 * Whether the threads of a process, before each looks what is ready, should
 * wait a moment for more: where notices come one by one, thousands a second,
 * being woken for each costs more than what is done then. As network cards
 * coalesce interrupts.
 *
 * A wait is worth it where so many more come meanwhile. Not so where they come
 * from peers that wait for the answers: these then come more slowly. A trial
 * tells: half a second of waiting and not waiting by turns, so that what else
 * makes a load uneven is in both. It is over at once where the difference is
 * plain, and the next is after two seconds, four, and so on; after one that
 * went well there is another now and then. All threads are counted together, as
 * their shares of the load change from moment to moment.
 *
 * Thread-safe but for gather_init(), and but for struct gather_share, of which
 * each thread has its own.
 */
#ifndef FCGI_GATHER_H
#define FCGI_GATHER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What was counted in a time. */
struct gather_count {
    int64_t ms;
    int64_t rounds; /* that found something ready */
    int64_t notices;
};

enum gather_state {
    GATHER_OFF,
    GATHER_TRIAL,
    GATHER_ON,
};

struct gather {
    atomic_bool waits;
    pthread_mutex_t lock; /* of all else */
    int delay_ms;
    unsigned thread_count;
    enum gather_state state;
    int64_t began_ms;           /* of what is being counted */
    int64_t last_ms;            /* when it was counted last */
    struct gather_count count;  /* since then */
    struct gather_count tried;  /* waiting, in this trial */
    struct gather_count beside; /* not waiting, in this trial */
    int turns;                  /* of the trial */
    int64_t trial_ms;           /* when it began */
    int64_t rate;     /* notices a second, in the last that went well */
    int64_t tried_ms; /* when that was over */
    int64_t retry_ms; /* none before that */
    int64_t pause_ms; /* after the last one that failed */
};

/* A thread's, not yet counted by all; begins as zeros. */
struct gather_share {
    int64_t now_ms;
    int64_t rounds;
    int64_t notices;
};

/* Begins anew, for so many threads and waits of delay_ms, above 0. */
void gather_init(struct gather *gather, int delay_ms, unsigned thread_count);

/*
 * Counts a round of so many notices at a monotonic time, which may be some
 * milliseconds old. Returns whether to wait before the next.
 */
bool gather_round(struct gather *gather, struct gather_share *share,
                  int notices, int64_t now_ms);

#endif
