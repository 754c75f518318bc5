/* Opening the database, its statements, its lock. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

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
                   "CREATE TABLE assembly (zone INTEGER NOT NULL, id TEXT NOT NULL,"
                   " protocol INTEGER NOT NULL, pieces INTEGER NOT NULL,"
                   " resumed_bytes INTEGER NOT NULL, chunk_bytes INTEGER NOT NULL,"
                   " failed_ms INTEGER NOT NULL, whole TEXT NOT NULL,"
                   " base_bytes INTEGER NOT NULL, form_bytes INTEGER NOT NULL,"
                   " unplaced_bytes INTEGER NOT NULL, received BLOB NOT NULL,"
                   " PRIMARY KEY (zone, id)) WITHOUT ROWID;"
                   /* Filled for a snapshot. */
                   "CREATE TABLE zone (zone INTEGER PRIMARY KEY, name TEXT NOT NULL);"
                   "CREATE TABLE moment (monotonic_ms INTEGER NOT NULL,"
                   " wall_ms INTEGER NOT NULL, boot_id TEXT NOT NULL);"
                   "PRAGMA application_id = 1970302052;" /* "upld" */
                   "PRAGMA user_version = 3;";

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
    store_cache_free(store);
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

sqlite3_stmt *
store_statement_locked(struct store *store, enum store_statement which)
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

/* SQLite ends a transaction by itself where memory runs out. */
static bool
is_in_transaction(const struct store *store)
{
    return sqlite3_get_autocommit(store->db) == 0;
}

void
store_batch_suspend_locked(struct store *store)
{
    if (is_in_transaction(store)) {
        store_run_locked(store_statement_locked(store, COMMIT));
    }
}

void
store_batch_resume_locked(struct store *store)
{
    if (store->batches > 0 && !is_in_transaction(store)) {
        store_run_locked(store_statement_locked(store, BEGIN));
    }
}

void
store_batch_begin(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->batches++;
    store_batch_resume_locked(store);
    pthread_mutex_unlock(&store->lock);
}

void
store_batch_end(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    if (--store->batches == 0) {
        store_batch_suspend_locked(store);
    }
    pthread_mutex_unlock(&store->lock);
}
