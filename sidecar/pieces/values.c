/* Values of headers and arguments. */
#include "values.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "upload.h"

bool
value_digits(const char *text, size_t len, int64_t *number)
{
    int64_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]) ||
            __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, text[i] - '0', &sum)) {
            return false;
        }
    }
    *number = sum;
    return len > 0 && sum <= UPLOAD_PIECES_BYTES_MAX;
}

bool
value_number(const char *text, int64_t *number)
{
    return value_digits(text, strlen(text), number);
}

/* Whether an Item may end here: with spaces, or parameters, but no list. */
static bool
item_ends(const char *text)
{
    text += strspn(text, " ");
    return *text == '\0' || (*text == ';' && strchr(text, ',') == NULL);
}

bool
value_item_number(const char *text, int64_t *number)
{
    size_t len;

    text += strspn(text, " ");
    len = strspn(text, "0123456789");
    return len <= 15 && value_digits(text, len, number) &&
           item_ends(text + len);
}

bool
value_item_boolean(const char *text, bool *value)
{
    text += strspn(text, " ");
    if (text[0] != '?' || (text[1] != '0' && text[1] != '1') ||
        !item_ends(text + 2)) {
        return false;
    }
    *value = text[1] == '1';
    return true;
}

bool
value_is_media_type(const char *content_type, const char *type)
{
    size_t len = strlen(type);

    return strncasecmp(content_type, type, len) == 0 &&
           strchr("; \t", content_type[len]) != NULL;
}

/* Takes digits off the beginning of a text. */
static bool
take_number(const char **text, int64_t *number)
{
    size_t len = strspn(*text, "0123456789");

    if (!value_digits(*text, len, number)) {
        return false;
    }
    *text += len;
    return true;
}

static bool
take_char(const char **text, char c)
{
    if (**text != c) {
        return false;
    }
    (*text)++;
    return true;
}

/* "a-b", the last one so that the one behind it is a number, too. */
static bool
take_range(const char **text, struct byte_range *range)
{
    return take_number(text, &range->first) && take_char(text, '-') &&
           take_number(text, &range->last) && range->first <= range->last &&
           range->last < INT64_MAX;
}

static bool
take_total(const char **text, struct byte_range *range)
{
    range->total = -1;
    return take_char(text, '*') || take_number(text, &range->total);
}

enum value_range
value_content_range(const char *text, struct byte_range *range)
{
    size_t unit = strcspn(text, " =");

    if (unit != 5 || strncasecmp(text, "bytes", 5) != 0) {
        return RANGE_OTHER;
    }
    text += unit;
    if (*text != ' ') {
        return RANGE_BAD;
    }
    text += strspn(text, " ");
    if (take_char(&text, '*')) {
        range->first = -1;
        range->last = -1;
        return take_char(&text, '/') && take_total(&text, range) &&
                       *text == '\0'
                   ? RANGE_QUESTION
                   : RANGE_BAD;
    }
    return take_range(&text, range) && take_char(&text, '/') &&
                   take_total(&text, range) && *text == '\0'
               ? RANGE_BYTES
               : RANGE_BAD;
}

bool
value_received_ranges(const char *text, int64_t *offset, int64_t *total)
{
    struct byte_range range = { 0, 0, -1 };

    *offset = 0;
    *total = -1;
    if (strncasecmp(text, "bytes", 5) == 0) {
        text += 5;
        if (*text != '=' && *text != ' ') {
            return false;
        }
        text++;
    }
    do {
        text += strspn(text, " \t");
        if (!take_range(&text, &range) ||
            (take_char(&text, '/') && !take_total(&text, &range)) ||
            (range.total >= 0 && range.last >= range.total)) {
            return false;
        }
        if (range.first <= *offset && range.last >= *offset) {
            *offset = range.last + 1;
        }
        text += strspn(text, " \t");
    } while (take_char(&text, ','));
    *total = range.total;
    return *text == '\0';
}
