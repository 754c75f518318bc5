/*
 * Snapshots of the store, as state_file and the next program of a process read
 * them. The first byte of an input tells whether the rest is a file as it is,
 * or steps that make one, see snapshot_model.h. SQLite itself is the system's,
 * without sanitizers: what is looked at is what comes out of it.
 *
 * - A file is refused with a message, and the store is then as it was; or it is
 *   taken over, and every row is one that we could have written, of a zone that
 *   there is. So is an assembly, whose file has a row.
 * - What a zone uses is what its rows and assemblies take, counted anew.
 * - What was saved and not changed is taken over, each row as it was.
 * - What was taken over can be saved, and that is taken over again, the same.
 * - Every upload can be asked for, and is still one that we could have written;
 *   every row can be swept or deleted, and then the zones are empty, and no
 *   assembly is left.
 * - Where nothing more is heard, all that runs comes to its end.
 * - From a file by name, and from one that is open, the same is read, and
 *   nothing is left beside it.
 */
#include "store.h"

#include <fcntl.h>

#include "io.h"
#include "log.h"
#include "snapshot_model.h"
#include "uploads.h"

enum {
    FLAG_BY_NAME = 2, /* read it from a file with a name, too */
    FLAG_OWN = 4,     /* the store that reads has an upload already */
    ROWS_MAX = 256
};

/* The one that is saved, one that reads it, and one that reads that again. */
static struct store *source;
static struct store *reader;
static struct store *again;
static struct uploads *uploads;

static struct store *
open_store(const int *order, int count, int64_t size_bytes)
{
    const char *message = NULL;
    struct store *store = store_new(&message);

    FUZZ_HOLDS(store != NULL);
    for (int i = 0; i < count; i++) {
        FUZZ_HOLDS(store_zone_set(store, zone_names[order[i]], size_bytes) ==
                   i);
    }
    return store;
}

/* Once: it takes longer than what most inputs do. */
static void
set_up(void)
{
    static const int swapped[] = { 1, 0 };
    struct uploads_options options = {
        .check_interval_ms = 1000,
        .inactive_timeout_ms = 1000,
        .piece_timeout_ms = 1000,
        .clock_ms = io_now_ms,
        .thread_us = io_thread_us,
    };

    if (reader == NULL) {
        FUZZ_HOLDS(log_open("/dev/null", LOG_EMERG) == 0);
        reader = open_store(swapped, 2, ZONE_BYTES);
        again = open_store(swapped, 2, ZONE_BYTES);
        uploads = uploads_new(reader, &options);
    }
}

/* Everything in a row but its zone, whose index differs among stores. */
static void
dump_rows(sqlite3 *db, const char *sql, int zone, int from, struct buffer *text)
{
    sqlite3_stmt *s = NULL;
    int code;

    FUZZ_HOLDS(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK);
    sqlite3_bind_int(s, 1, zone);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        for (int i = from; i < sqlite3_column_count(s); i++) {
            int type = sqlite3_column_type(s, i);
            int len = sqlite3_column_bytes(s, i);

            buffer_printf(text, "%d:%d:", type, len);
            buffer_append(text, sqlite3_column_blob(s, i), (size_t)len);
        }
        buffer_append_string(text, "\n");
    }
    FUZZ_HOLDS(code == SQLITE_DONE);
    sqlite3_finalize(s);
}

/* All that a snapshot keeps, with the names of the zones that readers have. */
static void
dump(struct store *store, struct buffer *text)
{
    for (int i = 0; i < 2; i++) {
        buffer_append_string(text, zone_names[i]);
        dump_rows(store->db,
                  "SELECT * FROM upload WHERE zone = ? ORDER BY id, attempt",
                  store_zone_find(store, zone_names[i]), 1, text);
        dump_rows(store->db,
                  "SELECT * FROM assembly WHERE zone = ? ORDER BY id",
                  store_zone_find(store, zone_names[i]), 1, text);
    }
    dump_rows(store->db,
              "SELECT row, pid, connection, request_hash, id, path, seen_ms,"
              " uncertain_until_ms FROM spool ORDER BY row",
              0, 0, text);
}

