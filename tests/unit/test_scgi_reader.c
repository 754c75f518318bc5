/*
 * The SCGI header reader: netstrings whole, in parts and broken; the list of
 * parameters in them, by https://python.ca/scgi/protocol.txt.
 */
#include "unit.h"

#include "buffer.h"
#include "connection.h"
#include "scgi_reader.h"

/* A parameter as it is expected. */
struct pair {
    const char *name;
    const char *value;
};

static const struct scan_row {
    const char *name;
    const char *data;
    size_t len;
    enum scgi_result result;
    size_t header_len; /* where complete */
} scan_rows[] = {
    { "whole", BYTES("5:hello,"), SCGI_COMPLETE, 8 },
    { "one byte", BYTES("1:x,"), SCGI_COMPLETE, 4 },
    { "comma within", BYTES("5:he,lo,"), SCGI_COMPLETE, 8 },
    { "colon within", BYTES("5:he:lo,"), SCGI_COMPLETE, 8 },
    { "NUL within", BYTES("5:he\0lo,"), SCGI_COMPLETE, 8 },
    { "leading zeros", BYTES("0005:hello,"), SCGI_COMPLETE, 11 },
    { "eight digits", BYTES("00000005:hello,"), SCGI_COMPLETE, 15 },
    { "body behind", BYTES("5:hello,body"), SCGI_COMPLETE, 8 },
    { "commas behind", BYTES("5:hello,,,"), SCGI_COMPLETE, 8 },

    { "nothing", BYTES(""), SCGI_MORE, 0 },
    { "a digit", BYTES("5"), SCGI_MORE, 0 },
    { "digits", BYTES("00005"), SCGI_MORE, 0 },
    { "colon", BYTES("5:"), SCGI_MORE, 0 },
    { "last byte missing", BYTES("5:hell"), SCGI_MORE, 0 },
    { "comma missing", BYTES("5:hello"), SCGI_MORE, 0 },
    { "longest", BYTES("65536:"), SCGI_MORE, 0 },

    { "semicolon for comma", BYTES("5:hello;"), SCGI_GARBAGE, 0 },
    { "NUL for comma", BYTES("5:hello\0"), SCGI_GARBAGE, 0 },
    { "length too small", BYTES("4:hello,"), SCGI_GARBAGE, 0 },
    { "no colon", BYTES("5hello,"), SCGI_GARBAGE, 0 },
    { "blank before colon", BYTES("5 :hello,"), SCGI_GARBAGE, 0 },
    { "no digits", BYTES(":hello,"), SCGI_GARBAGE, 0 },
    { "negative", BYTES("-5:hello,"), SCGI_GARBAGE, 0 },
    { "plus", BYTES("+5:hello,"), SCGI_GARBAGE, 0 },
    { "blank first", BYTES(" 5:hello,"), SCGI_GARBAGE, 0 },
    { "hexadecimal", BYTES("0x5:hello,"), SCGI_GARBAGE, 0 },
    { "nine digits", BYTES("000000005:hello,"), SCGI_GARBAGE, 0 },
    { "nine digits, no colon yet", BYTES("000000000"), SCGI_GARBAGE, 0 },
    { "one too long", BYTES("65537:"), SCGI_GARBAGE, 0 },
    { "too long, no colon yet", BYTES("65537"), SCGI_GARBAGE, 0 },
    { "5 modulo 2^32", BYTES("4294967301:hello,"), SCGI_GARBAGE, 0 },
    { "5 modulo 2^64", BYTES("18446744073709551621:hello,"), SCGI_GARBAGE, 0 },
    { "empty header", BYTES("0:,"), SCGI_GARBAGE, 0 },
    { "empty header, zeros", BYTES("0000:,"), SCGI_GARBAGE, 0 },
    { "HTTP", BYTES("POST / HTTP/1.1\r\n"), SCGI_GARBAGE, 0 },
    { "FastCGI", BYTES("\1\1\0\1\0\10\0\0"), SCGI_GARBAGE, 0 },
    { "NUL", BYTES("\0"), SCGI_GARBAGE, 0 },
    { "digit beyond ASCII", BYTES("\xb5:hello,"), SCGI_GARBAGE, 0 },
};

static void
test_scan(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scan_rows); i++) {
        const struct scan_row *row = &scan_rows[i];
        char *data = unit_copy(row->data, row->len);
        size_t header_len = 0;

        ASSERT_INT(row->name, scgi_scan(data, row->len, &header_len),
                   row->result);
        if (row->result == SCGI_COMPLETE) {
            ASSERT_INT(row->name, header_len, row->header_len);
        }
        free(data);
    }
}

