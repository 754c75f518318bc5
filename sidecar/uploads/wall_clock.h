/*
 * nginx tells times by the wall clock, in whole milliseconds; the daemon counts
 * by the monotonic one, which nobody can set. All functions are thread-safe.
 */
#ifndef SIDECAR_WALL_CLOCK_H
#define SIDECAR_WALL_CLOCK_H

#include "event.h"
#include "uploads.h"

/* The wall clock less ours, now: it moves when somebody sets it. */
int64_t wall_clock_offset_ms(struct uploads *uploads, int64_t now_ms);

/*
 * The earliest millisecond of our clock, whose offset is the wall clock less
 * it, that nginx may have meant: whatever happened after what it tells of is
 * never earlier.
 */
int64_t wall_clock_to_monotonic_ms(int64_t wall_ms, int64_t offset_ns);

/* nginx's time of an event on our clock; never in the future. */
int64_t wall_clock_event_ms(const struct uploads *uploads,
                            const struct event *event, int64_t now_ms);

#endif
