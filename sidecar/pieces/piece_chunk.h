/*
 * Where a chunk lies in its file, by the numbers that its arguments tell. Pure,
 * thread-safe.
 */
#ifndef SIDECAR_PIECE_CHUNK_H
#define SIDECAR_PIECE_CHUNK_H

#include "piece_internal.h"

enum argument {
    ARG_NUMBER, /* of the chunk */
    ARG_COUNT,
    ARG_SIZE,   /* of each chunk but the last */
    ARG_LENGTH, /* of this chunk */
    ARG_TOTAL,
    ARG_OFFSET,
    ARG_ID,
    ARGS
};

/*
 * How a protocol names its arguments. Clients can be told to use other names:
 * theirs are ordinary requests here.
 */
struct dialect {
    enum piece_protocol protocol;
    int64_t first; /* number of the first chunk */
    bool asks;   /* a GET with the arguments asks whether the chunk is there */
    bool common; /* the names are anybody's: it takes both to be a chunk */
    const char *names[ARGS]; /* NULL: it has none */
    bool needed[ARGS];
};

/*
 * Sets number, count, offset, length and total out of the arguments' numbers,
 * -1 where there is none; those that are needed are there. Returns false with a
 * fault if they contradict each other.
 */
bool piece_place_chunk(const struct dialect *dialect, const int64_t n[ARGS],
                       struct piece *piece, struct piece_fault *fault);

/* plupload: sets what follows of a length that is known at last. As above. */
bool piece_place_by_length(struct piece *piece, struct piece_fault *fault);

#endif
