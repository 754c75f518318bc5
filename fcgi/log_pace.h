/*
 * Keeps a fault that shows a thousand times a second to one line in the log:
 * it is logged when it begins, and again once all has been well for a minute.
 * Thread-safe. now_ms is monotonic.
 */
#ifndef FCGI_LOG_PACE_H
#define FCGI_LOG_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing was logged. */
struct log_pace {
    atomic_bool logged;
    atomic_llong last_ms; /* the fault's last show */
};

/* The fault shows: whether to log it. */
bool log_pace_fault(struct log_pace *pace, int64_t now_ms);

/*
 * All is well. Where one thread meets the fault and another does not, neither
 * makes the other's next line a new one: that takes a minute.
 */
void log_pace_well(struct log_pace *pace, int64_t now_ms);

#endif
