/* Snapshots: what was saved comes back, and nothing else gets in. */
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_unit.h"

static const struct store_moment saved_at = { .monotonic_ms = 1000000,
                                              .wall_ms = 50000000,
                                              .boot_id = "one" };

static int
open_other(struct store **other)
{
    void *opened = NULL;
    int result = open_store(&opened);

    *other = opened;
    return result;
}

static char *
temporary(char *path)
{
    close(unit_file(path, ""));
    return path;
}

static void
save(struct store *store, const char *path)
{
    char *message = NULL;

    if (store_snapshot_save(store, path, &saved_at, &message) < 0) {
        print_error("%s\n", message);
        fail();
    }
}

static void
load(struct store *store, const char *path, const struct store_moment *now,
     struct store_loaded *loaded)
{
    char *message = NULL;

    if (store_snapshot_load(store, path, now, loaded, &message) < 0) {
        print_error("%s\n", message);
        fail();
    }
}

/* Batches that overlap: all of them is seen at once, saved, and stays. */
static void
test_batches(void **state)
{
    struct upload one = running(SMALL, "one", 1, 900000);
    struct upload two = running(SMALL, "two", 1, 900000);
    struct upload three = running(SMALL, "three", 1, 900000);
    struct store_loaded loaded;
    struct store *other;
    char path[sizeof(UNIT_FILE)];

    assert_int_equal(open_other(&other), 0);
    store_batch_begin(*state);
    put(*state, &one);
    store_batch_begin(*state);
    put(*state, &two);
    assert_true(is_stored(*state, &one) && is_stored(*state, &two));
    store_batch_end(*state);
    save(*state, temporary(path));
    put(*state, &three);
    load(other, path, &saved_at, &loaded);
    assert_true(is_stored(other, &one) && is_stored(other, &two));
    assert_false(is_stored(other, &three));
    /* What is taken over within a batch is whole or nothing, too. */
    load(*state, path, &saved_at, &loaded);
    store_batch_end(*state);
    save(*state, path);
    load(other, path, &saved_at, &loaded);
    assert_true(is_stored(other, &three));
    unlink(path);
    store_free(other);
}

/* A running upload with something in every field. */
static struct upload
full_row(void)
{
    struct upload u = running(SMALL, "full", 7, 900000);

    u.tls = true;
    u.protocol = 20;
    u.size_bytes = 123456789012;
    u.header_bytes = 321;
    u.pid = 4711;
    u.connection = 12;
    u.connection_requests = 3;
    u.request_hash = 0xfedcba9876543210u;
    u.received_bytes = 99999;
    u.socket.family = 2;
    u.socket.remote_port = 4242;
    u.socket.cookie = 77;
    u.socket_base_bytes = 5;
    u.gauge = 1;
    u.mark_ms[0] = 950000;
    u.mark_bytes[1] = 888;
    u.updated_ms = 990000;
    u.ttl_ms = 60000;
    return u;
}

static void
test_round_trip(void **state)
{
    struct spool spool = { .pid = 4711,
                           .connection = 12,
                           .id = "full",
                           .path = "/tmp/body/1",
                           .fd = 9,
                           .seen_ms = 900001 };
    struct upload rows[] = { full_row(), finished(LARGE, "ended", 1, 980000) };
    struct store_loaded loaded;
    struct store *other = NULL;
    char path[64];

    put(*state, &rows[0]);
    put(*state, &rows[1]);
    ASSERT_INT("spool", store_spool_add(*state, &spool), STORE_OK);
    save(*state, temporary(path));
    /* Names decide, not the order of the zones. */
    assert_int_equal(open_other(&other), 0);
    store_zone_remove(other, LARGE);
    store_zone_remove(other, SMALL);
    assert_int_equal(store_zone_set(other, "small", ZONE_SIZE_MIN), 0);
    assert_int_equal(store_zone_set(other, "large", LARGE_BYTES), 1);
    load(other, path, &saved_at, &loaded);
    ASSERT_INT("loaded", loaded.uploads, 2);
    ASSERT_INT("without a zone", loaded.without_zone, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upload got;

        rows[i].zone = rows[i].zone == SMALL ? 0 : 1;
        get(other, &rows[i], &got);
        ASSERT_BYTES(rows[i].id, &got, sizeof(got), &rows[i], sizeof(got));
        ASSERT_INT(rows[i].id, store_zone_used(other, rows[i].zone),
                   store_zone_used(*state, rows[i].zone == 0 ? SMALL : LARGE));
    }
    memset(&spool, 0, sizeof(spool));
    ASSERT_INT("spool", store_spool_by_id(other, "full", &spool, 1), 1);
    ASSERT_INT("its descriptor is looked for anew", spool.fd, -1);
    ASSERT_INT("seen", spool.seen_ms, 900001);
    store_free(other);
    unlink(path);
}

