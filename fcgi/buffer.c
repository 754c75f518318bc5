/* A growable byte buffer. */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buffer_reserve(struct buffer *b, size_t extra)
{
    size_t capacity = b->capacity ? b->capacity : 256;

    if (b->capacity - b->len >= extra) {
        return;
    }
    while (capacity - b->len < extra) {
        capacity *= 2;
    }
    b->data = realloc(b->data, capacity);
    if (b->data == NULL) {
        fputs("upload-progressd: out of memory\n", stderr);
        abort();
    }
    b->capacity = capacity;
}

void
buffer_append(struct buffer *b, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    buffer_reserve(b, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void
buffer_append_string(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

void
buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args;
    int needed;

    va_start(args, format);
    needed = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (needed < 0) {
        return;
    }
    buffer_reserve(b, (size_t)needed + 1);
    va_start(args, format);
    vsnprintf(b->data + b->len, (size_t)needed + 1, format, args);
    va_end(args);
    b->len += (size_t)needed;
}

void
buffer_release(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer)BUFFER_INIT;
}
