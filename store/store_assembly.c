/* The table of what comes in pieces, beside that of uploads. */
#include <stdlib.h>
#include <string.h>

#include "store_internal.h"

const uint8_t store_no_attempt[UPLOAD_ATTEMPT_BYTES];

bool
store_is_assembly(const struct upload *upload)
{
    return memcmp(upload->attempt, store_no_attempt, UPLOAD_ATTEMPT_BYTES) == 0;
}

/* As the schema has it; a file of somebody else's may have anything. */
static bool
has_types(sqlite3_stmt *s)
{
    for (int column = 0; column < sqlite3_column_count(s); column++) {
        int wanted = column == 1 || column == 7 ? SQLITE_TEXT
                     : column == 11             ? SQLITE_BLOB
                                                : SQLITE_INTEGER;

        if (sqlite3_column_type(s, column) != wanted) {
            return false;
        }
    }
    return true;
}

static bool
is_within(sqlite3_stmt *s, int column, int64_t min, int64_t max)
{
    int64_t value = sqlite3_column_int64(s, column);

    return value >= min && value <= max;
}

/* Whether the numbers can be; nobody has to compute with others. */
static bool
is_sound(sqlite3_stmt *s)
{
    return is_within(s, 0, 0, ZONES_MAX - 1) &&
           is_within(s, 2, 0, ASSEMBLY_PROTOCOLS_MAX) &&
           is_within(s, 3, 0, UPLOAD_PIECES_BYTES_MAX) &&
           is_within(s, 4, -1, UPLOAD_PIECES_BYTES_MAX) &&
           is_within(s, 5, 0, UPLOAD_PIECES_BYTES_MAX) &&
           is_within(s, 6, 0, STORE_TIME_MAX) &&
           is_within(s, 8, 0, UPLOAD_PIECES_BYTES_MAX) &&
           is_within(s, 9, 0, UPLOAD_PIECES_BYTES_MAX) &&
           is_within(s, 10, 0, UPLOAD_PIECES_BYTES_MAX);
}

static bool
read_id(sqlite3_stmt *s, int column, char id[UPLOAD_ID_MAX + 1])
{
    const void *text = sqlite3_column_text(s, column);
    size_t len = (size_t)sqlite3_column_bytes(s, column);

    if (len > UPLOAD_ID_MAX) {
        return false;
    }
    memcpy(id, text, len);
    id[len] = '\0';
    return store_is_id(id, len);
}

bool
store_read_assembly(sqlite3_stmt *s, struct assembly *assembly)
{
    memset(assembly, 0, sizeof(*assembly));
    if (!has_types(s) || !is_sound(s)) {
        return false;
    }
    assembly->zone = sqlite3_column_int(s, 0);
    assembly->protocol = sqlite3_column_int(s, 2);
    assembly->pieces = sqlite3_column_int64(s, 3);
    assembly->resumed_bytes = sqlite3_column_int64(s, 4);
    assembly->chunk_bytes = sqlite3_column_int64(s, 5);
    assembly->failed_ms = sqlite3_column_int64(s, 6);
    assembly->base_bytes = sqlite3_column_int64(s, 8);
    assembly->form_bytes = sqlite3_column_int64(s, 9);
    assembly->unplaced_bytes = sqlite3_column_int64(s, 10);
    if (!read_id(s, 1, assembly->id) || assembly->id[0] == '\0' ||
        !read_id(s, 7, assembly->whole) ||
        range_set_decode(&assembly->received, sqlite3_column_blob(s, 11),
                         (size_t)sqlite3_column_bytes(s, 11)) < 0) {
        return false;
    }
    /* One that is a part of itself would never be over. */
    if (strcmp(assembly->whole, assembly->id) == 0 ||
        range_set_end(&assembly->received) > UPLOAD_PIECES_BYTES_MAX) {
        range_set_release(&assembly->received);
        return false;
    }
    return true;
}

enum store_result
store_assembly_get(struct store *store, int zone, const char *id,
                   struct assembly *assembly)
{
    enum store_result result = STORE_NOT_FOUND;
    sqlite3_stmt *s;
    int code;

    memset(assembly, 0, sizeof(*assembly));
    pthread_mutex_lock(&store->lock);
    s = store_statement_locked(store, ASSEMBLY_GET);
    sqlite3_bind_int(s, 1, zone);
    sqlite3_bind_text(s, 2, id, -1, SQLITE_STATIC);
    code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        result = store_read_assembly(s, assembly) ? STORE_OK : STORE_ERROR;
    } else if (code != SQLITE_DONE) {
        result = STORE_ERROR;
    }
    sqlite3_reset(s);
    pthread_mutex_unlock(&store->lock);
    return result;
}

static void
bind_assembly(sqlite3_stmt *s, const struct assembly *assembly,
              const uint8_t *received, size_t len)
{
    sqlite3_bind_int(s, 1, assembly->zone);
    sqlite3_bind_text(s, 2, assembly->id, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 3, assembly->protocol);
    sqlite3_bind_int64(s, 4, assembly->pieces);
    sqlite3_bind_int64(s, 5, assembly->resumed_bytes);
    sqlite3_bind_int64(s, 6, assembly->chunk_bytes);
    sqlite3_bind_int64(s, 7, assembly->failed_ms);
    sqlite3_bind_text(s, 8, assembly->whole, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 9, assembly->base_bytes);
    sqlite3_bind_int64(s, 10, assembly->form_bytes);
    sqlite3_bind_int64(s, 11, assembly->unplaced_bytes);
    sqlite3_bind_blob(s, 12, received, (int)len, SQLITE_STATIC);
}

enum store_result
store_write_assembly_locked(struct store *store,
                            const struct assembly *assembly)
{
    sqlite3_stmt *s = store_statement_locked(store, ASSEMBLY_PUT);
    uint8_t received[RANGE_SET_ENCODED_MAX];
    ssize_t len =
        range_set_encode(&assembly->received, received, sizeof(received));
    enum store_result result;

    if (len < 0) {
        return STORE_ERROR;
    }
    store_delete_assembly_locked(store, assembly->zone, assembly->id);
    bind_assembly(s, assembly, received, (size_t)len);
    result = store_run_locked(s);
    if (result == STORE_OK) {
        store->zones[assembly->zone].used_bytes +=
            len + (ssize_t)strlen(assembly->whole) + ASSEMBLY_COST_BYTES;
    }
    store_changed_locked(store, assembly->zone, assembly->id);
    return result;
}

enum store_result
store_assembly_put(struct store *store, const struct upload *file,
                   const struct assembly *assembly, unsigned *evicted)
{
    enum store_result result;

    pthread_mutex_lock(&store->lock);
    result = store_put_locked(store, file, evicted);
    if (result == STORE_OK) {
        result = store_write_assembly_locked(store, assembly);
    }
    pthread_mutex_unlock(&store->lock);
    return result;
}

void
store_delete_assembly_locked(struct store *store, int zone, const char *id)
{
    sqlite3_stmt *s = store_statement_locked(store, ASSEMBLY_DELETE);

    sqlite3_bind_int(s, 1, zone);
    sqlite3_bind_text(s, 2, id, -1, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW) {
        store->zones[zone].used_bytes -=
            sqlite3_column_int64(s, 0) + ASSEMBLY_COST_BYTES;
    }
    sqlite3_reset(s);
}
