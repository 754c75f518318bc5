/* Files in pieces: forms, the rate, snapshots, memory. */
#include "assembly_unit.h"
#include "uploads_internal.h"

enum {
    FORM_CHUNK = 5000,
    FORM_FILE = 12000,
    FORM_BEGAN_MS = 1000, /* one that is to end */
};

/* Dropzone's form with a chunk; returns what stands in front of the chunk. */
static size_t
form_head(char *text, size_t size, int number)
{
    static const char field[] =
        "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%d\r\n";
    const struct {
        const char *name;
        int value;
    } fields[] = {
        { "dzchunkindex", number },
        { "dztotalfilesize", FORM_FILE },
        { "dzchunksize", FORM_CHUNK },
        { "dztotalchunkcount", (FORM_FILE + FORM_CHUNK - 1) / FORM_CHUNK },
        { "dzchunkbyteoffset", number * FORM_CHUNK },
    };
    size_t len = 0;

    for (size_t i = 0; i < COUNT(fields); i++) {
        len += (size_t)snprintf(text + len, size - len, field, fields[i].name,
                                fields[i].value);
    }
    return len + (size_t)snprintf(text + len, size - len,
                                  "--b\r\nContent-Disposition: form-data;"
                                  " name=\"file\"; filename=\"f\"\r\n\r\n");
}

/* nginx has written so much of the chunk, behind what is in front of it. */
static void
write_form(const struct fixture *f, int number, int bytes)
{
    char head[1024];
    size_t len = form_head(head, sizeof(head), number);

    assert_int_equal(ftruncate(f->fd, 0), 0);
    assert_int_equal(pwrite(f->fd, head, len, 0), (int)len);
    assert_int_equal(ftruncate(f->fd, (off_t)len + bytes), 0);
}

/* The start of such a request, or its end, which was taken. */
static void
tell_form(struct fixture *f, int number, int length, bool is_end, int64_t at_ms)
{
    char head[1024];
    char fields[256];
    struct step step = { at_ms, NULL, (uint8_t)(number + 1), fields };
    struct spool spool = make_spool(f, "");
    size_t body = form_head(head, sizeof(head), number) + (size_t)length +
                  sizeof("\r\n--b--\r\n") - 1;

    snprintf(fields, sizeof(fields),
             "id=a; method=POST; content_type=multipart/form-data;boundary=b; "
             "pid=%d; connection=%d; connection_requests=%d; "
             "content_length=%zu; header_length=10; request_length=%zu",
             (int)getpid(), CONNECTION, number + 1, body, body + 10);
    if (is_end) {
        size_t len = strlen(fields);

        snprintf(fields + len, sizeof(fields) - len,
                 "; status=200; request_time=%.3f",
                 (double)(at_ms - FORM_BEGAN_MS) / 1000);
    }
    tell(f, is_end ? "end of a form" : "start of a form", &step);
    if (!is_end) {
        uploads_spool(f->uploads, &spool, at_ms);
    }
}

/* Nobody has looked while the form was under way. */
static void
test_form_at_its_end(void **state)
{
    struct progress progress;

    tell_form(*state, 1, FORM_CHUNK, false, FORM_BEGAN_MS);
    write_form(*state, 1, FORM_CHUNK);
    tell_form(*state, 1, FORM_CHUNK, true, 1020);
    progress = ask_for(*state, "a", 1200);
    ASSERT_TEXT("one chunk", describe(&progress),
                "uploading waiting 5000/12000 1 pieces [0,5000) [10000,12000)");
}

/*
 * A look finds the file gone before the line of the end comes: what is held of
 * it is kept for so long.
 */
