/* Files of which nothing is heard any more. */
#include "assembly.h"
#include "assembly_alias.h"
#include "assembly_piece.h"
#include "log.h"

enum { STATUS_TIMEOUT = 408 };

void
assembly_piece_over(struct uploads *uploads, const struct upload *piece,
                    int64_t now_ms)
{
    struct file file;

    if (!assembly_open(uploads, piece->zone, piece->id, now_ms, &file)) {
        return;
    }
    if (file.known && piece->state == UPLOAD_DONE) {
        assembly_add_range(&file, piece->piece_at - 1,
                           assembly_live_bytes(piece));
        assembly_count_pieces(&file, 1);
        if (upload_runs(&file.row) && assembly_is_whole(&file)) {
            file.row.inferred = true;
            assembly_end(uploads, &file, UPLOAD_DONE, 0, now_ms);
        }
    } else {
        file.assembly.failed_ms = now_ms;
    }
    if (file.known) {
        assembly_save(uploads, &file, now_ms);
    }
    assembly_close(&file);
}

static void
check_file(struct uploads *uploads, struct file *file, int64_t now_ms)
{
    if (!assembly_is_under_way(uploads, file)) {
        file->row.inferred = true;
        assembly_end(uploads, file, UPLOAD_ERROR, STATUS_TIMEOUT, now_ms);
        log_write(LOG_NOTICE, "upload %s: the next piece never came",
                  file->row.id);
    }
    assembly_save(uploads, file, now_ms);
}

void
assembly_check(struct uploads *uploads, const struct upload *seen,
               int64_t now_ms)
{
    struct file file;

    pthread_mutex_lock(&uploads->lock);
    if (assembly_open(uploads, seen->zone, seen->id, now_ms, &file)) {
        /* An event may have come since. */
        if (file.known && upload_runs(&file.row) &&
            (file.row.check_ms <= now_ms ||
             file.row.check_ms == UPLOAD_IN_TURN) &&
            !assembly_check_alias(uploads, &file, now_ms)) {
            check_file(uploads, &file, now_ms);
        }
        assembly_close(&file);
    }
    pthread_mutex_unlock(&uploads->lock);
}
