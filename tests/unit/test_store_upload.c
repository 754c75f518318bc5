/*
 * The store's uploads: rows in and out, attempts of one ID, what a probe may
 * change, what is due. Time is made up throughout.
 */
#include "store_unit.h"

#include <sys/socket.h>

#include "columns.h"

/* Every field has a value of its own, and none is 0. */
static struct upload
odd(void)
{
    struct upload upload = running(LARGE, "it's \"odd\"; %_\\", 0, 0);

    for (uint8_t i = 0; i < UPLOAD_ATTEMPT_BYTES; i++) {
        upload.attempt[i] = (uint8_t)(i * 17); /* a NUL first */
        upload.socket.local[i] = (uint8_t)(200 + i);
        upload.socket.remote[i] = (uint8_t)(100 - i);
    }
    upload.state = UPLOAD_ERROR;
    upload.inferred = upload.tls = upload.chunked = true;
    upload.protocol = 20;
    upload.status = 499;
    upload.size_bytes = INT64_MAX;
    upload.header_bytes = 321;
    upload.pid = 4711;
    upload.connection = 1LL << 40;
    upload.connection_requests = 3;
    upload.request_hash = 0x7edcba9876543210;
    upload.received_bytes = 5000000000;
    upload.spool_row = 12;
    upload.spool_certain = upload.socket_exact = upload.body_complete = true;
    upload.approximate = true;
    upload.socket.family = AF_INET6;
    upload.socket.local_port = 65535;
    upload.socket.remote_port = 1024;
    upload.socket.cookie = UINT64_MAX;
    upload.socket_base_bytes = 77;
    upload.gauge = 3;
    upload.mark_ms[0] = 11;
    upload.mark_ms[1] = 12;
    upload.mark_bytes[0] = 13;
    upload.mark_bytes[1] = 14;
    upload.started_ms = 15;
    upload.updated_ms = 16;
    upload.finished_ms = 17;
    upload.expires_ms = 18;
    upload.check_ms = 19;
    upload.gone_ms = 20;
    upload.ttl_ms = 21;
    upload.piece_at = 22;
    upload.piece_length = 23;
    upload.piece_body_at = 24;
    return upload;
}

/* Key, socket, and every column of the table. */
static void
assert_same(const struct upload *got, const struct upload *expected)
{
#define SAME(name) ASSERT_INT(#name, got->name, expected->name);
    UPLOAD_COLUMNS(SAME)
    SAME(zone)
    SAME(socket.family)
    SAME(socket.local_port)
    SAME(socket.remote_port)
    SAME(socket.cookie)
#undef SAME
    ASSERT_TEXT("id", got->id, expected->id);
    ASSERT_BYTES("attempt", got->attempt, UPLOAD_ATTEMPT_BYTES,
                 expected->attempt, UPLOAD_ATTEMPT_BYTES);
    ASSERT_BYTES("local", got->socket.local, 16, expected->socket.local, 16);
    ASSERT_BYTES("remote", got->socket.remote, 16, expected->socket.remote, 16);
}

static void
test_round_trip(void **state)
{
    struct upload expected = odd();
    struct upload got;

    put(*state, &expected);
    get(*state, &expected, &got);
    assert_same(&got, &expected);
}

static void
test_no_socket(void **state)
{
    struct upload upload = running(LARGE, "abc", 1, 100);
    struct upload got;

    upload.socket.cookie = 7; /* without a family it means nothing */
    put(*state, &upload);
    memset(&got, 0x55, sizeof(got));
    ASSERT_INT("get",
               store_upload_get(*state, LARGE, "abc", upload.attempt, &got),
               STORE_OK);
    ASSERT_INT("family", got.socket.family, 0);
    ASSERT_INT("cookie", got.socket.cookie, 0);
}