static void
test_time_has_passed(void **state)
{
    /* Another boot, an hour later by the wall clock. */
    static const struct store_moment later = { .monotonic_ms = 5000,
                                               .wall_ms = 50000000 + 3600000,
                                               .boot_id = "two" };
    struct upload row = full_row();
    struct upload ended = finished(LARGE, "ended", 1, saved_at.monotonic_ms);
    struct store_loaded loaded;
    struct store *other = NULL;
    struct upload got;
    char path[64];

    put(*state, &row);
    put(*state, &ended);
    save(*state, temporary(path));
    assert_int_equal(open_other(&other), 0);
    load(other, path, &later, &loaded);
    get(other, &row, &got);
    /* It began before this boot: the earliest that can be told. */
    ASSERT_INT("long past", got.started_ms, 1);
    ASSERT_INT("not yet", got.finished_ms, 0);
    get(other, &ended, &got);
    ASSERT_INT("expired", store_sweep(other, later.monotonic_ms, 10), 1);
    store_free(other);
    unlink(path);
}

/* Where no boot has an ID, two of them are not the same. */
static void
test_boots_without_id(void **state)
{
    static const struct store_moment then = { .monotonic_ms = 1000000,
                                              .wall_ms = 50000000 };
    static const struct store_moment later = { .monotonic_ms = 5000,
                                               .wall_ms = 50000000 + 1000 };
    struct upload row = finished(LARGE, "ended", 1, 1000000);
    struct store_loaded loaded;
    struct store *other = NULL;
    struct upload got;
    char *message = NULL;
    char path[64];

    put(*state, &row);
    ASSERT_INT("save",
               store_snapshot_save(*state, temporary(path), &then, &message),
               0);
    assert_int_equal(open_other(&other), 0);
    load(other, path, &later, &loaded);
    get(other, &row, &got);
    ASSERT_INT("finished a second ago", got.finished_ms, 4000);
    store_free(other);
    unlink(path);
}

static void
test_zone_gone(void **state)
{
    struct upload rows[] = { finished(LARGE, "stays", 1, 900000),
                             finished(SMALL, "goes", 1, 900000) };
    struct store_loaded loaded;
    struct store *other = NULL;
    char path[64];

    put(*state, &rows[0]);
    put(*state, &rows[1]);
    save(*state, temporary(path));
    assert_int_equal(open_other(&other), 0);
    store_zone_remove(other, SMALL);
    load(other, path, &saved_at, &loaded);
    ASSERT_INT("loaded", loaded.uploads, 1);
    ASSERT_INT("left out", loaded.without_zone, 1);
    store_free(other);
    unlink(path);
}

static void
test_memory_file(void **state)
{
    struct upload row = finished(LARGE, "one", 1, 900000);
    int fd = memfd_create("test", MFD_CLOEXEC);
    struct store_loaded loaded;
    char *message = NULL;
    struct store *other = NULL;

    put(*state, &row);
    ASSERT_INT("write", store_snapshot_write(*state, fd, &saved_at, &message),
               0);
    assert_int_equal(open_other(&other), 0);
    ASSERT_INT("read",
               store_snapshot_read(other, fd, &saved_at, &loaded, &message), 0);
    ASSERT_THAT("there", is_stored(other, &row));
    /* Cut short. */
    assert_int_equal(ftruncate(fd, 5000), 0);
    ASSERT_INT("cut",
               store_snapshot_read(other, fd, &saved_at, &loaded, &message),
               -1);
    free(message);
    assert_int_equal(ftruncate(fd, 0), 0);
    ASSERT_INT("empty",
               store_snapshot_read(other, fd, &saved_at, &loaded, &message),
               -1);
    free(message);
    close(fd);
    store_free(other);
}

