/*
 * Files that come in pieces: what events and the timer make of them, and what a
 * probe is told.
 */
#ifndef SIDECAR_ASSEMBLY_H
#define SIDECAR_ASSEMBLY_H

#include "uploads.h"

/*
 * Takes in an event that is of a piece, or tells of a file in pieces; returns
 * false if it is of an ordinary request. The piece's kind and ID are set where
 * the file is known by its resource alone. Under the lock of the uploads.
 */
bool assembly_event(struct uploads *uploads, int zone, struct event *event,
                    int64_t now_ms);

/*
 * A piece whose end was not told has been concluded; its row is the caller's to
 * delete. Under the lock of the uploads.
 */
void assembly_piece_over(struct uploads *uploads, const struct upload *piece,
                         int64_t now_ms);

/* Gives a file up whose next piece did not come in time. Takes the lock. */
void assembly_check(struct uploads *uploads, const struct upload *seen,
                    int64_t now_ms);

/*
 * Looks whether the form of a request under way, of which piece_at is -1, is a
 * piece of a file, and makes it one; returns whether that is known now. Takes
 * the lock.
 */
bool assembly_look_into(struct uploads *uploads, const struct upload *seen,
                        int64_t now_ms);

/*
 * Adds up what has been received of a file, with the pieces under way; the row
 * of a resource, or a part, becomes that of the file it belongs to. Returns
 * false where there is none any more.
 */
bool assembly_measure(struct uploads *uploads, struct upload *row,
                      int64_t now_ms, struct progress_pieces *told);

#endif
