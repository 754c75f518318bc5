/* The table of uploads: finding, writing, expiring. */
#include <string.h>

#include "store_internal.h"

enum { SWEEP_BATCH = 64 };

static int64_t
row_cost(const char *id)
{
    return ROW_COST_BYTES + ID_COST_BYTES * (int64_t)strlen(id);
}

/* Steps through the rows of a bound statement, and resets it. */
static int
read_rows(struct store *store, sqlite3_stmt *s, struct upload *uploads, int max)
{
    int count = 0;
    int code;

    while ((code = sqlite3_step(s)) == SQLITE_ROW && count < max) {
        store_read_row(s, &uploads[count]);
        store_cache_over_locked(store, &uploads[count++]);
    }
    sqlite3_reset(s);
    return code == SQLITE_DONE || code == SQLITE_ROW ? count : -1;
}

static enum store_result
found(int count)
{
    if (count < 0) {
        return STORE_ERROR;
    }
    return count > 0 ? STORE_OK : STORE_NOT_FOUND;
}

static atomic_uint *
version_of(struct store *store, int zone, const char *id)
{
    return &store->versions[store_hash(zone, id) % VERSIONS];
}

uint32_t
store_version(struct store *store, int zone, const char *id)
{
    return atomic_load_explicit(version_of(store, zone, id),
                                memory_order_acquire);
}

void
store_changed_locked(struct store *store, int zone, const char *id)
{
    atomic_fetch_add_explicit(version_of(store, zone, id), 1,
                              memory_order_release);
}

void
store_all_changed_locked(struct store *store)
{
    for (int i = 0; i < VERSIONS; i++) {
        atomic_fetch_add_explicit(&store->versions[i], 1, memory_order_release);
    }
}

/*
 * Whether a probe asks for the one rather than for the other. A form of which
 * nobody knows yet what it is may be a piece of the file that is known.
 */
static bool
comes_first(const struct upload *one, const struct upload *other)
{
    if ((one->finished_ms > 0) != (other->finished_ms > 0)) {
        return other->finished_ms > 0;
    }
    if (one->finished_ms == 0 && (one->piece_at < 0) != (other->piece_at < 0)) {
        return other->piece_at < 0;
    }
    return one->finished_ms > 0 ? one->finished_ms > other->finished_ms
                                : one->started_ms < other->started_ms;
}

static enum store_result
find_locked(struct store *store, int zone, const char *id,
            struct upload *upload)
{
    sqlite3_stmt *s = store_statement_locked(store, ATTEMPTS);
    struct upload other;
    int count = 0;
    int code;

    store_bind_key(s, zone, id, NULL);
    sqlite3_bind_int(s, 3, -1); /* all */
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        store_read_row(s, &other);
        if (other.piece_at > 0) {
            continue; /* the file's row tells of it */
        }
        if (count++ == 0 || comes_first(&other, upload)) {
            *upload = other;
        }
    }
    sqlite3_reset(s);
    if (code == SQLITE_DONE && count > 0 && upload->finished_ms == 0) {
        store_cache_locked(store, upload);
    }
    return found(code == SQLITE_DONE ? count : -1);
}

/* Has the row that tells of an ID stand in front of the table, if it runs. */
static void
bring_forward_locked(struct store *store, int zone, const char *id)
{
    struct upload row = { .received_bytes = 0 };

    if (!store_cached_locked(store, zone, id, NULL)) {
        (void)find_locked(store, zone, id, &row);
    }
}

enum store_result
store_upload_find(struct store *store, int zone, const char *id,
                  struct upload *upload)
{
    enum store_result result = STORE_OK;

