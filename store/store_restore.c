/*
 * Reading snapshots: what is in such a file taken over, row by row. A file is
 * never trusted: it has to be sound, of this very schema, and each of its rows
 * one that we could have written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_internal.h"

enum {
    SNAPSHOT_BYTES_MAX = 1 << 30, /* of one that is passed in memory */
    FIELD_BYTES_MAX = 65536 /* of a row, or of the schema: ours are shorter */
};

static const char all_sql[] = "SELECT coalesce(group_concat(sql, ';'), '')"
                              " FROM (SELECT sql FROM sqlite_schema"
                              " WHERE sql IS NOT NULL ORDER BY type, name)";

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

/*
 * What SQLite offers against files that were made to harm, before it reads the
 * first byte of one: nothing of the schema runs, no cell is believed, no field
 * takes more memory than one of ours, and a file that changes meanwhile is
 * read as it is and not mapped.
 */
static int
distrust(sqlite3 *from)
{
    static const struct {
        int what;
        int on;
    } settings[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },
        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
        { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
        { SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0 },
    };
    int code = SQLITE_OK;

    for (size_t i = 0;
         i < sizeof(settings) / sizeof(settings[0]) && code == SQLITE_OK; i++) {
        code = sqlite3_db_config(from, settings[i].what, settings[i].on, NULL);
    }
    sqlite3_limit(from, SQLITE_LIMIT_LENGTH, FIELD_BYTES_MAX);
    sqlite3_limit(from, SQLITE_LIMIT_SQL_LENGTH, FIELD_BYTES_MAX);
    sqlite3_limit(from, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(from, SQLITE_LIMIT_TRIGGER_DEPTH, 0);
    sqlite3_limit(from, SQLITE_LIMIT_WORKER_THREADS, 0);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(from,
                            "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0",
                            NULL, NULL, NULL);
    }
    return code;
}

/* Whether it is a snapshot, of this version, and undamaged. */
static int
check_file(struct store *store, sqlite3 *from, char **message)
{
    char *sound;
    int result = 0;
    int code = distrust(from);

    if (code != SQLITE_OK) {
        return store_refuse(message, "%s", sqlite3_errstr(code));
    }
    if (!same_text(store, from, "PRAGMA application_id")) {
        return store_refuse(message,
                            "it is not a snapshot of upload-progressd");
    }
    if (!same_text(store, from, "PRAGMA user_version") ||
        !same_text(store, from, "PRAGMA encoding") ||
        !same_text(store, from, all_sql)) {
        return store_refuse(message, "it is a snapshot of another version");
    }
    sound = read_text(from, "PRAGMA integrity_check(1)");
    if (sound == NULL || strcmp(sound, "ok") != 0) {
        result = store_refuse(message, "it is damaged: %s",
                              sound != NULL ? sound : sqlite3_errmsg(from));
    }
    free(sound);
    return result;
}

/* What the moment's row says. Returns false where there is none, or no time. */
static bool
read_moment(sqlite3 *from, struct store_moment *then)
{
    sqlite3_stmt *s = NULL;
    bool there = sqlite3_prepare_v2(
                     from, "SELECT monotonic_ms, wall_ms, boot_id FROM moment",
                     -1, &s, NULL) == SQLITE_OK &&
                 sqlite3_step(s) == SQLITE_ROW &&
                 sqlite3_column_type(s, 2) == SQLITE_TEXT;

    if (there) {
        then->monotonic_ms = sqlite3_column_int64(s, 0);
        then->wall_ms = sqlite3_column_int64(s, 1);
        snprintf(then->boot_id, sizeof(then->boot_id), "%s",
                 (const char *)sqlite3_column_text(s, 2));
        there =
            store_is_time(then->monotonic_ms) && store_is_time(then->wall_ms);
    }
    sqlite3_finalize(s);
    return there;
}

/* How much later it is now, in milliseconds of our clock. */
static int64_t
shift_since(const struct store_moment *then, const struct store_moment *now)
{
    int64_t passed_ms = now->wall_ms - then->wall_ms;

    if (now->boot_id[0] != '\0' && strcmp(then->boot_id, now->boot_id) == 0) {
        return 0; /* the clock has gone on */
    }
    /* Without an ID of the boot, too. The wall clock may have been set back. */
    return now->monotonic_ms - then->monotonic_ms -
           (passed_ms > 0 ? passed_ms : 0);
}

/* The index here of a zone there; -1 without one, -2 if it was named before. */
static int
zone_here(const struct store *store, const char *name,
          const int zones[ZONES_MAX])
{
    int here = store_zone_find(store, name);

    for (int i = 0; i < ZONES_MAX && here >= 0; i++) {
        if (zones[i] == here) {
            return -2;
        }
    }
    return here;
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

        if (zone < 0 || zone >= ZONES_MAX ||
            sqlite3_column_type(s, 1) != SQLITE_TEXT) {
            code = SQLITE_CORRUPT;
            break;
        }
        zones[zone] =
            zone_here(store, (const char *)sqlite3_column_text(s, 1), zones);
        code = zones[zone] == -2 ? SQLITE_CORRUPT : SQLITE_OK;
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? 0 : -1;
}

/*
 * 0 means "not yet" and stays; what is long past stays in the past, and what is
 * beyond all time at its end, or the next snapshot would be refused.
 */
