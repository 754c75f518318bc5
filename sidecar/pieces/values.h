/* Values of headers and arguments. Pure, thread-safe. */
#ifndef SIDECAR_VALUES_H
#define SIDECAR_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads len decimal digits. Returns false on none, others, and what is beyond
 * UPLOAD_PIECES_BYTES_MAX.
 */
bool value_digits(const char *text, size_t len, int64_t *number);

/* The same for a whole string. */
bool value_number(const char *text, int64_t *number);

/*
 * An Item of RFC 9651 that is an Integer from 0 on, of at most 15 digits, or a
 * Boolean. Its parameters, of which nothing is known, are passed over.
 */
bool value_item_number(const char *text, int64_t *number);
bool value_item_boolean(const char *text, bool *value);

/* Whether it is that media type, with or without parameters. */
bool value_is_media_type(const char *content_type, const char *type);

enum value_range {
    RANGE_OTHER,    /* there is none, or in another unit than bytes */
    RANGE_BAD,      /* malformed, or a range that cannot be */
    RANGE_QUESTION, /* a total, or "*", but no range */
    RANGE_BYTES
};

/* The range of a Content-Range header. */
struct byte_range {
    int64_t first;
    int64_t last;
    int64_t total; /* -1 for "*" */
};

/* RFC 9110, section 14.4; also the question "bytes" "*" "/" "*" that it lacks.
 */
enum value_range value_content_range(const char *text,
                                     struct byte_range *range);

/*
 * What a server has, by the Range header of its response: "bytes=0-99" of a
 * 308, "0-99/1000,200-299/1000" of nginx-upload-module. Sets the bytes from 0
 * on without a gap, and the total or -1. Returns false if it is malformed.
 */
bool value_received_ranges(const char *text, int64_t *offset, int64_t *total);

#endif