static void
test_not_found(void **state)
{
    static const struct {
        const char *name;
        int zone;
        const char *id;
        uint8_t attempt;
    } rows[] = {
        { "other zone", SMALL, "abc", 1 },    { "other ID", LARGE, "abd", 1 },
        { "prefix", LARGE, "ab", 1 },         { "other case", LARGE, "ABC", 1 },
        { "other attempt", LARGE, "abc", 2 },
    };
    struct upload upload = running(LARGE, "abc", 1, 100);

    put(*state, &upload);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upload key =
            running(rows[i].zone, rows[i].id, rows[i].attempt, 0);
        struct upload got;

        ASSERT_THAT(rows[i].name, !is_stored(*state, &key));
        ASSERT_INT(rows[i].name,
                   store_upload_find(*state, key.zone, key.id, &got),
                   rows[i].attempt == 2 ? STORE_OK : STORE_NOT_FOUND);
    }
    ASSERT_THAT("itself", is_stored(*state, &upload));
}

static void
test_delete(void **state)
{
    struct upload first = running(LARGE, "abc", 1, 100);
    struct upload second = running(LARGE, "abc", 2, 100);

    put(*state, &first);
    put(*state, &second);
    for (int i = 0; i < 2; i++) { /* the second time there is nothing */
        ASSERT_INT("delete",
                   store_upload_delete(*state, LARGE, "abc", first.attempt),
                   STORE_OK);
        ASSERT_THAT("gone", !is_stored(*state, &first));
        ASSERT_THAT("other stays", is_stored(*state, &second));
        ASSERT_INT("count", store_upload_count(*state), 1);
    }
}

/* A put after a put: received may rise and stay, but not fall. */
static void
test_put_received(void **state)
{
    static const struct {
        const char *name;
        int64_t received_bytes;
        int64_t updated_ms;
        int64_t expected_bytes;
        int64_t expected_ms;
    } rows[] = {
        { "first", 100, 10, 100, 10 },    { "risen", 200, 20, 200, 20 },
        { "fallen", 150, 30, 200, 20 },   { "fallen to 0", 0, 40, 200, 20 },
        { "the same", 200, 50, 200, 50 }, { "risen again", 201, 60, 201, 60 },
    };
    struct upload upload = running(LARGE, "abc", 1, 100);
    struct upload got;

    for (size_t i = 0; i < COUNT(rows); i++) {
        upload.received_bytes = rows[i].received_bytes;
        upload.updated_ms = rows[i].updated_ms;
        upload.status = (int)i;
        put(*state, &upload);
        get(*state, &upload, &got);
        ASSERT_INT(rows[i].name, got.received_bytes, rows[i].expected_bytes);
        ASSERT_INT(rows[i].name, got.updated_ms, rows[i].expected_ms);
        ASSERT_INT(rows[i].name, got.status, i); /* the rest is written */
        ASSERT_INT(rows[i].name, store_upload_count(*state), 1);
    }
}

/* What a measurement may write, and what it must leave. */
static void
test_measured_fields(void **state)
{
    struct upload upload = running(LARGE, "abc", 1, 100);
    struct upload seen = odd();
    struct upload got;
    struct upload expected;

    upload.received_bytes = 10;
    put(*state, &upload);
    memcpy(seen.id, upload.id, sizeof(seen.id));
    memcpy(seen.attempt, upload.attempt, sizeof(seen.attempt));
    ASSERT_INT("measured", store_upload_measured(*state, &seen), STORE_OK);
    get(*state, &upload, &got);
    expected = upload;
    expected.received_bytes = seen.received_bytes;
    expected.gauge = seen.gauge;
    expected.approximate = seen.approximate;
    memcpy(expected.mark_ms, seen.mark_ms, sizeof(seen.mark_ms));
    memcpy(expected.mark_bytes, seen.mark_bytes, sizeof(seen.mark_bytes));
    expected.spool_row = seen.spool_row;
    expected.spool_certain = seen.spool_certain;
    expected.updated_ms = seen.updated_ms;
    assert_same(&got, &expected);
}

static const struct measured_row {
    const char *name;
    int64_t stored_bytes;
    int64_t finished_ms;
    int64_t measured_bytes;
    bool written;
} measured_rows[] = {
    { "risen", 100, 0, 101, true },
    { "the same", 100, 0, 100, true },
    { "fallen", 100, 0, 99, false },
    { "from nothing", 0, 0, 1, true },
    { "finished", 100, 200, 101, false },
    { "finished, the same", 100, 200, 100, false },
};