/* What somebody has done to a snapshot, by SQL; none may be taken over. */
static void
test_refused(void **state)
{
    static const char *const changes[] = {
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 4",
        "CREATE TABLE more (x)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON upload BEGIN SELECT 1; END",
        "DROP TABLE spool",
        "DELETE FROM moment",
        "UPDATE zone SET zone = zone + 64",
        "UPDATE upload SET zone = -1",
        "UPDATE upload SET zone = 64",
        "UPDATE upload SET id = ''",
        "UPDATE upload SET id = printf('%.256c', 'x')",
        "UPDATE upload SET id = char(7)",
        "UPDATE upload SET id = x'616263'",
        "UPDATE upload SET attempt = x'00'",
        "UPDATE upload SET attempt = 'sixteen letters!'",
        "UPDATE upload SET socket = x'0001'",
        "UPDATE upload SET state = 0",
        "UPDATE upload SET state = 9",
        "UPDATE upload SET status = 'x'",
        "UPDATE upload SET received_bytes = -1",
        "UPDATE upload SET started_ms = 9223372036854775807",
        "UPDATE upload SET finished_ms = 0",
        "UPDATE upload SET gauge = 99",
        /* Numbers that would be others in the fields they are read into. */
        "UPDATE upload SET zone = zone + 4294967296",
        "UPDATE upload SET state = state + 4294967296",
        "UPDATE upload SET status = 4294967496",
        "UPDATE upload SET tls = 2",
        /* None that would never be looked at or swept. */
        "UPDATE upload SET expires_ms = 0",
        "UPDATE upload SET check_ms = 1",
        "UPDATE upload SET state = 1, finished_ms = 0, expires_ms = 0",
        "UPDATE upload SET header_bytes = -2",
        "UPDATE upload SET socket_base_bytes = -9223372036854775807 - 1",
        "UPDATE upload SET socket = CAST(x'07' || zeroblob(47) AS BLOB)",
        "UPDATE zone SET name = x''",
        "UPDATE zone SET name = 'large'",
        "UPDATE moment SET wall_ms = -9223372036854775807 - 1",
        "UPDATE moment SET monotonic_ms = 9223372036854775807",
        "UPDATE spool SET path = printf('%.1024c', 'x')",
        "UPDATE spool SET id = x'0102'",
        "UPDATE spool SET seen_ms = -1",
        "UPDATE spool SET seen_ms = 9223372036854775807",
        "UPDATE spool SET uncertain_until_ms = 9223372036854775807",
        "UPDATE spool SET row = -1",
        "UPDATE spool SET row = 9223372036854775807",
        "UPDATE assembly SET zone = zone + 64",
        "UPDATE assembly SET zone = zone + 4294967296",
        "UPDATE assembly SET id = ''",
        "UPDATE assembly SET id = 'without a row'",
        "UPDATE assembly SET id = char(7)",
        "UPDATE assembly SET id = x'66696c65'",
        "UPDATE assembly SET id = printf('%.256c', 'x')",
        "UPDATE assembly SET protocol = -1",
        "UPDATE assembly SET protocol = 32",
        "UPDATE assembly SET protocol = 'tus'",
        "UPDATE assembly SET pieces = -1",
        "UPDATE assembly SET resumed_bytes = -2",
        "UPDATE assembly SET resumed_bytes = 2305843009213693952",
        "UPDATE assembly SET chunk_bytes = 1.5",
        "UPDATE assembly SET chunk_bytes = 9223372036854775807",
        "UPDATE assembly SET failed_ms = -1",
        "UPDATE assembly SET failed_ms = 9223372036854775807",
        "UPDATE assembly SET whole = char(7)",
        "UPDATE assembly SET whole = printf('%.256c', 'x')",
        "UPDATE assembly SET base_bytes = -1",
        "UPDATE assembly SET base_bytes = 2305843009213693952",
        "UPDATE assembly SET form_bytes = -1",
        "UPDATE assembly SET form_bytes = 2305843009213693952",
        "UPDATE assembly SET unplaced_bytes = -1",
        "UPDATE assembly SET unplaced_bytes = 2305843009213693952",
        "UPDATE assembly SET received = 'text'",
        "UPDATE assembly SET received = x'80'",
        /* Up to one byte further than files are followed. */
        "UPDATE assembly SET received = x'00ffffffffffffffff1f'",
        "UPDATE assembly SET whole = id",
        /* The row of a file that is one of a piece, or of a form, too. */
        "UPDATE upload SET piece_at = 1 WHERE id = 'file'",
        "UPDATE upload SET piece_at = -1 WHERE id = 'file'",
        "DELETE FROM upload WHERE id = 'file'",
    };
    struct upload row = finished(LARGE, "one", 1, 900000);
    struct upload own = finished(LARGE, "own", 1, 900000);
    struct upload file = finished(LARGE, "file", 0, 900000);
    struct assembly assembly = { .zone = LARGE, .id = "file" };
    struct spool spool = {
        .pid = 1, .connection = 1, .path = "/p", .fd = -1, .seen_ms = 1
    };
    unsigned evicted;
    char path[64];

    put(*state, &row);
    ASSERT_INT("assembly",
               store_assembly_put(*state, &file, &assembly, &evicted),
               STORE_OK);
    ASSERT_INT("spool", store_spool_add(*state, &spool), STORE_OK);
    temporary(path);
    for (size_t i = 0; i < COUNT(changes); i++) {
        struct store_loaded loaded;
        char *message = NULL;
        struct store *other = NULL;
        sqlite3 *db;
        int64_t used;

        save(*state, path);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        ASSERT_INT(changes[i], sqlite3_exec(db, changes[i], NULL, NULL, NULL),
                   SQLITE_OK);
        sqlite3_close(db);
        assert_int_equal(open_other(&other), 0);
        put(other, &own);
        used = store_zone_used(other, LARGE);
        ASSERT_INT(
            changes[i],
            store_snapshot_load(other, path, &saved_at, &loaded, &message), -1);
        ASSERT_THAT(changes[i], message != NULL && message[0] != '\0');
        free(message);
        /* Nothing of it is there, and all that was still is. */
        ASSERT_INT(changes[i], store_upload_count(other), 1);
        ASSERT_INT(changes[i], store_zone_used(other, LARGE), used);
        ASSERT_INT(changes[i], store_spool_scan(other, 0, &spool, 1), 0);
        put(other, &row);
        store_free(other);
    }
    unlink(path);
}