static void
hold_same(const struct buffer *one, const struct buffer *other)
{
    FUZZ_HOLDS(one->len == other->len);
    FUZZ_HOLDS(memcmp(one->data, other->data, one->len) == 0);
}

/* With a parameter for the zone and one for the ID, where the SQL has them. */
static int64_t
count_of(struct store *store, const char *sql, int zone, const char *id)
{
    sqlite3_stmt *s = NULL;
    int64_t count;

    FUZZ_HOLDS(sqlite3_prepare_v2(store->db, sql, -1, &s, NULL) == SQLITE_OK);
    sqlite3_bind_int(s, 1, zone);
    sqlite3_bind_text(s, 2, id, -1, SQLITE_STATIC);
    FUZZ_HOLDS(sqlite3_step(s) == SQLITE_ROW);
    count = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return count;
}

static int64_t
count_where(struct store *store, const char *sql)
{
    return count_of(store, sql, 0, NULL);
}

/* What the zones use, by the rows that are there. */
static void
hold_zones(struct store *store)
{
    static const char sql[] =
        "SELECT (SELECT coalesce(sum(288 + 4 * length(id)), 0) FROM upload"
        " WHERE zone = ?1) + (SELECT coalesce(sum(128 + length(received) +"
        " length(whole)), 0) FROM assembly WHERE zone = ?1)";

    for (int zone = 0; zone < (int)COUNT(zone_names); zone++) {
        FUZZ_HOLDS(store_zone_used(store, zone) ==
                   count_of(store, sql, zone, NULL));
    }
}

/* Each set of ranges is what it would be written as. */
static void
hold_ranges(struct store *store)
{
    sqlite3_stmt *s = NULL;
    int code;

    FUZZ_HOLDS(sqlite3_prepare_v2(store->db,
                                  store_statement_sql[ALL_ASSEMBLIES], -1, &s,
                                  NULL) == SQLITE_OK);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        static uint8_t encoded[RANGE_SET_ENCODED_MAX];
        struct assembly assembly;
        ssize_t len;

        FUZZ_HOLDS(store_read_assembly(s, &assembly));
        len = range_set_encode(&assembly.received, encoded, sizeof(encoded));
        FUZZ_HOLDS(len == sqlite3_column_bytes(s, 11));
        FUZZ_HOLDS(len == 0 || memcmp(encoded, sqlite3_column_blob(s, 11),
                                      (size_t)len) == 0);
        FUZZ_HOLDS(range_set_count(&assembly.received) <= RANGES_MAX);
        FUZZ_HOLDS(range_set_end(&assembly.received) <=
                   UPLOAD_PIECES_BYTES_MAX);
        FUZZ_HOLDS(range_set_covered(&assembly.received, 0, INT64_MAX) ==
                   range_set_bytes(&assembly.received));
        range_set_release(&assembly.received);
    }
    FUZZ_HOLDS(code == SQLITE_DONE);
    sqlite3_finalize(s);
}

