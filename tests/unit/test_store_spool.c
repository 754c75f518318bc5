/*
 * The store's temporary files: added once, found by connection, ID and worker,
 * listed in pages, and limited in number.
 */
#include "store_unit.h"

/* A file of a number, unresolved. */
static struct spool
file(int64_t pid, int64_t connection, const char *id, int number)
{
    struct spool spool;

    memset(&spool, 0, sizeof(spool));
    spool.pid = pid;
    spool.connection = connection;
    spool.fd = -1;
    spool.seen_ms = number;
    snprintf(spool.id, sizeof(spool.id), "%s", id);
    snprintf(spool.path, sizeof(spool.path), "/body/%010d", number);
    return spool;
}

static void
add(struct store *store, const struct spool *spool)
{
    ASSERT_INT(spool->path, store_spool_add(store, spool), STORE_OK);
}

/* The number of files stored, of which there are few. */
static int
stored(struct store *store)
{
    struct spool *spools = calloc(64, sizeof(*spools));
    int count = store_spool_scan(store, 0, spools, 64);

    free(spools);
    return count;
}

static void
test_round_trip(void **state)
{
    struct spool expected = file(4711, 1LL << 40, "it's \"odd\"", 1);
    struct spool got;

    memset(expected.id, 'i', UPLOAD_ID_MAX);
    memset(expected.path, 'p', SPOOL_PATH_MAX);
    expected.request_hash = 0x7edcba9876543210;
    expected.fd = 33;
    expected.seen_ms = 1LL << 41;
    add(*state, &expected);
    ASSERT_INT("scan", store_spool_scan(*state, 0, &got, 1), 1);
    ASSERT_THAT("row", got.row > 0);
    ASSERT_INT("pid", got.pid, expected.pid);
    ASSERT_INT("connection", got.connection, expected.connection);
    ASSERT_INT("hash", got.request_hash, expected.request_hash);
    ASSERT_TEXT("id", got.id, expected.id);
    ASSERT_TEXT("path", got.path, expected.path);
    ASSERT_INT("fd", got.fd, expected.fd);
    ASSERT_INT("seen_ms", got.seen_ms, expected.seen_ms);
    ASSERT_INT("held_fd", got.held_fd, -1);
}

/* Takes a file out. */
static void
take(struct store *store, int64_t row, int64_t expected_held_fd)
{
    int64_t held_fd = -7;

    ASSERT_INT("take", store_spool_take(store, row, &held_fd), STORE_OK);
    ASSERT_INT("held_fd", held_fd, expected_held_fd);
}

static const struct again_row {
    const char *name;
    int64_t pid;
    int64_t connection;
    int number;
    int stored; /* when added to (10, 1, 1) */
} again_rows[] = {
    { "the same", 10, 1, 1, 1 },
    { "other worker", 11, 1, 1, 2 },
    { "other connection", 10, 2, 1, 2 },
    { "other path", 10, 1, 2, 2 },
};

static void
test_add_again(void **state)
{
    for (size_t i = 0; i < COUNT(again_rows); i++) {
        const struct again_row *row = &again_rows[i];
        struct spool first = file(10, 1, "abc", 1);
        struct spool second =
            file(row->pid, row->connection, "abc", row->number);
        struct spool got[3];
        int count;

        add(*state, &first);
        add(*state, &second);
        count = store_spool_scan(*state, 0, got, 3);
        ASSERT_INT(row->name, count, row->stored);
        for (int j = 0; j < count; j++) {
            take(*state, got[j].row, -1);
        }
        ASSERT_INT(row->name, stored(*state), 0);
    }
}

/* Adding again forgets neither the descriptors nor the time. */
static void
test_add_again_keeps(void **state)
{
    struct spool spool = file(10, 1, "abc", 1);
    struct spool got;

    add(*state, &spool);
    ASSERT_INT("scan", store_spool_scan(*state, 0, &got, 1), 1);
    ASSERT_INT("found", store_spool_found(*state, got.row, 33, 44), STORE_OK);
    spool.seen_ms = 999;
    add(*state, &spool);
    ASSERT_INT("scan", store_spool_scan(*state, 0, &got, 1), 1);
    ASSERT_INT("fd", got.fd, 33);
    ASSERT_INT("held_fd", got.held_fd, 44);
    ASSERT_INT("seen_ms", got.seen_ms, 1);
}

