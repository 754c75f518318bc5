/* The wall clock, nginx's, on the monotonic one. */
#include "wall_clock.h"

#include <stdlib.h>
#include <time.h>

#include "uploads_internal.h"

enum {
    NS_PER_MS = 1000000,
    WALL_STEP_MS = 100,  /* less is noise between two clocks read in turn */
    DISAGREE_MS = 60000, /* nginx's clock and ours, which is the one to count */
};

static int64_t
read_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

/*
 * Ours is read first: should the thread be held up in between, the offset is
 * too large, and what is converted by it too early.
 */
static int64_t
read_offset_ns(const struct uploads *uploads)
{
    int64_t monotonic_ns;

    if (uploads->options.wall_offset_ms != 0) {
        return uploads->options.wall_offset_ms * NS_PER_MS;
    }
    monotonic_ns = read_ns(CLOCK_MONOTONIC);
    return read_ns(CLOCK_REALTIME) - monotonic_ns;
}

int64_t
wall_clock_offset_ms(struct uploads *uploads, int64_t now_ms)
{
    int64_t known_ms = atomic_load(&uploads->wall_offset_ms);
    int64_t offset_ms;

    if (uploads->options.wall_offset_ms != 0) {
        return uploads->options.wall_offset_ms;
    }
    /* Some milliseconds old: it tells whether somebody has set the clock. */
    offset_ms = read_ns(CLOCK_REALTIME_COARSE) / NS_PER_MS - now_ms;
    if (llabs(offset_ms - known_ms) < WALL_STEP_MS) {
        return known_ms;
    }
    offset_ms = read_offset_ns(uploads) / NS_PER_MS;
    atomic_store(&uploads->wall_offset_ms, offset_ms);
    return offset_ms;
}

int64_t
wall_clock_to_monotonic_ms(int64_t wall_ms, int64_t offset_ns)
{
    int64_t floor_ms = offset_ns / NS_PER_MS;

    return wall_ms - floor_ms - (offset_ns % NS_PER_MS > 0);
}

int64_t
wall_clock_event_ms(const struct uploads *uploads, const struct event *event,
                    int64_t now_ms)
{
    int64_t at_ms =
        wall_clock_to_monotonic_ms(event->msec, read_offset_ns(uploads));

    return event->msec < 0 || at_ms > now_ms || at_ms < now_ms - DISAGREE_MS
               ? now_ms
               : at_ms;
}
