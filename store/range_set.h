/*
 * The byte ranges of one file that have been received. Pieces that come in
 * parallel, out of order, again or overlapping count once: ranges that overlap
 * or touch are one, so a file whose pieces come in order is one range.
 *
 * Ranges are half open, [begin, end), with 0 <= begin < end <= INT64_MAX; what
 * is not such a range holds nothing. Every function that looks for a place
 * takes O(log n). A set is no thread's own: two threads that use the same one,
 * one of them changing it, need a lock of theirs.
 */
#ifndef STORE_RANGE_SET_H
#define STORE_RANGE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    /*
     * Separate ranges in a set. An encoded set is part of an upload's row,
     * which counts in the limit of its zone: the largest one has to leave room
     * for others in the smallest zone (ZONE_SIZE_MIN), and to be a field that
     * a snapshot may have. Clients that send some pieces at a time, in order,
     * make about as many ranges as they have connections; a file of up to 2048
     * pieces fits in any order, as every second piece is the worst.
     */
    RANGES_MAX = 1024,

    /*
     * Bytes of any encoded set: two numbers a range, of 9 bytes at most each.
     * It takes files of exabytes to come near; with pieces and gaps of less
     * than 256 MiB, it is 8 KiB.
     */
    RANGE_SET_ENCODED_MAX = RANGES_MAX * 2 * 9
};

struct byte_range;

/* To be read by the functions only, which keep the ranges sorted and apart. */
struct range_set {
    struct byte_range *ranges; /* owned; NULL while there were none */
    size_t count;
    size_t room;   /* of ranges */
    int64_t bytes; /* in all ranges */
};

/* clang-format off */
#define RANGE_SET_INIT { .ranges = NULL, .count = 0, .room = 0, .bytes = 0 }
/* clang-format on */

/* Frees the ranges; the set is empty then, and can be used again. */
void range_set_release(struct range_set *set);

/*
 * Adds a range. Returns 0, or -1 with the set as it was: errno is ENOSPC where
 * there would be more than RANGES_MAX separate ranges, ENOMEM, or EINVAL for
 * what is not a range. In a full set, what touches or overlaps a range of it
 * can still be added. Takes O(n) to move what is behind.
 */
int range_set_add(struct range_set *set, int64_t begin, int64_t end)
    __attribute__((warn_unused_result));

/* The number of bytes in the set. O(1). */
int64_t range_set_bytes(const struct range_set *set);

/* The number of separate ranges. O(1). */
size_t range_set_count(const struct range_set *set);

/* The highest end, 0 of an empty set. O(1). */
int64_t range_set_end(const struct range_set *set);

/*
 * Whether every byte of the range is in the set. Whether a file is complete,
 * which an empty one is from the start, is for range_set_missing() to say.
 */
bool range_set_has(const struct range_set *set, int64_t begin, int64_t end);

/*
 * The number of bytes of the range that are in the set: for the bytes of a
 * piece under way that are there already. O(log n), and O(1) more for each
 * range of the set that the range overlaps.
 */
int64_t range_set_covered(const struct range_set *set, int64_t begin,
                          int64_t end);

/*
 * The first missing range of a file of size bytes that ends behind from, cut
 * off at from and at size. Returns false, and leaves *begin and *end alone,
 * where there is none. To have all of them, one after another:
 *
 *     for (int64_t at = 0; range_set_missing(set, at, size, &begin, &at);)
 */
bool range_set_missing(const struct range_set *set, int64_t from, int64_t size,
                       int64_t *begin, int64_t *end);

/*
 * The bytes that range_set_encode() writes, RANGE_SET_ENCODED_MAX at most:
 * none for an empty set, for one range from 0 on 2 bytes and up to 8 more by
 * its length: 6 for 5 GiB. O(n).
 */
size_t range_set_encoded_size(const struct range_set *set);

/*
 * Writes the set for a database column. The ranges are in order, each as two
 * numbers: the bytes between the one before, or 0, and its begin, and its
 * length. Ranges do not touch and are not empty, so both are written less one,
 * the first range's begin as it is. A number is its digits of 7 bits, least
 * significant first, each in a byte, with the high bit set in all but the last
 * one, and not more bytes than needed. So each set has one encoding.
 *
 * Returns the number of bytes written, or -1 with errno ENOSPC where size is
 * too small: out is undefined then.
 */
ssize_t range_set_encode(const struct range_set *set, uint8_t *out, size_t size)
    __attribute__((warn_unused_result));

/*
 * Makes the set, which has to be initialised, what was encoded; data may be
 * NULL where len is 0. Returns 0, or -1 with the set as it was: errno is
 * EINVAL for what range_set_encode() could not have written, or ENOMEM.
 */
int range_set_decode(struct range_set *set, const uint8_t *data, size_t len)
    __attribute__((warn_unused_result));

#endif