/* Who comes second is told, so that no descriptor is lost. */
static void
test_found(void **state)
{
    static const struct {
        const char *name;
        int64_t fd;
        int64_t held_fd;
    } rows[] = {
        { "both", 33, 44 },
        { "the worker's alone", 33, -1 },
        { "descriptor 0", 0, 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spool spool = file(10, 1, "abc", (int)i);
        struct spool got;

        add(*state, &spool);
        ASSERT_INT("scan", store_spool_scan(*state, 0, &got, 1), 1);
        ASSERT_INT(
            rows[i].name,
            store_spool_found(*state, got.row, rows[i].fd, rows[i].held_fd),
            STORE_OK);
        ASSERT_INT(rows[i].name, store_spool_found(*state, got.row, 55, 66),
                   STORE_NOT_FOUND);
        ASSERT_INT("scan", store_spool_scan(*state, 0, &got, 1), 1);
        ASSERT_INT(rows[i].name, got.fd, rows[i].fd);
        ASSERT_INT(rows[i].name, got.held_fd, rows[i].held_fd);
        take(*state, got.row, rows[i].held_fd);
        ASSERT_INT(rows[i].name, store_spool_found(*state, got.row, 55, 66),
                   STORE_NOT_FOUND);
    }
}

/* What the caller has of a file already, a mark does not replace. */
static void
test_mark(void **state)
{
    static const struct {
        const char *name;
        int64_t fd;
        int64_t held_fd;
        enum store_result result;
        int64_t marked_fd;
    } rows[] = {
        { "nothing", 33, -1, STORE_OK, -5 },
        { "a descriptor", 33, 44, STORE_NOT_FOUND, 44 },
        { "another mark", 33, -4, STORE_NOT_FOUND, -4 },
        { "not found yet", -1, -1, STORE_NOT_FOUND, -1 },
    };
    struct spool spool = file(10, 1, "abc", 1);
    struct spool got;

    for (size_t i = 0; i < COUNT(rows); i++) {
        add(*state, &spool);
        ASSERT_INT("scan", store_spool_scan(*state, 0, &got, 1), 1);
        ASSERT_INT(
            "found",
            store_spool_found(*state, got.row, rows[i].fd, rows[i].held_fd),
            STORE_OK);
        ASSERT_INT(rows[i].name, store_spool_mark(*state, got.row, -5),
                   rows[i].result);
        ASSERT_INT("scan", store_spool_scan(*state, 0, &got, 1), 1);
        ASSERT_INT(rows[i].name, got.held_fd, rows[i].marked_fd);
        take(*state, got.row, rows[i].marked_fd);
        ASSERT_INT("gone", store_spool_mark(*state, got.row, -5),
                   STORE_NOT_FOUND);
    }
}

static void
test_take(void **state)
{
    struct spool first = file(10, 1, "abc", 1);
    struct spool second = file(10, 1, "abc", 2);
    struct spool got[3];
    int64_t held_fd = -7;

    add(*state, &first);
    add(*state, &second);
    ASSERT_INT("scan", store_spool_scan(*state, 0, got, 3), 2);
    take(*state, got[0].row, -1);
    ASSERT_INT("again", store_spool_take(*state, got[0].row, &held_fd),
               STORE_NOT_FOUND);
    ASSERT_INT("nothing is handed over", held_fd, -7);
    ASSERT_INT("scan", store_spool_scan(*state, 0, got, 3), 1);
    ASSERT_TEXT("the other", got[0].path, second.path);
    add(*state, &first);
    ASSERT_INT("added anew", stored(*state), 2);
}

/* The files of the next three tests, in the order of their adding. */
static void
add_some(struct store *store)
{
    const struct spool spools[] = {
        file(10, 1, "abc", 50), file(10, 1, "abc", 70), file(10, 2, "abc", 60),
        file(11, 1, "def", 80), file(11, 3, "", 90),
    };

    for (size_t i = 0; i < COUNT(spools); i++) {
        add(store, &spools[i]);
    }
}

/* Files by the numbers in their paths, each with a comma. */
static const char *
numbers(const struct spool *spools, int count)
{
    static char text[128];
    size_t len = 0;

    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%d,",
                                (int)spools[i].seen_ms);
    }
    return text;
}

