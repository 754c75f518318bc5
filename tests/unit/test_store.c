/*
 * The store's zones: names, limits, what makes room, expiry, and that zones
 * and stores are kept apart. Time is made up throughout.
 */
#include "store_unit.h"

static void
test_zones(void **state)
{
    char name[16];

    ASSERT_INT("large", store_zone_find(*state, "large"), LARGE);
    ASSERT_INT("small", store_zone_find(*state, "small"), SMALL);
    ASSERT_INT("unknown", store_zone_find(*state, "larg"), -1);
    ASSERT_INT("empty", store_zone_find(*state, ""), -1);
    ASSERT_INT("again", store_zone_set(*state, "small", ZONE_SIZE_MIN), SMALL);
    for (int i = 2; i < ZONES_MAX; i++) {
        snprintf(name, sizeof(name), "zone%d", i);
        ASSERT_INT(name, store_zone_set(*state, name, ZONE_SIZE_MIN), i);
    }
    ASSERT_INT("one too many", store_zone_set(*state, "more", ZONE_SIZE_MIN),
               -1);
    ASSERT_INT("the last", store_zone_find(*state, name), ZONES_MAX - 1);
    ASSERT_INT("the first", store_zone_find(*state, "large"), LARGE);
}

/* The name of the row of a number, all of one length. */
static const char *
numbered(int number)
{
    static char id[16];

    snprintf(id, sizeof(id), "id%05d", number);
    return id;
}

/* Fills the small zone with finished rows; row 0 finished last. */
static int
fill(struct store *store, bool run)
{
    int count = 0;
    int64_t cost_bytes;

    do {
        struct upload upload =
            run ? running(SMALL, numbered(count), 1, 10000 - count)
                : finished(SMALL, numbered(count), 1, 10000 - count);

        put(store, &upload);
        count++;
        cost_bytes = store_zone_used(store, SMALL) / count;
    } while (store_zone_used(store, SMALL) + cost_bytes <= ZONE_SIZE_MIN);
    ASSERT_THAT("rows of a zone", count > 10 && count < 1000);
    return count;
}

static void
test_used(void **state)
{
    struct upload shorter = running(LARGE, "a", 1, 100);
    struct upload longer = running(LARGE, "a", 2, 100);
    int64_t used_bytes;

    memset(longer.id, 'x', UPLOAD_ID_MAX);
    ASSERT_INT("empty", store_zone_used(*state, LARGE), 0);
    put(*state, &shorter);
    used_bytes = store_zone_used(*state, LARGE);
    ASSERT_THAT("a row costs more than its ID", used_bytes > 1);
    put(*state, &shorter);
    ASSERT_INT("written again", store_zone_used(*state, LARGE), used_bytes);
    put(*state, &longer);
    ASSERT_THAT("a long ID costs its length",
                store_zone_used(*state, LARGE) >=
                    2 * used_bytes + UPLOAD_ID_MAX - 1);
    store_upload_delete(*state, LARGE, longer.id, longer.attempt);
    ASSERT_INT("deleted", store_zone_used(*state, LARGE), used_bytes);
    store_upload_delete(*state, LARGE, "a", longer.attempt);
    ASSERT_INT("nothing deleted", store_zone_used(*state, LARGE), used_bytes);
    store_upload_delete(*state, LARGE, "a", shorter.attempt);
    ASSERT_INT("all deleted", store_zone_used(*state, LARGE), 0);
    ASSERT_INT("other zone", store_zone_used(*state, SMALL), 0);
}

/* Each new row costs the oldest finished one, in the order of their ends. */
static void
test_eviction(void **state)
{
    struct upload kept = finished(LARGE, "older, in another zone", 1, 1);
    int count;

    put(*state, &kept);
    count = fill(*state, false);
    for (int i = 0; i < count; i++) {
        struct upload added = running(SMALL, numbered(1000 + i), 1, 20000);
        struct upload oldest = finished(SMALL, numbered(count - 1 - i), 1, 1);
        const char *name = unit_case("row %d of %d", i, count);
        unsigned evicted = 99;

        ASSERT_THAT(name, is_stored(*state, &oldest));
        ASSERT_INT(name, store_upload_put(*state, &added, &evicted), STORE_OK);
        ASSERT_INT(name, evicted, 1);
        ASSERT_THAT(name, !is_stored(*state, &oldest));
        ASSERT_THAT(name, is_stored(*state, &added));
        ASSERT_INT(name, store_upload_count(*state), count + 1);
        ASSERT_THAT(name, store_zone_used(*state, SMALL) <= ZONE_SIZE_MIN);
    }
    ASSERT_THAT("other zone", is_stored(*state, &kept));
}