/* A file that was swept comes again as a whole: an assembly is never alone. */
static void
test_assembly_goes_with_row(void **state)
{
    struct upload file = finished(LARGE, "file", 0, 900000);
    struct assembly assembly = { .zone = LARGE, .id = "file" };
    struct assembly got;
    struct store *other = NULL;
    struct store_loaded loaded;
    unsigned evicted;
    char path[64];

    for (int again = 0; again < 2; again++) {
        ASSERT_INT("put",
                   store_assembly_put(*state, &file, &assembly, &evicted),
                   STORE_OK);
        ASSERT_INT("there", store_assembly_get(*state, LARGE, file.id, &got),
                   STORE_OK);
        save(*state, temporary(path));
        assert_int_equal(open_other(&other), 0);
        load(other, path, &saved_at, &loaded);
        ASSERT_INT("loaded", store_upload_count(other), 1);
        store_free(other);
        unlink(path);
        ASSERT_INT("sweep", store_sweep(*state, INT64_MAX, 10), 1);
        ASSERT_INT("gone", store_assembly_get(*state, LARGE, file.id, &got),
                   STORE_NOT_FOUND);
        ASSERT_INT("used", store_zone_used(*state, LARGE), 0);
    }
}

/* With a time that its clock cannot have had, a row can still be saved. */
static void
test_beyond_all_time(void **state)
{
    static const struct store_moment later = { .monotonic_ms = 2000000,
                                               .wall_ms = 50000000,
                                               .boot_id = "two" };
    struct upload row = finished(LARGE, "one", 1, 900000);
    struct store *other = NULL;
    struct store *third = NULL;
    struct store_loaded loaded;
    char path[64];

    row.expires_ms = INT64_MAX / 4 - 1;
    put(*state, &row);
    save(*state, temporary(path));
    assert_int_equal(open_other(&other), 0);
    load(other, path, &later, &loaded);
    save(other, path);
    assert_int_equal(open_other(&third), 0);
    load(third, path, &saved_at, &loaded);
    ASSERT_INT("loaded", loaded.uploads, 1);
    store_free(third);
    store_free(other);
    unlink(path);
}

