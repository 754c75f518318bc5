/*
 * Pieces by their arguments, in the query and in forms, as resumable.js,
 * flow.js, plupload, Dropzone and Fine Uploader have them.
 */
#include "pieces_unit.h"

#define BOUNDARY   "----WebKitFormBoundaryeO4tQYAr1cLmBv2N"
#define FORM       .content_type = "multipart/form-data; boundary=" BOUNDARY
#define LEN(bytes) .content_length_bytes = (bytes)

static const struct query_row {
    const char *name;
    const char *method;
    const char *query;
    bool form;
    int64_t length_bytes;
    const char *expected;
} query_rows[] = {
#define RESUMABLE(number, current, total, chunks)                       \
    "resumableChunkNumber=" number "&resumableChunkSize=1048576"        \
    "&resumableCurrentChunkSize=" current "&resumableTotalSize=" total  \
    "&resumableType=video%2Fmp4&resumableIdentifier=2621440-film%2Dmp4" \
    "&resumableFilename=film.mp4&resumableRelativePath=film.mp4"        \
    "&resumableTotalChunks=" chunks
    { "resumable.js, octet", "POST", RESUMABLE("1", "1048576", "2621440", "2"),
      false, 1048576,
      "resumable.js data 0+1048576/2621440 #0 of 2 2621440-film-mp4" },
    { "resumable.js, the last is larger", "POST",
      RESUMABLE("2", "1572864", "2621440", "2"), false, 1572864,
      "resumable.js data 1048576+1572864/2621440 #1 of 2 last "
      "2621440-film-mp4" },
    { "resumable.js, forceChunkSize", "POST",
      RESUMABLE("3", "524288", "2621440", "3"), false, 524288,
      "resumable.js data 2097152+524288/2621440 #2 of 3 last "
      "2621440-film-mp4" },
    { "resumable.js, form", "POST", RESUMABLE("1", "1048576", "2621440", "2"),
      true, 1050000,
      "resumable.js data 0+1048576/2621440 #0 of 2 form 2621440-film-mp4" },
    { "resumable.js, an empty file", "POST", RESUMABLE("1", "0", "0", "1"),
      false, 0, "resumable.js data 0+0/0 #0 of 1 last 2621440-film-mp4" },
    /* Its chunks are still being listed while the first are sent. */
    { "resumable.js, fewer chunks than there will be", "POST",
      RESUMABLE("1", "1048576", "9000000", "1"), false, 1048576,
      "resumable.js data 0+1048576/9000000 #0 of 1 2621440-film-mp4" },
    { "resumable.js, test", "GET", RESUMABLE("1", "1048576", "2621440", "2"),
      false, -1,
      "resumable.js offset 0+1048576/2621440 #0 of 2 2621440-film-mp4" },
    { "resumable.js, test by HEAD", "HEAD",
      RESUMABLE("1", "1048576", "2621440", "2"), false, -1,
      "resumable.js offset 0+1048576/2621440 #0 of 2 2621440-film-mp4" },
    { "of DELETE it means nothing", "DELETE",
      RESUMABLE("1", "1048576", "2621440", "2"), false, -1, "none" },
    { "number below the first", "POST",
      RESUMABLE("0", "1048576", "2621440", "2"), false, 1048576,
      "resumableChunkNumber: is below the first" },
    { "number beyond the count", "POST",
      RESUMABLE("3", "524288", "2621440", "2"), false, 524288,
      "resumableChunkNumber: is beyond the number of chunks" },
    { "number beyond the file", "POST",
      RESUMABLE("4", "524288", "2621440", "4"), false, 524288,
      "resumableChunkNumber: is beyond the file" },
    { "count beyond the file", "POST",
      RESUMABLE("1", "1048576", "2621440", "4"), false, 1048576,
      "resumableTotalChunks: is beyond the file" },
    { "longer than two chunks", "POST",
      RESUMABLE("1", "2097152", "2097152", "2"), false, 2097152,
      "resumableCurrentChunkSize: is not that of a chunk" },
    { "shorter than a chunk", "POST", RESUMABLE("1", "1048575", "2621440", "2"),
      false, 1048575, "resumableCurrentChunkSize: is not that of a chunk" },
    { "beyond the file", "POST", RESUMABLE("3", "524289", "2621440", "3"),
      false, 524289, "resumableCurrentChunkSize: goes beyond the file" },
    { "another body", "POST", RESUMABLE("1", "1048576", "2621440", "2"), false,
      1048577, "Content-Length: is not the length of the piece" },
    { "a form without room for its own", "POST",
      RESUMABLE("1", "1048576", "2621440", "2"), true, 1048576,
      "Content-Length: is shorter than the piece in the form" },
    { "twice", "POST",
      RESUMABLE("1", "1048576", "2621440", "2") "&resumableChunkNumber=1",
      false, 1048576, "resumableChunkNumber: is there twice" },
    { "twice, the ID", "POST",
      RESUMABLE("1", "1048576", "2621440", "2") "&resumableIdentifier=b", false,
      1048576, "resumableIdentifier: is there twice" },
    { "a part of them", "POST", "resumableChunkNumber=1&resumableChunkSize=1",
      false, 1, "resumableCurrentChunkSize: is missing" },
    { "no number", "POST", RESUMABLE("x", "1048576", "2621440", "2"), false,
      1048576, "resumableChunkNumber: is no number" },
    { "an empty number", "POST", RESUMABLE("", "1048576", "2621440", "2"),
      false, 1048576, "resumableChunkNumber: is no number" },
    { "a negative number", "POST", RESUMABLE("1", "1048576", "-1", "2"), false,
      1048576, "resumableTotalSize: is no number" },
    { "too many digits", "POST",
      RESUMABLE("1", "1048576", "9223372036854775808", "2"), false, 1048576,
      "resumableTotalSize: is no number" },
    { "far too many digits", "POST",
      RESUMABLE("1", "1048576", "00000000000000000000000000000001", "2"), false,
      1048576, "resumableTotalSize: is no number" },
    { "digits encoded", "POST", RESUMABLE("%31", "1048576", "2621440", "2"),
      false, 1048576,
      "resumable.js data 0+1048576/2621440 #0 of 2 2621440-film-mp4" },
    { "no chunk size", "POST",
      "resumableChunkNumber=1&resumableChunkSize=0&resumableTotalSize=5"
      "&resumableCurrentChunkSize=5",
      false, 5, "resumableChunkSize: is 0" },
    { "names have their case", "POST",
      "resumablechunknumber=1&ResumableChunkNumber=1", false, 1, "none" },
    { "an ID that cannot be one", "POST",
      "resumableChunkNumber=1&resumableChunkSize=5&resumableTotalSize=5"
      "&resumableCurrentChunkSize=5&resumableIdentifier=%C3%A4",
      false, 5, "resumable.js data 0+5/5 #0 of ? last" },
    { "the largest", "POST",
      "resumableChunkNumber=2305843009213693951&resumableChunkSize=1"
      "&resumableTotalSize=2305843009213693951&resumableCurrentChunkSize=1",
      false, 1,
      "resumable.js data 2305843009213693950+1/2305843009213693951"
      " #2305843009213693950 of ? last" },
    { "flow.js, octet", "POST",
      "token=a&flowChunkNumber=2&flowChunkSize=10&flowCurrentChunkSize=15"
      "&flowTotalSize=25&flowIdentifier=25-a&flowFilename=a&flowRelativePath=a"
      "&flowTotalChunks=2",
      false, 15, "flow.js data 10+15/25 #1 of 2 last 25-a" },
    { "flow.js, test", "GET",
      "flowChunkNumber=1&flowChunkSize=10&flowCurrentChunkSize=10"
      "&flowTotalSize=25&flowIdentifier=25-a&flowTotalChunks=2",
      false, -1, "flow.js offset 0+10/25 #0 of 2 25-a" },
    { "plupload, multipart: false", "POST", "name=p1.bin&chunk=0&chunks=3",
      false, 10, "plupload data 0+10/? #0 of 3" },
    { "plupload, in the middle", "POST", "name=p1.bin&chunk=1&chunks=3", false,
      10, "plupload data 10+10/? #1 of 3" },
    { "plupload, last", "POST", "name=p1.bin&chunk=2&chunks=3", false, 5,
      "plupload data ?+5/? #2 of 3 last" },
    { "plupload, the only one", "POST", "name=p1.bin&chunk=0&chunks=1", false,
      5, "plupload data 0+5/5 #0 of 1 last" },
    { "plupload, length not known", "POST", "chunk=1&chunks=3", false, -1,
      "plupload data ?+?/? #1 of 3" },
    { "plupload, an empty file", "POST", "name=a&chunk=0&chunks=0", false, 0,
      "none" },
    { "plupload, beyond", "POST", "name=a&chunk=3&chunks=3", false, 10,
      "chunk: is beyond the number of chunks" },
    { "plupload, beyond any", "POST",
      "chunk=2305843009213693949&chunks=2305843009213693951", false, 10,
      "chunk: is beyond any file" },
    { "plupload, no number", "POST", "chunk=a&chunks=3", false, 10,
      "chunk: is no number" },
    { "a chunk of something else", "POST", "chunk=abc", false, 10, "none" },
    { "chunks of something else", "POST", "chunks=abc", false, 10, "none" },
    { "chunks of something read", "GET", "chunk=0&chunks=3", false, -1,
      "none" },
    { "Fine Uploader, paramsInBody: false", "POST",
      "qqpartindex=1&qqpartbyteoffset=2000000&qqchunksize=500000"
      "&qqtotalparts=2&qqtotalfilesize=2500000"
      "&qquuid=7e4b0f9e-5ae6-4b07-a1b0-2c1a31a5c9b5&qqfilename=a.bin",
      true, 500300,
      "Fine Uploader data 2000000+500000/2500000 #1 of 2 last form "
      "7e4b0f9e-5ae6-4b07-a1b0-2c1a31a5c9b5" },
    { "no query", "POST", NULL, false, 10, "none" },
    { "an empty query", "POST", "", false, 10, "none" },
    { "ampersands", "POST", "&&=&chunk&chunks=", false, 10, "none" },
};

