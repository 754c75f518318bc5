/* What the readers of the protocols share. */
#ifndef SIDECAR_PIECE_INTERNAL_H
#define SIDECAR_PIECE_INTERNAL_H

#include "piece.h"

/* All unknown. */
void piece_reset(struct piece *piece);

/* Tells what is wrong. Returns false. */
static inline bool
piece_is_wrong(struct piece_fault *fault, const char *field, const char *why)
{
    fault->field = field;
    fault->why = why;
    return false;
}

/*
 * The method as the server is to take it: X-HTTP-Method-Override's, which tus
 * has for any method; frameworks know it of POST.
 */
const char *piece_method(const struct piece_request *request);

/* Whether it is one of POST, PUT, PATCH, which carry a file. */
bool piece_method_sends(const char *method);

bool piece_is_form(const struct piece_request *request);

/*
 * Compares the length of a piece's data with that of the body, and sets what
 * follows from it: length_bytes if not known, enveloped, body_at_bytes.
 */
bool piece_fit_body(const struct piece_request *request, struct piece *piece,
                    struct piece_fault *fault);

/* The protocols. Each returns false, without a fault if it is none of its. */
bool piece_from_tus(const struct piece_request *request, struct piece *piece,
                    struct piece_fault *fault);
bool piece_from_draft(const struct piece_request *request, struct piece *piece,
                      struct piece_fault *fault);
bool piece_from_filepond(const struct piece_request *request,
                         struct piece *piece, struct piece_fault *fault);
bool piece_from_arguments(const struct piece_request *request,
                          struct piece *piece, struct piece_fault *fault);

/* Whether it is the draft's upload in one request, see piece.h. */
bool piece_is_whole_draft(const struct piece_request *request);

#endif
