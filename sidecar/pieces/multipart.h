/*
 * The parts of a multipart/form-data body (RFC 7578, RFC 2046), as far as they
 * are in memory: fields, until the first file. Pure, thread-safe; what it gives
 * out points into the body.
 */
#ifndef SIDECAR_MULTIPART_H
#define SIDECAR_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

enum {
    MULTIPART_BOUNDARY_MAX = 70, /* bytes, by RFC 2046 */
    MULTIPART_HEADER_MAX = 4096, /* of one part's header */
    MULTIPART_PARTS_MAX = 256    /* in front of the file */
};

/* A body that is being read; its fields are the reader's own. */
struct multipart {
    const char *data;
    size_t len;
    size_t at; /* behind the last boundary */
    unsigned parts;
    char delimiter[4 + MULTIPART_BOUNDARY_MAX + 1]; /* with CRLF in front */
    size_t delimiter_len;
};

struct multipart_part {
    const char *name; /* as it stands between the quotes */
    size_t name_len;
    const char *value; /* of a field */
    size_t value_len;
    size_t at; /* of the value, or the file's data, in the body */
};

enum multipart_step {
    MULTIPART_FIELD,
    MULTIPART_FILE, /* a part with a file's name: its data begins at part.at */
    MULTIPART_END,  /* the last part has ended */
    MULTIPART_CUT,  /* what was given ends within the next part */
    MULTIPART_BAD   /* it is no such body, or beyond the limits above */
};

/*
 * Begins to read a body of that type; data has to stay. Returns false if it is
 * not multipart/form-data with a boundary.
 */
bool multipart_init(struct multipart *form, const char *content_type,
                    const char *data, size_t len);

/* Reads the next part. Not to be called after other than MULTIPART_FIELD. */
enum multipart_step multipart_next(struct multipart *form,
                                   struct multipart_part *part);

/* The bytes behind a last part's data: the closing delimiter with its lines. */
size_t multipart_end_bytes(const struct multipart *form);

#endif