static void
test_queries(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(query_rows); i++) {
        const struct query_row *row = &query_rows[i];
        char uri[1024];
        struct piece_request request = pieces_request(&(struct piece_request){
            .method = row->method, .uri = uri, LEN(row->length_bytes) });
        struct piece_fault fault;
        struct pieces_line line;
        struct piece piece;
        bool found;

        snprintf(uri, sizeof(uri), "/upload%s%s", row->query ? "?" : "",
                 row->query ? row->query : "");
        if (row->form) {
            request.content_type = "multipart/form-data; boundary=a";
        }
        found = piece_from_request(&request, &piece, &fault);
        ASSERT_TEXT(row->name, pieces_answer(found, &piece, &fault, &line),
                    row->expected);
    }
}

/* A field, and the header of the file, as Chromium writes them. */
#define FIELD(name, value)                                           \
    "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"" name \
    "\"\r\n\r\n" value "\r\n"
#define FILE_PART                                                       \
    "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; " \
    "filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
#define END "\r\n--" BOUNDARY "--\r\n"

/* The length of a body with these fields, and so many bytes of a file. */
#define BODY(fields, bytes) \
    fields FILE_PART,       \
        (int64_t)(sizeof(fields FILE_PART) - 1 + (bytes) + sizeof(END) - 1)

