/*
 * The beginning of a form: clients that send their pieces as multipart forms
 * tell in fields of the form which piece it is. nginx passes none of it on
 * before the whole body is read, but the body's temporary file has it; of a
 * body that fits into nginx's buffer the line of its end has it.
 */
#ifndef SIDECAR_FORM_H
#define SIDECAR_FORM_H

#include "uploads.h"

/*
 * Reads, at the end of a request whose body is a form, what that tells of its
 * piece into the event, or that it is unread, where neither line nor file has
 * it. Before release_files().
 */
void read_form(struct uploads *uploads, struct event *event, int64_t now_ms);

/* Whether the body is a form, which may hold what tells of a piece. */
bool is_form(const struct event *event);

/* Whether a temporary file begins as a form does. */
bool begins_as_form(const struct spool *spool);

enum form_answer {
    FORM_UNKNOWN, /* not enough of it is there to read */
    FORM_ORDINARY,
    FORM_PIECE
};

/* The same of a request under way, by its row. */
enum form_answer read_form_of(struct uploads *uploads,
                              const struct upload *request, struct piece *piece,
                              int64_t now_ms);

#endif
