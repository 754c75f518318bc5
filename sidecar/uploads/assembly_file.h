/*
 * A file in pieces as it is in the store: its row, which probes are told of,
 * and what has been received. What is done to it here is done in memory, until
 * it is saved. All under the lock of the uploads, but for opening and closing.
 */
#ifndef SIDECAR_ASSEMBLY_FILE_H
#define SIDECAR_ASSEMBLY_FILE_H

#include "uploads_internal.h"

struct file {
    struct upload row;
    struct assembly assembly;
    bool known; /* there was a row */
};

/*
 * Reads the file of that ID, or makes a new one. Returns false, with nothing to
 * be closed, where the store fails.
 */
bool assembly_open(struct uploads *uploads, int zone, const char *id,
                   int64_t now_ms, struct file *file);

/* Writes it; while it is not over its next piece has time again. */
void assembly_save(struct uploads *uploads, struct file *file, int64_t now_ms);

void assembly_close(struct file *file);

/*
 * The rows of the requests that may carry a piece of the file, and run, in a
 * list that is to be freed: pieces, and forms of which that is not known.
 */
struct upload *assembly_requests(struct uploads *uploads, int zone,
                                 const char *id, int *count);

/* Whether the end of a piece is still to be told; starts may overtake ends. */
bool assembly_is_under_way(struct uploads *uploads, const struct file *file);

/*
 * Adds what has been received. Where too many ranges lie apart, and beyond
 * UPLOAD_PIECES_BYTES_MAX, the count stays behind.
 */
void assembly_add_range(struct file *file, int64_t begin, int64_t length);

/* The same of what the server was asked for: it may have been counted. */
void assembly_find_range(struct file *file, int64_t begin, int64_t length);

/* By the server's or the client's word the server has just so many bytes. */
void assembly_has_in_a_row(struct file *file, int64_t bytes);

/* The bytes from the file's beginning on that have come without a gap. */
int64_t assembly_in_a_row(const struct file *file);

/* Of a file of known size, outside of the ranges. */
int64_t assembly_missing_bytes(const struct file *file);

/* Whether the pieces that were taken, placed or not, are the whole of it. */
bool assembly_is_whole(const struct file *file);

/* As many pieces more have been taken. */
void assembly_count_pieces(struct file *file, int64_t pieces);

/* Has the row count what has come; it never falls. */
void assembly_count(struct file *file, int64_t now_ms);

/* What was there at the start has not come at any speed. */
void assembly_start_rate(struct file *file, int64_t bytes, int64_t now_ms);

/* A new start under the same ID, or the going on of what was over. */
void assembly_revive(struct file *file, bool anew, int64_t now_ms);

/* done, with all that is missing, or error. */
void assembly_end(struct uploads *uploads, struct file *file,
                  enum upload_state state, int status, int64_t at_ms);

#endif
