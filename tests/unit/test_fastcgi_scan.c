/*
 * The FastCGI scanner: records built by hand, whole and broken, fed at once,
 * byte by byte and cut in two at every place. The outcome must be the same.
 */
#include "unit.h"

#include <fastcgi.h>

#include "buffer.h"
#include "connection.h"
#include "fastcgi_scan.h"

enum {
    SHORT_BYTES = 1000, /* requests up to here are cut at every place */
    ID = 0x0102,        /* of the requests; both its bytes count */
    RAW = 256,          /* instead of a type: bytes without a header */
    PIECES_MAX = 6
};

/* A record; NULL data ends a list. */
struct piece {
    unsigned type;
    unsigned id;
    const char *data;
    size_t len;
    unsigned padding;
};

/* clang-format off */
#define PADDED(type, literal, padding) { type, ID, BYTES(literal), padding }
#define RECORD(type, literal)          PADDED(type, literal, 0)
#define BEGIN           RECORD(FCGI_BEGIN_REQUEST, "\0\1\1\0\0\0\0\0")
#define PARAMS(literal) RECORD(FCGI_PARAMS, literal)
#define BODY(literal)   RECORD(FCGI_STDIN, literal)
#define END             PARAMS(""), BODY("")
/* clang-format on */

static void
add(struct buffer *b, const struct piece *piece)
{
    static const char zeros[255];
    const uint8_t header[8] = {
        FCGI_VERSION_1,
        (uint8_t)piece->type,
        (uint8_t)(piece->id >> 8),
        (uint8_t)piece->id,
        (uint8_t)(piece->len >> 8),
        (uint8_t)piece->len,
        (uint8_t)piece->padding,
        0,
    };

    if (piece->type != RAW) {
        buffer_append(b, header, sizeof(header));
    }
    buffer_append(b, piece->data, piece->len);
    buffer_append(b, zeros, piece->padding);
}

static void
add_all(struct buffer *b, const struct piece *pieces)
{
    for (; pieces->data != NULL; pieces++) {
        add(b, pieces);
    }
}

static void
add_begin(struct buffer *b)
{
    add(b, &(struct piece)BEGIN);
}

static void
add_end(struct buffer *b)
{
    add_all(b, (const struct piece[]){ END, { .data = NULL } });
}

/* A pair of lengths and bytes of the given number, lengths in 4 bytes. */
static void
long_pair(struct buffer *b, size_t name_len, size_t value_len)
{
    const size_t lengths[2] = { name_len, value_len };

    for (int i = 0; i < 2; i++) {
        const uint8_t bytes[4] = { (uint8_t)(lengths[i] >> 24 | 0x80),
                                   (uint8_t)(lengths[i] >> 16),
                                   (uint8_t)(lengths[i] >> 8),
                                   (uint8_t)lengths[i] };

        buffer_append(b, bytes, sizeof(bytes));
    }
    for (size_t i = 0; i < name_len + value_len; i++) {
        buffer_append(b, "x", 1);
    }
}

/* A request of these parameters in records of at most step bytes. */
static void
request_in(struct buffer *b, const struct buffer *pairs, size_t step)
{
    add_begin(b);
    for (size_t at = 0; at < pairs->len; at += step) {
        size_t left = pairs->len - at;
        struct piece piece = { FCGI_PARAMS, ID, pairs->data + at,
                               left < step ? left : step, 0 };

        add(b, &piece);
    }
    add_end(b);
}

/* What feeding a request comes to. */
struct outcome {
    enum fastcgi_result result;
    size_t consumed;
    size_t params_at; /* where the parameters ended; 0: they did not */
    unsigned param_count;
    uint64_t body_bytes;
};

/* Feeds one chunk until the scanner has stopped or wants more. */
static void
feed(struct fastcgi_scan *scan, const char *data, size_t len,
     struct outcome *outcome)
{
    size_t at = 0;

    do {
        size_t consumed = len + 1;
        uint8_t *chunk = unit_copy(data + at, len - at);

        outcome->result = fastcgi_scan(scan, chunk, len - at, &consumed);
        free(chunk);
        ASSERT_THAT("consumed", consumed <= len - at);
        at += consumed;
        if (outcome->result == FASTCGI_PARAMS) {
            ASSERT_INT("parameters end once", outcome->params_at, 0);
            outcome->params_at = outcome->consumed + at;
        }
        if (outcome->result == FASTCGI_MORE) {
            ASSERT_INT("consumed when it wants more", at, len);
        }
    } while (outcome->result == FASTCGI_PARAMS && at < len);
    outcome->consumed += at;
}