/* What upload.h says of the rows, told a second time and in other words. */
static void
hold_rows(struct store *store)
{
#define TIME(name) name " BETWEEN 0 AND 2305843009213693951 AND "
#define FLAG(name) name " IN (0, 1) AND "
    static const char uploads_sql[] =
        "SELECT count(*) FROM upload WHERE NOT (zone IN (0, 1) AND"
        " typeof(id) = 'text' AND length(CAST(id AS BLOB)) BETWEEN 1 AND 255"
        " AND id NOT GLOB '*[^ -~]*' AND"
        " typeof(attempt) = 'blob' AND length(attempt) = 16 AND"
        " typeof(socket) = 'blob' AND state IN (1, 2, 3) AND " FLAG("inferred") FLAG(
            "tls") FLAG("chunked") FLAG("spool_certain") FLAG("socket_exact")
            FLAG("body_complete") FLAG("approximate") TIME("started_ms") TIME(
                "updated_ms") TIME("finished_ms") TIME("expires_ms") TIME("check_ms")
                TIME("gone_ms") TIME("ttl_ms") TIME("\"mark_ms[0]\"") TIME(
                    "\"mark_ms[1]\"") " status BETWEEN -2147483648 AND 2147483647 AND"
                                      " protocol BETWEEN -2147483648 AND 2147483647 AND"
                                      " size_bytes >= -1 AND header_bytes >= -1 AND received_bytes >= 0 AND"
                                      " socket_base_bytes >= 0 AND \"mark_bytes[0]\" >= 0 AND"
                                      " \"mark_bytes[1]\" >= 0 AND gauge BETWEEN 0 AND 15 AND"
                                      " (state = 1) = (finished_ms = 0) AND"
                                      " (state = 1) = (expires_ms = 0) AND (state = 1) = (check_ms > 0) AND"
                                      " piece_at BETWEEN -1 AND 2305843009213693952 AND"
                                      " piece_length >= -1 AND piece_body_at >= 0 AND"
                                      " (attempt <> zeroblob(16) OR piece_at = 0))";
    static const char spools_sql[] =
        "SELECT count(*) FROM spool WHERE NOT (row > 0 AND"
        " typeof(id) = 'text' AND length(CAST(id AS BLOB)) <= 255 AND"
        " typeof(path) = 'text' AND length(CAST(path AS BLOB)) <= 1023 AND " TIME(
            "seen_ms") TIME("uncertain_until_ms") " fd = -1 AND held_fd = -1)";
#define BYTES(name) name " BETWEEN 0 AND 2305843009213693951 AND "
    static const char assemblies_sql[] =
        "SELECT count(*) FROM assembly AS a WHERE NOT (zone IN (0, 1) AND"
        " typeof(id) = 'text' AND length(CAST(id AS BLOB)) BETWEEN 1 AND 255"
        " AND id NOT GLOB '*[^ -~]*' AND protocol BETWEEN 0 AND 31"
        " AND resumed_bytes BETWEEN -1 AND 2305843009213693951"
        " AND " BYTES("pieces") BYTES("chunk_bytes") TIME("failed_ms")
            BYTES("base_bytes") BYTES("form_bytes") BYTES(
                "unplaced_bytes") " typeof(whole) = 'text' AND"
                                  " length(CAST(whole AS BLOB)) <= 255 AND whole NOT GLOB '*[^ -~]*'"
                                  " AND whole <> id AND typeof(received) = 'blob' AND EXISTS (SELECT 1"
                                  " FROM upload AS u WHERE u.zone = a.zone AND u.id = a.id AND"
                                  " u.attempt = zeroblob(16)))";
#undef BYTES
#undef TIME
#undef FLAG

    FUZZ_HOLDS(count_where(store, uploads_sql) == 0);
    FUZZ_HOLDS(count_where(store, spools_sql) == 0);
    FUZZ_HOLDS(count_where(store, assemblies_sql) == 0);
    hold_ranges(store);
    hold_zones(store);
    FUZZ_HOLDS(count_where(store, "SELECT count(*) FROM spool") ==
               store->spool_count);
}

static void
take_spools(struct store *store)
{
    struct spool spools[16];
    int64_t held_fd;
    int count;

    while ((count = store_spool_scan(store, 0, spools, (int)COUNT(spools))) >
           0) {
        for (int i = 0; i < count; i++) {
            FUZZ_HOLDS(store_spool_take(store, spools[i].row, &held_fd) ==
                       STORE_OK);
            FUZZ_HOLDS(held_fd == -1);
        }
    }
    FUZZ_HOLDS(count == 0 && store->spool_count == 0);
}