    pthread_mutex_lock(&store->lock);
    if (!store_cached_locked(store, zone, id, upload)) {
        result = find_locked(store, zone, id, upload);
    }
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum store_result
store_get_locked(struct store *store, int zone, const char *id,
                 const uint8_t *attempt, struct upload *upload)
{
    sqlite3_stmt *s;

    if (store_cached_attempt_locked(store, zone, id, attempt, upload)) {
        return STORE_OK;
    }
    s = store_statement_locked(store, GET);
    store_bind_key(s, zone, id, attempt);
    return found(read_rows(store, s, upload, 1));
}

enum store_result
store_upload_get(struct store *store, int zone, const char *id,
                 const uint8_t *attempt, struct upload *upload)
{
    enum store_result result;

    pthread_mutex_lock(&store->lock);
    result = store_get_locked(store, zone, id, attempt, upload);
    pthread_mutex_unlock(&store->lock);
    return result;
}

int
store_upload_attempts(struct store *store, int zone, const char *id,
                      struct upload *uploads, int max)
{
    sqlite3_stmt *s;
    int count;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, ATTEMPTS);
    store_bind_key(s, zone, id, NULL);
    sqlite3_bind_int(s, 3, max);
    count = read_rows(store, s, uploads, max);
    pthread_mutex_unlock(&store->lock);
    return count;
}

int
store_upload_on_connection(struct store *store, int64_t pid, int64_t connection,
                           struct upload *uploads, int max)
{
    sqlite3_stmt *s;
    int count;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, ON_CONNECTION);
    sqlite3_bind_int64(s, 1, pid);
    sqlite3_bind_int64(s, 2, connection);
    sqlite3_bind_int(s, 3, max);
    count = read_rows(store, s, uploads, max);
    pthread_mutex_unlock(&store->lock);
    return count;
}

static enum store_result
delete_locked(struct store *store, int zone, const char *id,
              const uint8_t *attempt)
{
    sqlite3_stmt *s = store_statement_locked(store, DELETE);
    bool is_gone = false;
    int code;

    store_replaced_locked(store, zone, id, attempt);
    store_bind_key(s, zone, id, attempt);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        store->running_count -= sqlite3_column_int(s, 0);
        store->zones[zone].used_bytes -= row_cost(id);
        store_changed_locked(store, zone, id);
        is_gone = true;
    }
    sqlite3_reset(s);
    if (is_gone &&
        memcmp(attempt, store_no_attempt, UPLOAD_ATTEMPT_BYTES) == 0) {
        store_delete_assembly_locked(store, zone, id);
    }
    return code == SQLITE_DONE ? STORE_OK : STORE_ERROR;
}

enum store_result
store_upload_delete(struct store *store, int zone, const char *id,
                    const uint8_t *attempt)
{
    enum store_result result;

    pthread_mutex_lock(&store->lock);
    result = delete_locked(store, zone, id, attempt);
    pthread_mutex_unlock(&store->lock);
    return result;
}

/* Deletes the first row that a bound statement finds, if any. */
static enum store_result
delete_first_locked(struct store *store, sqlite3_stmt *s)
{
    struct upload upload;
    int code = sqlite3_step(s);

    if (code == SQLITE_ROW) {
        store_read_key(s, &upload);
    }
    sqlite3_reset(s);
    if (code != SQLITE_ROW) {
        return code == SQLITE_DONE ? STORE_NOT_FOUND : STORE_ERROR;
    }
    return delete_locked(store, upload.zone, upload.id, upload.attempt);
}

enum store_result
store_make_room_locked(struct store *store, int zone, int64_t wanted_bytes,
                       unsigned *evicted)
{
    const struct zone *z = &store->zones[zone];
    enum store_result result = STORE_OK;

    while (z->used_bytes + wanted_bytes > z->size_bytes) {
        sqlite3_stmt *s = store_statement_locked(store, OLDEST_FINISHED);

        sqlite3_bind_int(s, 1, zone);
        result = delete_first_locked(store, s);
        if (result != STORE_OK) {
            return result == STORE_NOT_FOUND ? STORE_FULL : result;
        }
        (*evicted)++;
    }
    return result;
}

