/*
 * A snapshot to be read: rows that the store could hold, saved, and what
 * somebody has done to the file since: by SQL, which keeps it sound for
 * SQLite, and to its bytes.
 */
#ifndef TESTS_SNAPSHOT_MODEL_H
#define TESTS_SNAPSHOT_MODEL_H

#include <arpa/inet.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "fuzz.h"
#include "snapshot_mutator.h"
#include "store_internal.h"

enum {
    STEPS_MAX = 64,
    RANGES_DRAWN_MAX = 31,
    ZONE_BYTES = 1 << 20,
    FILE_BYTES_MAX = 1 << 18,
    PAGE_BYTES = 4096 /* SQLite's, where nothing was changed */
};

/* In this order; the one that reads has the first two the other way round. */
static const char *const zone_names[] = { "uploads", "other", "gone" };

static const struct store_moment saved_at = { .monotonic_ms = 1000000,
                                              .wall_ms = 50000000,
                                              .boot_id = "one" };

enum step_kind {
    STEP_UPLOAD,
    STEP_SPOOL,
    STEP_SET,       /* a column, by SQL */
    STEP_STATEMENT, /* other SQL */
    STEP_BYTES_AT,
    STEP_RESIZE,
    STEP_COPY_PAGE,
    STEP_LATER, /* when it is read */
    /* New ones come last: what the bytes of inputs mean stays. */
    STEP_ASSEMBLY, /* a file in pieces */
    STEP_KINDS
};

/* Each number takes a meaning from the kind. */
struct step {
    enum step_kind kind;
    uint8_t which;
    uint8_t a;
    uint8_t b;
    uint64_t value;
};

struct steps {
    struct step list[STEPS_MAX];
    size_t count;
};

static inline void
steps_read(struct steps *steps, struct fuzz_input *input)
{
    steps->count = 0;
    while (input->len >= STEP_BYTES && steps->count < STEPS_MAX) {
        struct step *step = &steps->list[steps->count++];

        step->kind = (enum step_kind)(fuzz_byte(input) % STEP_KINDS);
        step->which = fuzz_byte(input);
        step->a = fuzz_byte(input);
        step->b = fuzz_byte(input);
        step->value = 0;
        for (int i = 0; i < 8; i++) {
            step->value = step->value << 8 | fuzz_byte(input);
        }
    }
}

/* Numbers at which something ends. */
static inline int64_t
edge(unsigned which)
{
    static const int64_t edges[] = {
        0,
        1,
        -1,
        2,
        3,
        15,
        16,
        63,
        64,
        255,
        256,
        999999,
        1000000,
        1000001,
        INT32_MAX,
        (int64_t)INT32_MAX + 1,
        (int64_t)UINT32_MAX,
        (int64_t)UINT32_MAX + 1,
        (int64_t)UINT32_MAX + 2,
        INT64_MAX / 4 - 1,
        INT64_MAX / 4,
        INT64_MAX / 4 + 1,
        INT64_MAX / 2,
        INT64_MAX - 1,
        INT64_MAX,
        INT64_MIN,
        INT64_MIN + 1,
        (int64_t)1 << 53,
    };

    return edges[which % COUNT(edges)];
}

/* The next number of a row, drawn from the step's value. */
static inline int64_t
draw(uint64_t *seed, int64_t max)
{
    int64_t number;

    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    number =
        *seed >> 63 ? edge((unsigned)(*seed >> 40)) : (int64_t)(*seed >> 44);
    return number >= 0 && number <= max ? number : (int64_t)(*seed >> 44);
}

static inline void
draw_id(char id[UPLOAD_ID_MAX + 1], size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        id[i] = (char)(' ' + (seed >> i % 32) % ('~' - ' ' + 1));
    }
    id[len] = '\0';
}