/* Through the store's own functions, as time would do it. */
static void
empty(struct store *store)
{
    struct upload rows[16];
    int count;

    FUZZ_HOLDS(store_sweep(store, STORE_TIME_MAX, 1 << 20) >= 0);
    while ((count = store_upload_due(store, STORE_TIME_MAX, rows,
                                     (int)COUNT(rows))) > 0) {
        for (int i = 0; i < count; i++) {
            FUZZ_HOLDS(store_upload_delete(store, rows[i].zone, rows[i].id,
                                           rows[i].attempt) == STORE_OK);
        }
    }
    FUZZ_HOLDS(count == 0);
    take_spools(store);
    FUZZ_HOLDS(store_upload_count(store) == 0);
    FUZZ_HOLDS(count_where(store, "SELECT count(*) FROM assembly") == 0);
    for (int zone = 0; zone < (int)COUNT(zone_names); zone++) {
        FUZZ_HOLDS(store_zone_used(store, zone) == 0);
    }
}

/* An upload, and a file in pieces. Returns how many rows they have. */
static int
put_own(struct store *store)
{
    struct assembly assembly = { .id = "own file", .resumed_bytes = -1 };
    struct upload own;
    unsigned evicted;

    memset(&own, 0, sizeof(own));
    strcpy(own.id, "own");
    memset(own.attempt, 0xee, sizeof(own.attempt));
    own.state = UPLOAD_DONE;
    own.started_ms = own.finished_ms = own.expires_ms = STORE_TIME_MAX;
    FUZZ_HOLDS(store_upload_put(store, &own, &evicted) == STORE_OK);
    strcpy(own.id, assembly.id);
    memset(own.attempt, 0, sizeof(own.attempt));
    FUZZ_HOLDS(range_set_add(&assembly.received, 0, 1000) == 0);
    FUZZ_HOLDS(store_assembly_put(store, &own, &assembly, &evicted) ==
               STORE_OK);
    range_set_release(&assembly.received);
    return 2;
}

static int
read_bytes(struct store *store, const struct buffer *file,
           const struct store_moment *now, struct store_loaded *loaded)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char *message = NULL;
    int result;

    FUZZ_HOLDS(write(fd, file->data, file->len) == (ssize_t)file->len);
    result = store_snapshot_read(store, fd, now, loaded, &message);
    close(fd);
    FUZZ_HOLDS((result == 0) == (message == NULL));
    FUZZ_HOLDS(message == NULL || message[0] != '\0');
    free(message);
    return result;
}

/* No journal, no log, no shared memory. */
static void
hold_alone(const char *path)
{
    static const char *const ends[] = { "-journal", "-wal", "-shm" };
    char beside[64];

    for (size_t i = 0; i < COUNT(ends); i++) {
        snprintf(beside, sizeof(beside), "%s%s", path, ends[i]);
        FUZZ_HOLDS(access(beside, F_OK) < 0);
    }
}

/* Marked as one with a write-ahead log, which SQLite has in no memory. */
static bool
is_for_a_log(const struct buffer *file)
{
    return file->len >= 20 && (file->data[18] == 2 || file->data[19] == 2);
}

/* Reads it once more, from a file with a name, into an empty store. */
static void
read_by_name(const struct buffer *file, const struct store_moment *now,
             int expected)
{
    char path[] = "/tmp/upload-progressd-fuzz.XXXXXX";
    int fd = mkstemp(path);
    struct store_loaded loaded;
    char *message = NULL;
    int result;

    FUZZ_HOLDS(fd >= 0);
    FUZZ_HOLDS(write(fd, file->data, file->len) == (ssize_t)file->len);
    close(fd);
    result = store_snapshot_load(again, path, now, &loaded, &message);
    hold_alone(path);
    unlink(path);
    free(message);
    FUZZ_HOLDS(result == expected || (result == 0 && is_for_a_log(file)));
    empty(again);
}

/*
 * Whether a probe for the ID is told of something. A piece alone is nothing;
 * nor is a part of a file whose row is not there.
 */
static bool
is_told_of(struct store *store, int zone, const char *id)
{
    static const char sql[] =
        "SELECT count(*) FROM upload WHERE zone = ?1 AND id = ?2 AND"
        " piece_at <= 0 AND NOT EXISTS (SELECT 1 FROM assembly AS a WHERE"
        " a.zone = ?1 AND a.id = ?2 AND a.whole <> '' AND NOT EXISTS (SELECT 1"
        " FROM upload AS w WHERE w.zone = ?1 AND w.id = a.whole AND"
        " w.attempt = zeroblob(16)))";

    return count_of(store, sql, zone, id) > 0;
}

