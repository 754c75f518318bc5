/*
 * The rows in front of the table: two stores are given the same random calls,
 * and in one of them each row leaves the cache after every call. Nobody must be
 * able to tell them apart.
 */
#include <stdlib.h>

#include "store_internal.h"
#include "store_unit.h"

enum {
    ROUNDS = 60,
    CALLS = 600,
    ZONES = 2,
    IDS = 6,
    ATTEMPTS_EACH = 3,
    ROWS = 32,
};

static unsigned
pick(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245U + 12345;
    return (*seed >> 16) % below;
}

static void
id_text(char *id, size_t size, unsigned number)
{
    snprintf(id, size, "id%u", number);
}

/* Every row that may be there leaves, as if another took its place. */
static void
settle(struct store *store)
{
    static const uint8_t nobodys[UPLOAD_ATTEMPT_BYTES] = { 255 };

    pthread_mutex_lock(&store->lock);
    for (int i = 0; i < ZONES * IDS; i++) {
        char id[8];

        id_text(id, sizeof(id), i % IDS);
        store_replaced_locked(store, i / IDS, id, nobodys);
    }
    pthread_mutex_unlock(&store->lock);
}

static void
settle_all(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store_settle_all_locked(store);
    pthread_mutex_unlock(&store->lock);
}

/* Fields that a caller may look at, one by one: there are gaps in between. */
static void
same_rows(const char *name, const struct upload *one, const struct upload *two,
          int count)
{
    for (int i = 0; i < count; i++) {
        const struct upload *a = &one[i];
        const struct upload *b = &two[i];

#define SAME(field) ASSERT_INT(name, a->field, b->field)
        ASSERT_TEXT(name, a->id, b->id);
        ASSERT_THAT(name, memcmp(a->attempt, b->attempt, 16) == 0);
        SAME(zone), SAME(state), SAME(received_bytes), SAME(gauge);
        SAME(approximate), SAME(mark_ms[0]), SAME(mark_ms[1]);
        SAME(mark_bytes[0]), SAME(mark_bytes[1]), SAME(updated_ms);
        SAME(spool_row), SAME(spool_certain), SAME(finished_ms);
        SAME(check_ms), SAME(started_ms), SAME(gone_ms), SAME(size_bytes);
#undef SAME
    }
}

static struct upload
some_upload(unsigned *seed)
{
    char id[8];
    struct upload upload;
    int zone = (int)pick(seed, ZONES);

    id_text(id, sizeof(id), pick(seed, IDS));
    upload = pick(seed, 3) == 0
                 ? finished(zone, id, (uint8_t)pick(seed, ATTEMPTS_EACH),
                            1000 + pick(seed, 100))
                 : running(zone, id, (uint8_t)pick(seed, ATTEMPTS_EACH),
                           100 + pick(seed, 100));
    upload.pid = 1 + pick(seed, 2);
    upload.connection = 1 + pick(seed, 2);
    if (upload.finished_ms == 0 && pick(seed, 2) == 0) {
        upload.check_ms = UPLOAD_IN_TURN;
    }
    upload.received_bytes = pick(seed, 1000);
    return upload;
}

/* Changes what is measured of an upload: all of it, or one thing alone. */
static void
measured_by(unsigned *seed, struct upload *upload)
{
    enum { ALL = 7 };
    const unsigned which = pick(seed, ALL + 3);

    upload->measured_ms = upload->alive_ms = pick(seed, 50);
    if (which == 0 || which >= ALL) {
        upload->received_bytes = pick(seed, 2000);
    }
    if (which == 1 || which >= ALL) {
        upload->gauge = (int)pick(seed, 4);
    }
    if (which == 2 || which >= ALL) {
        upload->approximate = pick(seed, 2) == 0;
    }
    if (which == 3 || which >= ALL) {
        upload->mark_ms[0] = pick(seed, 50);
        upload->mark_ms[1] = 50 + pick(seed, 50);
    }
    if (which == 4 || which >= ALL) {
        upload->mark_bytes[0] = pick(seed, 500);
        upload->mark_bytes[1] = 500 + pick(seed, 500);
    }
    if (which == 5 || which >= ALL) {
        upload->updated_ms = 100 + pick(seed, 900);
    }
    if (which == 6 || which >= ALL) {
        upload->spool_row = pick(seed, 3);
        upload->spool_certain = pick(seed, 2) == 0;
    }
}

static int
read_some(struct store *store, unsigned call, const struct upload *key,
          struct upload *rows)
{
    struct upload place;
    int count;