static void
test_measured(void **state)
{
    for (size_t i = 0; i < COUNT(measured_rows); i++) {
        const struct measured_row *row = &measured_rows[i];
        struct upload upload = running(LARGE, row->name, 1, 100);
        struct upload got;

        upload.received_bytes = row->stored_bytes;
        upload.finished_ms = row->finished_ms;
        put(*state, &upload);
        upload.received_bytes = row->measured_bytes;
        upload.updated_ms = 7;
        upload.gauge = 2;
        ASSERT_INT(row->name, store_upload_measured(*state, &upload), STORE_OK);
        get(*state, &upload, &got);
        ASSERT_INT(row->name, got.received_bytes,
                   row->written ? row->measured_bytes : row->stored_bytes);
        ASSERT_INT(row->name, got.updated_ms, row->written ? 7 : 0);
        ASSERT_INT(row->name, got.gauge, row->written ? 2 : 0);
    }
}

/* Measuring makes no row, and takes back no file of its own. */
static void
test_measured_edges(void **state)
{
    struct upload upload = running(LARGE, "abc", 1, 100);
    struct upload got;

    store_upload_measured(*state, &upload);
    ASSERT_INT("no row", store_upload_count(*state), 0);
    upload.spool_row = 7;
    put(*state, &upload);
    upload.spool_row = 0;
    ASSERT_INT("measured", store_upload_measured(*state, &upload), STORE_OK);
    get(*state, &upload, &got);
    ASSERT_INT("the file stays", got.spool_row, 7);
}

/* Attempts of one ID as "r" or "f" and the time of its start or its end. */
static const struct find_row {
    const char *name;
    struct {
        char kind;
        int64_t at_ms;
    } attempts[4];
    int expected; /* index of the attempt */
} find_rows[] = {
    { "one runs", { { 'r', 5 } }, 0 },
    { "one finished", { { 'f', 5 } }, 0 },
    { "the earlier started", { { 'r', 9 }, { 'r', 5 }, { 'r', 7 } }, 1 },
    { "the later finished", { { 'f', 50 }, { 'f', 90 }, { 'f', 70 } }, 1 },
    { "runs before finished", { { 'f', 50 }, { 'r', 5 }, { 'f', 70 } }, 1 },
    { "runs, though started later", { { 'f', 50 }, { 'r', 99 } }, 1 },
    { "the earlier of those that run",
      { { 'f', 1000 }, { 'r', 80 }, { 'f', 20 }, { 'r', 60 } },
      3 },
};

static void
test_find(void **state)
{
    for (size_t i = 0; i < COUNT(find_rows); i++) {
        const struct find_row *row = &find_rows[i];
        struct upload rows[4];
        struct upload got;
        int count = 0;

        for (uint8_t j = 0; j < 4 && row->attempts[j].kind != 0; j++) {
            int64_t at_ms = row->attempts[j].at_ms;
            struct upload upload = row->attempts[j].kind == 'r'
                                       ? running(LARGE, row->name, j, at_ms)
                                       : finished(LARGE, row->name, j, at_ms);

            put(*state, &upload);
            count++;
        }
        ASSERT_INT(row->name, store_upload_find(*state, LARGE, row->name, &got),
                   STORE_OK);
        ASSERT_INT(row->name, got.attempt[UPLOAD_ATTEMPT_BYTES - 1],
                   row->expected);
        ASSERT_INT(row->name,
                   store_upload_attempts(*state, LARGE, row->name, rows, 4),
                   count);
    }
}

static void
test_attempts(void **state)
{
    struct upload rows[4];
    bool seen[5] = { false };

    for (uint8_t i = 1; i <= 4; i++) {
        struct upload upload = i % 2 ? running(LARGE, "abc", i, 100)
                                     : finished(LARGE, "abc", i, 100);

        put(*state, &upload);
    }
    ASSERT_INT("all", store_upload_attempts(*state, LARGE, "abc", rows, 4), 4);
    for (int i = 0; i < 4; i++) {
        ASSERT_TEXT("ID", rows[i].id, "abc");
        seen[rows[i].attempt[UPLOAD_ATTEMPT_BYTES - 1]] = true;
    }
    ASSERT_THAT("each", seen[1] && seen[2] && seen[3] && seen[4]);
    ASSERT_INT("max", store_upload_attempts(*state, LARGE, "abc", rows, 3), 3);
    ASSERT_INT("other zone",
               store_upload_attempts(*state, SMALL, "abc", rows, 4), 0);
    ASSERT_INT("other ID", store_upload_attempts(*state, LARGE, "ab", rows, 4),
               0);
}

