/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/. Thread-safe. */
#ifndef SIDECAR_HASH_H
#define SIDECAR_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_OF_NOTHING UINT64_C(0xcbf29ce484222325)

/* The hash of what hash is of, and behind it the data. */
static inline uint64_t
hash_more(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static inline uint64_t
hash_bytes(const void *data, size_t len)
{
    return hash_more(HASH_OF_NOTHING, data, len);
}

#endif