/* One attempt, as events may leave it; which one is the caller's. */
static inline struct upload
draw_upload(const struct step *step)
{
    uint64_t seed = step->value;
    struct upload u;

    memset(&u, 0, sizeof(u));
    u.zone = step->which % (int)COUNT(zone_names);
    draw_id(u.id, step->a == 0 ? 1 : step->a, seed);
    u.state = (enum upload_state)(UPLOAD_UPLOADING + step->which / 3 % 3);
    u.started_ms = draw(&seed, INT64_MAX / 8);
    u.updated_ms = draw(&seed, INT64_MAX / 8);
    u.size_bytes = draw(&seed, INT64_MAX) - 1;
    u.received_bytes = draw(&seed, INT64_MAX);
    u.header_bytes = draw(&seed, INT64_MAX) - 1;
    u.ttl_ms = draw(&seed, INT64_MAX / 8);
    u.pid = draw(&seed, INT64_MAX);
    u.connection = draw(&seed, INT64_MAX);
    u.tls = seed >> 40 & 1;
    u.chunked = seed >> 41 & 1;
    u.inferred = seed >> 42 & 1;
    u.body_complete = seed >> 43 & 1;
    u.gauge = (int)(seed >> 44 & 3);
    u.protocol = (int)(seed >> 46 & 31);
    if (u.state == UPLOAD_UPLOADING) {
        u.check_ms = 1 + draw(&seed, INT64_MAX / 8);
        u.gone_ms = draw(&seed, INT64_MAX / 8);
        u.request_hash = (uint64_t)draw(&seed, INT64_MAX);
        u.mark_ms[0] = draw(&seed, INT64_MAX / 8);
        u.mark_bytes[1] = draw(&seed, INT64_MAX);
        u.socket_base_bytes = draw(&seed, INT64_MAX);
        u.socket.family = seed >> 40 & 1 ? AF_INET : 0;
        u.socket.remote_port = u.socket.family ? (uint16_t)(seed >> 48) : 0;
    } else {
        u.status = (int)draw(&seed, INT32_MAX);
        u.finished_ms = 1 + draw(&seed, INT64_MAX / 8);
        u.expires_ms = u.finished_ms + draw(&seed, INT64_MAX / 8);
    }
    return u;
}

/* Whether it is there: only rows that run may be in the zone. */
static inline bool
is_put(enum store_result result)
{
    FUZZ_HOLDS(result == STORE_OK || result == STORE_FULL);
    return result == STORE_OK;
}

static inline void
put_upload(struct store *store, const struct upload *u)
{
    unsigned evicted;

    (void)is_put(store_upload_put(store, u, &evicted));
}

static inline void
add_upload(struct store *store, const struct step *step)
{
    struct upload u = draw_upload(step);

    u.attempt[UPLOAD_ATTEMPT_BYTES - 1] = step->b;
    put_upload(store, &u);
}

/* What has come of a file: none, some ranges, or as many as there can be. */
static inline void
draw_ranges(struct range_set *set, unsigned count, uint64_t *seed)
{
    int64_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        int64_t begin = draw(seed, UPLOAD_PIECES_BYTES_MAX - 1);
        int64_t length = draw(seed, UPLOAD_PIECES_BYTES_MAX - begin);

        if (length > 0 && length <= UPLOAD_PIECES_BYTES_MAX - begin) {
            FUZZ_HOLDS(range_set_add(set, begin, begin + length) == 0);
        }
    }
    for (unsigned i = 0; count == RANGES_DRAWN_MAX && i < RANGES_MAX; i++) {
        at += 2 + (int64_t)(*seed >> i % 32 & 0x1ff);
        if (range_set_add(set, at, at + 1) < 0) {
            break; /* it is full of those */
        }
    }
}

/* A request under way that sends a piece of the file. */
static inline void
add_piece(struct store *store, const struct upload *file, unsigned number,
          uint64_t *seed)
{
    struct upload u = *file;

    u.attempt[0] = (uint8_t)(1 + number);
    u.state = UPLOAD_UPLOADING;
    u.status = 0;
    u.finished_ms = u.expires_ms = 0;
    u.check_ms = 1 + draw(seed, INT64_MAX / 8);
    u.received_bytes = draw(seed, INT64_MAX);
    u.piece_at = 1 + draw(seed, UPLOAD_PIECES_BYTES_MAX);
    u.piece_length = draw(seed, UPLOAD_PIECES_BYTES_MAX) - 1;
    u.piece_body_at = draw(seed, UPLOAD_PIECES_BYTES_MAX);
    put_upload(store, &u);
}