/*
 * A file is read as it stands: what lies beside it is none of ours, nothing is
 * left there, and its name means nothing to SQLite.
 */
static void
test_beside(void **state)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    struct upload row = finished(LARGE, "one", 1, 900000);
    struct store *other = NULL;
    struct store_loaded loaded;
    char folder[] = UNIT_FILE;
    char path[128];
    char beside[160];
    sqlite3 *db;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a%%20b?mode=memory#c", folder);
    put(*state, &row);
    save(*state, path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    ASSERT_INT("wal",
               sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL),
               SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(open_other(&other), 0);
    load(other, path, &saved_at, &loaded);
    ASSERT_INT("loaded", loaded.uploads, 1);
    for (size_t i = 0; i < COUNT(ends); i++) {
        snprintf(beside, sizeof(beside), "%s%s", path, ends[i]);
        ASSERT_INT(beside, unlink(beside), i == 0 ? 0 : -1);
    }
    assert_int_equal(rmdir(folder), 0);
    store_free(other);
}

/* Nobody would ever write to a pipe; to open it would wait for that. */
static void
test_no_file(void **state)
{
    struct store_loaded loaded;
    char *message = NULL;
    char path[64];

    unlink(temporary(path));
    ASSERT_INT("none",
               store_snapshot_load(*state, path, &saved_at, &loaded, &message),
               -1);
    free(message);
    assert_int_equal(mkfifo(path, 0600), 0);
    ASSERT_INT("pipe",
               store_snapshot_load(*state, path, &saved_at, &loaded, &message),
               -1);
    assert_string_equal(message, "it is not a regular file");
    free(message);
    unlink(path);
}

static void
test_a_smaller_zone(void **state)
{
    struct store_loaded loaded;
    struct store *other = NULL;
    char path[64];

    for (int i = 0; i < 500; i++) {
        struct upload row = finished(LARGE, "", 1, 900000 + i);

        snprintf(row.id, sizeof(row.id), "id%03d", i);
        put(*state, &row);
    }
    save(*state, temporary(path));
    assert_int_equal(open_other(&other), 0);
    assert_int_equal(store_zone_set(other, "large", ZONE_SIZE_MIN), LARGE);
    load(other, path, &saved_at, &loaded);
    ASSERT_THAT("within", store_zone_used(other, LARGE) <= ZONE_SIZE_MIN);
    ASSERT_THAT("and full",
                store_zone_used(other, LARGE) > ZONE_SIZE_MIN - 1000);
    /* The latest stay. */
    for (int i = 499; i > 450; i--) {
        struct upload row = finished(LARGE, "", 1, 0);

        snprintf(row.id, sizeof(row.id), "id%03d", i);
        ASSERT_THAT(row.id, is_stored(other, &row));
    }
    store_free(other);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_batches),
        STORE_TEST(test_round_trip),
        STORE_TEST(test_time_has_passed),
        STORE_TEST(test_boots_without_id),
        STORE_TEST(test_zone_gone),
        STORE_TEST(test_memory_file),
        STORE_TEST(test_refused),
        STORE_TEST(test_a_smaller_zone),
        STORE_TEST(test_beyond_all_time),
        STORE_TEST(test_beside),
        STORE_TEST(test_no_file),
        STORE_TEST(test_assembly_goes_with_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
