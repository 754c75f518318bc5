/* Text made harmless for where it stands. Thread-safe. */
#ifndef SIDECAR_ESCAPE_H
#define SIDECAR_ESCAPE_H

#include "buffer.h"

enum escape {
    ESCAPE_NONE,
    ESCAPE_JSON,       /* within a JSON string (RFC 8259, section 7) */
    ESCAPE_JAVASCRIPT, /* within a JavaScript string, in any quotes */
    ESCAPE_XML,        /* within XML or HTML text, or an attribute's value */
};

/* What a content type asks for; ESCAPE_XML for what it does not know. */
enum escape escape_for(const char *content_type);

/*
 * Appends text. Bytes that are not UTF-8 become U+FFFD, and so do
 * characters that XML cannot hold; with ESCAPE_NONE text goes through as it is.
 */
void escape_append(struct buffer *out, enum escape escape, const char *text);

#endif
