/* One line in the log for a fault that lasts. */
#include "log_pace.h"

enum { WELL_MS = 60000 };

bool
log_pace_fault(struct log_pace *pace, int64_t now_ms)
{
    atomic_store(&pace->last_ms, now_ms);
    return !atomic_exchange(&pace->logged, true);
}

void
log_pace_well(struct log_pace *pace, int64_t now_ms)
{
    if (atomic_load(&pace->logged) &&
        now_ms - atomic_load(&pace->last_ms) >= WELL_MS) {
        atomic_store(&pace->logged, false);
    }
}
