/* The table of nginx's temporary body files. */
#include <string.h>

#include "store_internal.h"

static void
read_text(sqlite3_stmt *s, int column, char *to, size_t size)
{
    const void *text = sqlite3_column_text(s, column);
    size_t len = (size_t)sqlite3_column_bytes(s, column);

    len = len < size ? len : size - 1;
    memcpy(to, text, len);
    to[len] = '\0';
}

static void
read_row(sqlite3_stmt *s, struct spool *spool)
{
    spool->row = sqlite3_column_int64(s, 0);
    spool->pid = sqlite3_column_int64(s, 1);
    spool->connection = sqlite3_column_int64(s, 2);
    spool->request_hash = (uint64_t)sqlite3_column_int64(s, 3);
    read_text(s, 4, spool->id, sizeof(spool->id));
    read_text(s, 5, spool->path, sizeof(spool->path));
    spool->fd = sqlite3_column_int64(s, 6);
    spool->seen_ms = sqlite3_column_int64(s, 7);
    spool->held_fd = sqlite3_column_int64(s, 8);
    spool->uncertain_until_ms = sqlite3_column_int64(s, 9);
}

bool
store_read_spool(sqlite3_stmt *s, struct spool *spool)
{
    for (int column = 0; column < sqlite3_column_count(s); column++) {
        bool is_text = column == 4 || column == 5;

        if (sqlite3_column_type(s, column) !=
            (is_text ? SQLITE_TEXT : SQLITE_INTEGER)) {
            return false;
        }
    }
    if (sqlite3_column_bytes(s, 4) > UPLOAD_ID_MAX ||
        sqlite3_column_bytes(s, 5) > SPOOL_PATH_MAX) {
        return false;
    }
    read_row(s, spool);
    /* Behind the last row that can be, SQLite gives numbers at random. */
    return spool->row > 0 && spool->row < INT64_MAX / 2 &&
           store_is_time(spool->seen_ms) &&
           store_is_time(spool->uncertain_until_ms);
}

static int
read_rows(sqlite3_stmt *s, struct spool *spools, int max)
{
    int count = 0;
    int code;

    while ((code = sqlite3_step(s)) == SQLITE_ROW && count < max) {
        read_row(s, &spools[count++]);
    }
    sqlite3_reset(s);
    return code == SQLITE_DONE || code == SQLITE_ROW ? count : -1;
}

static uint32_t *
spools_of(struct store *store, int64_t pid, int64_t connection)
{
    uint64_t key = (uint64_t)pid * 0x9e3779b97f4a7c15U + (uint64_t)connection;

    return &store->spools_of[key % SPOOL_CONNECTIONS];
}

void
store_count_spools_locked(struct store *store)
{
    sqlite3_stmt *s = store_statement_locked(store, ALL_SPOOLS);

    store->spool_count = 0;
    memset(store->spools_of, 0, sizeof(store->spools_of));
    while (sqlite3_step(s) == SQLITE_ROW) {
        struct spool spool;

        read_row(s, &spool);
        store->spool_count++;
        (*spools_of(store, spool.pid, spool.connection))++;
    }
    sqlite3_reset(s);
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
            int added = sqlite3_changes(store->db);

            store->spool_count += added;
            *spools_of(store, spool->pid, spool->connection) += (uint32_t)added;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return result;
}

/* Runs a bound statement that changes one row, if it is there. */
static enum store_result
change_one(struct store *store, sqlite3_stmt *s)
{
    enum store_result result = store_run_locked(s);

    return result == STORE_OK && sqlite3_changes(store->db) == 0
               ? STORE_NOT_FOUND
               : result;
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
    result = change_one(store, s);
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum store_result
store_spool_mark(struct store *store, int64_t row, int64_t held_fd)
{
    enum store_result result;
    sqlite3_stmt *s;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, SPOOL_MARK);
    sqlite3_bind_int64(s, 1, row);
    sqlite3_bind_int64(s, 2, held_fd);
    result = change_one(store, s);
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
        (*spools_of(store, sqlite3_column_int64(s, 1),
                    sqlite3_column_int64(s, 2)))--;
        result = STORE_OK;
    }
    sqlite3_reset(s);
    pthread_mutex_unlock(&store->lock);
    return code == SQLITE_DONE ? result : STORE_ERROR;
}

