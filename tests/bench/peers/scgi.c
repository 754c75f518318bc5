/* SCGI: a netstring of headers, the body's length first. */
#include <stdlib.h>
#include <string.h>

#include "peer.h"

static enum taken
scgi_take(struct peer *p)
{
    static const char first[] = "CONTENT_LENGTH";
    const char *colon = memchr(p->data, ':', p->len);
    unsigned long headers_len;
    size_t start;

    if (colon == NULL) {
        return p->len > 8 ? TAKEN_BAD : TAKEN_PART;
    }
    start = (size_t)(colon - p->data) + 1;
    headers_len = strtoul(p->data, NULL, 10);
    if (headers_len <= sizeof(first) || headers_len > PEER_BUFFER - 16) {
        return TAKEN_BAD;
    }
    if (p->len < start + headers_len + 1) {
        return TAKEN_PART;
    }
    if (p->data[start + headers_len] != ',' ||
        p->data[start + headers_len - 1] != '\0' ||
        memcmp(p->data + start, first, sizeof(first)) != 0) {
        return TAKEN_BAD;
    }
    p->left = strtoull(p->data + start + sizeof(first), NULL, 10);
    p->keep = false;
    peer_consume(p, start + headers_len + 1);
    return TAKEN_REQUEST;
}

static size_t
scgi_put(const struct peer *p, const char *answer, size_t len, char *to)
{
    (void)p;
    memcpy(to, answer, len);
    return len;
}

const struct protocol scgi_protocol = { "scgi", scgi_take, scgi_put };