static void
test_on_connection(void **state)
{
    static const struct {
        int64_t pid;
        int64_t connection;
        int max;
        int count;
    } rows[] = {
        { 10, 1, 9, 2 }, { 10, 1, 1, 1 }, { 10, 2, 9, 1 },
        { 11, 1, 9, 1 }, { 11, 2, 9, 0 }, { 10, 3, 9, 0 },
    };
    static const int64_t connections[][2] = {
        { 10, 1 }, { 10, 1 }, { 10, 2 }, { 11, 1 }
    };
    struct upload over = finished(LARGE, "over", 9, 100);
    struct upload got[9];

    over.pid = 10;
    over.connection = 3;
    put(*state, &over);
    for (uint8_t i = 0; i < COUNT(connections); i++) {
        struct upload upload = running(i % 2, "abc", i, 100);

        upload.pid = connections[i][0];
        upload.connection = connections[i][1];
        put(*state, &upload);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *name = unit_case("row %zu", i);

        ASSERT_INT(name,
                   store_upload_on_connection(*state, rows[i].pid,
                                              rows[i].connection, got,
                                              rows[i].max),
                   rows[i].count);
        for (int j = 0; j < rows[i].count; j++) {
            ASSERT_INT(name, got[j].pid, rows[i].pid);
            ASSERT_INT(name, got[j].connection, rows[i].connection);
        }
    }
}

/* Writes the IDs of the due attempts in order, each with a comma. */
static void
due(struct store *store, int64_t now_ms, int max, char *text, size_t size)
{
    struct upload rows[8];
    int count = store_upload_due(store, now_ms, rows, max);
    size_t len = 0;

    assert_in_range(count, 0, max);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, size - len, "%s,", rows[i].id);
    }
}

static void
test_due(void **state)
{
    static const struct {
        const char *id;
        int64_t check_ms;
    } uploads[] = {
        { "c", 300 }, { "a", 100 }, { "never", 0 }, { "d", 400 }, { "b", 200 }
    };
    static const struct {
        int64_t now_ms;
        int max;
        const char *expected;
    } rows[] = {
        { 0, 8, "" },        { 99, 8, "" },        { 100, 8, "a," },
        { 299, 8, "a,b," },  { 300, 8, "a,b,c," }, { 9999, 8, "a,b,c,d," },
        { 9999, 2, "a,b," },
    };
    struct upload over = finished(LARGE, "over", 1, 50);
    char text[64];

    put(*state, &over);
    for (uint8_t i = 0; i < COUNT(uploads); i++) {
        struct upload upload = running(i % 2, uploads[i].id, i, 10);

        upload.check_ms = uploads[i].check_ms;
        put(*state, &upload);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        due(*state, rows[i].now_ms, rows[i].max, text, sizeof(text));
        ASSERT_TEXT(unit_case("at %d", (int)rows[i].now_ms), text,
                    rows[i].expected);
    }
}

/*
 * The IDs of those in turn behind a key that nobody has seen alive since.
 * Returns over how many the key was moved.
 */
static int
in_turn(struct store *store, struct upload *place, int64_t since_ms, int max,
        char *text, size_t size)
{
    struct upload rows[8];
    int count;
    int passed =
        store_upload_in_turn(store, place, since_ms, rows, max, &count);
    size_t len = 0;

    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, size - len, "%d%s%d,", rows[i].zone,
                                rows[i].id,
                                rows[i].attempt[UPLOAD_ATTEMPT_BYTES - 1]);
    }
    return passed;
}

