/*
 * Pieces by their ranges and sessions, in headers: what the clients send, as
 * their sources have it, and what is malformed or contradicts itself.
 */
#include "piece_rows_unit.h"

static const struct row range_rows[] = {
    { "none at all", { POST("/u"), LEN(5) }, "none" },
    /* jquery.fileupload.js: a form by default, or the blob alone. */
    { "blueimp, form",
      { POST("/u"), FORM, .content_range = "bytes 0-9999999/26214400",
        LEN(10000312) },
      "Content-Range data 0+10000000/26214400 form" },
    { "blueimp, form, last",
      { POST("/u"), FORM, .content_range = "bytes 20000000-26214399/26214400",
        LEN(6214712) },
      "Content-Range data 20000000+6214400/26214400 last form" },
    { "blueimp, multipart: false",
      { PUT("/u"), .content_type = "video/mp4",
        .content_range = "bytes 10-19/25", LEN(10) },
      "Content-Range data 10+10/25" },
    { "total not known",
      { PUT("/u"), .content_range = "bytes 10-19/*", LEN(10) },
      "Content-Range data 10+10/?" },
    { "length of the body not known",
      { PUT("/u"), .content_range = "bytes 10-19/20", LEN(-1) },
      "Content-Range data 10+10/20 last" },
    { "one byte",
      { PUT("/u"), .content_range = "bytes 0-0/1", LEN(1) },
      "Content-Range data 0+1/1 last" },
    { "unit in capitals",
      { PUT("/u"), .content_range = "Bytes 0-0/1", LEN(1) },
      "Content-Range data 0+1/1 last" },
    { "the largest",
      { PUT("/u"),
        .content_range = "bytes 0-2305843009213693950/2305843009213693951",
        LEN(-1) },
      "Content-Range data 0+2305843009213693951/2305843009213693951 last" },
    { "larger than the largest",
      { PUT("/u"),
        .content_range = "bytes 0-2305843009213693951/2305843009213693952",
        LEN(-1) },
      "Content-Range: is no range of bytes" },
    { "other unit",
      { PUT("/u"), .content_range = "pages 1-2/3", LEN(5) },
      "none" },
    { "other unit, longer name",
      { PUT("/u"), .content_range = "bytesx 1-2/3", LEN(5) },
      "none" },
    /* Google's: how far is it? */
    { "question with total",
      { PUT("/u?upload_id=1"), .content_range = "bytes */2000", LEN(0) },
      "Content-Range offset ?+0/2000" },
    { "question without total",
      { PUT("/u?upload_id=1"), .content_range = "bytes */*", LEN(0) },
      "Content-Range offset ?+0/?" },
    { "of a GET it means nothing",
      { .method = "GET", .uri = "/u", .content_range = "bytes 0-1/2", LEN(-1) },
      "none" },
    { "of a GET, malformed",
      { .method = "GET", .uri = "/u", .content_range = "bytes x", LEN(-1) },
      "none" },
#define BAD_RANGE(text)                                               \
    { text,                                                           \
      { PUT("/u"), .content_range = (text), LEN(10) },                \
      "Content-Range: is no range of bytes" },                        \
    {                                                                 \
        "X-" text, { PUT("/u"), .x_content_range = (text), LEN(10) }, \
            "X-Content-Range: is no range of bytes"                   \
    }
    BAD_RANGE("bytes"),
    BAD_RANGE("bytes "),
    BAD_RANGE("bytes=0-9/10"),
    BAD_RANGE("bytes\x20-9/10"),
    BAD_RANGE("bytes 0-/10"),
    BAD_RANGE("bytes 0-9"),
    BAD_RANGE("bytes 0-9/"),
    BAD_RANGE("bytes 0-9/x"),
    BAD_RANGE("bytes 0-9/10 "),
    BAD_RANGE("bytes 0-9 /10"),
    BAD_RANGE("bytes 0 - 9/10"),
    BAD_RANGE("bytes +0-9/10"),
    BAD_RANGE("bytes 0-9/-10"),
    BAD_RANGE("bytes 0x0-9/10"),
    BAD_RANGE("bytes 9-0/10"),
    BAD_RANGE("bytes 0-10/10"),
    BAD_RANGE("bytes 5-14/10"),
    BAD_RANGE("bytes 0-0/0"),
    BAD_RANGE("bytes 0-9/10, bytes 0-9/10"),
    BAD_RANGE("bytes 0-9,20-29/30"),
    BAD_RANGE("bytes */"),
    BAD_RANGE("bytes */x"),
    BAD_RANGE("bytes */10x"),
    BAD_RANGE("bytes *"),
    BAD_RANGE("bytes 0-9223372036854775807/*"),
    BAD_RANGE("bytes 0-9/9223372036854775808"),
    BAD_RANGE("bytes 99999999999999999999-99999999999999999999/*"),
    { "shorter body",
      { PUT("/u"), .content_range = "bytes 0-9/10", LEN(9) },
      "Content-Length: is not the length of the piece" },
    { "longer body",
      { PUT("/u"), .content_range = "bytes 0-9/10", LEN(11) },
      "Content-Length: is not the length of the piece" },
    { "form without room for its own",
      { POST("/u"), FORM, .content_range = "bytes 0-9/10", LEN(10) },
      "Content-Length: is shorter than the piece in the form" },
};

