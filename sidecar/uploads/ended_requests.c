/* A ring: a start that is late is late by few requests. */
#include "ended_requests.h"

#include <string.h>

void
ended_requests_add(struct ended_requests *ended,
                   const uint8_t attempt[UPLOAD_ATTEMPT_BYTES])
{
    memcpy(ended->attempts[ended->next], attempt, UPLOAD_ATTEMPT_BYTES);
    ended->next = (ended->next + 1) % ENDED_REQUESTS_MAX;
    ended->count += ended->count < ENDED_REQUESTS_MAX;
}

bool
ended_requests_have(const struct ended_requests *ended,
                    const uint8_t attempt[UPLOAD_ATTEMPT_BYTES])
{
    for (int i = 0; i < ended->count; i++) {
        if (memcmp(ended->attempts[i], attempt, UPLOAD_ATTEMPT_BYTES) == 0) {
            return true;
        }
    }
    return false;
}