/* What the next three select by. */
static void
bind_match(sqlite3_stmt *s, int64_t pid, int64_t connection, const char *id,
           uint64_t request_hash)
{
    sqlite3_bind_int64(s, 1, pid);
    sqlite3_bind_int64(s, 2, connection);
    sqlite3_bind_text(s, 5, id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 6, (int64_t)request_hash);
}

/*
 * The rows of a bound statement that were seen first, or last, in that order:
 * SQLite would make a table to sort one row by.
 */
static int
read_by_time(sqlite3_stmt *s, bool last_first, struct spool *spools, int max)
{
    struct spool spool;
    int count = 0;
    int code;

    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        int at = count;

        read_row(s, &spool);
        while (at > 0 &&
               (last_first ? spools[at - 1].seen_ms < spool.seen_ms
                           : spools[at - 1].seen_ms > spool.seen_ms)) {
            at--;
        }
        if (at == max) {
            continue;
        }
        count += count < max;
        memmove(&spools[at + 1], &spools[at],
                (size_t)(count - at - 1) * sizeof(*spools));
        spools[at] = spool;
    }
    sqlite3_reset(s);
    return code == SQLITE_DONE ? count : -1;
}

int
store_spool_of_upload(struct store *store, const struct upload *upload,
                      bool alone, struct spool *spools, int max)
{
    sqlite3_stmt *s;
    int count;

    pthread_mutex_lock(&store->lock);
    if (*spools_of(store, upload->pid, upload->connection) == 0) {
        pthread_mutex_unlock(&store->lock);
        return 0;
    }
    s = store_statement_locked(store, SPOOL_OF_UPLOAD);
    bind_match(s, upload->pid, upload->connection, upload->id,
               upload->request_hash);
    sqlite3_bind_int64(s, 3, upload->started_ms);
    sqlite3_bind_int(s, 4, alone);
    count = read_by_time(s, false, spools, max);
    pthread_mutex_unlock(&store->lock);
    return count;
}

enum store_result
store_spool_uncertain(struct store *store, const struct upload *upload,
                      int64_t until_ms)
{
    enum store_result result;
    sqlite3_stmt *s;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, SPOOL_UNCERTAIN);
    bind_match(s, upload->pid, upload->connection, upload->id,
               upload->request_hash);
    sqlite3_bind_int64(s, 3, until_ms);
    result = store_run_locked(s);
    pthread_mutex_unlock(&store->lock);
    return result;
}

int
store_spool_claims(struct store *store, const struct spool *spool)
{
    sqlite3_stmt *s;
    int count = -1;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, CLAIMS);
    bind_match(s, spool->pid, spool->connection, spool->id,
               spool->request_hash);
    if (sqlite3_step(s) == SQLITE_ROW) {
        count = sqlite3_column_int(s, 0);
    }
    sqlite3_reset(s);
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
    if (store->spool_count == 0) {
        pthread_mutex_unlock(&store->lock);
        return 0;
    }
    s = store_statement_locked(store, SPOOL_BY_ID);
    sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
    count = read_by_time(s, true, spools, max);
    pthread_mutex_unlock(&store->lock);
    return count;
}

/* The rows of a statement of one number and a limit. */
static int
read_by_number(struct store *store, enum store_statement which, int64_t number,
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
store_spool_unresolved_pids(struct store *store, int64_t *pids, int max)
{
    sqlite3_stmt *s;
    int count = 0;

    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, SPOOL_UNRESOLVED_PIDS);
    sqlite3_bind_int(s, 1, max);
    while (count < max && sqlite3_step(s) == SQLITE_ROW) {
        pids[count++] = sqlite3_column_int64(s, 0);
    }
    sqlite3_reset(s);
    pthread_mutex_unlock(&store->lock);
    return count;
}

int
store_spool_count(struct store *store)
{
    int count;

    pthread_mutex_lock(&store->lock);
    count = store->spool_count;
    pthread_mutex_unlock(&store->lock);
    return count;
}

int
store_spool_scan(struct store *store, int64_t after, struct spool *spools,
                 int max)
{
    return read_by_number(store, SPOOL_SCAN, after, spools, max);
}