static void
test_full(void **state)
{
    int count = fill(*state, true);
    struct upload added = running(SMALL, numbered(1000), 1, 1);
    struct upload known = running(SMALL, numbered(0), 1, 10000);
    struct upload elsewhere = running(LARGE, numbered(1000), 1, 1);
    int64_t used_bytes = store_zone_used(*state, SMALL);
    unsigned evicted = 99;

    ASSERT_INT("full", store_upload_put(*state, &added, &evicted), STORE_FULL);
    ASSERT_INT("none is evicted", evicted, 0);
    ASSERT_INT("nothing is added", store_upload_count(*state), count);
    ASSERT_THAT("nothing is added", !is_stored(*state, &added));
    ASSERT_INT("used", store_zone_used(*state, SMALL), used_bytes);
    known.received_bytes = 5;
    put(*state, &known); /* a known one needs no room */
    put(*state, &elsewhere);
    known.finished_ms = 11000;
    known.expires_ms = 12000;
    known.check_ms = 0;
    put(*state, &known);
    ASSERT_INT("room", store_upload_put(*state, &added, &evicted), STORE_OK);
    ASSERT_INT("one is evicted", evicted, 1);
    ASSERT_THAT("the finished one", !is_stored(*state, &known));
    ASSERT_INT("used", store_zone_used(*state, SMALL), used_bytes);
}

/* A row of a long ID takes the room of several. */
static void
test_eviction_of_several(void **state)
{
    int count = fill(*state, false);
    struct upload added = running(SMALL, "", 1, 20000);
    struct upload newest = finished(SMALL, numbered(0), 1, 1);
    unsigned evicted = 0;

    memset(added.id, 'x', UPLOAD_ID_MAX);
    ASSERT_INT("put", store_upload_put(*state, &added, &evicted), STORE_OK);
    ASSERT_THAT("evicted", evicted >= 2 && evicted <= 5);
    ASSERT_INT("count", store_upload_count(*state), count + 1 - (int)evicted);
    ASSERT_THAT("newest", is_stored(*state, &newest));
    ASSERT_THAT("limit", store_zone_used(*state, SMALL) <= ZONE_SIZE_MIN);
}

static void
test_sweep(void **state)
{
    static const struct {
        int64_t now_ms;
        int max;
        int swept;
        int left; /* with the one that runs */
    } rows[] = {
        { 0, 100, 0, 11 },           { TTL_MS + 99, 100, 0, 11 },
        { TTL_MS + 100, 100, 2, 9 }, /* one of each zone */
        { TTL_MS + 100, 100, 0, 9 }, { TTL_MS + 299, 100, 2, 7 },
        { TTL_MS + 9999, 0, 0, 7 },  { TTL_MS + 9999, 1, 1, 6 },
        { TTL_MS + 9999, 4, 4, 2 },  { TTL_MS + 9999, 4, 1, 1 },
        { INT64_MAX, 4, 0, 1 },
    };
    struct upload runs = running(SMALL, "runs", 1, 1);

    put(*state, &runs);
    for (int i = 0; i < 10; i++) {
        struct upload upload =
            finished(i % 2, numbered(i), 1, 100 + 100 * (i / 2));

        put(*state, &upload);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *name = unit_case("row %zu", i);

        ASSERT_INT(name, store_sweep(*state, rows[i].now_ms, rows[i].max),
                   rows[i].swept);
        ASSERT_INT(name, store_upload_count(*state), rows[i].left);
    }
    ASSERT_THAT("runs", is_stored(*state, &runs));
    ASSERT_INT("used", store_zone_used(*state, LARGE), 0);
    store_upload_delete(*state, SMALL, "runs", runs.attempt);
    ASSERT_INT("used", store_zone_used(*state, SMALL), 0);
}

/* The same ID, and even attempt, in two zones are two uploads. */
static void
test_zones_apart(void **state)
{
    struct upload large = running(LARGE, "abc", 1, 100);
    struct upload small = running(SMALL, "abc", 1, 100);
    struct upload got;

    large.received_bytes = 11;
    small.received_bytes = 22;
    put(*state, &large);
    put(*state, &small);
    ASSERT_INT("large", store_upload_find(*state, LARGE, "abc", &got),
               STORE_OK);
    ASSERT_INT("large", got.received_bytes, 11);
    ASSERT_INT("large", got.zone, LARGE);
    ASSERT_INT("small", store_upload_find(*state, SMALL, "abc", &got),
               STORE_OK);
    ASSERT_INT("small", got.received_bytes, 22);
    small.received_bytes = 33;
    ASSERT_INT("measured", store_upload_measured(*state, &small), STORE_OK);
    get(*state, &large, &got);
    ASSERT_INT("large", got.received_bytes, 11);
    store_upload_delete(*state, LARGE, "abc", large.attempt);
    ASSERT_THAT("large", !is_stored(*state, &large));
    ASSERT_THAT("small", is_stored(*state, &small));
}

/* Each store is one by itself. */
static void
test_two_stores(void **state)
{
    const char *message = NULL;
    struct store *other = store_new(&message);
    struct upload upload = running(LARGE, "abc", 1, 100);

    assert_non_null(other);
    ASSERT_INT("add", store_zone_set(other, "large", LARGE_BYTES), LARGE);
    put(*state, &upload);
    ASSERT_INT("other", store_upload_count(other), 0);
    store_free(other);
    ASSERT_THAT("stays", is_stored(*state, &upload));
    store_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_zones),
        STORE_TEST(test_used),
        STORE_TEST(test_eviction),
        STORE_TEST(test_full),
        STORE_TEST(test_eviction_of_several),
        STORE_TEST(test_sweep),
        STORE_TEST(test_zones_apart),
        STORE_TEST(test_two_stores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