/* Writes a row in place of the old one; NULL: there is none. */
static enum store_result
replace_locked(struct store *store, const struct upload *old,
               const struct upload *upload)
{
    sqlite3_stmt *s = store_statement_locked(store, PUT);
    enum store_result result;

    store_replaced_locked(store, upload->zone, upload->id, upload->attempt);
    store_bind_row(s, upload);
    result = store_run_locked(s);
    if (result == STORE_OK) {
        store->running_count +=
            (upload->check_ms > 0) - (old != NULL && old->check_ms > 0);
        if (old == NULL) {
            store->zones[upload->zone].used_bytes += row_cost(upload->id);
        }
    }
    store_changed_locked(store, upload->zone, upload->id);
    return result;
}

enum store_result
store_write_upload_locked(struct store *store, const struct upload *upload)
{
    struct upload old;
    enum store_result result;

    result = store_get_locked(store, upload->zone, upload->id, upload->attempt,
                              &old);
    if (result == STORE_ERROR) {
        return result;
    }
    return replace_locked(store, result == STORE_OK ? &old : NULL, upload);
}

enum store_result
store_put_locked(struct store *store, const struct upload *upload,
                 unsigned *evicted)
{
    struct upload old = { .received_bytes = 0 };
    struct upload row = *upload;
    enum store_result result;
    bool is_new;

    *evicted = 0;
    result = store_get_locked(store, upload->zone, upload->id, upload->attempt,
                              &old);
    is_new = result == STORE_NOT_FOUND;
    if (is_new) {
        result = store_make_room_locked(store, upload->zone,
                                        row_cost(upload->id), evicted);
    }
    if (result == STORE_OK) {
        /*
         * A probe may have counted further since the caller read the row. A
         * file may begin anew.
         */
        if ((!store_is_assembly(&row) || old.started_ms == row.started_ms) &&
            old.received_bytes > row.received_bytes) {
            row.received_bytes = old.received_bytes;
            row.updated_ms = old.updated_ms;
        }
        result = replace_locked(store, is_new ? NULL : &old, &row);
    }
    return result;
}

enum store_result
store_upload_put(struct store *store, const struct upload *upload,
                 unsigned *evicted)
{
    enum store_result result;

    pthread_mutex_lock(&store->lock);
    result = store_put_locked(store, upload, evicted);
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum store_result
store_write_measured_locked(struct store *store, const struct upload *upload)
{
    sqlite3_stmt *s = store_statement_locked(store, MEASURED);

    store_bind_key(s, upload->zone, upload->id, upload->attempt);
    sqlite3_bind_int64(s, 4, upload->received_bytes);
    sqlite3_bind_int(s, 5, upload->gauge);
    sqlite3_bind_int(s, 6, upload->approximate);
    sqlite3_bind_int64(s, 7, upload->mark_ms[0]);
    sqlite3_bind_int64(s, 8, upload->mark_ms[1]);
    sqlite3_bind_int64(s, 9, upload->mark_bytes[0]);
    sqlite3_bind_int64(s, 10, upload->mark_bytes[1]);
    sqlite3_bind_int64(s, 11, upload->spool_row);
    sqlite3_bind_int64(s, 12, upload->updated_ms);
    sqlite3_bind_int(s, 13, upload->spool_certain);
    return store_run_locked(s);
}

enum store_result
store_upload_measured(struct store *store, const struct upload *upload)
{
    enum store_result result = STORE_OK;
    bool taken;

    pthread_mutex_lock(&store->lock);
    taken = store_cache_measured_locked(store, upload);
    if (!taken) {
        /* From now on it costs next to nothing. */
        bring_forward_locked(store, upload->zone, upload->id);
        taken = store_cache_measured_locked(store, upload);
    }
    if (!taken) {
        result = store_write_measured_locked(store, upload);
    }
    pthread_mutex_unlock(&store->lock);
    return result;
}

int
store_upload_due(struct store *store, int64_t now_ms, struct upload *uploads,
                 int max)
{
    sqlite3_stmt *s;
    int count;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, DUE);
    sqlite3_bind_int64(s, 1, now_ms);
    sqlite3_bind_int(s, 2, max);
    count = read_rows(store, s, uploads, max);
    pthread_mutex_unlock(&store->lock);
    return count;
}

