/*
 * Snapshots: the whole database as a file, by SQLite's backup API, and what is
 * in such a file taken over, row by row. A file is never trusted: it has to be
 * sound, of this very schema, and each of its rows one that we could have
 * written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_internal.h"

enum {
    PAGES_PER_STEP = 256,        /* copied under the lock at a time: 1 MiB */
    SNAPSHOT_BYTES_MAX = 1 << 30 /* of one that is passed in memory */
};

static const char all_sql[] = "SELECT coalesce(group_concat(sql, ';'), '')"
                              " FROM (SELECT sql FROM sqlite_schema"
                              " WHERE sql IS NOT NULL ORDER BY type, name)";

__attribute__((format(printf, 2, 3))) static int
refuse(char **message, const char *format, ...)
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
    code = write_moment_locked(store, now);
    backup = code == SQLITE_OK
                 ? sqlite3_backup_init(to, "main", store->db, "main")
                 : NULL;
    pthread_mutex_unlock(&store->lock);
    if (backup == NULL) {
        return code != SQLITE_OK ? code : sqlite3_errcode(to);
    }
    do {
        pthread_mutex_lock(&store->lock);
        code = sqlite3_backup_step(backup, PAGES_PER_STEP);
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
        return refuse(message, "open() failed (%d: %s)", errno,
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
        refuse(message, "%s", sqlite3_errstr(code));
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
        refuse(message, "%s", sqlite3_errstr(code));
    } else if (write_all(fd, data, len) < 0) {
        refuse(message, "write() failed (%d: %s)", errno,
               strerrordesc_np(errno));
    } else {
        result = 0;
    }
    sqlite3_free(data);
    sqlite3_close(to);
    return result;
}

/* Runs a statement of one row and one column of text; NULL if it fails. */
static char *
read_text(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    char *text = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0) != NULL) {
        text = strdup((const char *)sqlite3_column_text(s, 0));
    }
    sqlite3_finalize(s);
    return text;
}

static bool
same_text(struct store *store, sqlite3 *from, const char *sql)
{
    char *ours = read_text(store->db, sql);
    char *theirs = read_text(from, sql);
    bool same = sqlite3_stricmp(ours, theirs) == 0 && ours != NULL;

    free(ours);
    free(theirs);
    return same;
}

/* Whether it is a snapshot, of this version, and undamaged. */
static int
check_file(struct store *store, sqlite3 *from, char **message)
{
    char *sound;
    int result = 0;

    sqlite3_exec(from,
                 "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
                 NULL, NULL, NULL);
    if (!same_text(store, from, "PRAGMA application_id")) {
        return refuse(message, "it is not a snapshot of upload-progressd");
    }
    if (!same_text(store, from, "PRAGMA user_version") ||
        !same_text(store, from, all_sql)) {
        return refuse(message, "it is a snapshot of another version");
    }
    sound = read_text(from, "PRAGMA integrity_check(1)");
    if (sound == NULL || strcmp(sound, "ok") != 0) {
        result = refuse(message, "it is damaged: %s",
                        sound != NULL ? sound : sqlite3_errmsg(from));
    }
    free(sound);
    return result;
}

