/*
 * A piece of a file: what its start and its end tell of the file. Under the
 * lock of the uploads.
 */
#ifndef SIDECAR_ASSEMBLY_PIECE_H
#define SIDECAR_ASSEMBLY_PIECE_H

#include "assembly_file.h"

/*
 * The file begins at base_bytes of what the piece's offset is told in: 0 but
 * for parts. The caller saves the file.
 */
void assembly_begin_piece(struct uploads *uploads, struct file *file,
                          const struct event *event, int64_t base_bytes,
                          int64_t now_ms);
void assembly_end_piece(struct uploads *uploads, struct file *file,
                        const struct event *event,
                        const struct piece_outcome *outcome, int64_t base_bytes,
                        int64_t now_ms);

/*
 * Ends the row of a piece's request, if there is one; returns the length of its
 * body.
 */
int64_t assembly_end_request(struct uploads *uploads, const struct file *file,
                             const struct event *event, int64_t now_ms);

/*
 * Whether a body has broken off. nginx answers 400 or 408 then; that is
 * nobody's no. Nor is an interim response, behind which it goes on reading,
 * anybody's yes.
 */
bool assembly_was_cut_short(const struct event *event, int64_t body_bytes);

/* A piece has failed: what comes next resumes the file. */
void assembly_fail_piece(struct uploads *uploads, struct file *file,
                         const struct event *event, int64_t now_ms);

/* Makes a request under way the piece that its form has turned out to be. */
void assembly_adopt_form(struct uploads *uploads, struct upload *row,
                         const struct piece *piece, int64_t now_ms);

/* The bytes of the file that a piece under way has brought. */
int64_t assembly_live_bytes(const struct upload *piece);

#endif
