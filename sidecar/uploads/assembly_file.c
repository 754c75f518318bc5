/* A file in pieces: reading, counting, ending, writing. */
#include "assembly_file.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static void
new_row(struct upload *row, int zone, const char *id, int64_t now_ms)
{
    memset(row, 0, sizeof(*row));
    row->zone = zone;
    strcpy(row->id, id);
    row->state = UPLOAD_UPLOADING;
    row->size_bytes = -1;
    row->header_bytes = -1;
    row->started_ms = now_ms > 0 ? now_ms : 1;
}

bool
assembly_open(struct uploads *uploads, int zone, const char *id, int64_t now_ms,
              struct file *file)
{
    enum store_result result = store_upload_get(uploads->store, zone, id,
                                                store_no_attempt, &file->row);

    file->known = result == STORE_OK;
    if (result == STORE_ERROR ||
        store_assembly_get(uploads->store, zone, id, &file->assembly) ==
            STORE_ERROR) {
        log_store_error(uploads, "reading a file in pieces");
        return false;
    }
    if (!file->known) {
        new_row(&file->row, zone, id, now_ms);
    }
    if (file->assembly.id[0] == '\0') {
        file->assembly.zone = zone;
        strcpy(file->assembly.id, id);
        file->assembly.resumed_bytes = -1;
    }
    return true;
}

void
assembly_save(struct uploads *uploads, struct file *file, int64_t now_ms)
{
    assembly_count(file, now_ms);
    if (upload_runs(&file->row)) {
        file->row.check_ms = now_ms + uploads->options.piece_timeout_ms;
    }
    if (file->row.mark_ms[0] == 0) {
        assembly_start_rate(file, file->row.received_bytes, now_ms);
    }
    write_file(uploads, &file->row, &file->assembly, now_ms);
}

void
assembly_close(struct file *file)
{
    range_set_release(&file->assembly.received);
}

struct upload *
assembly_requests(struct uploads *uploads, int zone, const char *id, int *count)
{
    struct upload *rows = alloc_array(REQUESTS_MAX, sizeof(*rows));
    int found =
        store_upload_attempts(uploads->store, zone, id, rows, REQUESTS_MAX);

    *count = 0;
    for (int i = 0; i < found; i++) {
        if (rows[i].piece_at != 0 && upload_runs(&rows[i])) {
            rows[(*count)++] = rows[i];
        }
    }
    return rows;
}

bool
assembly_is_under_way(struct uploads *uploads, const struct file *file)
{
    int count;
    bool found = false;
    struct upload *requests =
        assembly_requests(uploads, file->row.zone, file->row.id, &count);

    for (int i = 0; i < count && !found; i++) {
        found = requests[i].piece_at > 0;
    }
    free(requests);
    return found;
}

void
assembly_add_range(struct file *file, int64_t begin, int64_t length)
{
    if (begin >= 0 && length > 0 && length <= UPLOAD_PIECES_BYTES_MAX - begin) {
        (void)!range_set_add(&file->assembly.received, begin, begin + length);
    }
}

void
assembly_find_range(struct file *file, int64_t begin, int64_t length)
{
    int64_t *unplaced_bytes = &file->assembly.unplaced_bytes;
    int64_t before = range_set_bytes(&file->assembly.received);
    int64_t found;

    assembly_add_range(file, begin, length);
    found = range_set_bytes(&file->assembly.received) - before;
    *unplaced_bytes -= found < *unplaced_bytes ? found : *unplaced_bytes;
}

int64_t
assembly_in_a_row(const struct file *file)
{
    int64_t begin = INT64_MAX;
    int64_t end;

    range_set_missing(&file->assembly.received, 0, INT64_MAX, &begin, &end);
    return begin;
}

void
assembly_has_in_a_row(struct file *file, int64_t bytes)
{
    if (bytes != assembly_in_a_row(file) ||
        range_set_count(&file->assembly.received) > 1) {
        range_set_release(&file->assembly.received);
        assembly_add_range(file, 0, bytes);
    }
}

int64_t
assembly_missing_bytes(const struct file *file)
{
    int64_t size_bytes = file->row.size_bytes;

    return size_bytes -
           range_set_covered(&file->assembly.received, 0, size_bytes);
}

bool
assembly_is_whole(const struct file *file)
{
    return file->row.size_bytes >= 0 &&
           assembly_missing_bytes(file) <= file->assembly.unplaced_bytes;
}

/* Beyond its limit the store would not read the file again. */
void
assembly_count_pieces(struct file *file, int64_t pieces)
{
    int64_t left = UPLOAD_PIECES_BYTES_MAX - file->assembly.pieces;

    file->assembly.pieces += pieces < left ? pieces : left;
}

/* What a failed piece has brought was received once. */
void
assembly_count(struct file *file, int64_t now_ms)
{
    int64_t bytes = range_set_bytes(&file->assembly.received) +
                    file->assembly.unplaced_bytes;

    if (file->row.size_bytes >= 0 && bytes > file->row.size_bytes) {
        bytes = file->row.size_bytes;
    }
    if (bytes > file->row.received_bytes) {
        file->row.received_bytes = bytes;
        file->row.updated_ms = now_ms;
    }
}

void
assembly_start_rate(struct file *file, int64_t bytes, int64_t now_ms)
{
    file->row.mark_ms[0] = file->row.mark_ms[1] = now_ms > 0 ? now_ms : 1;
    file->row.mark_bytes[0] = file->row.mark_bytes[1] = bytes;
}

void
assembly_revive(struct file *file, bool anew, int64_t now_ms)
{
    file->row.state = UPLOAD_UPLOADING;
    file->row.status = 0;
    file->row.inferred = false;
    file->row.finished_ms = 0;
    file->row.expires_ms = 0;
    file->assembly.failed_ms = anew ? 0 : 1;
    if (anew) {
        range_set_release(&file->assembly.received);
        file->assembly.pieces = 0;
        file->assembly.chunk_bytes = 0;
        file->assembly.form_bytes = 0;
        file->assembly.unplaced_bytes = 0;
        file->assembly.resumed_bytes = -1;
        file->row.size_bytes = -1;
        file->row.approximate = false;
        file->row.received_bytes = 0;
        file->row.started_ms = now_ms > 0 ? now_ms : 1;
        assembly_start_rate(file, 0, now_ms);
    }
}

void
assembly_end(struct uploads *uploads, struct file *file,
             enum upload_state state, int status, int64_t at_ms)
{
    if (state == UPLOAD_DONE) {
        if (file->row.size_bytes < 0) {
            file->row.size_bytes = assembly_in_a_row(file);
        }
        assembly_add_range(file, 0, file->row.size_bytes);
        file->assembly.unplaced_bytes = 0;
    }
    file->row.state = state;
    file->row.status = status;
    finish(uploads, &file->row, at_ms);
}