#define DROPZONE(index, total, size, count, offset)         \
    FIELD("dzuuid", "f2c8e1a4-0000-4000-8000-123456789abc") \
    FIELD("dzchunkindex", index)                            \
    FIELD("dztotalfilesize", total)                         \
    FIELD("dzchunksize", size)                              \
    FIELD("dztotalchunkcount", count) FIELD("dzchunkbyteoffset", offset)
#define DZ_UUID " f2c8e1a4-0000-4000-8000-123456789abc"
#define FINE(index, offset, size, count, total) \
    FIELD("qqpartindex", index)                 \
    FIELD("qqpartbyteoffset", offset)           \
    FIELD("qqchunksize", size)                  \
    FIELD("qqtotalparts", count)                \
    FIELD("qqtotalfilesize", total)             \
    FIELD("qqfilename", "a.bin") FIELD("qquuid", "7e4b0f9e")
#define FLOW                                 \
    FIELD("flowChunkNumber", "1")            \
    FIELD("flowChunkSize", "1048576")        \
    FIELD("flowCurrentChunkSize", "1048576") \
    FIELD("flowTotalSize", "2621440")        \
    FIELD("flowIdentifier", "2 a")           \
    FIELD("flowFilename", "a")               \
    FIELD("flowRelativePath", "a") FIELD("flowTotalChunks", "2")

