/*
 * Pieces by the headers of resumable uploads: tus, the IETF's drafts, FilePond.
 * What the clients send, as their sources have it, and what is malformed or
 * contradicts itself.
 */
#include "piece_rows_unit.h"

#define TUS  .tus_resumable = "1.0.0"
#define DATA .content_type = "application/offset+octet-stream"

static const struct row tus_rows[] = {
    { "creation",
      { TUS, POST("/files/"), .upload_length = "100", LEN(0) },
      "tus creation 0+0/100" },
    { "creation of an empty file",
      { TUS, POST("/files/"), .upload_length = "0", LEN(0) },
      "tus creation 0+0/0 last" },
    { "creation, length deferred",
      { TUS, POST("/files/"), .upload_defer_length = "1", LEN(0) },
      "tus creation 0+0/?" },
    { "creation with upload",
      { TUS, POST("/files/"), DATA, .upload_length = "100", LEN(5) },
      "tus creation 0+5/100" },
    { "creation with all of it",
      { TUS, POST("/files/"), DATA, .upload_length = "100", LEN(100) },
      "tus creation 0+100/100 last" },
    { "creation with upload, chunked",
      { TUS, POST("/files/"), DATA, .upload_length = "100", LEN(-1) },
      "tus creation 0+?/100" },
    { "creation with upload, length deferred",
      { TUS, POST("/files/"), DATA, .upload_defer_length = "1", LEN(5) },
      "tus creation 0+5/?" },
    { "creation with a body that is no data",
      { TUS, POST("/files/"), .content_type = "application/json",
        .upload_length = "1", LEN(5) },
      "tus creation 0+0/1" },
    { "data",
      { TUS, .method = "PATCH", .uri = "/files/24e5", DATA,
        .upload_offset = "70", LEN(30) },
      "tus data 70+30/? /files/24e5" },
    { "data, chunked",
      { TUS, .method = "PATCH", .uri = "/files/24e5", DATA,
        .upload_offset = "70", LEN(-1) },
      "tus data 70+?/? /files/24e5" },
    { "data that tells the deferred length",
      { TUS, .method = "PATCH", .uri = "/files/24e5", DATA,
        .upload_offset = "70", .upload_length = "100", LEN(30) },
      "tus data 70+30/100 last /files/24e5" },
    { "overridePatchMethod",
      { TUS, POST("/files/24e5"), .method_override = "PATCH", DATA,
        .upload_offset = "0", LEN(30) },
      "tus data 0+30/? /files/24e5" },
    { "override of another method",
      { TUS, .method = "GET", .uri = "/files/24e5", .method_override = "delete",
        LEN(-1) },
      "tus termination ?+0/? /files/24e5" },
    { "how far",
      { TUS, .method = "HEAD", .uri = "/files/24e5?a=1", LEN(-1) },
      "tus offset ?+0/? /files/24e5" },
    { "termination",
      { TUS, .method = "DELETE", .uri = "/files/24e5", LEN(0) },
      "tus termination ?+0/? /files/24e5" },
    { "parallelUploads, a part",
      { TUS, POST("/files/"), .upload_concat = "partial", .upload_length = "50",
        LEN(0) },
      "tus creation 0+0/50 partial" },
    { "parallelUploads, data of a part",
      { TUS, .method = "PATCH", .uri = "/files/24e5", DATA,
        .upload_concat = "partial", .upload_offset = "0", LEN(5) },
      "tus data 0+5/? partial /files/24e5" },
    { "parallelUploads, all",
      { TUS, POST("/files/"),
        .upload_concat = "final;https://h/files/a https://h/files/b", LEN(0) },
      "tus concatenation ?+0/?" },
    { "download",
      { TUS, .method = "GET", .uri = "/files/24e5", LEN(-1) },
      "none" },
    { "options",
      { TUS, .method = "OPTIONS", .uri = "/files/", LEN(-1) },
      "none" },
    { "beside URLSession's header",
      { TUS, .method = "PATCH", .uri = "/files/24e5", DATA,
        .upload_offset = "70", .upload_complete = "?1", LEN(30) },
      "tus data 70+30/? /files/24e5" },
    { "another version",
      { .tus_resumable = "0.2.2",
        POST("/files/"),
        .upload_length = "1",
        LEN(0) },
      "Tus-Resumable: is not of version 1" },
    { "no length",
      { TUS, POST("/files/"), LEN(0) },
      "Upload-Length: is missing" },
    { "both lengths",
      { TUS, POST("/files/"), .upload_length = "1", .upload_defer_length = "1",
        LEN(0) },
      "Upload-Defer-Length: contradicts Upload-Length" },
    { "deferred, but not by 1",
      { TUS, POST("/files/"), .upload_defer_length = "true", LEN(0) },
      "Upload-Defer-Length: is not 1" },
#define BAD_NUMBER(text)                                                  \
    { "length " text,                                                     \
      { TUS, POST("/files/"), .upload_length = (text), LEN(0) },          \
      "Upload-Length: is no number of bytes" },                           \
        { "offset " text,                                                 \
          { TUS, .method = "PATCH", .uri = "/f", .upload_offset = (text), \
            LEN(0) },                                                     \
          "Upload-Offset: is no number of bytes" },                       \
        { "FilePond's offset " text,                                      \
          { .method = "PATCH",                                            \
            .uri = "/f",                                                  \
            .upload_offset = (text),                                      \
            .upload_length = "1",                                         \
            LEN(0) },                                                     \
          "Upload-Offset: is no number of bytes" },                       \
    {                                                                     \
        "draft's offset " text,                                           \
            { .method = "PATCH",                                          \
              .uri = "/f",                                                \
              .upload_offset = (text),                                    \
              .upload_complete = "?0",                                    \
              LEN(0) },                                                   \
            "Upload-Offset: is no number of bytes"                        \
    }
    BAD_NUMBER("-1"),
    BAD_NUMBER("+1"),
    BAD_NUMBER("1.0"),
    BAD_NUMBER("0x1"),
    BAD_NUMBER("1e3"),
    BAD_NUMBER("1, 1"),
    BAD_NUMBER("abc"),
    BAD_NUMBER("9223372036854775808"),
    BAD_NUMBER("99999999999999999999999999"),
    { "no offset",
      { TUS, .method = "PATCH", .uri = "/files/24e5", LEN(5) },
      "Upload-Offset: is missing" },
    { "offset beyond the total",
      { TUS, .method = "PATCH", .uri = "/f", .upload_offset = "101",
        .upload_length = "100", LEN(0) },
      "Upload-Offset: is beyond the total" },
    { "end beyond the total",
      { TUS, .method = "PATCH", .uri = "/f", .upload_offset = "99",
        .upload_length = "100", LEN(2) },
      "Content-Length: goes beyond the total" },
    { "end beyond all",
      { TUS, .method = "PATCH", .uri = "/f",
        .upload_offset = "2305843009213693951",
        .upload_length = "2305843009213693951", LEN(1) },
      "Upload-Offset: is too large" },
    { "end beyond all, total not known",
      { TUS, .method = "PATCH", .uri = "/f",
        .upload_offset = "2305843009213693951", LEN(1) },
      "Upload-Offset: is too large" },
    { "creation with more than all",
      { TUS, POST("/files/"), DATA, .upload_length = "4", LEN(5) },
      "Content-Length: goes beyond the total" },
    { "neither partial nor final",
      { TUS, POST("/files/"), .upload_concat = "parts", .upload_length = "1",
        LEN(0) },
      "Upload-Concat: is neither partial nor final" },
    { "final with a length",
      { TUS, POST("/files/"), .upload_concat = "final;/a /b",
        .upload_length = "1", LEN(0) },
      "Upload-Length: stands with a final Upload-Concat" },
};