static void
test_form_that_is_gone_at_its_end(void **state)
{
    static const char of_file[] =
        "uploading waiting 5000/12000 1 pieces [0,5000) [10000,12000)";
    static const struct {
        const char *name;
        bool tracked;
        int64_t end_ms;
        const char *told;
    } rows[] = {
        { "told right behind", true, 1020, of_file },
        { "told late", true, 2010, of_file },
        { "told too late", true, 2260, "done done 5412/5412 0 pieces" },
        { "not tracked", false, 1020, of_file },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture *f = *state;
        const struct uploads *uploads = f->uploads;
        struct spool spool = make_spool(f, "");
        struct progress progress;

        if (rows[i].tracked) {
            tell_form(f, 1, FORM_CHUNK, false, FORM_BEGAN_MS);
        } else {
            uploads_spool(f->uploads, &spool, FORM_BEGAN_MS);
        }
        write_form(f, 1, FORM_CHUNK);
        close_file(f);
        uploads_tick(f->uploads, 1010);
        ASSERT_INT("gone", store_spool_count(f->store), 0);
        ASSERT_INT("kept", atomic_load(&uploads->held_count), 1);
        tick_until(f, 1250, rows[i].end_ms - 1);
        tell_form(f, 1, FORM_CHUNK, true, rows[i].end_ms);
        progress = ask_for(f, "a", rows[i].end_ms + 100);
        ASSERT_TEXT(rows[i].name, describe(&progress), rows[i].told);
        ASSERT_INT("let go of", atomic_load(&uploads->held_count), 0);
        tear_down(state);
        set_up(state);
    }
}

/* Our clock says that it came behind the end; the order of the lines does not.
 */
static void
test_form_whose_file_is_not_the_next_one_s(void **state)
{
    struct fixture *f = *state;
    struct spool spool = make_spool(f, "");
    struct progress progress;

    uploads_spool(f->uploads, &spool, 1040);
    write_form(f, 0, FORM_CHUNK);
    tell_form(f, 0, FORM_CHUNK, true, 1020);
    tell_form(f, 1, FORM_CHUNK, true, 1060);
    progress = ask_for(f, "a", 1100);
    ASSERT_TEXT("by its length", describe(&progress),
                "uploading waiting 10000/12000 2 pieces [5000,12000)");
}

/* A start overtakes the end of the request before it, whose file is still here.
 */
static void
test_form_that_comes_after_another(void **state)
{
    struct fixture *f = *state;
    struct progress progress;

    tell_form(f, 0, FORM_CHUNK, false, FORM_BEGAN_MS);
    write_form(f, 0, FORM_CHUNK);
    tell_form(f, 1, FORM_CHUNK, false, FORM_BEGAN_MS);
    progress = ask_for(f, "a", 1060);
    ASSERT_TEXT("the first", describe(&progress),
                "uploading receiving 5000/12000 0 pieces [5000,12000)");
    tell_form(f, 0, FORM_CHUNK, true, 1070);
    tell_form(f, 1, FORM_CHUNK, true, 1080);
    progress = ask_for(f, "a", 1100);
    ASSERT_TEXT("both", describe(&progress),
                "uploading waiting 10000/12000 2 pieces [5000,12000)");
}

/*
 * A form that comes, and breaks off, before anybody has looked into it: it is
 * none of an upload's own. One that has come whole, and is refused, is a piece
 * if it is as long as one.
 */
