/* A growable byte buffer. */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BYTES = 512,  /* a probe's answer, or what it is asked with */
    NUMBER_DIGITS = 20, /* of 64 bits, with a sign */
    PRINTED_BYTES = 64  /* enough for most formats */
};

void
buffer_grow(struct buffer *b, size_t extra)
{
    size_t capacity = b->capacity ? b->capacity : FIRST_BYTES;
    char *data;

    while (capacity - b->len < extra) {
        capacity *= 2;
    }
    data = realloc(b->borrowed ? NULL : b->data, capacity);
    if (data == NULL) {
        fputs("upload-progressd: out of memory\n", stderr);
        abort();
    }
    if (b->borrowed && b->data != NULL) {
        memcpy(data, b->data, b->len);
    }
    b->borrowed = false;
    b->data = data;
    b->capacity = capacity;
}

void
buffer_append_number(struct buffer *b, int64_t number)
{
    char digits[NUMBER_DIGITS];
    size_t at = sizeof(digits);
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;

    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    buffer_append(b, digits + at, sizeof(digits) - at);
}

void
buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args;
    int needed;

    buffer_reserve(b, PRINTED_BYTES);
    va_start(args, format);
    needed = vsnprintf(b->data + b->len, b->capacity - b->len, format, args);
    va_end(args);
    if (needed < 0) {
        return;
    }
    if ((size_t)needed >= b->capacity - b->len) {
        buffer_reserve(b, (size_t)needed + 1);
        va_start(args, format);
        vsnprintf(b->data + b->len, (size_t)needed + 1, format, args);
        va_end(args);
    }
    b->len += (size_t)needed;
}

void
buffer_release(struct buffer *b)
{
    if (!b->borrowed) {
        free(b->data);
    }
    *b = (struct buffer)BUFFER_INIT;
}
