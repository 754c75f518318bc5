/* IDs that lead to a file. */
#include "assembly_alias.h"

#include <stdlib.h>
#include <string.h>

/* Of a part alone the row has a size. */
struct alias
assembly_resolve(struct uploads *uploads, int zone, char id[UPLOAD_ID_MAX + 1])
{
    struct alias alias = { .known = false };
    struct assembly assembly;
    struct upload row;

    if (id[0] == '\0' ||
        store_assembly_get(uploads->store, zone, id, &assembly) != STORE_OK) {
        return alias;
    }
    alias.known = true;
    if (assembly.whole[0] != '\0') {
        alias.is_part = store_upload_get(uploads->store, zone, id,
                                         store_no_attempt, &row) == STORE_OK &&
                        row.size_bytes >= 0;
        alias.base_bytes = assembly.base_bytes;
        strcpy(id, assembly.whole);
    }
    range_set_release(&assembly.received);
    return alias;
}

/* Behind what is followed a piece counts for nothing, as at the end of it. */
static void
move_piece(struct upload *piece, int64_t base_bytes)
{
    if (piece->piece_at > 0) { /* a form stays one */
        int64_t left = UPLOAD_PIECES_BYTES_MAX + 1 - piece->piece_at;

        piece->piece_at += base_bytes < left ? base_bytes : left;
    }
}

/*
 * What a client has sent to the resource may have been told before what the
 * server has answered to the creation.
 */
static void
take_over(struct uploads *uploads, struct file *file, struct file *alias,
          int64_t base_bytes, int64_t now_ms)
{
    int count;
    struct upload *requests =
        assembly_requests(uploads, alias->row.zone, alias->row.id, &count);

    for (int i = 0; i < count; i++) {
        struct upload moved = requests[i];

        strcpy(moved.id, file->row.id);
        move_piece(&moved, base_bytes);
        if (write_row(uploads, &moved, now_ms)) {
            store_upload_delete(uploads->store, requests[i].zone,
                                requests[i].id, requests[i].attempt);
        }
    }
    free(requests);
    assembly_add_range(file, base_bytes, assembly_in_a_row(alias));
    assembly_count_pieces(file, alias->assembly.pieces);
    assembly_revive(alias, true, now_ms);
}

static void
add(struct uploads *uploads, struct file *file, const char *id,
    int64_t base_bytes, int64_t part_bytes, int64_t now_ms)
{
    struct file alias;

    if (id[0] == '\0' || strcmp(id, file->row.id) == 0 ||
        !assembly_open(uploads, file->row.zone, id, now_ms, &alias)) {
        return;
    }
    if (alias.known && alias.assembly.whole[0] == '\0') {
        take_over(uploads, file, &alias, base_bytes, now_ms);
    }
    strcpy(alias.assembly.whole, file->row.id);
    alias.assembly.base_bytes = base_bytes;
    alias.row.size_bytes = part_bytes;
    assembly_save(uploads, &alias, now_ms);
    assembly_close(&alias);
}

void
assembly_add_resource(struct uploads *uploads, struct file *file,
                      const char *id, int64_t now_ms)
{
    add(uploads, file, id, 0, -1, now_ms);
}

void
assembly_add_part(struct uploads *uploads, struct file *file, const char *id,
                  int64_t part_bytes, int64_t now_ms)
{
    int64_t before = file->row.size_bytes > 0 ? file->row.size_bytes : 0;

    if (part_bytes >= 0 && before <= UPLOAD_PIECES_BYTES_MAX - part_bytes) {
        add(uploads, file, id, before, part_bytes, now_ms);
        file->row.size_bytes = before + part_bytes;
    }
}

/* One that leads further is no file: IDs that lead to each other would stay. */
static enum store_result
find_whole(struct uploads *uploads, const struct file *alias)
{
    int zone = alias->row.zone;
    const char *id = alias->assembly.whole;
    struct assembly assembly;
    struct upload row;
    enum store_result result =
        store_upload_get(uploads->store, zone, id, store_no_attempt, &row);

    if (result == STORE_OK &&
        store_assembly_get(uploads->store, zone, id, &assembly) == STORE_OK) {
        result = assembly.whole[0] == '\0' ? STORE_OK : STORE_NOT_FOUND;
        range_set_release(&assembly.received);
    }
    return result;
}

bool
assembly_check_alias(struct uploads *uploads, struct file *alias,
                     int64_t now_ms)
{
    const struct upload *row = &alias->row;

    if (alias->assembly.whole[0] == '\0') {
        return false;
    }
    switch (find_whole(uploads, alias)) {
    case STORE_OK:
        assembly_save(uploads, alias, now_ms);
        break;
    case STORE_NOT_FOUND:
        store_upload_delete(uploads->store, row->zone, row->id, row->attempt);
        break;
    case STORE_FULL:
    case STORE_ERROR:
        log_store_error(uploads, "reading the file of a resource");
        break;
    }
    return true;
}
