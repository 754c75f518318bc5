/*
 * Changes lists of steps, of STEP_BYTES each behind one byte of flags, by step,
 * so that what follows a step that is new, gone or repeated keeps its meaning.
 */
#ifndef TESTS_SNAPSHOT_MUTATOR_H
#define TESTS_SNAPSHOT_MUTATOR_H

#include "fuzz.h"

enum {
    STEP_BYTES = 12,
    FLAG_RAW = 1 /* what follows is a file as it is, no list */
};

/* libFuzzer's own; not there in a replay, which mutates nothing. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size,
                                              size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed);

/* Room for one more step at a place; what is there is moved back. */
static inline uint8_t *
step_insert(uint8_t *steps, size_t *count, size_t at)
{
    uint8_t *step = steps + at * STEP_BYTES;

    memmove(step + STEP_BYTES, step, (*count - at) * STEP_BYTES);
    (*count)++;
    return step;
}

static inline void
step_remove(uint8_t *steps, size_t *count, size_t at)
{
    uint8_t *step = steps + at * STEP_BYTES;

    (*count)--;
    memmove(step, step + STEP_BYTES, (*count - at) * STEP_BYTES);
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                        unsigned seed)
{
    uint8_t *steps = data + 1;
    size_t count = size > 0 ? (size - 1) / STEP_BYTES : 0;
    bool room = 1 + (count + 1) * STEP_BYTES <= max_size;
    size_t at = count > 0 ? (seed >> 8) % count : 0;
    uint8_t copy[STEP_BYTES];
    uint8_t *step;

    if (size == 0 || (data[0] & FLAG_RAW) != 0 || seed % 16 == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    if (count == 0 || (seed % 16 < 3 && room)) {
        if (!room) {
            return size;
        }
        step = step_insert(steps, &count, at);
        memset(step, 0, STEP_BYTES);
        step[0] = (uint8_t)(seed >> 16);
        step[1] = (uint8_t)(seed >> 24);
        LLVMFuzzerMutate(step + 2, STEP_BYTES - 2, STEP_BYTES - 2);
    } else if (seed % 16 < 5 && room) {
        memcpy(copy, steps + at * STEP_BYTES, STEP_BYTES);
        memcpy(step_insert(steps, &count, (seed >> 20) % count), copy,
               STEP_BYTES);
    } else if (seed % 16 == 5) {
        step_remove(steps, &count, at);
    } else if (seed % 16 == 6) {
        data[0] ^= (uint8_t)(1u << (1 + (seed >> 20) % 7));
    } else if (seed % 16 < 10) { /* one byte of its beginning */
        steps[at * STEP_BYTES + (seed >> 20) % 4] = (uint8_t)(seed >> 24);
    } else {
        LLVMFuzzerMutate(steps + at * STEP_BYTES, STEP_BYTES, STEP_BYTES);
    }
    return 1 + count * STEP_BYTES;
}

#endif