/* Files by connection, request line and time; numbers are their seen_ms. */
static void
test_of_upload(void **state)
{
    static const struct {
        const char *name;
        const char *id;
        uint64_t hash; /* of the upload's request line */
        int64_t started_ms;
        bool alone;
        int max;
        const char *expected;
    } rows[] = {
        { "alone: all", "x", 9, 0, true, 8, "10,20,30,40," },
        { "alone: not before it started", "x", 9, 25, true, 8, "30,40," },
        { "by ID, and by a line that is not known", "a", 9, 0, false, 8,
          "10,40," },
        { "by hash", "x", 5, 0, false, 8, "30,40," },
        { "by hash, not before it started", "x", 5, 31, false, 8, "40," },
        { "own line not known", "x", 0, 0, false, 8, "30,40," },
        { "at most", "x", 9, 0, true, 2, "10,20," },
    };
    static const struct {
        const char *id;
        uint64_t hash;
        int claims; /* of the attempts below */
    } files[] = { { "a", 5, 1 }, { "b", 5, 0 }, { "", 5, 2 }, { "", 0, 3 } };
    static const struct {
        const char *id;
        uint64_t hash;
    } attempts[] = { { "a", 5 }, { "c", 5 }, { "d", 6 } };
    struct upload upload = { .pid = 10, .connection = 1, .check_ms = 1 };
    struct spool got[8];
    unsigned evicted;

    for (size_t i = 0; i < COUNT(files); i++) {
        struct spool spool = { .pid = 10, .connection = 1, .fd = -1 };

        spool.request_hash = files[i].hash;
        spool.seen_ms = 10 + 10 * (int64_t)i;
        strcpy(spool.id, files[i].id);
        snprintf(spool.path, sizeof(spool.path), "/temp/%zu", i);
        ASSERT_INT("add", store_spool_add(*state, &spool), STORE_OK);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        int count;

        strcpy(upload.id, rows[i].id);
        upload.request_hash = rows[i].hash;
        upload.started_ms = rows[i].started_ms;
        count = store_spool_of_upload(*state, &upload, rows[i].alone, got,
                                      rows[i].max);
        ASSERT_TEXT(rows[i].name, numbers(got, count), rows[i].expected);
    }
    for (size_t i = 0; i < COUNT(attempts); i++) {
        strcpy(upload.id, attempts[i].id);
        upload.attempt[0] = (uint8_t)(i + 1);
        upload.request_hash = attempts[i].hash;
        ASSERT_INT("put", store_upload_put(*state, &upload, &evicted),
                   STORE_OK);
    }
    upload.started_ms = 0;
    ASSERT_INT("all", store_spool_of_upload(*state, &upload, true, got, 8), 4);
    for (size_t i = 0; i < COUNT(files); i++) {
        ASSERT_INT(unit_case("claims of file %zu", i),
                   store_spool_claims(*state, &got[i]), files[i].claims);
    }
    upload.request_hash = 5;
    ASSERT_INT("uncertain", store_spool_uncertain(*state, &upload, 99),
               STORE_OK);
    ASSERT_INT("all", store_spool_of_upload(*state, &upload, true, got, 8), 4);
    for (size_t i = 0; i < COUNT(files); i++) {
        ASSERT_INT(unit_case("uncertain file %zu", i),
                   got[i].uncertain_until_ms, files[i].id[0] ? 0 : 99);
    }
}