/*
 * A file's row and its assembly. Of b the first two bits are how many pieces
 * are under way, the third makes it a part of another file, whose ID is one
 * byte longer, the rest is the number of its ranges.
 */
static inline void
add_assembly(struct store *store, const struct step *step)
{
    uint64_t seed = ~step->value;
    struct upload file = draw_upload(step);
    struct assembly assembly;
    unsigned evicted;
    bool there;

    file.size_bytes = draw(&seed, UPLOAD_PIECES_BYTES_MAX) - 1;
    memset(&file.socket, 0, sizeof(file.socket));
    memset(&assembly, 0, sizeof(assembly));
    assembly.zone = file.zone;
    strcpy(assembly.id, file.id);
    assembly.protocol =
        (int)draw(&seed, ASSEMBLY_PROTOCOLS_MAX) % (ASSEMBLY_PROTOCOLS_MAX + 1);
    assembly.pieces = draw(&seed, UPLOAD_PIECES_BYTES_MAX);
    assembly.resumed_bytes = draw(&seed, UPLOAD_PIECES_BYTES_MAX) - 1;
    assembly.chunk_bytes = draw(&seed, UPLOAD_PIECES_BYTES_MAX);
    assembly.failed_ms = draw(&seed, INT64_MAX / 8);
    if ((step->b & 4) != 0) {
        draw_id(assembly.whole, strlen(file.id) % UPLOAD_ID_MAX + 1,
                step->value);
        assembly.base_bytes = draw(&seed, UPLOAD_PIECES_BYTES_MAX);
    }
    draw_ranges(&assembly.received, step->b >> 3, &seed);
    assembly.form_bytes = draw(&seed, UPLOAD_PIECES_BYTES_MAX);
    assembly.unplaced_bytes = draw(&seed, UPLOAD_PIECES_BYTES_MAX);
    there = is_put(store_assembly_put(store, &file, &assembly, &evicted));
    range_set_release(&assembly.received);
    for (unsigned i = 0; there && i < (step->b & 3u); i++) {
        add_piece(store, &file, i, &seed);
    }
}

static inline void
add_spool(struct store *store, const struct step *step)
{
    uint64_t seed = step->value;
    struct spool spool;

    memset(&spool, 0, sizeof(spool));
    spool.pid = step->which;
    spool.connection = draw(&seed, INT64_MAX);
    spool.request_hash = (uint64_t)draw(&seed, INT64_MAX);
    draw_id(spool.id, step->a, seed);
    memset(spool.path, 'p', 1 + (size_t)step->b * 4 % SPOOL_PATH_MAX);
    spool.fd = step->which % 2 ? (int64_t)step->which : -1;
    spool.seen_ms = draw(&seed, INT64_MAX / 8);
    FUZZ_HOLDS(store_spool_add(store, &spool) == STORE_OK);
}

/* Writes the rows' snapshot; data is SQLite's. */
static inline unsigned char *
snapshot_of(struct store *store, size_t *len)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char *message = NULL;
    unsigned char *data;
    off_t end;

    FUZZ_HOLDS(store_snapshot_write(store, fd, &saved_at, &message) == 0);
    FUZZ_HOLDS(message == NULL);
    end = lseek(fd, 0, SEEK_END);
    FUZZ_HOLDS(end > 0);
    *len = (size_t)end;
    data = sqlite3_malloc64(*len);
    FUZZ_HOLDS(data != NULL && pread(fd, data, *len, 0) == end);
    close(fd);
    return data;
}