/* Feeds a request: cut first bytes, then the rest in chunks of step. */
static struct outcome
feed_all(const struct buffer *data, size_t cut, size_t step)
{
    struct fastcgi_scan scan = FASTCGI_SCAN_INIT;
    struct outcome outcome = { .result = FASTCGI_MORE };
    size_t at = cut;

    if (cut > 0) {
        feed(&scan, data->data, cut, &outcome);
    }
    while (at < data->len && outcome.result != FASTCGI_COMPLETE &&
           outcome.result != FASTCGI_GARBAGE) {
        size_t len = data->len - at < step ? data->len - at : step;

        feed(&scan, data->data + at, len, &outcome);
        at += len;
    }
    outcome.param_count = scan.param_count;
    outcome.body_bytes = scan.body_bytes;
    return outcome;
}

static void
build_long_lengths(struct buffer *b)
{
    struct buffer pairs = BUFFER_INIT;

    long_pair(&pairs, 4, 5); /* short enough for one byte, and yet in four */
    long_pair(&pairs, 10, 300);
    long_pair(&pairs, 128, 0);
    request_in(b, &pairs, pairs.len);
    buffer_release(&pairs);
}

/* Each byte of the parameters in a record of its own. */
static void
build_split_pairs(struct buffer *b)
{
    struct buffer pairs = BUFFER_INIT;

    buffer_append(&pairs, BYTES("\4\5NAMEvalue"));
    long_pair(&pairs, 3, 4);
    request_in(b, &pairs, 1);
    buffer_release(&pairs);
}

static void
build_large_body(struct buffer *b)
{
    struct piece largest = { FCGI_STDIN, ID, calloc(1, 65535), 65535, 0 };

    add_begin(b);
    add(b, &(struct piece)PARAMS(""));
    add(b, &largest);
    add(b, &largest);
    add(b, &(struct piece)BODY(""));
    free((void *)(uintptr_t)largest.data);
}

/* One parameter of len bytes in all. */
static void
build_bytes(struct buffer *b, size_t len)
{
    struct buffer pairs = BUFFER_INIT;

    long_pair(&pairs, 100, len - 108);
    request_in(b, &pairs, 32000);
    buffer_release(&pairs);
}

static void
build_most_bytes(struct buffer *b)
{
    build_bytes(b, REQUEST_HEADER_MAX);
}

static void
build_too_many_bytes(struct buffer *b)
{
    build_bytes(b, REQUEST_HEADER_MAX + 1);
}

/* Each pair is short, their sum is not. */
static void
build_too_many_pairs(struct buffer *b)
{
    struct buffer pairs = BUFFER_INIT;

    for (int i = 0; i < 7; i++) {
        long_pair(&pairs, 1000, 9000);
    }
    request_in(b, &pairs, 10008);
    buffer_release(&pairs);
}

static void
build_count(struct buffer *b, size_t count)
{
    struct buffer pairs = BUFFER_INIT;

    for (size_t i = 0; i < count; i++) {
        buffer_append(&pairs, BYTES("\1\1Ab"));
    }
    request_in(b, &pairs, 500);
    buffer_release(&pairs);
}

/* libfcgi adds FCGI_ROLE to those that came. */
static void
build_most_params(struct buffer *b)
{
    build_count(b, REQUEST_PARAMS_MAX - 1);
}

static void
build_too_many_params(struct buffer *b)
{
    build_count(b, REQUEST_PARAMS_MAX);
}

static void
build_too_many_empty_params(struct buffer *b)
{
    static const char zeros[2 * REQUEST_PARAMS_MAX];
    const struct piece piece = { FCGI_PARAMS, ID, zeros, sizeof(zeros), 0 };

    add_begin(b);
    add(b, &piece);
    add_end(b);
}

/* A request, made of pieces or by a function. */
struct source {
    struct piece pieces[PIECES_MAX + 1];
    void (*build)(struct buffer *b);
};

static void
build(const struct source *source, struct buffer *b)
{
    if (source->build != NULL) {
        source->build(b);
    } else {
        add_all(b, source->pieces);
    }
}

/* clang-format off */
#define PIECES(...)     { .pieces = { __VA_ARGS__ } }
#define BUILT(function) { .build = function }
/* clang-format on */

