/*
 * Memory that is there or the program is not: running out aborts with a
 * message (a configured limit is the zone's, not this). Thread-safe; all of it
 * is freed with free().
 */
#ifndef SIDECAR_ALLOC_H
#define SIDECAR_ALLOC_H

#include <stdarg.h>
#include <stddef.h>

/* count zeroed elements of size bytes. */
void *alloc_zeroed(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));

/* The same without the zeroes. */
void *alloc_array(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));

/* A larger or smaller array in place of memory, as realloc(3). */
void *alloc_again(void *memory, size_t count, size_t size)
    __attribute__((returns_nonnull));

/* A copy of at most len bytes of text. */
char *alloc_copy(const char *text, size_t len)
    __attribute__((malloc, returns_nonnull));

/* A copy of text. */
char *alloc_string(const char *text) __attribute__((malloc, returns_nonnull));

/* A formatted text, as printf(3). */
char *alloc_format(const char *format, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));
char *alloc_vformat(const char *format, va_list args)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 0)));

#endif
