/* Progress IDs in headers and query strings. Pure, thread-safe. */
#ifndef SIDECAR_PROGRESS_ID_H
#define SIDECAR_PROGRESS_ID_H

#include <stdbool.h>
#include <stddef.h>

#include "upload.h"

/*
 * Whether text is 1 to UPLOAD_ID_MAX bytes of printable ASCII, and not "-",
 * which nginx logs where there is none.
 */
bool progress_id_is_valid(const char *text);

/*
 * Finds the argument name (compared without case, as in nginx) in a query
 * string and writes its percent-decoded value to value. Returns whether the
 * argument is there and decodes into size bytes without a NUL.
 */
bool query_argument(const char *query, const char *name, char *value,
                    size_t size);

/*
 * The first value of the argument and its length, still percent-encoded; NULL
 * without one. To find further ones, go on behind it.
 */
const char *query_find(const char *query, const char *name, size_t *value_len);

/* Decodes an ID of len bytes. Returns false if it is invalid. */
bool progress_id_decode(const char *text, size_t len,
                        char id[UPLOAD_ID_MAX + 1]);

/* Whether the argument is there at all. */
bool query_has(const char *query, const char *name);

/* As query_find(), but the name is compared with its case. */
const char *query_find_exact(const char *query, const char *name,
                             size_t *value_len);

/* Percent-decodes a value. Returns false if it does not fit or has a NUL. */
bool query_decode(const char *text, size_t len, char *value, size_t size);

/*
 * The ID of an upload event: the header's value if there is one, else the
 * query argument's, still percent-encoded as nginx's variables hold it.
 * Returns false when there is none or it is invalid.
 */
bool progress_id_choose(const char *header, const char *argument,
                        char id[UPLOAD_ID_MAX + 1]);

/*
 * The ID that a request carries: that of the header if there is one, else
 * that of the query. Returns false when there is none or it is invalid.
 */
bool progress_id_extract(const char *header, const char *query,
                         const char *name, char id[UPLOAD_ID_MAX + 1]);

/*
 * As before, from a request line "METHOD URI PROTOCOL". Of one that is cut
 * short in the URI, the last argument is not believed.
 */
bool progress_id_from_request_line(const char *line, const char *name,
                                   char id[UPLOAD_ID_MAX + 1]);

#endif
