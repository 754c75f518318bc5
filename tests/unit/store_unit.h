/* What the tests of the store share: a store of two zones, and rows for it. */
#ifndef TESTS_STORE_UNIT_H
#define TESTS_STORE_UNIT_H

#include "unit.h"

#include "store.h"

enum {
    TTL_MS = 5000,
    LARGE = 0, /* indexes of the zones of every test */
    SMALL = 1,
    LARGE_BYTES = 1 << 20,
};

static inline int
open_store(void **state)
{
    const char *message = NULL;
    struct store *store = store_new(&message);

    if (store == NULL) {
        print_error("store_new: %s\n", message);
        return -1;
    }
    assert_int_equal(store_zone_set(store, "large", LARGE_BYTES), LARGE);
    assert_int_equal(store_zone_set(store, "small", ZONE_SIZE_MIN), SMALL);
    *state = store;
    return 0;
}

static inline int
close_store(void **state)
{
    store_free(*state);
    return 0;
}

/* An attempt of an ID by number, which runs. */
static inline struct upload
running(int zone, const char *id, uint8_t attempt, int64_t started_ms)
{
    struct upload upload;

    memset(&upload, 0, sizeof(upload));
    upload.zone = zone;
    snprintf(upload.id, sizeof(upload.id), "%s", id);
    upload.attempt[UPLOAD_ATTEMPT_BYTES - 1] = attempt;
    upload.state = UPLOAD_UPLOADING;
    upload.size_bytes = -1;
    upload.header_bytes = -1;
    upload.started_ms = started_ms;
    upload.check_ms = started_ms + 100;
    return upload;
}

static inline struct upload
finished(int zone, const char *id, uint8_t attempt, int64_t finished_ms)
{
    struct upload upload = running(zone, id, attempt, finished_ms - 10);

    upload.state = UPLOAD_DONE;
    upload.status = 200;
    upload.finished_ms = finished_ms;
    upload.expires_ms = finished_ms + TTL_MS;
    upload.check_ms = 0;
    return upload;
}

/* Puts a row, which fits without evicting any. */
static inline void
put(struct store *store, const struct upload *upload)
{
    unsigned evicted = 99;

    ASSERT_INT(upload->id, store_upload_put(store, upload, &evicted), STORE_OK);
    ASSERT_INT(upload->id, evicted, 0);
}

static inline void
get(struct store *store, const struct upload *key, struct upload *upload)
{
    memset(upload, 0, sizeof(*upload));
    ASSERT_INT(
        key->id,
        store_upload_get(store, key->zone, key->id, key->attempt, upload),
        STORE_OK);
}

static inline bool
is_stored(struct store *store, const struct upload *key)
{
    struct upload upload;

    return store_upload_get(store, key->zone, key->id, key->attempt, &upload) ==
           STORE_OK;
}

/* A test that is given a fresh store. */
#define STORE_TEST(function) \
    cmocka_unit_test_setup_teardown(function, open_store, close_store)

#endif
