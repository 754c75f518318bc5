/* Opening the database, its zones, its lock. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "store_internal.h"

#define AS_COLUMN(name) ", \"" #name "\" INTEGER NOT NULL"

/*
 * Partial indexes: one over what is finished, two over what runs. The key of
 * a table WITHOUT ROWID is the table itself, one search finds a row.
 */
static const char schema[] =
    "CREATE TABLE upload (zone INTEGER NOT NULL, id TEXT NOT NULL,"
    " attempt BLOB NOT NULL, socket BLOB NOT NULL" UPLOAD_COLUMNS(
        AS_COLUMN) ", PRIMARY KEY (zone, id, attempt)) WITHOUT ROWID;"
                   "CREATE INDEX upload_expiry ON upload (zone, expires_ms)"
                   " WHERE expires_ms > 0;"
                   "CREATE INDEX upload_check ON upload (check_ms) WHERE check_ms > 0;"
                   "CREATE INDEX upload_connection ON upload (pid, connection)"
                   " WHERE check_ms > 0;"
                   "CREATE TABLE spool (row INTEGER PRIMARY KEY, pid INTEGER NOT NULL,"
                   " connection INTEGER NOT NULL, request_hash INTEGER NOT NULL,"
                   " id TEXT NOT NULL, path TEXT NOT NULL, fd INTEGER NOT NULL,"
                   " seen_ms INTEGER NOT NULL, held_fd INTEGER NOT NULL DEFAULT -1,"
                   " uncertain_until_ms INTEGER NOT NULL DEFAULT 0,"
                   " UNIQUE (pid, connection, path));"
                   "CREATE INDEX spool_id ON spool (id) WHERE id <> '';"
                   "CREATE INDEX spool_unresolved ON spool (pid) WHERE fd < 0;"
                   /* Filled for a snapshot. */
                   "CREATE TABLE zone (zone INTEGER PRIMARY KEY, name TEXT NOT NULL);"
                   "CREATE TABLE moment (monotonic_ms INTEGER NOT NULL,"
                   " wall_ms INTEGER NOT NULL, boot_id TEXT NOT NULL);"
                   "PRAGMA application_id = 1970302052;" /* "upld" */
                   "PRAGMA user_version = 1;";

struct store *
store_new(const char **message)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        *message = "out of memory";
        return NULL;
    }
    pthread_mutex_init(&store->lock, NULL);
    /* No-ops once SQLite is initialised, as by a second store in a test. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_open_v2(":memory:", &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                            SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                        NULL) != SQLITE_OK ||
        sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK) {
        goto out;
    }
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(store->db, store_statement_sql[i], -1,
                               SQLITE_PREPARE_PERSISTENT, &store->statements[i],
                               NULL) != SQLITE_OK) {
            goto out;
        }
    }
    return store;
out:
    *message = sqlite3_errstr(sqlite3_errcode(store->db));
    store_free(store);
    return NULL;
}

void
store_free(struct store *store)
{
    if (store == NULL) {
        return;
    }
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(store->statements[i]);
    }
    for (int i = 0; i < ZONES_MAX; i++) {
        free(store->zones[i].name);
    }
    sqlite3_close(store->db);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

void
store_error(struct store *store, char *text, size_t size)
{
    pthread_mutex_lock(&store->lock);
    snprintf(text, size, "%s", sqlite3_errmsg(store->db));
    pthread_mutex_unlock(&store->lock);
}

/* The zone of that name, else a free one; -1 if there is neither. */
static int
place_for(const struct store *store, const char *name)
{
    int zone = store_zone_find(store, name);

    for (int i = 0; i < ZONES_MAX && zone < 0; i++) {
        zone = store->zones[i].name == NULL ? i : -1;
    }
    return zone;
}

int
store_zone_set(struct store *store, const char *name, int64_t size_bytes)
{
    int zone = place_for(store, name);
    unsigned evicted = 0;

    if (zone < 0) {
        return -1;
    }
    if (store->zones[zone].name == NULL) {
        store->zones[zone].name = strdup(name);
        if (store->zones[zone].name == NULL) {
            return -1;
        }
    }
    store->zones[zone].size_bytes = size_bytes;
    pthread_mutex_lock(&store->lock);
    /* What runs stays, even where it is too much. */
    store_make_room_locked(store, zone, 0, &evicted);
    pthread_mutex_unlock(&store->lock);
    return zone;
}

void
store_zone_remove(struct store *store, int zone)
{
    sqlite3_stmt *s;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, DELETE_ZONE);
    sqlite3_bind_int(s, 1, zone);
    store_run_locked(s);
    free(store->zones[zone].name);
    store->zones[zone] = (struct zone){ .name = NULL };
    pthread_mutex_unlock(&store->lock);
}

const char *
store_zone_name(const struct store *store, int zone)
{
    return store->zones[zone].name;
}

int
store_zone_find(const struct store *store, const char *name)
{
    for (int i = 0; i < ZONES_MAX; i++) {
        if (store->zones[i].name != NULL &&
            strcmp(store->zones[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int64_t
store_zone_used(struct store *store, int zone)
{
    int64_t used_bytes;

    pthread_mutex_lock(&store->lock);
    used_bytes = store->zones[zone].used_bytes;
    pthread_mutex_unlock(&store->lock);
    return used_bytes;
}

sqlite3_stmt *
store_statement_locked(struct store *store, enum statement which)
{
    return store->statements[which];
}

enum store_result
store_run_locked(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    sqlite3_reset(statement);
    return code == SQLITE_DONE ? STORE_OK : STORE_ERROR;
}