static const struct body_row {
    const char *name;
    const char *body;
    int64_t length_bytes;
    struct piece_request request;
    const char *expected; /* "@" stands for where the body's beginning ends */
} body_rows[] = {
    { "Dropzone",
      BODY(DROPZONE("1", "5000000", "2097152", "3", "2097152"), 2097152),
      {},
      "Dropzone data 2097152+2097152/5000000 #1 of 3 form@" DZ_UUID },
    { "Dropzone, last",
      BODY(DROPZONE("2", "5000000", "2097152", "3", "4194304"), 805696),
      {},
      "Dropzone data 4194304+805696/5000000 #2 of 3 last form@" DZ_UUID },
    { "Dropzone, forceChunking of an empty file",
      BODY(DROPZONE("0", "0", "2097152", "1", "0"), 0),
      {},
      "Dropzone data 0+0/0 #0 of 1 last form@" DZ_UUID },
    { "Dropzone, transformFile has made it smaller",
      BODY(DROPZONE("0", "5000000", "2097152", "1", "0"), 70000),
      {},
      "Dropzone data 0+?/? #0 of 1 last form@" DZ_UUID },
    { "Dropzone, transformFile, not the last",
      BODY(DROPZONE("0", "5000000", "2097152", "2", "0"), 2097152),
      {},
      "Dropzone data 0+2097152/? #0 of 2 form@" DZ_UUID },
    { "Dropzone, offset of another chunk",
      BODY(DROPZONE("1", "5000000", "2097152", "3", "0"), 2097152),
      {},
      "dzchunkbyteoffset: is not where the chunk begins" },
    { "Dropzone, index beyond",
      BODY(DROPZONE("3", "5000000", "2097152", "3", "6291456"), 5),
      {},
      "dzchunkindex: is beyond the number of chunks" },
    { "Dropzone, no chunks",
      BODY(DROPZONE("0", "5000000", "2097152", "0", "0"), 5),
      {},
      "dzchunkindex: is beyond the number of chunks" },
    { "Dropzone, the body is too short",
      BODY(DROPZONE("1", "5000000", "2097152", "3", "2097152"), 2097151),
      {},
      "Content-Length: is shorter than the piece in the form" },
    { "Dropzone, other parts behind the file",
      BODY(DROPZONE("1", "5000000", "2097152", "3", "2097152"), 2099999),
      {},
      "Dropzone data 2097152+2097152/5000000 #1 of 3 form@" DZ_UUID },
    { "Dropzone, twice",
      BODY(DROPZONE("1", "5000000", "2097152", "3", "2097152")
               FIELD("dzuuid", "a"),
           2097152),
      {},
      "dzuuid: is there twice" },
    { "Dropzone, not chunked", BODY(FIELD("a", "b"), 5), {}, "none" },
    { "Dropzone, length of the body not known",
      DROPZONE("1", "5000000", "2097152", "3", "2097152") FILE_PART,
      -1,
      {},
      "Dropzone data 2097152+2097152/5000000 #1 of 3 form@" DZ_UUID },
    { "Dropzone, the file is not in what was read",
      DROPZONE("1", "5000000", "2097152", "3", "2097152") FIELD("token", "a"),
      2100000,
      {},
      "Dropzone data 2097152+2097152/5000000 #1 of 3 form" DZ_UUID },
    { "Dropzone, cut",
      FIELD("dzuuid", "a") FIELD("dzchunkindex", "1") "--" BOUNDARY,
      2100000,
      {},
      "dztotalchunkcount: is not in what was read" },
    { "Dropzone, the file comes first", FILE_PART, 2100000, {}, "none" },
    { "Dropzone, fields are not decoded",
      BODY(DROPZONE("%31", "5000000", "2097152", "3", "2097152"), 2097152),
      {},
      "Dropzone data 2097152+2097152/5000000 #1 of 3 form@" DZ_UUID },
    { "Fine Uploader",
      BODY(FINE("0", "0", "2000000", "2", "2500000"), 2000000),
      {},
      "Fine Uploader data 0+2000000/2500000 #0 of 2 form@ 7e4b0f9e" },
    { "Fine Uploader, last",
      BODY(FINE("1", "2000000", "500000", "2", "2500000"), 500000),
      {},
      "Fine Uploader data 2000000+500000/2500000 #1 of 2 last form@ "
      "7e4b0f9e" },
    { "Fine Uploader, the last does not end the file",
      BODY(FINE("1", "2000000", "400000", "2", "2500000"), 400000),
      {},
      "qqchunksize: does not end the file with the last chunk" },
    { "Fine Uploader, beyond the file",
      BODY(FINE("1", "2000000", "500001", "2", "2500000"), 500001),
      {},
      "qqchunksize: goes beyond the file" },
    { "Fine Uploader, offset beyond the file",
      BODY(FINE("1", "2500001", "0", "2", "2500000"), 0),
      {},
      "qqchunksize: goes beyond the file" },
    { "Fine Uploader, offset of another chunk",
      BODY(FINE("1", "1000000", "500000", "3", "2500000"), 500000),
      {},
      "qqpartbyteoffset: is not where the chunk begins" },
    { "Fine Uploader, offset of the first",
      BODY(FINE("0", "1", "500000", "3", "2500000"), 500000),
      {},
      "qqpartbyteoffset: is not where the first chunk begins" },
    { "Fine Uploader, not chunked",
      BODY(FIELD("qquuid", "7e4b0f9e") FIELD("qqfilename", "a.bin")
               FIELD("qqtotalfilesize", "5"),
           5),
      {},
      "none" },
    { "flow.js",
      BODY(FLOW, 1048576),
      {},
      "flow.js data 0+1048576/2621440 #0 of 2 form@ 2 a" },
    { "plupload",
      BODY(FIELD("name", "a.bin") FIELD("chunk", "1") FIELD("chunks", "3"), 10),
      {},
      "plupload data 10+10/? #1 of 3 form@" },
    { "plupload, last",
      BODY(FIELD("name", "a.bin") FIELD("chunk", "2") FIELD("chunks", "3"), 4),
      {},
      "plupload data ?+4/? #2 of 3 last form@" },
    { "plupload, the only one",
      BODY(FIELD("name", "a.bin") FIELD("chunk", "0") FIELD("chunks", "1"), 4),
      {},
      "plupload data 0+4/4 #0 of 1 last form@" },
    { "plupload, length of the body not known",
      FIELD("chunk", "1") FIELD("chunks", "3") FILE_PART,
      -1,
      {},
      "plupload data ?+?/? #1 of 3 form@" },
    { "blueimp, a form with a range",
      BODY(FIELD("a", "b"), 10),
      { .content_range = "bytes 10-19/25" },
      "Content-Range data 10+10/25 form@" },
    { "a range that is longer than the file",
      BODY(FIELD("a", "b"), 9),
      { .content_range = "bytes 10-19/25" },
      "Content-Length: is shorter than the piece in the form" },
    { "a range is not looked for in the fields",
      BODY(DROPZONE("1", "5000000", "2097152", "3", "2097152"), 10),
      { .content_range = "bytes 10-19/25" },
      "Content-Range data 10+10/25 form@" },
    { "URLSession's header",
      BODY(DROPZONE("1", "5000000", "2097152", "3", "2097152"), 2097152),
      { .upload_complete = "?1" },
      "Dropzone data 2097152+2097152/5000000 #1 of 3 form@" DZ_UUID },
    { "URLSession's header, arguments that cannot be",
      BODY(DROPZONE("1", "5000000", "2097152", "3", "1"), 2097152),
      { .upload_complete = "?1" },
      "dzchunkbyteoffset: is not where the chunk begins" },
    { "URLSession's header, no arguments",
      FIELD("a", "b") FILE_PART,
      1000,
      { .upload_complete = "?1" },
      "draft creation 0+1000/1000 last" },
    { "no form",
      BODY(DROPZONE("0", "10", "20", "1", "0"), 10),
      { .content_type = "application/octet-stream" },
      "none" },
    { "no boundary",
      BODY(DROPZONE("0", "10", "20", "1", "0"), 10),
      { .content_type = "multipart/form-data" },
      "none" },
    { "tus is no form",
      BODY(DROPZONE("0", "10", "20", "1", "0"), 10),
      { .tus_resumable = "1.0.0", .upload_length = "5" },
      "tus creation 0+0/5" },
};

