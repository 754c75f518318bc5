/*
 * Assertions for table-driven tests. Each takes the name of the row first, so
 * that a failure says which one it was. To be used on the test's thread only.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A string literal and its length, for texts with NULs in them. */
#define BYTES(literal) literal, sizeof(literal) - 1

#define ASSERT_THAT(row, condition) \
    unit_that(row, #condition, condition, __FILE__, __LINE__)

#define ASSERT_INT(row, got, expected)                                   \
    unit_int(row, #got, (intmax_t)(got), (intmax_t)(expected), __FILE__, \
             __LINE__)

#define ASSERT_TEXT(row, got, expected) \
    unit_text(row, #got, got, expected, __FILE__, __LINE__)

#define ASSERT_BYTES(row, got, got_len, expected, expected_len)           \
    unit_bytes(row, #got, got, got_len, expected, expected_len, __FILE__, \
               __LINE__)

/* The name of one of the many cases of a row; valid until the next call. */
__attribute__((format(printf, 1, 2))) static inline const char *
unit_case(const char *format, ...)
{
    static char name[256];
    va_list args;

    va_start(args, format);
    vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    return name;
}

static inline void
unit_that(const char *row, const char *what, bool holds, const char *file,
          int line)
{
    if (!holds) {
        print_error("[%s] does not hold: %s\n", row, what);
        _fail(file, line);
    }
}

static inline void
unit_int(const char *row, const char *what, intmax_t got, intmax_t expected,
         const char *file, int line)
{
    if (got != expected) {
        print_error("[%s] %s: got %" PRIdMAX ", expected %" PRIdMAX "\n", row,
                    what, got, expected);
        _fail(file, line);
    }
}

static inline void
unit_text(const char *row, const char *what, const char *got,
          const char *expected, const char *file, int line)
{
    if (got == NULL || strcmp(got, expected) != 0) {
        print_error("[%s] %s: got \"%s\", expected \"%s\"\n", row, what,
                    got != NULL ? got : "(null)", expected);
        _fail(file, line);
    }
}

static inline void
unit_bytes(const char *row, const char *what, const void *got, size_t got_len,
           const void *expected, size_t expected_len, const char *file,
           int line)
{
    if (got_len != expected_len ||
        (got_len > 0 && memcmp(got, expected, got_len) != 0)) {
        print_error("[%s] %s: got \"%.*s\", expected \"%.*s\"\n", row, what,
                    (int)got_len, got_len > 0 ? (const char *)got : "",
                    (int)expected_len,
                    expected_len > 0 ? (const char *)expected : "");
        _fail(file, line);
    }
}

/* A temporary file with that text; path is set to its name. */
#define UNIT_FILE "/tmp/upload-progressd-test.XXXXXX"

static inline int
unit_file(char path[sizeof(UNIT_FILE)], const char *text)
{
    int fd = mkstemp(strcpy(path, UNIT_FILE));

    unit_that(text, "mkstemp", fd >= 0, __FILE__, __LINE__);
    unit_int(text, "write", write(fd, text, strlen(text)),
             (intmax_t)strlen(text), __FILE__, __LINE__);
    return fd;
}

/*
 * A copy on the heap without a byte to spare, so that the address sanitizer
 * sees every read behind its end. To be freed.
 */
static inline void *
unit_copy(const void *data, size_t len)
{
    void *copy = malloc(len > 0 ? len : 1);

    if (copy == NULL) {
        abort();
    }
    if (len > 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

#endif
