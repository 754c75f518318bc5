/*
 * Sets of byte ranges as they are in a column of a snapshot: any bytes.
 *
 * - What is accepted is what the format, read the plain way, says: ranges in
 *   order, apart, not empty, within 63 bits, not too many, nothing behind.
 * - It is what would be written: one set has one encoding.
 * - Each range is there, and nothing of the gaps; they are what is missing.
 * - The same ranges added from the last one on are the same set; with the gaps
 *   added, too, all is one range.
 * - What is refused leaves the set as it was.
 */
#include "range_set.h"

#include <errno.h>

#include "fuzz.h"

__extension__ typedef unsigned __int128 wide;

struct range {
    int64_t begin;
    int64_t end;
};

/* What the input holds, read the plain way. */
static struct range expected[RANGES_MAX];
static size_t count;
static int64_t bytes;

/* Seven bits a byte; false where it is cut off, too long or too large. */
static bool
expect_number(struct fuzz_input *input, wide *number)
{
    wide unit = 1;
    uint8_t byte = 0x80;

    for (*number = 0; byte >= 0x80 && unit <= INT64_MAX; unit *= 128) {
        if (input->len == 0) {
            return false;
        }
        byte = fuzz_byte(input);
        *number += unit * (byte % 128);
    }
    return byte < 0x80 && (byte > 0 || unit == 128) && *number <= INT64_MAX;
}

static bool
expect(struct fuzz_input input)
{
    wide end = 0;

    bytes = 0;
    for (count = 0; input.len > 0; count++) {
        wide gap;
        wide length;
        wide begin;

        if (!expect_number(&input, &gap) || !expect_number(&input, &length) ||
            count == RANGES_MAX) {
            return false;
        }
        begin = end + gap + (count > 0);
        end = begin + length + 1;
        if (end > INT64_MAX) {
            return false;
        }
        expected[count] = (struct range){ (int64_t)begin, (int64_t)end };
        bytes += (int64_t)(end - begin);
    }
    return true;
}

static void
check_encoding(const struct range_set *set, const uint8_t *data, size_t size)
{
    uint8_t *out = malloc(size > 0 ? size : 1);

    FUZZ_HOLDS(out != NULL);
    FUZZ_HOLDS(range_set_encoded_size(set) == size);
    FUZZ_HOLDS(size <= RANGE_SET_ENCODED_MAX);
    FUZZ_HOLDS(size == 0 || range_set_encode(set, out, size - 1) < 0);
    FUZZ_HOLDS(range_set_encode(set, out, size) == (ssize_t)size);
    FUZZ_HOLDS(size == 0 || memcmp(out, data, size) == 0);
    free(out);
}

/* One range of it and the gap before. */
static void
check_range(const struct range_set *set, size_t i)
{
    const struct range *range = &expected[i];
    int64_t before = i > 0 ? expected[i - 1].end : 0;
    int64_t length = range->end - range->begin;
    int64_t begin = -1;
    int64_t end = -1;

    FUZZ_HOLDS(range_set_has(set, range->begin, range->end));
    FUZZ_HOLDS(range_set_covered(set, range->begin, range->end) == length);
    FUZZ_HOLDS(range_set_covered(set, before, range->end) == length);
    FUZZ_HOLDS(range->begin == 0 ||
               !range_set_has(set, range->begin - 1, range->end));
    FUZZ_HOLDS(range->end == INT64_MAX ||
               !range_set_has(set, range->begin, range->end + 1));
    if (range_set_missing(set, before, range->end, &begin, &end)) {
        FUZZ_HOLDS(begin == before && end == range->begin && begin < end);
    } else {
        FUZZ_HOLDS(before == range->begin);
    }
}

static void
check_accepted(const struct range_set *set)
{
    int64_t end = count > 0 ? expected[count - 1].end : 0;
    int64_t from = 0;
    int64_t gap_end = 0;

    FUZZ_HOLDS(range_set_count(set) == count);
    FUZZ_HOLDS(range_set_bytes(set) == bytes);
    FUZZ_HOLDS(range_set_end(set) == end);
    FUZZ_HOLDS(range_set_covered(set, 0, INT64_MAX) == bytes);
    FUZZ_HOLDS(range_set_missing(set, end, INT64_MAX, &from, &gap_end) ==
               (end < INT64_MAX));
    FUZZ_HOLDS(end == INT64_MAX || (from == end && gap_end == INT64_MAX));
    for (size_t i = 0; i < count; i++) {
        check_range(set, i);
    }
}

/* By adding, what decoding has brought. */
static void
check_added(const uint8_t *data, size_t size)
{
    struct range_set set = RANGE_SET_INIT;
    int64_t end = 0;
    int64_t begin;

    for (size_t i = count; i > 0; i--) {
        const struct range *range = &expected[i - 1];

        FUZZ_HOLDS(range_set_add(&set, range->begin, range->end) == 0);
    }
    check_encoding(&set, data, size);
    while (range_set_missing(&set, end, range_set_end(&set), &begin, &end)) {
        FUZZ_HOLDS(range_set_add(&set, begin, end) == 0);
    }
    FUZZ_HOLDS(range_set_bytes(&set) == range_set_end(&set));
    FUZZ_HOLDS(range_set_count(&set) == (count > 0));
    range_set_release(&set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t known[] = { 3, 1, 4, 0xa1, 2 };
    struct fuzz_input input = { data, size };
    bool valid = expect(input);
    struct range_set set = RANGE_SET_INIT;

    FUZZ_HOLDS(range_set_decode(&set, known, sizeof(known)) == 0);
    errno = 0;
    if (range_set_decode(&set, data, size) == 0) {
        FUZZ_HOLDS(valid);
        check_accepted(&set);
        check_encoding(&set, data, size);
        check_added(data, size);
    } else {
        FUZZ_HOLDS(!valid && errno == EINVAL);
        check_encoding(&set, known, sizeof(known));
    }
    range_set_release(&set);
    return 0;
}