int
store_upload_in_turn(struct store *store, struct upload *place,
                     int64_t alive_since_ms, struct upload *uploads, int max,
                     int *count)
{
    struct upload key = *place; /* it stays bound while the place moves on */
    int64_t alive_ms;
    int passed = 0;
    sqlite3_stmt *s;
    int code;

    *count = 0;
    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, IN_TURN);
    store_bind_key(s, key.zone, key.id, key.attempt);
    sqlite3_bind_int(s, 4, max);
    sqlite3_bind_int64(s, 5, UPLOAD_IN_TURN);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        passed++;
        store_read_key(s, place);
        alive_ms = store_cache_alive_ms_locked(store, place);
        if (alive_ms != 0 && alive_ms >= alive_since_ms) {
            continue;
        }
        bring_forward_locked(store, place->zone, place->id);
        if (store_get_locked(store, place->zone, place->id, place->attempt,
                             &uploads[*count]) == STORE_OK) {
            (*count)++;
        }
    }
    sqlite3_reset(s);
    pthread_mutex_unlock(&store->lock);
    return code == SQLITE_DONE ? passed : -1;
}

int
store_upload_running(struct store *store)
{
    int count;

    pthread_mutex_lock(&store->lock);
    count = store->running_count;
    pthread_mutex_unlock(&store->lock);
    return count;
}

void
store_count_running_locked(struct store *store)
{
    sqlite3_stmt *s = store_statement_locked(store, RUNNING_COUNT);

    if (sqlite3_step(s) == SQLITE_ROW) {
        store->running_count = sqlite3_column_int(s, 0);
    }
    sqlite3_reset(s);
}

int
store_upload_each_running(struct store *store,
                          void (*take)(void *context,
                                       const struct upload *upload),
                          void *context)
{
    struct upload upload;
    sqlite3_stmt *s;
    int code;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, RUNNING);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        store_read_row(s, &upload);
        store_cache_over_locked(store, &upload);
        take(context, &upload);
    }
    sqlite3_reset(s);
    pthread_mutex_unlock(&store->lock);
    return code == SQLITE_DONE ? 0 : -1;
}

static enum store_result
sweep_one_locked(struct store *store, int zone, int64_t now_ms)
{
    sqlite3_stmt *s = store_statement_locked(store, EXPIRED);

    sqlite3_bind_int(s, 1, zone);
    sqlite3_bind_int64(s, 2, now_ms);
    return delete_first_locked(store, s);
}

static enum store_result
sweep_some(struct store *store, int zone, int64_t now_ms, int max, int *swept)
{
    enum store_result result = STORE_OK;

    store_batch_begin(store);
    for (int i = 0; i < SWEEP_BATCH && result == STORE_OK; i++) {
        /* A lock for each row: a probe never waits for a whole sweep. */
        pthread_mutex_lock(&store->lock);
        result = *swept < max ? sweep_one_locked(store, zone, now_ms)
                              : STORE_NOT_FOUND;
        pthread_mutex_unlock(&store->lock);
        *swept += result == STORE_OK;
    }
    store_batch_end(store);
    return result;
}

int
store_sweep(struct store *store, int64_t now_ms, int max)
{
    int swept = 0;
    enum store_result result = STORE_OK;

    for (int zone = 0; zone < ZONES_MAX; zone++) {
        if (store->zones[zone].name == NULL) {
            continue;
        }
        do {
            result = sweep_some(store, zone, now_ms, max, &swept);
        } while (result == STORE_OK);
        if (result == STORE_ERROR) {
            return -1;
        }
    }
    return swept;
}

int
store_upload_count(struct store *store)
{
    sqlite3_stmt *s;
    int count = -1;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, COUNT);
    if (sqlite3_step(s) == SQLITE_ROW) {
        count = sqlite3_column_int(s, 0);
    }
    sqlite3_reset(s);
    pthread_mutex_unlock(&store->lock);
    return count;
}
