/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/. Thread-safe. */
#ifndef SIDECAR_HASH_H
#define SIDECAR_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t
hash_bytes(const void *data, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 0x100000001b3u;
    }
    return hash;
}

#endif