static void
hold_progress(const struct progress *progress)
{
    const struct progress_pieces *pieces = &progress->pieces;
    int64_t at = -1;

    FUZZ_HOLDS(progress->received_bytes >= 0);
    FUZZ_HOLDS(progress_hundredths(progress) <= 10000);
    if (!pieces->in_pieces) {
        FUZZ_HOLDS(pieces->missing_count == 0);
        return;
    }
    FUZZ_HOLDS(pieces->protocol != NULL && pieces->protocol[0] != '\0');
    FUZZ_HOLDS(pieces->count >= 0 && pieces->resumed_bytes >= -1);
    FUZZ_HOLDS(pieces->under_way >= 0);
    FUZZ_HOLDS(pieces->missing_count <= PROGRESS_MISSING_MAX);
    for (int i = 0; i < pieces->missing_count; i++) {
        FUZZ_HOLDS(pieces->missing[i][0] > at);
        FUZZ_HOLDS(pieces->missing[i][0] < pieces->missing[i][1]);
        at = pieces->missing[i][1];
        FUZZ_HOLDS(at <= progress->size_bytes);
    }
}

/* Asks for each upload, and lets the timer run once. */
static void
use(struct store *store, const struct store_moment *now)
{
    static struct upload rows[ROWS_MAX];
    sqlite3_stmt *s = NULL;
    int count = 0;

    FUZZ_HOLDS(sqlite3_prepare_v2(store->db, store_statement_sql[ALL_UPLOADS],
                                  -1, &s, NULL) == SQLITE_OK);
    while (count < ROWS_MAX && sqlite3_step(s) == SQLITE_ROW) {
        FUZZ_HOLDS(store_read_upload(s, &rows[count++]));
    }
    sqlite3_finalize(s);
    for (int i = 0; i < count; i++) {
        struct progress progress;
        bool told = is_told_of(store, rows[i].zone, rows[i].id);

        uploads_progress(uploads, rows[i].zone, rows[i].id, now->monotonic_ms,
                         &progress);
        FUZZ_HOLDS(!told || progress.state != UPLOAD_STARTING);
        hold_progress(&progress);
    }
    uploads_tick(uploads, now->monotonic_ms);
    hold_rows(store);
}

/*
 * Time goes on, and nothing more is heard: whatever runs comes to its end,
 * parts of files one after the other. A row may say that it has been heard of,
 * or is to be looked at, at the end of all times; that one has until then.
 */
static void
outlast(struct store *store)
{
    static const char late_sql[] =
        "SELECT count(*) FROM upload WHERE check_ms > 0 AND"
        " max(started_ms, updated_ms, gone_ms, iif(check_ms ="
        " 2305843009213693950, 0, check_ms)) > 2305843000000000000";
    int64_t now_ms = 2305843000000000000;

    take_spools(store);
    if (count_where(store, late_sql) > 0) {
        return;
    }
    for (int i = 0; i < STEPS_MAX + 8 && store_upload_running(store) > 0; i++) {
        now_ms += 60000;
        uploads_tick(uploads, now_ms);
    }
    FUZZ_HOLDS(store_upload_running(store) == 0);
    hold_zones(store);
    FUZZ_HOLDS(store_sweep(store, INT64_MAX, 1 << 20) >= 0);
}

/* Saves what was taken over, and takes that over. */
static void
save_again(const struct store_moment *now)
{
    struct buffer before = BUFFER_INIT;
    struct buffer after = BUFFER_INIT;
    struct store_loaded loaded;
    char *message = NULL;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    FUZZ_HOLDS(store_snapshot_write(reader, fd, now, &message) == 0);
    FUZZ_HOLDS(store_snapshot_read(again, fd, now, &loaded, &message) == 0);
    close(fd);
    FUZZ_HOLDS(loaded.uploads == store_upload_count(reader));
    FUZZ_HOLDS(loaded.without_zone == 0);
    dump(reader, &before);
    dump(again, &after);
    hold_same(&before, &after);
    buffer_release(&before);
    buffer_release(&after);
    empty(again);
}