static void
test_ranges(void **state)
{
    (void)state;
    check_rows(range_rows, COUNT(range_rows));
}

static const struct row session_rows[] = {
    /* upload-protocol.md, example 1 and 3 (of which the length is short). */
    { "first segment",
      { POST("/upload"), .content_type = "application/octet-stream",
        .x_content_range = "bytes 0-51200/511920", .session_id = "1111215056",
        LEN(51201) },
      "session data 0+51201/511920 1111215056" },
    { "last segment",
      { POST("/upload"), .content_type = "application/octet-stream",
        .x_content_range = "bytes 460809-511919/511920",
        .x_session_id = "1111215056", LEN(51111) },
      "session data 460809+51111/511920 last 1111215056" },
    /* nginx-big-upload. */
    { "Content-Range with X-Session-Id",
      { PUT("/upload"), .content_range = "bytes 0-9/20", .x_session_id = "a1b2",
        LEN(10) },
      "session data 0+10/20 a1b2" },
    { "the server makes the session",
      { PUT("/upload"), .x_content_range = "bytes 0-9/20", LEN(10) },
      "session data 0+10/20" },
    { "an empty file",
      { PUT("/upload"), .content_range = "bytes 0-0/0", .session_id = "a",
        LEN(0) },
      "session data 0+0/0 last a" },
    { "both of both, the same",
      { PUT("/upload"), .content_range = "bytes 0-9/20",
        .x_content_range = "bytes  0-9/20", .session_id = "a",
        .x_session_id = "a", LEN(10) },
      "session data 0+10/20 a" },
    { "another unit beside it",
      { PUT("/upload"), .content_range = "lines 0-9/20",
        .x_content_range = "bytes 0-9/20", .session_id = "a", LEN(10) },
      "session data 0+10/20 a" },
    { "an ID that cannot be one",
      { PUT("/upload"), .content_range = "bytes 0-9/20",
        .session_id = "a\xc3\xa4", LEN(10) },
      "session data 0+10/20" },
    { "a session alone", { POST("/u"), .session_id = "a", LEN(10) }, "none" },
    { "two ranges",
      { PUT("/upload"), .content_range = "bytes 0-9/20",
        .x_content_range = "bytes 10-19/20", .session_id = "a", LEN(10) },
      "X-Content-Range: differs from Content-Range" },
    { "a range and a question",
      { PUT("/upload"), .content_range = "bytes 0-9/20",
        .x_content_range = "bytes */20", .session_id = "a", LEN(10) },
      "X-Content-Range: differs from Content-Range" },
    { "two sessions",
      { PUT("/upload"), .content_range = "bytes 0-9/20", .session_id = "a",
        .x_session_id = "b", LEN(10) },
      "X-Session-ID: differs from Session-ID" },
};

static void
test_sessions(void **state)
{
    (void)state;
    check_rows(session_rows, COUNT(session_rows));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_sessions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