static const struct good_row {
    const char *name;
    size_t params_at;
    unsigned param_count;
    uint64_t body_bytes;
    struct source source;
} good_rows[] = {
    { "whole", 46, 2, 10,
      PIECES(BEGIN, PARAMS("\4\5NAMEvalue\1\0A"), PARAMS(""),
             BODY("0123456789"), BODY("")) },
    { "least", 24, 0, 0, PIECES(BEGIN, END) },
    { "padding", 63, 1, 5,
      PIECES(PADDED(FCGI_BEGIN_REQUEST, "\0\1\0\0\0\0\0\0", 7),
             PADDED(FCGI_PARAMS, "\4\5NAMEvalue", 5),
             PADDED(FCGI_PARAMS, "", 8), PADDED(FCGI_STDIN, "01234", 255),
             PADDED(FCGI_STDIN, "", 1)) },
    { "mixed lengths", 60, 2, 0,
      PIECES(BEGIN, PARAMS("\4\x80\0\0\5NAMEvalue\x80\0\0\4\5NAMEvalue"),
             END) },
    { "parameters in records", 62, 4, 0,
      PIECES(BEGIN, PARAMS("\1\1Ab"), PARAMS("\1\1Cd\1\1Ef"), PARAMS("\0\0"),
             END) },
    { "empty pairs", 42, 4, 0,
      PIECES(BEGIN, PARAMS("\0\0\0\1a\1\0b\0\0"), END) },
    { "body in records", 24, 0, 14,
      PIECES(BEGIN, PARAMS(""), BODY("0"),
             BODY("\1\1\0\1\0\0\0\0"), /* only looks like a record */
             PADDED(FCGI_STDIN, "01234", 3), BODY("")) },
    { "4-byte lengths", 503, 3, 0, BUILT(build_long_lengths) },
    { "pairs in records", 258, 2, 0, BUILT(build_split_pairs) },
    { "large body", 24, 0, 131070, BUILT(build_large_body) },
    { "most bytes", 65584, 1, 0, BUILT(build_most_bytes) },
    { "most parameters", 1068, 255, 0, BUILT(build_most_params) },
};

static void
check_good(const char *name, const struct good_row *row, size_t len,
           const struct outcome *outcome)
{
    ASSERT_INT(name, outcome->result, FASTCGI_COMPLETE);
    ASSERT_INT(name, outcome->consumed, len);
    ASSERT_INT(name, outcome->params_at, row->params_at);
    ASSERT_INT(name, outcome->param_count, row->param_count);
    ASSERT_INT(name, outcome->body_bytes, row->body_bytes);
}

static void
test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        const struct good_row *row = &good_rows[i];
        struct buffer b = BUFFER_INIT;
        struct outcome outcome;

        build(&row->source, &b);
        outcome = feed_all(&b, 0, b.len);
        check_good(row->name, row, b.len, &outcome);
        outcome = feed_all(&b, 0, 1);
        check_good(unit_case("%s, by byte", row->name), row, b.len, &outcome);
        for (size_t cut = 1; cut < b.len && b.len <= SHORT_BYTES; cut++) {
            outcome = feed_all(&b, cut, b.len);
            check_good(unit_case("%s, cut at %zu", row->name, cut), row, b.len,
                       &outcome);
        }
        buffer_release(&b);
    }
}

/* A part of a request is never a whole one, and never garbage. */
static void
test_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        const struct good_row *row = &good_rows[i];
        struct buffer b = BUFFER_INIT;

        build(&row->source, &b);
        for (size_t len = 1; len < b.len && b.len <= SHORT_BYTES; len++) {
            struct buffer part = { b.data, len, len, true };
            struct outcome outcome = feed_all(&part, 0, len);

            ASSERT_INT(unit_case("%zu bytes of %s", len, row->name),
                       outcome.result,
                       len == row->params_at ? FASTCGI_PARAMS : FASTCGI_MORE);
        }
        buffer_release(&b);
    }
}

/* What follows a request on a kept connection is left for the next scan. */
static void
test_behind(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        const struct good_row *row = &good_rows[i];
        struct buffer b = BUFFER_INIT;
        struct outcome outcome;
        struct buffer rest;
        size_t len;

        build(&row->source, &b);
        len = b.len;
        build(&good_rows[0].source, &b);
        outcome = feed_all(&b, 0, b.len);
        check_good(row->name, row, len, &outcome);
        rest = (struct buffer){ b.data + len, b.len - len, b.len - len, true };
        outcome = feed_all(&rest, 0, rest.len);
        check_good("the next", &good_rows[0], rest.len, &outcome);
        buffer_release(&b);
    }
}

