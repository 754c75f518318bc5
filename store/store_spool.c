/* The table of nginx's temporary body files. */
#include <stdio.h>
#include <string.h>

#include "store_internal.h"

static void
read_text(sqlite3_stmt *s, int column, char *to, size_t size)
{
    snprintf(to, size, "%s", (const char *)sqlite3_column_text(s, column));
}

static int
read_rows(sqlite3_stmt *s, struct spool *spools, int max)
{
    int count = 0;
    int code;

    while ((code = sqlite3_step(s)) == SQLITE_ROW && count < max) {
        struct spool *spool = &spools[count++];

        spool->row = sqlite3_column_int64(s, 0);
        spool->pid = sqlite3_column_int64(s, 1);
        spool->connection = sqlite3_column_int64(s, 2);
        spool->request_hash = (uint64_t)sqlite3_column_int64(s, 3);
        read_text(s, 4, spool->id, sizeof(spool->id));
        read_text(s, 5, spool->path, sizeof(spool->path));
        spool->fd = sqlite3_column_int64(s, 6);
        spool->seen_ms = sqlite3_column_int64(s, 7);
        spool->held_fd = sqlite3_column_int64(s, 8);
    }
    sqlite3_reset(s);
    return code == SQLITE_DONE || code == SQLITE_ROW ? count : -1;
}

enum store_result
store_spool_add(struct store *store, const struct spool *spool)
{
    enum store_result result = STORE_FULL;
    sqlite3_stmt *s;

    pthread_mutex_lock(&store->lock);
    if (store->spool_count < STORE_SPOOLS_MAX) {
        s = store_statement_locked(store, SPOOL_ADD);
        sqlite3_bind_int64(s, 1, spool->pid);
        sqlite3_bind_int64(s, 2, spool->connection);
        sqlite3_bind_int64(s, 3, (int64_t)spool->request_hash);
        sqlite3_bind_text(s, 4, spool->id, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 5, spool->path, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 6, spool->fd);
        sqlite3_bind_int64(s, 7, spool->seen_ms);
        result = store_run_locked(s);
        if (result == STORE_OK) {
            store->spool_count += sqlite3_changes(store->db);
        }
    }
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum store_result
store_spool_found(struct store *store, int64_t row, int64_t fd, int64_t held_fd)
{
    enum store_result result;
    sqlite3_stmt *s;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, SPOOL_FOUND);
    sqlite3_bind_int64(s, 1, row);
    sqlite3_bind_int64(s, 2, fd);
    sqlite3_bind_int64(s, 3, held_fd);
    result = store_run_locked(s);
    if (result == STORE_OK && sqlite3_changes(store->db) == 0) {
        result = STORE_NOT_FOUND;
    }
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum store_result
store_spool_take(struct store *store, int64_t row, int64_t *held_fd)
{
    enum store_result result = STORE_NOT_FOUND;
    sqlite3_stmt *s;
    int code;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, SPOOL_TAKE);
    sqlite3_bind_int64(s, 1, row);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        *held_fd = sqlite3_column_int64(s, 0);
        store->spool_count--;
        result = STORE_OK;
    }
    sqlite3_reset(s);
    pthread_mutex_unlock(&store->lock);
    return code == SQLITE_DONE ? result : STORE_ERROR;
}

int
store_spool_on_connection(struct store *store, int64_t pid, int64_t connection,
                          struct spool *spools, int max)
{
    sqlite3_stmt *s;
    int count;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, SPOOL_ON_CONNECTION);
    sqlite3_bind_int64(s, 1, pid);
    sqlite3_bind_int64(s, 2, connection);
    sqlite3_bind_int(s, 3, max);
    count = read_rows(s, spools, max);
    pthread_mutex_unlock(&store->lock);
    return count;
}

int
store_spool_by_id(struct store *store, const char *id, struct spool *spools,
                  int max)
{
    sqlite3_stmt *s;
    int count;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, SPOOL_BY_ID);
    sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, max);
    count = read_rows(s, spools, max);
    pthread_mutex_unlock(&store->lock);
    return count;
}

/* The rows of a statement of one number and a limit. */
static int
read_by_number(struct store *store, enum statement which, int64_t number,
               struct spool *spools, int max)
{
    sqlite3_stmt *s;
    int count;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, which);
    sqlite3_bind_int64(s, 1, number);
    sqlite3_bind_int(s, 2, max);
    count = read_rows(s, spools, max);
    pthread_mutex_unlock(&store->lock);
    return count;
}

int
store_spool_unresolved(struct store *store, int64_t pid, struct spool *spools,
                       int max)
{
    return read_by_number(store, SPOOL_UNRESOLVED, pid, spools, max);
}

int
store_spool_scan(struct store *store, int64_t after, struct spool *spools,
                 int max)
{
    return read_by_number(store, SPOOL_SCAN, after, spools, max);
}