/* A netstring of len bytes. */
static void
netstring(struct buffer *out, size_t len)
{
    buffer_printf(out, "%zu:", len);
    for (size_t i = 0; i < len; i++) {
        buffer_append(out, ",", 1);
    }
    buffer_append(out, ",", 1);
}

static void
scan_every_part(const struct buffer *whole)
{
    size_t header_len = 0;

    for (size_t len = 0; len <= whole->len;) {
        const char *name = unit_case("%zu of %zu bytes", len, whole->len);
        char *part = unit_copy(whole->data, len);

        ASSERT_INT(name, scgi_scan(part, len, &header_len),
                   len < whole->len ? SCGI_MORE : SCGI_COMPLETE);
        free(part);
        /* The middle of a long one is all the same. */
        len += len < 100 || whole->len - len < 1100 ? 1 : 1000;
    }
    ASSERT_INT("header_len", header_len, whole->len);
}

static void
test_scan_parts(void **state)
{
    static const size_t lengths[] = {
        1, 9, 10, 11, 99, 100, 1000, REQUEST_HEADER_MAX - 1, REQUEST_HEADER_MAX
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct buffer whole = BUFFER_INIT;

        netstring(&whole, lengths[i]);
        scan_every_part(&whole);
        buffer_release(&whole);
    }
}

/* The way most of the rows below begin and end. */
#define LENGTH(number) "CONTENT_LENGTH\0" number "\0"
#define SCGI           "SCGI\0001\0"

static const struct parse_row {
    const char *name;
    const char *content; /* of the netstring */
    size_t len;
    int result;
    uint64_t content_length_bytes;
    size_t param_count;
} parse_rows[] = {
    { "least", BYTES(LENGTH("0") SCGI), 0, 0, 2 },
    { "length", BYTES(LENGTH("27") SCGI), 0, 27, 2 },
    { "more", BYTES(LENGTH("1") SCGI "A\0b\0"), 0, 1, 3 },
    { "SCGI last", BYTES(LENGTH("1") "A\0b\0" SCGI), 0, 1, 3 },
    { "empty value", BYTES(LENGTH("1") SCGI "A\0\0"), 0, 1, 3 },
    { "colon and comma", BYTES(LENGTH("1") SCGI "A:\0,\0"), 0, 1, 3 },
    { "leading zeros", BYTES(LENGTH("007") SCGI), 0, 7, 2 },
    { "largest length", BYTES(LENGTH("18446744073709551615") SCGI), 0,
      UINT64_MAX, 2 },

    { "no CONTENT_LENGTH", BYTES(SCGI "A\0b\0"), -1, 0, 0 },
    { "CONTENT_LENGTH second", BYTES(SCGI LENGTH("1")), -1, 0, 0 },
    { "another first", BYTES("A\0001\0" LENGTH("1") SCGI), -1, 0, 0 },
    { "content_length", BYTES("content_length\0001\0" SCGI), -1, 0, 0 },
    { "no SCGI", BYTES(LENGTH("1") "A\0b\0"), -1, 0, 0 },
    { "SCGI 2", BYTES(LENGTH("1") "SCGI\0002\0"), -1, 0, 0 },
    { "SCGI 10", BYTES(LENGTH("1") "SCGI\00010\0"), -1, 0, 0 },
    { "SCGI empty", BYTES(LENGTH("1") "SCGI\0\0"), -1, 0, 0 },
    { "scgi", BYTES(LENGTH("1") "scgi\0001\0"), -1, 0, 0 },

    { "no value's end", BYTES(LENGTH("1") SCGI "A\0b"), -1, 0, 0 },
    { "no value", BYTES(LENGTH("1") SCGI "A\0"), -1, 0, 0 },
    { "no name's end", BYTES(LENGTH("1") SCGI "A"), -1, 0, 0 },
    { "a NUL too many", BYTES(LENGTH("1") SCGI "\0"), -1, 0, 0 },
    { "only a name", BYTES("CONTENT_LENGTH"), -1, 0, 0 },
    { "only a NUL", BYTES("\0"), -1, 0, 0 },

    { "length empty", BYTES(LENGTH("") SCGI), -1, 0, 0 },
    { "length negative", BYTES(LENGTH("-1") SCGI), -1, 0, 0 },
    { "length with plus", BYTES(LENGTH("+1") SCGI), -1, 0, 0 },
    { "length with blank", BYTES(LENGTH(" 1") SCGI), -1, 0, 0 },
    { "length with trailer", BYTES(LENGTH("1 ") SCGI), -1, 0, 0 },
    { "length hexadecimal", BYTES(LENGTH("0x1") SCGI), -1, 0, 0 },
    { "length no number", BYTES(LENGTH("many") SCGI), -1, 0, 0 },
    { "length 2^64", BYTES(LENGTH("18446744073709551616") SCGI), -1, 0, 0 },
    { "length 2^64 + 1", BYTES(LENGTH("18446744073709551617") SCGI), -1, 0, 0 },
    { "length of 30 digits",
      BYTES(LENGTH("999999999999999999999999999999") SCGI), -1, 0, 0 },
};