static const struct bad_row {
    const char *name;
    struct source source;
} bad_rows[] = {
    { "version 2", PIECES({ RAW, 0, BYTES("\2\1\1\2\0\10\0\0"), 0 }) },
    { "version 0", PIECES({ RAW, 0, BYTES("\0\1\1\2\0\10\0\0"), 0 }) },
    { "version of a later record",
      PIECES(BEGIN, { RAW, 0, BYTES("\2\4\1\2\0\0\0\0"), 0 }) },
    { "HTTP", PIECES({ RAW, 0, BYTES("POST / HTTP/1.1\r\n"), 0 }) },
    { "parameters first", PIECES(PARAMS("\4\5NAMEvalue"), END) },
    { "body before the parameters' end",
      PIECES(BEGIN, PARAMS("\4\5NAMEvalue"), BODY("")) },
    { "body instead of parameters", PIECES(BEGIN, BODY("01234"), BODY("")) },
    { "parameters again",
      PIECES(BEGIN, PARAMS(""), PARAMS("\4\5NAMEvalue"), END) },
    { "parameters in the body", PIECES(BEGIN, PARAMS(""), BODY("0"), END) },
    { "begin again", PIECES(BEGIN, BEGIN, END) },
    { "begin in the body", PIECES(BEGIN, PARAMS(""), BEGIN, BODY("")) },
    { "data record", PIECES(BEGIN, PARAMS(""), RECORD(FCGI_DATA, "0")) },
    { "end record",
      PIECES(BEGIN, RECORD(FCGI_END_REQUEST, "\0\0\0\0\0\0\0\0")) },
    { "management record",
      PIECES({ FCGI_GET_VALUES, 0, BYTES("\17\0FCGI_MPXS_CONNS"), 0 }) },
    { "type zero", PIECES(RECORD(0, "\0\1\0\0\0\0\0\0")) },
    { "other ID, high byte",
      PIECES(BEGIN, { FCGI_PARAMS, ID ^ 0x0100, BYTES("\1\1Ab"), 0 }) },
    { "other ID, low byte",
      PIECES(BEGIN, { FCGI_PARAMS, ID ^ 1, BYTES("\1\1Ab"), 0 }) },
    { "other ID in the body",
      PIECES(BEGIN, PARAMS(""), { FCGI_STDIN, ID + 1, BYTES(""), 0 }) },
    { "request ID zero",
      PIECES({ FCGI_BEGIN_REQUEST, 0, BYTES("\0\1\1\0\0\0\0\0"), 0 }) },
    { "abort first", PIECES(RECORD(FCGI_ABORT_REQUEST, "")) },
    { "abort among parameters",
      PIECES(BEGIN, PARAMS("\1\1Ab"), RECORD(FCGI_ABORT_REQUEST, "")) },
    { "abort in the body", PIECES(BEGIN, PARAMS(""), BODY("01234"),
                                  RECORD(FCGI_ABORT_REQUEST, "")) },
    { "begin empty", PIECES(RECORD(FCGI_BEGIN_REQUEST, ""), END) },
    { "begin short",
      PIECES(RECORD(FCGI_BEGIN_REQUEST, "\0\1\1\0\0\0\0"), END) },
    { "begin long",
      PIECES(RECORD(FCGI_BEGIN_REQUEST, "\0\1\1\0\0\0\0\0\0"), END) },
    { "huge name", PIECES(BEGIN, PARAMS("\xff\xff\xff\xff\0")) },
    { "huge value", PIECES(BEGIN, PARAMS("\1\xff\xff\xff\xff")) },
    { "name of 65537", PIECES(BEGIN, PARAMS("\x80\1\0\1\0")) },
    { "cut in the value", PIECES(BEGIN, PARAMS("\4\5NAMEvalu"), END) },
    { "cut before the value", PIECES(BEGIN, PARAMS("\4\5NAME"), END) },
    { "cut in the name", PIECES(BEGIN, PARAMS("\4\5NAM"), END) },
    { "cut before the name", PIECES(BEGIN, PARAMS("\4\5"), END) },
    { "cut between lengths", PIECES(BEGIN, PARAMS("\1\1Ab\4"), END) },
    { "cut in the first length", PIECES(BEGIN, PARAMS("\x80\0\0"), END) },
    { "cut in the second length", PIECES(BEGIN, PARAMS("\4\x80\0\0"), END) },
    { "too many bytes", BUILT(build_too_many_bytes) },
    { "too many bytes in pairs", BUILT(build_too_many_pairs) },
    { "too many parameters", BUILT(build_too_many_params) },
    { "too many empty parameters", BUILT(build_too_many_empty_params) },
};

static void
test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_rows); i++) {
        const struct bad_row *row = &bad_rows[i];
        struct buffer b = BUFFER_INIT;

        build(&row->source, &b);
        ASSERT_INT(row->name, feed_all(&b, 0, b.len).result, FASTCGI_GARBAGE);
        ASSERT_INT(unit_case("%s, by byte", row->name),
                   feed_all(&b, 0, 1).result, FASTCGI_GARBAGE);
        for (size_t cut = 1; cut < b.len && b.len <= SHORT_BYTES; cut++) {
            ASSERT_INT(unit_case("%s, cut at %zu", row->name, cut),
                       feed_all(&b, cut, b.len).result, FASTCGI_GARBAGE);
        }
        buffer_release(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_behind),
        cmocka_unit_test(test_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