/* How much later it is now, in milliseconds of our clock. */
static int
read_shift(sqlite3 *from, const struct store_moment *now, int64_t *shift_ms,
           char **message)
{
    sqlite3_stmt *s = NULL;
    int result = -1;

    if (sqlite3_prepare_v2(from,
                           "SELECT monotonic_ms, wall_ms, boot_id FROM moment",
                           -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        int64_t monotonic_ms = sqlite3_column_int64(s, 0);
        int64_t passed_ms = now->wall_ms - sqlite3_column_int64(s, 1);
        const char *boot_id = (const char *)sqlite3_column_text(s, 2);

        if (boot_id != NULL && strcmp(boot_id, now->boot_id) == 0) {
            *shift_ms = 0; /* the clock has gone on */
        } else {
            /* The wall clock may have been set back. */
            *shift_ms = now->monotonic_ms - monotonic_ms -
                        (passed_ms > 0 ? passed_ms : 0);
        }
        result = 0;
    } else {
        refuse(message, "it does not say when it was taken");
    }
    sqlite3_finalize(s);
    return result;
}

/* zones[i]: the index here of what was zone i there, or -1. */
static int
read_zones(struct store *store, sqlite3 *from, int zones[ZONES_MAX])
{
    sqlite3_stmt *s = NULL;
    int code =
        sqlite3_prepare_v2(from, "SELECT zone, name FROM zone", -1, &s, NULL);

    for (int i = 0; i < ZONES_MAX; i++) {
        zones[i] = -1;
    }
    while (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t zone = sqlite3_column_int64(s, 0);

        if (zone < 0 || zone >= ZONES_MAX) {
            code = SQLITE_CORRUPT;
            break;
        }
        zones[zone] =
            store_zone_find(store, (const char *)sqlite3_column_text(s, 1));
        code = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? 0 : -1;
}

/* 0 means "not yet" and stays; what is long past stays in the past. */
static void
shift(int64_t *time_ms, int64_t shift_ms)
{
    if (*time_ms > 0) {
        *time_ms += shift_ms;
        *time_ms = *time_ms > 0 ? *time_ms : 1;
    }
}

static void
shift_upload(struct upload *upload, int64_t shift_ms)
{
    int64_t *const times[] = { &upload->mark_ms[0],  &upload->mark_ms[1],
                               &upload->started_ms,  &upload->updated_ms,
                               &upload->finished_ms, &upload->expires_ms,
                               &upload->check_ms,    &upload->gone_ms };

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        shift(times[i], shift_ms);
    }
}

static int
load_uploads_locked(struct store *store, sqlite3 *from, int64_t shift_ms,
                    const int zones[ZONES_MAX], struct store_loaded *loaded)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(from, store_statement_sql[ALL_UPLOADS], -1,
                                  &s, NULL);

    while (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct upload upload;

        code = SQLITE_OK;
        if (!store_read_upload(s, &upload)) {
            code = SQLITE_CORRUPT;
        } else if (zones[upload.zone] < 0) {
            loaded->without_zone++;
        } else {
            upload.zone = zones[upload.zone];
            shift_upload(&upload, shift_ms);
            code = store_write_upload_locked(store, &upload) == STORE_OK
                       ? SQLITE_OK
                       : SQLITE_ERROR;
            loaded->uploads++;
        }
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? 0 : -1;
}

/* Descriptors are looked for anew: ours of then are closed. */
static int
load_spools_locked(struct store *store, sqlite3 *from, int64_t shift_ms)
{
    sqlite3_stmt *s = NULL;
    int code =
        sqlite3_prepare_v2(from, store_statement_sql[ALL_SPOOLS], -1, &s, NULL);

    while (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        sqlite3_stmt *to = store_statement_locked(store, SPOOL_LOAD);
        struct spool spool;

        if (!store_read_spool(s, &spool) ||
            store->spool_count == STORE_SPOOLS_MAX) {
            code = SQLITE_CORRUPT;
            break;
        }
        shift(&spool.seen_ms, shift_ms);
        shift(&spool.uncertain_until_ms, shift_ms);
        sqlite3_bind_int64(to, 1, spool.row);
        sqlite3_bind_int64(to, 2, spool.pid);
        sqlite3_bind_int64(to, 3, spool.connection);
        sqlite3_bind_int64(to, 4, (int64_t)spool.request_hash);
        sqlite3_bind_text(to, 5, spool.id, -1, SQLITE_STATIC);
        sqlite3_bind_text(to, 6, spool.path, -1, SQLITE_STATIC);
        sqlite3_bind_int64(to, 7, spool.seen_ms);
        sqlite3_bind_int64(to, 8, spool.uncertain_until_ms);
        code = store_run_locked(to) == STORE_OK ? SQLITE_OK : SQLITE_ERROR;
        store->spool_count++;
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? 0 : -1;
}

/* All of it or nothing. */
static int
load_locked(struct store *store, sqlite3 *from, int64_t shift_ms,
            struct store_loaded *loaded)
{
    int64_t used_bytes[ZONES_MAX];
    int spool_count = store->spool_count;
    int zones[ZONES_MAX];
    unsigned evicted = 0;
    bool good;

    for (int i = 0; i < ZONES_MAX; i++) {
        used_bytes[i] = store->zones[i].used_bytes;
    }
    good = sqlite3_exec(store->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
           read_zones(store, from, zones) == 0 &&
           load_uploads_locked(store, from, shift_ms, zones, loaded) == 0 &&
           load_spools_locked(store, from, shift_ms) == 0;
    if (good) {
        good = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    }
    if (!good) {
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        for (int i = 0; i < ZONES_MAX; i++) {
            store->zones[i].used_bytes = used_bytes[i];
        }
        store->spool_count = spool_count;
        return -1;
    }
    for (int i = 0; i < ZONES_MAX; i++) {
        if (store->zones[i].name != NULL) {
            store_make_room_locked(store, i, 0, &evicted);
        }
    }
    return 0;
}

static int
load_from(struct store *store, sqlite3 *from, const struct store_moment *now,
          struct store_loaded *loaded, char **message)
{
    int64_t shift_ms;
    int result;

    *loaded = (struct store_loaded){ .uploads = 0 };
    if (check_file(store, from, message) < 0 ||
        read_shift(from, now, &shift_ms, message) < 0) {
        return -1;
    }
    pthread_mutex_lock(&store->lock);
    result = load_locked(store, from, shift_ms, loaded);
    pthread_mutex_unlock(&store->lock);
    return result < 0 ? refuse(message, "it is damaged: a row of it cannot be")
                      : 0;
}

int
store_snapshot_load(struct store *store, const char *path,
                    const struct store_moment *now, struct store_loaded *loaded,
                    char **message)
{
    sqlite3 *from = NULL;
    int code = sqlite3_open_v2(
        path, &from, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    int result = code == SQLITE_OK
                     ? load_from(store, from, now, loaded, message)
                     : refuse(message, "%s", sqlite3_errstr(code));

    sqlite3_close(from);
    return result;
}

/* The file's bytes, in SQLite's memory; NULL with errno set. */
static unsigned char *
read_all(int fd, sqlite3_int64 *len)
{
    struct stat st;
    unsigned char *data;
    sqlite3_int64 at = 0;

    if (fstat(fd, &st) < 0) {
        return NULL;
    }
    if (st.st_size <= 0 || st.st_size > SNAPSHOT_BYTES_MAX) {
        errno = EFBIG;
        return NULL;
    }
    data = sqlite3_malloc64((sqlite3_uint64)st.st_size);
    while (data != NULL && at < st.st_size) {
        ssize_t got = pread(fd, data + at, (size_t)(st.st_size - at), at);

        if (got <= 0) {
            sqlite3_free(data);
            return NULL;
        }
        at += got;
    }
    *len = st.st_size;
    return data;
}

int
store_snapshot_read(struct store *store, int fd, const struct store_moment *now,
                    struct store_loaded *loaded, char **message)
{
    sqlite3 *from = NULL;
    sqlite3_int64 len = 0;
    unsigned char *data = read_all(fd, &len);
    int result;

    if (data == NULL) {
        return refuse(message, "read() failed (%d: %s)", errno,
                      strerrordesc_np(errno));
    }
    if (sqlite3_open_v2(":memory:", &from,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        sqlite3_free(data);
        sqlite3_close(from);
        return refuse(message, "out of memory");
    }
    /* The bytes are the connection's from here on. */
    result = sqlite3_deserialize(from, "main", data, len, len,
                                 SQLITE_DESERIALIZE_FREEONCLOSE |
                                     SQLITE_DESERIALIZE_READONLY) == SQLITE_OK
                 ? load_from(store, from, now, loaded, message)
                 : refuse(message, "out of memory");
    sqlite3_close(from);
    return result;
}