/* original: the rows where nothing was changed, else NULL. */
static void
read_file(uint8_t flags, const struct buffer *file,
          const struct store_moment *now, const struct buffer *original)
{
    struct buffer before = BUFFER_INIT;
    struct buffer after = BUFFER_INIT;
    struct store_loaded loaded;
    int own = 0;
    int result;

    if ((flags & FLAG_OWN) != 0 && original == NULL) {
        own = put_own(reader);
    }
    dump(reader, &before);
    result = read_bytes(reader, file, now, &loaded);
    dump(reader, &after);
    if (result < 0) {
        FUZZ_HOLDS(original == NULL);
        hold_same(&before, &after);
        hold_zones(reader);
    } else {
        hold_rows(reader);
        FUZZ_HOLDS(store_upload_count(reader) <= loaded.uploads + own);
        FUZZ_HOLDS(store_upload_count(reader) >= loaded.uploads);
        if (original != NULL) {
            hold_same(original, &after);
        }
        save_again(now);
        use(reader, now);
        outlast(reader);
    }
    empty(reader);
    uploads_tick(uploads, 0); /* its clock is set back for the next file */
    if ((flags & FLAG_BY_NAME) != 0) {
        read_by_name(file, now, result);
    }
    buffer_release(&before);
    buffer_release(&after);
}

/* The moment of reading: that of saving where no step sets another. */
static struct store_moment
read_at(const struct steps *steps, bool *same)
{
    struct store_moment now = saved_at;

    *same = true;
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->list[i];
        int64_t later = edge(step->a);

        if (step->kind == STEP_LATER) {
            strcpy(now.boot_id, step->which % 2 ? "one" : "two");
            now.monotonic_ms = 1 + (int64_t)(step->value % INT32_MAX);
            now.wall_ms = later >= 0 && later <= INT64_MAX / 8 ? later : 1;
            *same = step->which % 2 != 0;
        }
    }
    return now;
}

static void
read_steps(uint8_t flags, struct fuzz_input *input)
{
    static const int order[] = { 0, 1, 2 };
    struct steps steps;
    struct buffer rows = BUFFER_INIT;
    struct buffer file = BUFFER_INIT;
    unsigned char *data;
    size_t len = 0;
    bool same;
    bool changed = false;
    struct store_moment now;

    if (source == NULL) {
        source = open_store(order, 3, ZONE_BYTES);
    }
    steps_read(&steps, input);
    now = read_at(&steps, &same);
    for (size_t i = 0; i < steps.count; i++) {
        if (steps.list[i].kind == STEP_UPLOAD) {
            add_upload(source, &steps.list[i]);
        } else if (steps.list[i].kind == STEP_SPOOL) {
            add_spool(source, &steps.list[i]);
        } else if (steps.list[i].kind == STEP_ASSEMBLY) {
            add_assembly(source, &steps.list[i]);
        }
    }
    hold_zones(source);
    dump(source, &rows);
    data = snapshot_of(source, &len);
    data = change_by_sql(&steps, data, &len, &changed);
    buffer_append(&file, data, len);
    sqlite3_free(data);
    change_bytes(&steps, &file, &changed);
    read_file(flags, &file, &now, same && !changed ? &rows : NULL);
    buffer_release(&rows);
    buffer_release(&file);
    empty(source);
    /* With pages to spare the next one's file would not be as it is alone. */
    if (count_where(source, "PRAGMA freelist_count") > 0) {
        store_free(source);
        source = NULL;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    uint8_t flags = fuzz_byte(&input);
    struct buffer file = BUFFER_INIT;

    set_up();
    if ((flags & FLAG_RAW) != 0) {
        buffer_append(&file, input.data, input.len);
        read_file(flags, &file, &saved_at, NULL);
        buffer_release(&file);
    } else {
        read_steps(flags, &input);
    }
    return 0;
}
