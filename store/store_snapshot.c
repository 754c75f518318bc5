/*
 * Saving snapshots: the whole database as a file, by SQLite's backup API. What
 * reads them is store_restore.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_internal.h"

enum { PAGES_PER_STEP = 256 }; /* copied under the lock at a time: 1 MiB */

int
store_refuse(char **message, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(message, format, args) < 0) {
        abort(); /* out of memory */
    }
    va_end(args);
    return -1;
}

/* The zones and the moment, so that they are in the copy. */
static int
write_moment_locked(struct store *store, const struct store_moment *now)
{
    char *sql;
    int code = sqlite3_exec(store->db, "DELETE FROM zone; DELETE FROM moment",
                            NULL, NULL, NULL);

    for (int i = 0; i < ZONES_MAX && code == SQLITE_OK; i++) {
        if (store->zones[i].name != NULL) {
            sql = sqlite3_mprintf("INSERT INTO zone VALUES (%d, %Q)", i,
                                  store->zones[i].name);
            code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
            sqlite3_free(sql);
        }
    }
    if (code == SQLITE_OK) {
        sql = sqlite3_mprintf("INSERT INTO moment VALUES (%lld, %lld, %Q)",
                              (long long)now->monotonic_ms,
                              (long long)now->wall_ms, now->boot_id);
        code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
        sqlite3_free(sql);
    }
    return code;
}

/* Copies everything into another database, a step at a time. */
static int
copy_to(struct store *store, sqlite3 *to, const struct store_moment *now)
{
    sqlite3_backup *backup;
    int code;

    pthread_mutex_lock(&store->lock);
    store_settle_all_locked(store);
    store_batch_suspend_locked(store);
    code = write_moment_locked(store, now);
    backup = code == SQLITE_OK
                 ? sqlite3_backup_init(to, "main", store->db, "main")
                 : NULL;
    store_batch_resume_locked(store);
    pthread_mutex_unlock(&store->lock);
    if (backup == NULL) {
        return code != SQLITE_OK ? code : sqlite3_errcode(to);
    }
    do {
        pthread_mutex_lock(&store->lock);
        store_batch_suspend_locked(store);
        code = sqlite3_backup_step(backup, PAGES_PER_STEP);
        store_batch_resume_locked(store);
        pthread_mutex_unlock(&store->lock);
    } while (code == SQLITE_OK);
    pthread_mutex_lock(&store->lock);
    sqlite3_backup_finish(backup);
    pthread_mutex_unlock(&store->lock);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int
store_snapshot_save(struct store *store, const char *path,
                    const struct store_moment *now, char **message)
{
    sqlite3 *to = NULL;
    int code;
    int fd;

    /* Nobody else's to read: who knows an ID may ask for it. */
    if ((unlink(path) < 0 && errno != ENOENT) ||
        (fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0) {
        return store_refuse(message, "open() failed (%d: %s)", errno,
                            strerrordesc_np(errno));
    }
    close(fd);
    code = sqlite3_open_v2(
        path, &to,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        /* It is renamed when complete: a journal would protect nothing. */
        code = sqlite3_exec(to, "PRAGMA journal_mode = OFF", NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        code = copy_to(store, to, now);
    }
    if (code != SQLITE_OK) {
        store_refuse(message, "%s", sqlite3_errstr(code));
    }
    sqlite3_close(to);
    return code == SQLITE_OK ? 0 : -1;
}

static int
write_all(int fd, const unsigned char *data, sqlite3_int64 len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, (size_t)len);

        if (put < 0) {
            return -1;
        }
        data += put;
        len -= put;
    }
    return 0;
}

int
store_snapshot_write(struct store *store, int fd,
                     const struct store_moment *now, char **message)
{
    sqlite3 *to = NULL;
    unsigned char *data = NULL;
    sqlite3_int64 len = 0;
    int result = -1;
    int code = sqlite3_open_v2(
        ":memory:", &to,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    if (code == SQLITE_OK) {
        code = copy_to(store, to, now);
    }
    if (code == SQLITE_OK) {
        data = sqlite3_serialize(to, "main", &len, 0);
        code = data == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    if (code != SQLITE_OK) {
        store_refuse(message, "%s", sqlite3_errstr(code));
    } else if (write_all(fd, data, len) < 0) {
        store_refuse(message, "write() failed (%d: %s)", errno,
                     strerrordesc_np(errno));
    } else {
        result = 0;
    }
    sqlite3_free(data);
    sqlite3_close(to);
    return result;
}
