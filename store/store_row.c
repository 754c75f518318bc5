/*
 * The rows of uploads between the table and memory: reading, binding, and what
 * a row of somebody else's has to be to be one of ours.
 */
#include <string.h>
#include <sys/socket.h>

#include "columns.h"
#include "store_internal.h"

void
store_bind_key(sqlite3_stmt *s, int zone, const char *id,
               const uint8_t *attempt)
{
    sqlite3_bind_int(s, 1, zone);
    sqlite3_bind_text(s, 2, id, -1, SQLITE_STATIC);
    if (attempt != NULL) {
        sqlite3_bind_blob(s, 3, attempt, UPLOAD_ATTEMPT_BYTES, SQLITE_STATIC);
    }
}

static void
read_blob(sqlite3_stmt *s, int column, void *to, size_t size)
{
    const void *from = sqlite3_column_blob(s, column);
    size_t len = (size_t)sqlite3_column_bytes(s, column);

    memset(to, 0, size);
    if (from != NULL) {
        memcpy(to, from, len < size ? len : size);
    }
}

void
store_read_key(sqlite3_stmt *s, struct upload *upload)
{
    size_t id_len;

    upload->zone = sqlite3_column_int(s, 0);
    id_len = (size_t)sqlite3_column_bytes(s, 1);
    memset(upload->id, 0, sizeof(upload->id));
    memcpy(upload->id, sqlite3_column_text(s, 1), id_len);
    read_blob(s, 2, upload->attempt, sizeof(upload->attempt));
}

void
store_read_row(sqlite3_stmt *s, struct upload *upload)
{
    int column = 4;

    store_read_key(s, upload);
    upload->measured_ms = upload->alive_ms = 0;
    read_blob(s, 3, &upload->socket, sizeof(upload->socket));
#define READ(name) \
    upload->name = (__typeof__(upload->name))sqlite3_column_int64(s, column++);
    UPLOAD_COLUMNS(READ)
#undef READ
}

void
store_bind_row(sqlite3_stmt *s, const struct upload *upload)
{
    size_t socket_len = upload->socket.family ? sizeof(upload->socket) : 0;
    int place = 5;

    store_bind_key(s, upload->zone, upload->id, upload->attempt);
    sqlite3_bind_blob(s, 4, &upload->socket, (int)socket_len, SQLITE_STATIC);
#define BIND(name) sqlite3_bind_int64(s, place++, (int64_t)upload->name);
    UPLOAD_COLUMNS(BIND)
#undef BIND
}

bool
store_is_id(const char *id, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (id[i] < ' ' || id[i] > '~') {
            return false;
        }
    }
    return true;
}

bool
store_is_time(int64_t time_ms)
{
    return time_ms >= 0 && time_ms <= STORE_TIME_MAX;
}

/* Whether the numbers can be; nobody has to compute with others. */
static bool
is_sound(const struct upload *upload)
{
    return upload->zone >= 0 && upload->zone < ZONES_MAX &&
           upload->state >= UPLOAD_UPLOADING && upload->state <= UPLOAD_ERROR &&
           upload->size_bytes >= -1 && upload->received_bytes >= 0 &&
           store_is_time(upload->started_ms) &&
           store_is_time(upload->updated_ms) &&
           store_is_time(upload->finished_ms) &&
           store_is_time(upload->expires_ms) &&
           store_is_time(upload->check_ms) && store_is_time(upload->gone_ms) &&
           store_is_time(upload->ttl_ms) && store_is_time(upload->mark_ms[0]) &&
           store_is_time(upload->mark_ms[1]) && upload->mark_bytes[0] >= 0 &&
           upload->mark_bytes[1] >= 0 && upload->gauge >= 0 &&
           upload->gauge < 16 && upload->header_bytes >= -1 &&
           upload->socket_base_bytes >= 0 && upload->piece_at >= -1 &&
           upload->piece_at <= UPLOAD_PIECES_BYTES_MAX + 1 &&
           upload->piece_length >= -1 && upload->piece_body_at >= 0 &&
           (upload->socket.family == 0 || upload->socket.family == AF_INET ||
            upload->socket.family == AF_INET6);
}

/* The row of a file is not also that of a piece of it. */
static bool
is_file_or_piece(const struct upload *upload)
{
    return !store_is_assembly(upload) || upload->piece_at == 0;
}

/* One that runs is looked at, one that has finished expires: none stays. */
static bool
is_at_one_stage(const struct upload *upload)
{
    bool runs = upload->state == UPLOAD_UPLOADING;

    return runs == (upload->finished_ms == 0) &&
           runs == (upload->expires_ms == 0) && runs == (upload->check_ms > 0);
}

/* Whether each number is in the field what it is in the row. */
static bool
is_whole(sqlite3_stmt *s, const struct upload *upload)
{
    int column = 4;
    bool whole = sqlite3_column_int64(s, 0) == upload->zone;

#define SAME(name) \
    whole = whole && sqlite3_column_int64(s, column++) == (int64_t)upload->name;
    UPLOAD_COLUMNS(SAME)
#undef SAME
    return whole;
}

bool
store_read_upload(sqlite3_stmt *s, struct upload *upload)
{
    size_t id_len = (size_t)sqlite3_column_bytes(s, 1);
    size_t socket_len = (size_t)sqlite3_column_bytes(s, 3);

    if (sqlite3_column_type(s, 1) != SQLITE_TEXT || id_len == 0 ||
        id_len > UPLOAD_ID_MAX || sqlite3_column_type(s, 2) != SQLITE_BLOB ||
        sqlite3_column_bytes(s, 2) != UPLOAD_ATTEMPT_BYTES ||
        (socket_len != 0 && socket_len != sizeof(upload->socket))) {
        return false;
    }
    for (int column = 4; column < sqlite3_column_count(s); column++) {
        if (sqlite3_column_type(s, column) != SQLITE_INTEGER) {
            return false;
        }
    }
    store_read_row(s, upload);
    return store_is_id(upload->id, id_len) && is_whole(s, upload) &&
           is_sound(upload) && is_file_or_piece(upload) &&
           is_at_one_stage(upload);
}
