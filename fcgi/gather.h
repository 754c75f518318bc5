/*
 * Whether a thread, before it looks what is ready, should wait a moment for
 * more: where notices come one by one, thousands a second, being woken for each
 * costs more than what is done then. As network cards coalesce interrupts.
 *
 * A wait is worth it where so many more come meanwhile. Not so where they come
 * from peers that wait for the answers: these come more slowly then. That shows
 * at once, is given up, and tried again after a second, after two, and so on.
 *
 * Not thread-safe: each thread has its own.
 */
#ifndef FCGI_GATHER_H
#define FCGI_GATHER_H

#include <stdbool.h>
#include <stdint.h>

/* Begins as zeros. */
struct gather {
    int64_t began_ms; /* of the window that is being counted */
    int64_t rounds;   /* in it, that found something ready */
    int64_t notices;  /* of all these rounds */
    bool on;
    bool trial;       /* on since the window before */
    int64_t rate;     /* notices a second, before it */
    int64_t on_ms;    /* since when */
    int64_t retry_ms; /* not before that */
    int64_t pause_ms; /* after it has been given up again */
};

/*
 * Counts a round of so many notices at a monotonic time, which may be some
 * milliseconds old. Returns whether to wait delay_ms, above 0, before the next.
 */
bool gather_round(struct gather *gather, int notices, int delay_ms,
                  int64_t now_ms);

#endif
