/*
 * What the fuzz targets share. A target is one file fuzz_NAME.c with a
 * LLVMFuzzerTestOneInput(); clang links it with libFuzzer, any compiler with
 * replay.c, which feeds it the inputs of corpus/NAME. What a target asserts
 * besides "does not crash, read or write astray, leak or hang" stands on top
 * of its file.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A property of the code under test; where it does not hold, a finding. */
#define FUZZ_HOLDS(condition)                                                 \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
                    #condition);                                              \
            abort();                                                          \
        }                                                                     \
    } while (0)

/*
 * A copy on the heap without a byte to spare, so that the address sanitizer
 * sees every read behind its end. To be freed.
 */
static inline void *
fuzz_copy(const void *data, size_t len)
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

/* The same as a string, which a NUL in it ends. To be freed. */
static inline char *
fuzz_string(const void *data, size_t len)
{
    size_t used = len > 0 ? strnlen(data, len) : 0;
    char *text = malloc(used + 1);

    if (text == NULL) {
        abort();
    }
    if (used > 0) {
        memcpy(text, data, used);
    }
    text[used] = '\0';
    return text;
}

/* An input that is taken apart from its beginning. */
struct fuzz_input {
    const uint8_t *data;
    size_t len;
};

/* The next byte, 0 behind the end. */
static inline uint8_t
fuzz_byte(struct fuzz_input *input)
{
    if (input->len == 0) {
        return 0;
    }
    input->len--;
    return *input->data++;
}

/* What comes before the next NUL, or the end. To be freed. */
static inline char *
fuzz_field(struct fuzz_input *input)
{
    char *text = fuzz_string(input->data, input->len);
    size_t len = strlen(text);

    len += len < input->len; /* the NUL */
    input->data += len;
    input->len -= len;
    return text;
}

#endif
