/*
 * Forms of which nobody could read what piece of a file they are, as their
 * temporary file was gone too soon. The length tells which sort of piece it is,
 * and how many bytes have come needs no more. Under the lock of the uploads.
 */
#ifndef SIDECAR_ASSEMBLY_UNREAD_H
#define SIDECAR_ASSEMBLY_UNREAD_H

#include "assembly_file.h"
#include "piece.h"

/*
 * Ends the unread form that a file's ID came with. Returns false, having done
 * nothing, where it is not as long as a piece of the file; one that was cut
 * short is a failed piece of a file that runs, whatever its length. The caller
 * saves the file.
 */
bool assembly_end_unread(struct uploads *uploads, struct file *file,
                         const struct event *event, enum piece_fate fate,
                         int64_t now_ms);

/* Whether the length of the pieces, and of the form around them, is known. */
bool assembly_knows_pieces(const struct file *file);

/* Once it is: counts the unread forms that have ended before. */
void assembly_adopt_unread(struct uploads *uploads, struct file *file);

#endif
