/* A growable byte buffer. Not thread-safe; out of memory aborts. */
#ifndef FCGI_BUFFER_H
#define FCGI_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data;      /* owned; NULL while capacity is 0; not NUL-terminated */
    size_t len;      /* bytes used */
    size_t capacity; /* bytes allocated */
};

#define BUFFER_INIT \
    {               \
        NULL, 0, 0  \
    }

/* Makes room for at least extra bytes behind len. */
void buffer_reserve(struct buffer *b, size_t extra);

/* Appends len bytes of data. */
void buffer_append(struct buffer *b, const void *data, size_t len);

/* Appends a NUL-terminated string, without its NUL. */
void buffer_append_string(struct buffer *b, const char *text);

/* Appends a number in decimal. */
void buffer_append_number(struct buffer *b, int64_t number);

/* Appends formatted text as printf(3). */
void buffer_printf(struct buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Frees the memory; the buffer is empty and usable afterwards. */
void buffer_release(struct buffer *b);

#endif
