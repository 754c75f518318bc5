/*
 * nginx's sizes and times.
 *
 * - A size is what its digits and its unit come to, and nothing else is one.
 * - A time is at least 1 ms; written as milliseconds, it is read the same.
 * - Neither overflows: what is too large is refused.
 */
#include "config_values.h"

#include <ctype.h>
#include <inttypes.h>

#include "fuzz.h"

/* Digits, then at most one letter; -1 for anything else, or beyond 2^62. */
static int64_t
expect_size(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits;
    __extension__ unsigned __int128 value = 0;

    if (digits == 0 || (unit[0] != '\0' && unit[1] != '\0')) {
        return -1;
    }
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (unsigned)(text[i] - '0');
        if (value > INT64_MAX) {
            return -1;
        }
    }
    switch (toupper((unsigned char)unit[0])) {
    case '\0':
        break;
    case 'K':
        value <<= 10;
        break;
    case 'M':
        value <<= 20;
        break;
    case 'G':
        value <<= 30;
        break;
    default:
        return -1;
    }
    return value <= INT64_MAX / 4 ? (int64_t)value : -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    int64_t expected = expect_size(text);
    int64_t value = -1;

    FUZZ_HOLDS(parse_size(text, &value) == (expected >= 0));
    FUZZ_HOLDS(expected < 0 || value == expected);
    if (parse_time(text, &value)) {
        char written[32];
        int64_t again = -1;

        FUZZ_HOLDS(value > 0);
        FUZZ_HOLDS(strspn(text, "0123456789smhdwMy ") == strlen(text));
        snprintf(written, sizeof(written), "%" PRId64 "ms", value);
        if (value <= INT64_MAX / 4) {
            FUZZ_HOLDS(parse_time(written, &again) && again == value);
        }
    }
    free(text);
    return 0;
}