    switch (call) {
    case 0:
        return store_upload_find(store, key->zone, key->id, rows);
    case 1:
        return store_upload_get(store, key->zone, key->id, key->attempt, rows);
    case 2:
        return store_upload_attempts(store, key->zone, key->id, rows, ROWS);
    case 3:
        return store_upload_on_connection(store, key->pid, key->connection,
                                          rows, ROWS);
    case 4:
        return store_upload_due(store, key->started_ms + 50, rows, ROWS);
    default:
        place = *key;
        return store_upload_in_turn(store, &place, INT64_MAX, rows, ROWS,
                                    &count) == count
                   ? count
                   : -1;
    }
}

static void
compare(const char *name, struct store *one, struct store *two, unsigned call,
        const struct upload *key)
{
    struct upload rows[2][ROWS];
    int count = read_some(one, call, key, rows[0]);

    ASSERT_INT(name, count, read_some(two, call, key, rows[1]));
    if (call < 2) {
        count = count == STORE_OK;
    }
    same_rows(name, rows[0], rows[1], count);
}

/* Changes both alike; in every store a probe has found the row before. */
static void
change(const char *name, struct store *one, struct store *two, unsigned *seed)
{
    struct upload upload = some_upload(seed);
    struct upload other;
    unsigned evicted;

    switch (pick(seed, 8)) {
    case 0:
        ASSERT_INT(
            name,
            store_upload_delete(one, upload.zone, upload.id, upload.attempt),
            store_upload_delete(two, upload.zone, upload.id, upload.attempt));
        break;
    case 1:
    case 2:
        ASSERT_INT(name, store_upload_put(one, &upload, &evicted),
                   store_upload_put(two, &upload, &evicted));
        break;
    default:
        /* As a probe does: of the row that it has found. */
        other = upload;
        ASSERT_INT(
            name,
            store_upload_get(one, upload.zone, upload.id, upload.attempt,
                             &upload),
            store_upload_get(two, other.zone, other.id, other.attempt, &other));
        same_rows(name, &upload, &other, 1);
        measured_by(seed, &upload);
        ASSERT_INT(name, store_upload_measured(one, &upload),
                   store_upload_measured(two, &upload));
        break;
    }
}

static struct upload tables[2][ROWS];
static int table_count;

static void
take_row(void *context, const struct upload *upload)
{
    struct upload *table = context;

    assert_true(table_count < ROWS);
    table[table_count++] = *upload;
}

/* The table of each, in the order of its own. */
static void
compare_all(const char *name, struct store *one, struct store *two)
{
    int count;

    table_count = 0;
    ASSERT_INT(name, store_upload_each_running(one, take_row, tables[0]), 0);
    count = table_count;
    table_count = 0;
    ASSERT_INT(name, store_upload_each_running(two, take_row, tables[1]), 0);
    ASSERT_INT(name, count, table_count);
    same_rows(name, tables[0], tables[1], count);
    ASSERT_INT(name, store_upload_running(one), count);
}

static void
test_nobody_can_tell(void **state)
{
    void *other = NULL;

    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned seed = round;

        assert_int_equal(open_store(&other), 0);
        for (int i = 0; i < CALLS; i++) {
            const char *name = unit_case("seed %u, call %d", round, i);
            struct upload key = some_upload(&seed);

            change(name, *state, other, &seed);
            settle(other);
            compare(name, *state, other, pick(&seed, 6), &key);
            settle(other);
        }
        compare_all(unit_case("seed %u", round), *state, other);
        settle_all(*state);
        compare_all(unit_case("seed %u, settled", round), *state, other);
        close_store(&other);
        close_store(state);
        assert_int_equal(open_store(state), 0);
    }
}

/* More rows than there is room for: those that leave keep what was measured. */
static void
test_more_than_room(void **state)
{
    enum { MANY = 3 * CACHE_SETS * CACHE_WAYS / 2 };
    char id[16];

    store_zone_set(*state, "large", 100 << 20);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < MANY; i++) {
            struct upload upload;

            snprintf(id, sizeof(id), "id%d", i);
            upload = running(LARGE, id, 1, 100);
            if (pass == 0) {
                put(*state, &upload);
            }
            upload.received_bytes = 10 * (pass + 1) + i % 7;
            ASSERT_INT(id, store_upload_measured(*state, &upload), STORE_OK);
        }
    }
    for (int i = 0; i < MANY; i++) {
        struct upload got;

        snprintf(id, sizeof(id), "id%d", i);
        ASSERT_INT(id, store_upload_find(*state, LARGE, id, &got), STORE_OK);
        ASSERT_INT(id, got.received_bytes, 20 + i % 7);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_nobody_can_tell),
        STORE_TEST(test_more_than_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
