/*
 * Rows in front of SQLite: those of running uploads that were looked at, each
 * with what has been measured since, which is written to the table when the row
 * leaves. Nobody sees the difference: whoever reads the table is given what
 * stands here instead, and whoever changes a row has it leave before.
 */
#include <stdlib.h>
#include <string.h>

#include "store_internal.h"

uint32_t
store_hash(int zone, const char *id)
{
    uint32_t hash = (uint32_t)zone;

    for (const char *p = id; *p != '\0'; p++) {
        hash = hash * 31 + (uint8_t)*p;
    }
    return hash;
}

static size_t
bytes_of(const struct upload *row)
{
    return offsetof(struct upload, id) + strlen(row->id) + 1;
}

static struct cache_place *
set_of(struct store *store, uint32_t hash)
{
    /* The upper bits depend on all characters, those of counted IDs, too. */
    return store->cache[hash * 2654435769U >> (32 - CACHE_SET_BITS)];
}

static struct cache_place *
find_place(struct store *store, int zone, const char *id)
{
    uint32_t hash = store_hash(zone, id);
    struct cache_place *set = set_of(store, hash);

    for (int i = 0; i < CACHE_WAYS; i++) {
        if (set[i].row != NULL && set[i].hash == hash &&
            set[i].row->zone == zone && strcmp(set[i].row->id, id) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

static bool
is_attempt(const struct cache_place *place, const uint8_t *attempt)
{
    return memcmp(place->row->attempt, attempt, UPLOAD_ATTEMPT_BYTES) == 0;
}

/* The place of that very attempt, or NULL. */
static struct cache_place *
find_attempt(struct store *store, int zone, const char *id,
             const uint8_t *attempt)
{
    struct cache_place *place = find_place(store, zone, id);

    return place != NULL && is_attempt(place, attempt) ? place : NULL;
}

static struct cache_place *
place_of(struct store *store, const struct upload *upload)
{
    return find_attempt(store, upload->zone, upload->id, upload->attempt);
}

/* Whether what the table has of them is the same. */
static bool
are_measured_alike(const struct upload *one, const struct upload *other)
{
    return one->received_bytes == other->received_bytes &&
           one->gauge == other->gauge &&
           one->approximate == other->approximate &&
           memcmp(one->mark_ms, other->mark_ms, sizeof(one->mark_ms)) == 0 &&
           memcmp(one->mark_bytes, other->mark_bytes,
                  sizeof(one->mark_bytes)) == 0 &&
           one->updated_ms == other->updated_ms &&
           one->spool_row == other->spool_row &&
           one->spool_certain == other->spool_certain;
}

/* The fields that store_upload_measured() writes, and they alone. */
static void
copy_measured(struct upload *to, const struct upload *from)
{
    to->measured_ms = from->measured_ms;
    to->alive_ms = from->alive_ms;
    to->received_bytes = from->received_bytes;
    to->gauge = from->gauge;
    to->approximate = from->approximate;
    memcpy(to->mark_ms, from->mark_ms, sizeof(to->mark_ms));
    memcpy(to->mark_bytes, from->mark_bytes, sizeof(to->mark_bytes));
    to->updated_ms = from->updated_ms;
    if (from->spool_row != 0) {
        to->spool_row = from->spool_row;
        to->spool_certain = from->spool_certain;
    }
}

static void
leave(struct store *store, struct cache_place *place)
{
    if (place->measured) {
        /* It fails where memory has run out: then the table is behind. */
        (void)store_write_measured_locked(store, place->row);
    }
    free(place->row);
    place->row = NULL;
    place->measured = false;
}

bool
store_cached_locked(struct store *store, int zone, const char *id,
                    struct upload *upload)
{
    const struct cache_place *place = find_place(store, zone, id);

    if (place == NULL) {
        return false;
    }
    if (upload != NULL) {
        memcpy(upload, place->row, bytes_of(place->row));
    }
    return true;
}

bool
store_cached_attempt_locked(struct store *store, int zone, const char *id,
                            const uint8_t *attempt, struct upload *upload)
{
    const struct cache_place *place = find_attempt(store, zone, id, attempt);

    if (place == NULL) {
        return false;
    }
    memcpy(upload, place->row, bytes_of(place->row));
    return true;
}

void
store_cache_locked(struct store *store, const struct upload *row)
{
    uint32_t hash = store_hash(row->zone, row->id);
    struct cache_place *set = set_of(store, hash);
    struct cache_place *place = &set[hash % CACHE_WAYS];
    struct upload *copy = malloc(bytes_of(row));

    if (copy == NULL) {
        return;
    }
    for (int i = 0; i < CACHE_WAYS && place->row != NULL; i++) {
        if (set[i].row == NULL) {
            place = &set[i];
        }
    }
    if (place->row != NULL) {
        leave(store, place);
    }
    memcpy(copy, row, bytes_of(row));
    place->row = copy;
    place->hash = hash;
}

bool
store_cache_measured_locked(struct store *store, const struct upload *upload)
{
    struct cache_place *place = place_of(store, upload);

    if (place == NULL) {
        return false;
    }
    if (upload->received_bytes >= place->row->received_bytes) {
        place->measured |= !are_measured_alike(place->row, upload);
        copy_measured(place->row, upload);
    }
    return true;
}

int64_t
store_cache_alive_ms_locked(struct store *store, const struct upload *key)
{
    const struct cache_place *place = place_of(store, key);

    return place != NULL ? place->row->alive_ms : 0;
}

void
store_cache_over_locked(struct store *store, struct upload *row)
{
    const struct cache_place *place = place_of(store, row);

    if (place != NULL && place->measured) {
        copy_measured(row, place->row);
    }
}

void
store_replaced_locked(struct store *store, int zone, const char *id,
                      const uint8_t *attempt)
{
    struct cache_place *place = find_place(store, zone, id);

    if (place == NULL) {
        return;
    }
    if (is_attempt(place, attempt)) {
        place->measured = false; /* of a row that is not there any more */
    }
    leave(store, place);
}

void
store_cache_free(struct store *store)
{
    for (int i = 0; i < CACHE_SETS * CACHE_WAYS; i++) {
        free(store->cache[i / CACHE_WAYS][i % CACHE_WAYS].row);
    }
}

void
store_settle_all_locked(struct store *store)
{
    for (int i = 0; i < CACHE_SETS * CACHE_WAYS; i++) {
        struct cache_place *place =
            &store->cache[i / CACHE_WAYS][i % CACHE_WAYS];

        if (place->row != NULL) {
            leave(store, place);
        }
    }
}
