/* A growable byte buffer. Not thread-safe; out of memory aborts. */
#ifndef FCGI_BUFFER_H
#define FCGI_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
    char *data;      /* NULL while capacity is 0; not NUL-terminated */
    size_t len;      /* bytes used */
    size_t capacity; /* bytes of room */
    bool borrowed;   /* the room is somebody else's */
};

#define BUFFER_INIT       \
    {                     \
        NULL, 0, 0, false \
    }

/* Begins in an array of the caller's, which has to outlive it. */
#define BUFFER_IN(room)               \
    {                                 \
        (room), 0, sizeof(room), true \
    }

/* Allocates room for at least extra bytes behind len. */
void buffer_grow(struct buffer *b, size_t extra);

/* Makes room for at least extra bytes behind len. */
static inline void
buffer_reserve(struct buffer *b, size_t extra)
{
    if (b->data == NULL || b->capacity - b->len < extra) {
        buffer_grow(b, extra);
    }
}

/* Appends len bytes of data. */
static inline void
buffer_append(struct buffer *b, const void *data, size_t len)
{
    if (len == 0) {
        return; /* there may be neither data nor room */
    }
    buffer_reserve(b, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

/* Appends a NUL-terminated string, without its NUL. */
static inline void
buffer_append_string(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

/* Appends a number in decimal. */
void buffer_append_number(struct buffer *b, int64_t number);

/* Appends formatted text as printf(3). */
void buffer_printf(struct buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Frees the memory; the buffer is empty and usable afterwards. */
void buffer_release(struct buffer *b);

#endif