static void
test_by_id(void **state)
{
    static const struct {
        const char *id;
        int max;
        const char *expected; /* newest first */
    } rows[] = {
        { "abc", 8, "70,60,50," },
        { "abc", 2, "70,60," },
        { "abc", 1, "70," },
        { "def", 8, "80," },
        { "ab", 8, "" },
        { "ABC", 8, "" },
        { "", 8, "" }, /* not known is not the same */
    };
    struct spool got[8];

    add_some(*state);
    for (size_t i = 0; i < COUNT(rows); i++) {
        int count = store_spool_by_id(*state, rows[i].id, got, rows[i].max);

        ASSERT_TEXT(rows[i].id, numbers(got, count), rows[i].expected);
    }
}

static void
test_unresolved(void **state)
{
    struct spool got[8];

    add_some(*state);
    ASSERT_INT("of 10", store_spool_unresolved(*state, 10, got, 8), 3);
    ASSERT_INT("max", store_spool_unresolved(*state, 10, got, 2), 2);
    ASSERT_INT("of 11", store_spool_unresolved(*state, 11, got, 8), 2);
    ASSERT_INT("of 12", store_spool_unresolved(*state, 12, got, 8), 0);
    ASSERT_INT("by ID", store_spool_by_id(*state, "abc", got, 1), 1);
    ASSERT_INT("found", store_spool_found(*state, got[0].row, 0, -1), STORE_OK);
    ASSERT_INT("by ID", store_spool_by_id(*state, "abc", got, 1), 1);
    ASSERT_INT("descriptor 0", got[0].fd, 0);
    ASSERT_INT("two left", store_spool_unresolved(*state, 10, got, 8), 2);
    ASSERT_THAT("not that", got[0].seen_ms != 70 && got[1].seen_ms != 70);
    ASSERT_INT("of 11", store_spool_unresolved(*state, 11, got, 8), 2);
}

/* Goes through all files in pages, and may take out the last of each. */
static void
check_scan(struct store *store, bool take_last)
{
    static const struct {
        int page;
        const char *expected;
    } rows[] = { { 2, "50,70," }, { 1, "60," }, { 2, "80,90," }, { 2, "" } };
    struct spool got[8];
    int64_t after = 0;

    for (size_t i = 0; i < COUNT(rows); i++) {
        int count = store_spool_scan(store, after, got, rows[i].page);

        ASSERT_TEXT(unit_case("page %zu", i), numbers(got, count),
                    rows[i].expected);
        if (count > 0) {
            after = got[count - 1].row;
        }
        if (count > 0 && take_last) {
            take(store, after, -1);
        }
    }
}

/* Pages follow each other without gap or repetition, whatever is deleted. */
static void
test_scan(void **state)
{
    struct spool got[8];
    int count;

    add_some(*state);
    check_scan(*state, false);
    check_scan(*state, true);
    count = store_spool_scan(*state, 0, got, 8);
    ASSERT_TEXT("left", numbers(got, count), "50,80,");
}

/* One that is taken makes room for one, and only once. */
static void
test_full(void **state)
{
    struct spool more = file(10, 1, "abc", STORE_SPOOLS_MAX);
    struct spool got;
    int64_t held_fd;

    for (int i = 0; i < STORE_SPOOLS_MAX; i++) {
        struct spool spool = file(10, 1, "", i);

        add(*state, &spool);
        if (i == 0) {
            add(*state, &spool); /* known: it counts once */
        }
    }
    ASSERT_INT("full", store_spool_add(*state, &more), STORE_FULL);
    ASSERT_INT("not added", store_spool_by_id(*state, "abc", &got, 1), 0);
    ASSERT_INT("scan", store_spool_scan(*state, 0, &got, 1), 1);
    take(*state, got.row, -1);
    ASSERT_INT("again", store_spool_take(*state, got.row, &held_fd),
               STORE_NOT_FOUND);
    add(*state, &more); /* there is room for one */
    more.connection = 2;
    ASSERT_INT("full", store_spool_add(*state, &more), STORE_FULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_round_trip),
        STORE_TEST(test_add_again),
        STORE_TEST(test_add_again_keeps),
        STORE_TEST(test_found),
        STORE_TEST(test_mark),
        STORE_TEST(test_take),
        STORE_TEST(test_of_upload),
        STORE_TEST(test_by_id),
        STORE_TEST(test_unresolved),
        STORE_TEST(test_scan),
        STORE_TEST(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