/* What is expected, with the length of what was given for "@". */
static const char *
expand(const struct body_row *row, char text[512])
{
    const char *at = strstr(row->expected, "form@");

    if (at == NULL) {
        return row->expected;
    }
    snprintf(text, 512, "%.*sform@%zu%s", (int)(at - row->expected),
             row->expected, strlen(row->body), at + 5);
    return text;
}

static void
test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(body_rows); i++) {
        const struct body_row *row = &body_rows[i];
        struct piece_request request = pieces_request(&row->request);
        char *body = unit_copy(row->body, strlen(row->body));
        struct piece_fault fault;
        struct pieces_line line;
        struct piece piece;
        char expected[512];
        bool found;

        request.method = "POST";
        request.uri = "/upload";
        request.content_length_bytes = row->length_bytes;
        if (request.content_type[0] == '\0') {
            request.content_type = "multipart/form-data; boundary=" BOUNDARY;
        }
        found = piece_from_request(&request, &piece, &fault);
        ASSERT_INT(row->name, found, piece.protocol != PIECE_NONE);
        found =
            piece_from_body(&request, body, strlen(row->body), &piece, &fault);
        ASSERT_TEXT(row->name, pieces_answer(found, &piece, &fault, &line),
                    expand(row, expected));
        free(body);
    }
}

/* However much of the body there is, nothing is told that is not so. */
static void
test_cut_bodies(void **state)
{
    static const char body[] = DROPZONE("1", "5000000", "2097152", "3",
                                        "2097152") FIELD("a", "b") FILE_PART;
    struct piece_request request = pieces_request(&(struct piece_request){
        .method = "POST", .uri = "/upload", FORM, LEN(2100000) });
    size_t pieces = 0;

    (void)state;
    for (size_t len = 0; len < sizeof(body); len++) {
        char *cut = unit_copy(body, len);
        struct piece_fault fault;
        struct piece piece;

        piece_from_request(&request, &piece, &fault);
        if (piece_from_body(&request, cut, len, &piece, &fault)) {
            pieces++;
            assert_int_equal(piece.offset_bytes, 2097152);
            assert_int_equal(piece.total_bytes, 5000000);
            assert_string_equal(piece.id, DZ_UUID + 1);
        } else {
            assert_true(fault.why == NULL ||
                        strcmp(fault.why, "is not in what was read") == 0);
        }
        free(cut);
    }
    assert_in_range(pieces, 100, 400);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_cut_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