static void
test_tus(void **state)
{
    (void)state;
    check_rows(tus_rows, COUNT(tus_rows));
}

#define APPEND                                \
    .method = "PATCH", .uri = "/uploads/abc", \
    .content_type = "application/partial-upload"

static const struct row draft_rows[] = {
    { "all in one request",
      { POST("/project/123/files"), .upload_complete = "?1",
        .upload_length = "123456789", LEN(123456789) },
      "draft creation 0+123456789/123456789 last" },
    { "all in one request, chunked",
      { PUT("/project/123/files"), .upload_complete = "?1", LEN(-1) },
      "draft creation 0+?/? last" },
    { "all in one request, a form as what it is",
      { POST("/f"), FORM, .upload_complete = "?1", LEN(100) },
      "draft creation 0+100/100 last" },
    { "first part",
      { POST("/upload"), .upload_complete = "?0", .upload_length = "123456789",
        LEN(23456789) },
      "draft creation 0+23456789/123456789" },
    /* tus-js-client with protocol: 'ietf-draft-05'. */
    { "creation without data",
      { POST("/files/"), .upload_complete = "?0", .upload_length = "11",
        LEN(0) },
      "draft creation 0+0/11" },
    { "part",
      { APPEND, .upload_offset = "5", .upload_complete = "?0", LEN(5) },
      "draft data 5+5/? /uploads/abc" },
    { "last part",
      { APPEND, .upload_offset = "10", .upload_complete = "?1", LEN(1) },
      "draft data 10+1/11 last /uploads/abc" },
    { "last part, empty",
      { APPEND, .upload_offset = "11", .upload_complete = "?1", LEN(0) },
      "draft data 11+0/11 last /uploads/abc" },
    { "last part, chunked",
      { APPEND, .upload_offset = "10", .upload_complete = "?1", LEN(-1) },
      "draft data 10+?/? last /uploads/abc" },
    { "last part, chunked, with the length",
      { APPEND, .upload_offset = "10", .upload_complete = "?1",
        .upload_length = "11", LEN(-1) },
      "draft data 10+?/11 last /uploads/abc" },
    { "interop version 3",
      { .method = "PATCH",
        .uri = "/uploads/abc",
        .upload_offset = "10",
        .upload_incomplete = "?0",
        LEN(1) },
      "draft data 10+1/11 last /uploads/abc" },
    { "interop version 3, creation",
      { POST("/uploads"), .upload_incomplete = "?1", LEN(1) },
      "draft creation 0+1/?" },
    { "creation by PATCH",
      { .method = "PATCH",
        .uri = "/doc",
        .content_type = "text/plain",
        .upload_complete = "?1",
        LEN(5) },
      "draft creation 0+5/5 last" },
    { "creation with offset 0",
      { POST("/uploads"), .upload_complete = "?0", .upload_offset = "0",
        LEN(5) },
      "draft creation 0+5/?" },
    { "structured fields",
      { APPEND, .upload_offset = "010;a", .upload_complete = " ?1 ; b=\"c\"",
        .upload_length = "000000000000011", LEN(1) },
      "draft data 10+1/11 last /uploads/abc" },
    { "HEAD of a client that marks it",
      { .method = "HEAD",
        .uri = "/uploads/abc",
        .upload_complete = "?0",
        LEN(-1) },
      "draft offset ?+0/? /uploads/abc" },
    { "DELETE of a client that marks it",
      { .method = "DELETE",
        .uri = "/uploads/abc",
        .upload_complete = "?1",
        LEN(-1) },
      "draft termination ?+0/? /uploads/abc" },
    { "no boolean",
      { POST("/u"), .upload_complete = "1", LEN(5) },
      "Upload-Complete: is no boolean" },
    { "no boolean, a list",
      { POST("/u"), .upload_complete = "?1, ?1", LEN(5) },
      "Upload-Complete: is no boolean" },
    { "no boolean, longer",
      { POST("/u"), .upload_complete = "?10", LEN(5) },
      "Upload-Complete: is no boolean" },
    { "no boolean, a question mark",
      { POST("/u"), .upload_complete = "?", LEN(5) },
      "Upload-Complete: is no boolean" },
    { "no boolean, the old header",
      { POST("/u"), .upload_incomplete = "true", LEN(5) },
      "Upload-Incomplete: is no boolean" },
    { "both headers, the same said",
      { POST("/u"), .upload_complete = "?0", .upload_incomplete = "?1",
        LEN(5) },
      "draft creation 0+5/?" },
    { "both headers, one denies the other",
      { POST("/u"), .upload_complete = "?1", .upload_incomplete = "?1",
        LEN(5) },
      "Upload-Incomplete: contradicts Upload-Complete" },
    { "a number of 16 digits",
      { APPEND, .upload_offset = "1000000000000000", .upload_complete = "?0",
        LEN(5) },
      "Upload-Offset: is no number of bytes" },
    { "no offset",
      { APPEND, .upload_complete = "?0", LEN(5) },
      "Upload-Offset: is missing" },
    { "creation with an offset",
      { POST("/u"), .upload_complete = "?0", .upload_offset = "5", LEN(5) },
      "Upload-Offset: stands with a creation" },
    { "length is not where it ends",
      { APPEND, .upload_offset = "10", .upload_complete = "?1",
        .upload_length = "12", LEN(1) },
      "Upload-Length: is not where the last piece ends" },
    { "beyond the length",
      { APPEND, .upload_offset = "10", .upload_complete = "?0",
        .upload_length = "12", LEN(3) },
      "Content-Length: goes beyond the total" },
    { "offset beyond the length",
      { APPEND, .upload_offset = "13", .upload_complete = "?0",
        .upload_length = "12", LEN(-1) },
      "Upload-Offset: is beyond the total" },
    { "beyond all",
      { APPEND, .upload_offset = "999999999999999", .upload_complete = "?1",
        LEN(2305843009213693951) },
      "Upload-Offset: is too large" },
    { "a body beyond all",
      { APPEND, .upload_offset = "0", .upload_complete = "?1", LEN(INT64_MAX) },
      "Content-Length: is beyond any file" },
    /* What URLSession adds to the pieces of another protocol. */
    { "URLSession's, range",
      { PUT("/u"), .upload_complete = "?1", .content_range = "bytes 5-9/20",
        LEN(5) },
      "Content-Range data 5+5/20" },
    { "URLSession's, arguments",
      { PUT("/u?chunk=1&chunks=3"), .upload_complete = "?1", LEN(5) },
      "plupload data 5+5/? #1 of 3" },
    { "URLSession's, FilePond",
      { .method = "PATCH",
        .uri = "/f?patch=a",
        .upload_complete = "?1",
        .upload_offset = "5",
        .upload_length = "20",
        LEN(5) },
      "Upload-Length: is not where the last piece ends" },
    { "a part is none of URLSession's",
      { PUT("/u"), .upload_complete = "?0", .content_range = "bytes 5-9/20",
        LEN(5) },
      "draft creation 0+5/?" },
};

