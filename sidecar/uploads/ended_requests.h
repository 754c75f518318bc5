/*
 * The requests that have ended last, of those that have left no row: the line
 * of a request's end may come before its mirrored start, which tells nothing
 * then. Not thread-safe.
 */
#ifndef SIDECAR_ENDED_REQUESTS_H
#define SIDECAR_ENDED_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "upload.h"

enum { ENDED_REQUESTS_MAX = 512 };

/* Zeroes are an empty one. */
struct ended_requests {
    int next;
    int count;
    uint8_t attempts[ENDED_REQUESTS_MAX][UPLOAD_ATTEMPT_BYTES];
};

/* Adds one; the one of longest ago makes room. */
void ended_requests_add(struct ended_requests *ended,
                        const uint8_t attempt[UPLOAD_ATTEMPT_BYTES]);

bool ended_requests_have(const struct ended_requests *ended,
                         const uint8_t attempt[UPLOAD_ATTEMPT_BYTES]);

#endif