/* What somebody might do by SQL who can write the file. */
static inline const char *
statement_of(const struct step *step)
{
    static const char *const statements[] = {
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 1",
        "CREATE TABLE more (x)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON upload BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE v USING fts5(x)",
        "CREATE INDEX i ON upload (abs(pid))",
        "DROP TABLE spool",
        "DROP INDEX upload_check",
        "DELETE FROM moment",
        "DELETE FROM zone",
        "DELETE FROM upload",
        "DELETE FROM spool",
        "INSERT INTO moment SELECT * FROM moment",
        "UPDATE zone SET zone = zone + 64",
        "UPDATE zone SET name = 'other'",
        "UPDATE zone SET name = x''",
        "UPDATE zone SET name = 'no such zone'",
        "UPDATE upload SET zone = zone + 4294967296",
        "UPDATE upload SET zone = 40",
        "UPDATE OR REPLACE upload SET id = 'same'",
        "INSERT OR IGNORE INTO spool SELECT row + 1, pid + 1, connection,"
        " request_hash, id, path, fd, seen_ms, held_fd, uncertain_until_ms"
        " FROM spool",
        "ANALYZE",
        "REINDEX",
        "VACUUM",
        "PRAGMA page_size = 512; VACUUM",
        "PRAGMA page_size = 65536; VACUUM",
        "PRAGMA auto_vacuum = FULL; VACUUM",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = ("
        "SELECT rootpage FROM sqlite_schema WHERE name = 'spool')"
        " WHERE name IN ('moment', 'zone')",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET name = name || 1"
        " WHERE type = 'table'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema"
        " SET tbl_name = 'spool' WHERE type = 'index'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET type = 'view'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema"
        " SET sql = upper(sql)",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema"
        " SET sql = replace(sql, 'NOT NULL', '')",
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema"
        " WHERE sql IS NULL",
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT type,"
        " name || 2, tbl_name, rootpage, NULL FROM sqlite_schema",
        "DELETE FROM assembly",
        "DELETE FROM upload WHERE attempt = zeroblob(16)",
        "DELETE FROM upload WHERE attempt <> zeroblob(16)",
        "DROP TABLE assembly",
        "UPDATE OR IGNORE upload SET attempt = zeroblob(16)",
        "UPDATE upload SET piece_at = 1, piece_length = -1"
        " WHERE attempt <> zeroblob(16)",
        "UPDATE upload SET piece_at = -1 WHERE attempt <> zeroblob(16)",
        "UPDATE OR REPLACE assembly SET id = 'same'",
        "UPDATE OR IGNORE assembly SET zone = 1 - zone",
        "UPDATE assembly SET whole = id",
        "UPDATE assembly SET whole = coalesce((SELECT o.id FROM assembly AS o"
        " WHERE o.zone = assembly.zone AND o.id <> assembly.id), '')",
        "UPDATE assembly SET whole = 'gone', base_bytes = 1000",
        "UPDATE assembly SET received = zeroblob(2048)",
        "UPDATE assembly SET received = zeroblob(2050)",
        "UPDATE assembly SET received = received || x'0000'",
        "UPDATE assembly SET received = CAST(received || x'0000' AS BLOB)",
        "UPDATE assembly SET received = x'00ffffffffffffffff7f'",
        "UPDATE assembly SET received = x'00feffffffffffffff7f'",
        "INSERT OR IGNORE INTO assembly SELECT zone, id, 0, 0, -1, 0, 0, '',"
        " 0, x'' FROM upload",
        "INSERT OR IGNORE INTO assembly SELECT zone, 'alone', protocol, pieces,"
        " resumed_bytes, chunk_bytes, failed_ms, whole, base_bytes, received"
        " FROM assembly",
    };

    return statements[step->which % COUNT(statements)];
}

static inline void
bind_value(sqlite3_stmt *s, const struct step *step)
{
    char bytes[1280];
    size_t len = (size_t)step->a * 5;

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(step->value >> i % 8 * 8);
    }
    switch (step->b % 6) {
    case 0:
        sqlite3_bind_int64(s, 1, (int64_t)step->value);
        break;
    case 1:
    case 2:
        sqlite3_bind_int64(s, 1, edge((unsigned)step->value));
        break;
    case 3:
        sqlite3_bind_text(s, 1, bytes, (int)len, SQLITE_TRANSIENT);
        break;
    case 4:
        sqlite3_bind_blob(s, 1, bytes, (int)len, SQLITE_TRANSIENT);
        break;
    case 5:
        sqlite3_bind_double(s, 1, (double)step->value / 3);
        break;
    }
}