static void
test_draft(void **state)
{
    (void)state;
    check_rows(draft_rows, COUNT(draft_rows));
}

#define FILEPOND .method = "PATCH", DATA

static const struct row filepond_rows[] = {
    { "creation",
      { POST("/api/"), FORM, .upload_length = "11", LEN(150) },
      "FilePond creation 0+0/11" },
    { "data, default URL",
      { FILEPOND, .uri = "/api/?patch=4f1b", .upload_offset = "0",
        .upload_length = "11", LEN(5) },
      "FilePond data 0+5/11 /api/?patch=4f1b" },
    { "data, URL with a path",
      { FILEPOND, .uri = "/api/4f1b", .upload_offset = "10",
        .upload_length = "11", LEN(1) },
      "FilePond data 10+1/11 last /api/4f1b" },
    { "data, an empty transfer ID",
      { FILEPOND, .uri = "/api/4f1b?patch=", .upload_offset = "10",
        .upload_length = "11", LEN(1) },
      "FilePond data 10+1/11 last /api/4f1b" },
    { "data, the empty piece at the end",
      { FILEPOND, .uri = "/api/?patch=4f1b", .upload_offset = "10",
        .upload_length = "10", LEN(0) },
      "FilePond data 10+0/10 last /api/?patch=4f1b" },
    { "transfer ID encoded",
      { FILEPOND, .uri = "/api/?patch=a%2fb%41 \"", .upload_offset = "0",
        .upload_length = "10", LEN(5) },
      "FilePond data 0+5/10 /api/?patch=a%2FbA%20%22" },
    { "how far",
      { .method = "HEAD", .uri = "/api/?patch=4f1b", LEN(-1) },
      "FilePond offset ?+0/? /api/?patch=4f1b" },
    { "data by POST",
      { POST("/api/4f1b"), .method_override = "PATCH", DATA,
        .upload_offset = "0", .upload_length = "11", LEN(5) },
      "FilePond data 0+5/11 /api/4f1b" },
    { "the override is of POST alone",
      { PUT("/api/4f1b"), .method_override = "PATCH", DATA,
        .upload_offset = "0", .upload_length = "11", LEN(5) },
      "none" },
    { "any HEAD", { .method = "HEAD", .uri = "/api/4f1b", LEN(-1) }, "none" },
    { "any PATCH", { FILEPOND, .uri = "/api/?patch=4f1b", LEN(5) }, "none" },
    { "a length alone",
      { POST("/u"), .upload_length = "11", LEN(11) },
      "none" },
    { "length is no number",
      { POST("/api/"), FORM, .upload_length = "x", LEN(150) },
      "Upload-Length: is no number of bytes" },
    { "offset beyond the total",
      { FILEPOND, .uri = "/api/?patch=4f1b", .upload_offset = "12",
        .upload_length = "11", LEN(0) },
      "Upload-Offset: is beyond the total" },
    { "end beyond the total",
      { FILEPOND, .uri = "/api/?patch=4f1b", .upload_offset = "10",
        .upload_length = "11", LEN(2) },
      "Content-Length: goes beyond the total" },
};

static void
test_filepond(void **state)
{
    (void)state;
    check_rows(filepond_rows, COUNT(filepond_rows));
}

static void
test_concatenated(void **state)
{
    static const struct {
        const char *header;
        const char *ids; /* each with '|' behind */
    } rows[] = {
        { "final;/files/a /files/b", "/files/a|/files/b|" },
        { "final;https://h/files/a https://h:8080/files/b?x=1",
          "/files/a|/files/b|" },
        { "final;a  ../b ", "/files/a|/b|" },
        { "final;ftp://h/a /files/b", "|/files/b|" },
        { "final;", "" },
        { "final; ", "" },
        { "partial", "" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct piece_request request = pieces_request(&(struct piece_request){
            TUS, POST("/files/"), .upload_concat = rows[i].header });
        struct pieces_line line = { .len = 0 };
        char id[UPLOAD_ID_MAX + 1];
        const char *at = NULL;

        while (piece_concatenated(&request, &at, id)) {
            pieces_add(&line, "%s|", id);
        }
        ASSERT_TEXT(rows[i].header, line.text, rows[i].ids);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tus),
        cmocka_unit_test(test_draft),
        cmocka_unit_test(test_filepond),
        cmocka_unit_test(test_concatenated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
