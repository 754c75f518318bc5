/*
 * The received byte ranges of one file: a sorted array. Ranges in it neither
 * overlap nor touch, so both their begins and their ends are in order, and a
 * binary search for either finds a place.
 */
#include "range_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROOM_MIN = 4,        /* ranges: what is sent in order needs one or two */
    DIGIT_BITS = 7,      /* of a number in an encoded set */
    MORE_DIGITS = 0x80,  /* another byte follows */
    NUMBER_BYTES_MAX = 9 /* 63 bits */
};

struct byte_range {
    int64_t begin;
    int64_t end;
};

static bool
is_range(int64_t begin, int64_t end)
{
    return begin >= 0 && begin < end;
}

void
range_set_release(struct range_set *set)
{
    free(set->ranges);
    *set = (struct range_set)RANGE_SET_INIT;
}

/* The first range that ends at or behind a place; count if there is none. */
static size_t
find_end(const struct range_set *set, int64_t place)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->ranges[middle].end < place) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The first range that begins behind a place; count if there is none. */
static size_t
find_begin(const struct range_set *set, int64_t place)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->ranges[middle].begin <= place) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Makes room for one range more. Returns 0, or -1 with errno set. */
static int
grow(struct range_set *set)
{
    size_t room = set->room < ROOM_MIN ? ROOM_MIN : set->room * 2;
    struct byte_range *ranges;

    if (set->count >= RANGES_MAX) {
        errno = ENOSPC;
        return -1;
    }
    if (set->count < set->room) {
        return 0;
    }
    if (room > RANGES_MAX) {
        room = RANGES_MAX;
    }
    ranges = reallocarray(set->ranges, room, sizeof(*ranges));
    if (ranges == NULL) {
        return -1;
    }
    set->ranges = ranges;
    set->room = room;
    return 0;
}

/* Moves the ranges from one index on to another one, and counts them anew. */
static void
move_tail(struct range_set *set, size_t from, size_t to)
{
    memmove(&set->ranges[to], &set->ranges[from],
            (set->count - from) * sizeof(*set->ranges));
    set->count = set->count - from + to;
}

int
range_set_add(struct range_set *set, int64_t begin, int64_t end)
{
    size_t first;
    size_t last;

    if (!is_range(begin, end)) {
        errno = EINVAL;
        return -1;
    }
    /* Those of [first, last) overlap or touch the new range. */
    first = find_end(set, begin);
    last = find_begin(set, end);
    if (first == last) {
        if (grow(set) < 0) {
            return -1;
        }
        move_tail(set, first, first + 1);
    } else {
        if (set->ranges[first].begin < begin) {
            begin = set->ranges[first].begin;
        }
        if (set->ranges[last - 1].end > end) {
            end = set->ranges[last - 1].end;
        }
        for (size_t i = first; i < last; i++) {
            set->bytes -= set->ranges[i].end - set->ranges[i].begin;
        }
        move_tail(set, last, first + 1);
    }
    set->ranges[first] = (struct byte_range){ .begin = begin, .end = end };
    set->bytes += end - begin;
    return 0;
}

int64_t
range_set_bytes(const struct range_set *set)
{
    return set->bytes;
}

size_t
range_set_count(const struct range_set *set)
{
    return set->count;
}

int64_t
range_set_end(const struct range_set *set)
{
    return set->count > 0 ? set->ranges[set->count - 1].end : 0;
}

bool
range_set_has(const struct range_set *set, int64_t begin, int64_t end)
{
    size_t i = find_end(set, end);

    return is_range(begin, end) && i < set->count &&
           set->ranges[i].begin <= begin;
}

int64_t
range_set_covered(const struct range_set *set, int64_t begin, int64_t end)
{
    int64_t bytes = 0;

    if (!is_range(begin, end)) {
        return 0;
    }
    for (size_t i = find_begin(set, end); i > 0; i--) {
        const struct byte_range *range = &set->ranges[i - 1];
        int64_t from = range->begin > begin ? range->begin : begin;
        int64_t to = range->end < end ? range->end : end;

        if (range->end <= begin) {
            break;
        }
        bytes += to - from;
    }
    return bytes;
}

bool
range_set_missing(const struct range_set *set, int64_t from, int64_t size,
                  int64_t *begin, int64_t *end)
{
    int64_t gap = from > 0 ? from : 0;
    int64_t gap_end = size;
    size_t next = find_begin(set, gap);

    if (next > 0 && set->ranges[next - 1].end > gap) {
        gap = set->ranges[next - 1].end;
    }
    if (gap >= size) {
        return false;
    }
    if (next < set->count && set->ranges[next].begin < size) {
        gap_end = set->ranges[next].begin;
    }
    *begin = gap;
    *end = gap_end;
    return true;
}