/* Wraps content into a netstring; to be freed. */
static char *
wrap(const char *content, size_t len, size_t *header_len)
{
    struct buffer data = BUFFER_INIT;
    char *copy;

    buffer_printf(&data, "%zu:", len);
    buffer_append(&data, content, len);
    buffer_append_string(&data, ",");
    *header_len = data.len;
    copy = unit_copy(data.data, data.len);
    buffer_release(&data);
    return copy;
}

static void
test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(parse_rows); i++) {
        const struct parse_row *row = &parse_rows[i];
        struct request request = { .param_count = 0 };
        uint64_t bytes = 0;
        size_t header_len;
        char *data = wrap(row->content, row->len, &header_len);

        ASSERT_INT(row->name, scgi_parse(data, header_len, &request, &bytes),
                   row->result);
        if (row->result == 0) {
            ASSERT_INT(row->name, bytes, row->content_length_bytes);
            ASSERT_INT(row->name, request.param_count, row->param_count);
        }
        free(data);
    }
}

/* What nginx sends, with a body behind that is none of the reader's. */
static void
test_parse_values(void **state)
{
    static const char data[] = "66:CONTENT_LENGTH\0"
                               "4\0SCGI\0"
                               "1\0REQUEST_METHOD\0POST\0QUERY_STRING\0\0"
                               "A\0b=c d\0,A\0x\0";
    static const struct pair expected[] = {
        { "CONTENT_LENGTH", "4" },
        { "SCGI", "1" },
        { "REQUEST_METHOD", "POST" },
        { "QUERY_STRING", "" },
        { "A", "b=c d" },
    };
    struct request request = { .param_count = 0 };
    uint64_t bytes = 0;
    size_t header_len = 0;

    (void)state;
    ASSERT_INT("scan", scgi_scan(data, sizeof(data) - 1, &header_len),
               SCGI_COMPLETE);
    ASSERT_INT("parse", scgi_parse(data, header_len, &request, &bytes), 0);
    ASSERT_INT("length", bytes, 4);
    ASSERT_INT("count", request.param_count, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++) {
        ASSERT_TEXT("name", request.params[i].name, expected[i].name);
        ASSERT_TEXT("value", request.params[i].value, expected[i].value);
        ASSERT_THAT("owner", request.params[i].value > data &&
                                 request.params[i].value < data + header_len);
    }
}

/* Returns what the reader says of a header of count parameters. */
static int
parse_many(size_t count, struct request *request)
{
    struct buffer content = BUFFER_INIT;
    uint64_t bytes = 0;
    size_t header_len;
    char *data;
    int result;

    buffer_append(&content, BYTES(LENGTH("0") SCGI));
    for (size_t i = 2; i < count; i++) {
        buffer_append(&content, BYTES("A\0b\0"));
    }
    data = wrap(content.data, content.len, &header_len);
    result = scgi_parse(data, header_len, request, &bytes);
    free(data);
    buffer_release(&content);
    return result;
}

static void
test_parse_many(void **state)
{
    static const struct {
        size_t count;
        int result;
    } rows[] = {
        { 255, 0 },
        { REQUEST_PARAMS_MAX, 0 },
        { REQUEST_PARAMS_MAX + 1, -1 },
        { 1000, -1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *name = unit_case("%zu parameters", rows[i].count);
        struct request request = { .param_count = 0 };

        ASSERT_INT(name, parse_many(rows[i].count, &request), rows[i].result);
        if (rows[i].result == 0) {
            ASSERT_INT(name, request.param_count, rows[i].count);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),       cmocka_unit_test(test_scan_parts),
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_parse_values),
        cmocka_unit_test(test_parse_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