static void
test_in_turn(void **state)
{
    static const struct {
        int zone;
        const char *id;
        uint8_t attempt;
        int max;
        const char *expected;
    } rows[] = {
        { 0, "", 0, 8, "0a1,0a2,0c1,1b1," },
        { 0, "", 0, 3, "0a1,0a2,0c1," },
        { 0, "a", 1, 8, "0a2,0c1,1b1," },
        { 0, "a", 2, 8, "0c1,1b1," },
        { 0, "b", 9, 8, "0c1,1b1," },
        { 0, "c", 1, 8, "1b1," },
        { 1, "b", 1, 8, "" },
        { 1, "z", 9, 8, "" },
    };
    struct upload suspected = running(LARGE, "b", 1, 50);
    struct upload over = finished(LARGE, "over", 1, 50);
    char text[64];

    put(*state, &over);
    put(*state, &suspected);
    for (int i = 0; i < 4; i++) {
        struct upload upload =
            running(i == 3, &"a\0a\0c\0b"[2 * i], i == 1 ? 2 : 1, 10);

        upload.check_ms = UPLOAD_IN_TURN;
        put(*state, &upload);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upload after =
            running(rows[i].zone, rows[i].id, rows[i].attempt, 1);

        ASSERT_INT(unit_case("row %d", (int)i),
                   in_turn(*state, &after, 1, rows[i].max, text, sizeof(text)),
                   strlen(rows[i].expected) / 4);
        ASSERT_TEXT(unit_case("row %d", (int)i), text, rows[i].expected);
    }
    due(*state, UPLOAD_IN_TURN - 1, 8, text, sizeof(text));
    ASSERT_TEXT("due is another one", text, "b,");
}

/* Whom a probe has seen is passed over, and no other attempt of its ID. */
static void
test_in_turn_alive(void **state)
{
    static const struct {
        int64_t since_ms;
        int max;
        const char *expected;
        int passed;
        const char *place;
    } rows[] = {
        { 100, 8, "0a2,0c1,", 3, "c" },
        { 101, 8, "0a1,0a2,0c1,", 3, "c" },
        { 100, 2, "0a2,", 2, "a" },
        { 100, 1, "", 1, "a" },
        { INT64_MIN, 8, "0a2,0c1,", 3, "c" },
    };
    struct upload first;
    char text[64];

    for (int i = 0; i < 3; i++) {
        struct upload upload =
            running(LARGE, i == 2 ? "c" : "a", i == 1 ? 2 : 1, 10 + i);

        upload.check_ms = UPLOAD_IN_TURN;
        put(*state, &upload);
        first = i == 0 ? upload : first;
    }
    first.alive_ms = 100;
    ASSERT_INT("measured", store_upload_measured(*state, &first), STORE_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upload place = running(LARGE, "", 0, 1);

        ASSERT_INT(unit_case("row %d", (int)i),
                   in_turn(*state, &place, rows[i].since_ms, rows[i].max, text,
                           sizeof(text)),
                   rows[i].passed);
        ASSERT_TEXT(unit_case("row %d", (int)i), text, rows[i].expected);
        ASSERT_TEXT(unit_case("row %d", (int)i), place.id, rows[i].place);
    }
}

static void
test_running_count(void **state)
{
    struct upload one = running(LARGE, "one", 1, 50);
    struct upload two = running(SMALL, "two", 1, 50);

    ASSERT_INT("none", store_upload_running(*state), 0);
    put(*state, &one);
    put(*state, &one);
    put(*state, &two);
    ASSERT_INT("two", store_upload_running(*state), 2);
    one = finished(LARGE, "one", 1, 60);
    put(*state, &one);
    put(*state, &one);
    ASSERT_INT("one has finished", store_upload_running(*state), 1);
    store_upload_delete(*state, LARGE, one.id, one.attempt);
    ASSERT_INT("and is deleted", store_upload_running(*state), 1);
    store_upload_delete(*state, LARGE, one.id, one.attempt);
    store_upload_delete(*state, SMALL, two.id, two.attempt);
    ASSERT_INT("both are", store_upload_running(*state), 0);
    put(*state, &two);
    store_zone_remove(*state, SMALL);
    ASSERT_INT("with its zone", store_upload_running(*state), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_round_trip),    STORE_TEST(test_no_socket),
        STORE_TEST(test_not_found),     STORE_TEST(test_delete),
        STORE_TEST(test_put_received),  STORE_TEST(test_measured_fields),
        STORE_TEST(test_measured),      STORE_TEST(test_measured_edges),
        STORE_TEST(test_in_turn),       STORE_TEST(test_in_turn_alive),
        STORE_TEST(test_find),          STORE_TEST(test_attempts),
        STORE_TEST(test_on_connection), STORE_TEST(test_due),
        STORE_TEST(test_running_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