static void
shift(int64_t *time_ms, int64_t shift_ms)
{
    if (*time_ms > 0) {
        *time_ms += shift_ms;
        *time_ms = *time_ms > 0 ? *time_ms : 1;
        *time_ms = *time_ms < STORE_TIME_MAX ? *time_ms : STORE_TIME_MAX;
    }
}

static void
shift_upload(struct upload *upload, int64_t shift_ms)
{
    int64_t *const times[] = { &upload->mark_ms[0],  &upload->mark_ms[1],
                               &upload->started_ms,  &upload->updated_ms,
                               &upload->finished_ms, &upload->expires_ms,
                               &upload->gone_ms };

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        shift(times[i], shift_ms);
    }
    if (upload->check_ms != UPLOAD_IN_TURN) {
        shift(&upload->check_ms, shift_ms);
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

/* Of the files that have a row, which has been loaded. */
static int
load_assemblies_locked(struct store *store, sqlite3 *from, int64_t shift_ms,
                       const int zones[ZONES_MAX])
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(from, store_statement_sql[ALL_ASSEMBLIES], -1,
                                  &s, NULL);

    while (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct assembly assembly;
        struct upload file;

        code = SQLITE_OK;
        if (!store_read_assembly(s, &assembly)) {
            code = SQLITE_CORRUPT;
        } else if (zones[assembly.zone] >= 0) {
            assembly.zone = zones[assembly.zone];
            shift(&assembly.failed_ms, shift_ms);
            code = store_get_locked(store, assembly.zone, assembly.id,
                                    store_no_attempt, &file) != STORE_OK
                       ? SQLITE_CORRUPT
                   : store_write_assembly_locked(store, &assembly) == STORE_OK
                       ? SQLITE_OK
                       : SQLITE_ERROR;
        }
        range_set_release(&assembly.received);
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
    int zones[ZONES_MAX];
    unsigned evicted = 0;
    bool good;

    for (int i = 0; i < ZONES_MAX; i++) {
        used_bytes[i] = store->zones[i].used_bytes;
    }
    store_batch_suspend_locked(store);
    good = sqlite3_exec(store->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
           read_zones(store, from, zones) == 0 &&
           load_uploads_locked(store, from, shift_ms, zones, loaded) == 0 &&
           load_spools_locked(store, from, shift_ms) == 0 &&
           load_assemblies_locked(store, from, shift_ms, zones) == 0;
    if (good) {
        good = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    }
    if (!good) {
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        for (int i = 0; i < ZONES_MAX; i++) {
            store->zones[i].used_bytes = used_bytes[i];
        }
    }
    store_count_spools_locked(store);
    store_count_running_locked(store);
    if (!good) {
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
    struct store_moment then;
    int result;

    *loaded = (struct store_loaded){ .uploads = 0 };
    if (check_file(store, from, message) < 0) {
        return -1;
    }
    if (!read_moment(from, &then)) {
        return store_refuse(message, "it does not say when it was taken");
    }
    pthread_mutex_lock(&store->lock);
    result = load_locked(store, from, shift_since(&then, now), loaded);
    store_batch_resume_locked(store);
    pthread_mutex_unlock(&store->lock);
    return result < 0
               ? store_refuse(message, "it is damaged: a row of it cannot be")
               : 0;
}

/*
 * Read as it stands: a journal or log that lies beside a file is none of ours,
 * and would be played into it, or made there.
 */
static char *
immutable_uri(const char *path)
{
    static const char end[] = "?immutable=1";
    char *uri = malloc(sizeof("file://") + 3 * strlen(path) + sizeof(end));
    char *to = uri;

    if (uri == NULL) {
        abort(); /* out of memory */
    }
    /* "//" would begin a host's name. */
    to += sprintf(to, "file:%s", path[0] == '/' ? "//" : "");
    for (; *path != '\0'; path++) {
        to += sprintf(to, strchr("%?#", *path) != NULL ? "%%%02X" : "%c",
                      (unsigned char)*path);
    }
    strcpy(to, end);
    return uri;
}

int
store_snapshot_load(struct store *store, const char *path,
                    const struct store_moment *now, struct store_loaded *loaded,
                    char **message)
{
    sqlite3 *from = NULL;
    struct stat st;
    char *uri;
    int code;
    int result;

    if (stat(path, &st) < 0) {
        return store_refuse(message, "stat() failed (%d: %s)", errno,
                            strerrordesc_np(errno));
    }
    if (!S_ISREG(st.st_mode)) { /* opening a pipe would wait */
        return store_refuse(message, "it is not a regular file");
    }
    uri = immutable_uri(path);
    code = sqlite3_open_v2(
        uri, &from,
        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    result = code == SQLITE_OK
                 ? load_from(store, from, now, loaded, message)
                 : store_refuse(message, "%s", sqlite3_errstr(code));
    sqlite3_close(from);
    free(uri);
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
        return store_refuse(message, "read() failed (%d: %s)", errno,
                            strerrordesc_np(errno));
    }
    if (sqlite3_open_v2(":memory:", &from,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        sqlite3_free(data);
        sqlite3_close(from);
        return store_refuse(message, "out of memory");
    }
    /* The bytes are the connection's from here on. */
    result = sqlite3_deserialize(from, "main", data, len, len,
                                 SQLITE_DESERIALIZE_FREEONCLOSE |
                                     SQLITE_DESERIALIZE_READONLY) == SQLITE_OK
                 ? load_from(store, from, now, loaded, message)
                 : store_refuse(message, "out of memory");
    sqlite3_close(from);
    return result;
}