/* A column of any table, in all rows or those with the highest value. */
static inline void
set_column(sqlite3 *db, const struct step *step)
{
    static const char *const tables[] = { "upload", "upload", "assembly",
                                          "spool",  "zone",   "moment" };
    const char *table = tables[step->which % COUNT(tables)];
    char sql[256];
    char column[64];
    sqlite3_stmt *s = NULL;

    snprintf(sql, sizeof(sql),
             "SELECT name FROM pragma_table_info('%s') ORDER BY cid"
             " LIMIT 1 OFFSET %d %% (SELECT count(*) FROM"
             " pragma_table_info('%s'))",
             table, step->which / 6, table);
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        sqlite3_finalize(s); /* a statement before has dropped it */
        return;
    }
    snprintf(column, sizeof(column), "%s",
             (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    snprintf(sql, sizeof(sql),
             step->b < 128 ? "UPDATE OR IGNORE %s SET \"%s\" = ?"
                           : "UPDATE OR IGNORE %s SET \"%s\" = ? WHERE"
                             " \"%s\" = (SELECT max(\"%s\") FROM %s)",
             table, column, column, column, table);
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK) {
        bind_value(s, step);
        sqlite3_step(s);
    }
    sqlite3_finalize(s);
}

static inline bool
is_sql(const struct step *step)
{
    return step->kind == STEP_STATEMENT || step->kind == STEP_SET;
}

/* Takes data, and returns what the SQL has made of it; sets whether any did. */
static inline unsigned char *
change_by_sql(const struct steps *steps, unsigned char *data, size_t *len,
              bool *changed)
{
    sqlite3_int64 size = (sqlite3_int64)*len;
    sqlite3 *db = NULL;
    bool any = false;

    for (size_t i = 0; i < steps->count; i++) {
        any = any || is_sql(&steps->list[i]);
    }
    if (!any) {
        return data;
    }
    FUZZ_HOLDS(sqlite3_open(":memory:", &db) == SQLITE_OK);
    FUZZ_HOLDS(sqlite3_deserialize(db, "main", data, size, size,
                                   SQLITE_DESERIALIZE_FREEONCLOSE |
                                       SQLITE_DESERIALIZE_RESIZEABLE) ==
               SQLITE_OK);
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->list[i];

        if (step->kind == STEP_STATEMENT) {
            sqlite3_exec(db, statement_of(step), NULL, NULL, NULL);
        } else if (step->kind == STEP_SET) {
            set_column(db, step);
        }
    }
    data = sqlite3_serialize(db, "main", &size, 0);
    FUZZ_HOLDS(data != NULL);
    *len = (size_t)size;
    *changed = true;
    sqlite3_close(db);
    return data;
}

static inline void
copy_page(struct buffer *file, size_t from, size_t to)
{
    size_t pages = file->len / PAGE_BYTES;

    if (pages > 0) {
        memmove(file->data + to % pages * PAGE_BYTES,
                file->data + from % pages * PAGE_BYTES, PAGE_BYTES);
    }
}

static inline void
change_bytes(const struct steps *steps, struct buffer *file, bool *changed)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->list[i];
        size_t at = step->which % 32 * (size_t)PAGE_BYTES +
                    ((size_t)step->a << 8 | step->b) % PAGE_BYTES;
        size_t wanted = step->value % FILE_BYTES_MAX;

        if (step->kind == STEP_BYTES_AT && file->len > 0) {
            /* One to eight bytes, big-endian as SQLite has them. */
            for (unsigned n = 0; n <= step->value % 8; n++) {
                file->data[(at + n) % file->len] =
                    (char)(step->value >> (56 - 8 * n));
            }
        } else if (step->kind == STEP_RESIZE) {
            if (wanted > file->len) {
                buffer_reserve(file, wanted - file->len);
                memset(file->data + file->len, 0, wanted - file->len);
            }
            file->len = wanted;
        } else if (step->kind == STEP_COPY_PAGE) {
            copy_page(file, step->a, step->b);
        } else {
            continue;
        }
        *changed = true;
    }
}

#endif