/* The bytes of a number, at least one. */
static size_t
number_size(int64_t number)
{
    size_t size = 1;

    while ((number >>= DIGIT_BITS) > 0) {
        size++;
    }
    return size;
}

/* The two numbers that a range is written as. */
struct step {
    int64_t gap;
    int64_t length;
};

static struct step
step_to(const struct range_set *set, size_t i)
{
    const struct byte_range *range = &set->ranges[i];

    return (struct step){
        .gap = i > 0 ? range->begin - set->ranges[i - 1].end - 1 : range->begin,
        .length = range->end - range->begin - 1,
    };
}

size_t
range_set_encoded_size(const struct range_set *set)
{
    size_t size = 0;

    for (size_t i = 0; i < set->count; i++) {
        struct step step = step_to(set, i);

        size += number_size(step.gap) + number_size(step.length);
    }
    return size;
}

static uint8_t *
write_number(uint8_t *out, int64_t number)
{
    for (; number >= MORE_DIGITS; number >>= DIGIT_BITS) {
        *out++ = (uint8_t)(number | MORE_DIGITS);
    }
    *out++ = (uint8_t)number;
    return out;
}

ssize_t
range_set_encode(const struct range_set *set, uint8_t *out, size_t size)
{
    const uint8_t *start = out;

    if (range_set_encoded_size(set) > size) {
        errno = ENOSPC;
        return -1;
    }
    for (size_t i = 0; i < set->count; i++) {
        struct step step = step_to(set, i);

        out = write_number(out, step.gap);
        out = write_number(out, step.length);
    }
    return out - start;
}

/* Encoded bytes that are read from their beginning. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

/* A number, or -1 for what is none: cut off, too large, or with a zero last. */
static int64_t
read_number(struct reader *reader)
{
    int64_t number = 0;

    for (int i = 0; i < NUMBER_BYTES_MAX && reader->at < reader->end; i++) {
        uint8_t byte = *reader->at++;

        number |= (int64_t)(byte & (MORE_DIGITS - 1)) << (i * DIGIT_BITS);
        if ((byte & MORE_DIGITS) == 0) {
            return byte == 0 && i > 0 ? -1 : number;
        }
    }
    return -1;
}

/* The range behind one that ends at previous_end; -1 before there is one. */
static bool
read_range(struct reader *reader, int64_t previous_end,
           struct byte_range *range)
{
    int64_t gap = read_number(reader);
    int64_t length = read_number(reader);

    return gap >= 0 && length >= 0 &&
           !__builtin_add_overflow(previous_end + 1, gap, &range->begin) &&
           !__builtin_add_overflow(range->begin, length, &range->end) &&
           !__builtin_add_overflow(range->end, 1, &range->end);
}

/* Each number has one byte without another one behind, its last. */
static size_t
count_numbers(const uint8_t *data, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        count += (data[i] & MORE_DIGITS) == 0;
    }
    return count;
}

/* Reads as many ranges as the set has room for, and all of the data by that. */
static bool
read_ranges(struct range_set *set, const uint8_t *data, size_t len)
{
    struct reader reader = { .at = data, .end = data + len };
    int64_t previous_end = -1;

    while (set->count < set->room) {
        struct byte_range *range = &set->ranges[set->count++];

        /* No range can follow where there is no room for a gap. */
        if (previous_end == INT64_MAX ||
            !read_range(&reader, previous_end, range)) {
            return false;
        }
        previous_end = range->end;
        set->bytes += range->end - range->begin;
    }
    return reader.at == reader.end;
}

int
range_set_decode(struct range_set *set, const uint8_t *data, size_t len)
{
    /* An odd number of numbers is found out by what is left over. */
    size_t room = count_numbers(data, len) / 2;
    struct range_set read = RANGE_SET_INIT;

    if (len == 0) {
        range_set_release(set);
        return 0;
    }
    if (room == 0 || room > RANGES_MAX) {
        errno = EINVAL;
        return -1;
    }
    read.ranges = reallocarray(NULL, room, sizeof(*read.ranges));
    if (read.ranges == NULL) {
        return -1;
    }
    read.room = room;
    if (!read_ranges(&read, data, len)) {
        range_set_release(&read);
        errno = EINVAL;
        return -1;
    }
    range_set_release(set);
    *set = read;
    return 0;
}