static void
test_form_that_is_cut_short_unread(void **state)
{
    static const struct {
        const char *name;
        int status;
        int bytes; /* that have come of it; -1: nginx does not tell */
        const char *told;
    } rows[] = {
        { "cut short", 400, 1000,
          "uploading receiving 7000/12000 1 pieces [7000,12000) from 5000" },
        { "answered too early", 200, 1000,
          "uploading receiving 7000/12000 1 pieces [7000,12000)" },
        { "of unknown length", 400, -1,
          "uploading receiving 7000/12000 1 pieces [7000,12000)" },
        { "refused", 400, 5400,
          "uploading receiving 7000/12000 1 pieces [7000,12000) from 5000" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture *f = *state;
        char fields[256];
        struct step cut = { 1400, NULL, 9, fields };
        struct progress progress;

        tell_form(f, 0, FORM_CHUNK, false, FORM_BEGAN_MS);
        write_form(f, 0, FORM_CHUNK);
        tell_form(f, 0, FORM_CHUNK, true, 1100);
        snprintf(fields, sizeof(fields),
                 "id=a; method=POST;"
                 " content_type=multipart/form-data;boundary=b; pid=%d;"
                 " connection=%d; content_length=5400; header_length=10;"
                 " status=%d; request_time=0.010",
                 (int)getpid(), CONNECTION + 1, rows[i].status);
        if (rows[i].bytes >= 0) {
            size_t len = strlen(fields);

            snprintf(fields + len, sizeof(fields) - len, "; request_length=%d",
                     rows[i].bytes + 10);
        }
        tell(f, rows[i].name, &cut);
        tell_form(f, 1, FORM_CHUNK, false, 1500);
        write_form(f, 1, 2000);
        progress = ask_for(f, "a", 1600); /* looks into the form */
        ASSERT_TEXT(rows[i].name, describe(&progress), rows[i].told);
        tear_down(state);
        set_up(state);
    }
}

/* What was read of forms under way need not be there at their ends. */
static void
test_forms_under_way(void **state)
{
    struct fixture *f = *state;
    struct progress progress;

    tell_form(f, 1, FORM_CHUNK, false, FORM_BEGAN_MS);
    write_form(f, 1, 2000);
    progress = ask_for(f, "a", 1200);
    ASSERT_TEXT("its beginning", describe(&progress),
                "uploading receiving 2000/12000 0 pieces [0,5000)"
                " [7000,12000)");
    assert_int_equal(ftruncate(f->fd, 0), 0);
    tell_form(f, 1, FORM_CHUNK, true, 1300);
    progress = ask_for(f, "a", 1400);
    ASSERT_TEXT("all of it", describe(&progress),
                "uploading waiting 5000/12000 1 pieces [0,5000) [10000,12000)");
    tell_form(f, 2, FORM_FILE - 2 * FORM_CHUNK, false, 1500);
    write_form(f, 2, 500);
    progress = ask_for(f, "a", 1600);
    ASSERT_TEXT("the next one", describe(&progress),
                "uploading receiving 5500/12000 1 pieces [0,5000)"
                " [10500,12000)");
}

/* What a server had before has not come in this second. */
static void
test_rate(void **state)
{
    static const struct step step = {
        1000, NULL, 1,
        "id=a; method=PATCH; request_uri=/files/1; tus_resumable=1.0.0; "
        "content_type=application/offset+octet-stream; "
        "upload_offset=1000000; upload_length=2000000; content_length=1000000"
    };
    struct progress progress;

    tell(*state, "resumed", &step);
    progress = ask_for(*state, "a", 3000);
    ASSERT_INT("received", progress.received_bytes, 1000000);
    ASSERT_THAT("at no speed", progress.rate <= 0);
}

/* A file has begun as its first request has, however late it is told of. */
static void
test_when_it_began(void **state)
{
#define CREATED(location)                                 \
    "method=POST; request_uri=/up; upload_complete=?0;"   \
    " upload_length=250; content_length=100; status=201;" \
    " request_time=2.500; sent_offset=100; sent_location=" location
#define GOES_ON(uri)                                               \
    "method=PATCH; request_uri=" uri "; upload_complete=?1;"       \
    " content_type=application/partial-upload; upload_length=250;" \
    " upload_offset=100; content_length=150"
    static const struct step steps[] = {
        { 4000, NULL, 1, CREATED("/up/1") },
        { 4010, NULL, 2, GOES_ON("/up/1") },
        { 5010, NULL, 4, GOES_ON("/up/2") },
        { 5020, NULL, 3, CREATED("/up/2") },
        { 7000, NULL, 2,
          GOES_ON("/up/1") "; status=204; sent_complete=?1;"
                           " request_time=9.000" },
        { 7500, NULL, 5, GOES_ON("/up/3") "; status=204; request_time=3.000" },
    };
    struct progress progress;

    for (size_t i = 0; i < COUNT(steps); i++) {
        tell(*state, "request", &steps[i]);
    }
    progress = ask_for(*state, "/up/1", 8000);
    ASSERT_INT("told first", progress.started_ms, OFFSET_MS + 1500);
    progress = ask_for(*state, "/up/2", 8000);
    ASSERT_INT("overtaken", progress.started_ms, OFFSET_MS + 2520);
    progress = ask_for(*state, "/up/3", 8000);
    ASSERT_INT("no creation", progress.started_ms, OFFSET_MS + 4500);
}

/* A HEAD that does not say of which protocol it is changes nothing. */
static void
test_unmarked(void **state)
{
    static const struct step steps[] = {
        { 1000, NULL, 1,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 1100, NULL, 2,
          "method=HEAD; request_uri=/files/1; status=200; sent_offset=100" },
    };
    struct progress progress;

    tell(*state, "piece", &steps[0]);
    tell(*state, "question", &steps[1]);
    progress = ask_for(*state, "/files/1", 1200);
    ASSERT_TEXT("still", progress.pieces.protocol, "tus");
}

/* What has been received survives, and the file goes on. */
static void
test_snapshot(void **state)
{
    static const struct step steps[] = {
        { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 100-199/300;"
          " content_length=100; status=200" },
        { 2000, NULL, 2,
          "id=a; method=PUT; content_range=bytes 0-99/300;"
          " content_length=100; status=200" },
        { 3000, NULL, 3,
          "id=a; method=PUT; content_range=bytes 200-299/300;"
          " content_length=100; status=200" },
    };
    struct store_moment moment = { 1500, OFFSET_MS + 1500, "b" };
    struct fixture *f = *state;
    struct store_loaded loaded;
    struct progress progress;
    char *message = NULL;
    char path[] = UNIT_FILE;
    void *other = NULL;

    assert_non_null(mkdtemp(path));
    tell(f, "first", &steps[0]);
    ASSERT_INT("save",
               store_snapshot_save(f->store, unit_case("%s/s", path), &moment,
                                   &message),
               0);
    set_up(&other);
    ASSERT_INT("load",
               store_snapshot_load(((struct fixture *)other)->store,
                                   unit_case("%s/s", path), &moment, &loaded,
                                   &message),
               0);
    progress = ask_for(other, "a", 1600);
    ASSERT_TEXT("as it was", describe(&progress),
                "uploading waiting 100/300 1 pieces [0,100) [200,300)");
    tell(other, "second", &steps[1]);
    tell(other, "third", &steps[2]);
    progress = ask_for(other, "a", 3100);
    ASSERT_TEXT("goes on", describe(&progress), "done done 300/300 3 pieces");
    tear_down(&other);
    unlink(unit_case("%s/s", path));
    rmdir(path);
}

/* What a file takes is given back with it. */
static void
test_memory(void **state)
{
    static const struct step step = {
        1000, NULL, 1,
        "id=a; method=PUT; content_range=bytes 100-199/300;"
        " content_length=100; status=403"
    };
    struct fixture *f = *state;

    tell(f, "refused", &step);
    ASSERT_THAT("it takes some", store_zone_used(f->store, 0) > 0);
    tick_until(f, 1000 + TTL_MS, 2000 + TTL_MS);
    ASSERT_INT("swept", store_zone_used(f->store, 0), 0);
    ASSERT_INT("swept", store_upload_count(f->store), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOADS_TEST(test_form_at_its_end),
        UPLOADS_TEST(test_form_that_is_gone_at_its_end),
        UPLOADS_TEST(test_form_whose_file_is_not_the_next_one_s),
        UPLOADS_TEST(test_form_that_comes_after_another),
        UPLOADS_TEST(test_form_that_is_cut_short_unread),
        UPLOADS_TEST(test_forms_under_way),
        UPLOADS_TEST(test_rate),
        UPLOADS_TEST(test_when_it_began),
        UPLOADS_TEST(test_unmarked),
        UPLOADS_TEST(test_snapshot),
        UPLOADS_TEST(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
