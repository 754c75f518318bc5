/*
 * The SCGI request header: a netstring of NUL-terminated names and values
 * (https://python.ca/scgi/protocol.txt). Pure functions, thread-safe.
 */
#ifndef FCGI_SCGI_READER_H
#define FCGI_SCGI_READER_H

#include "message.h"

enum scgi_result {
    SCGI_MORE,     /* the header is not complete yet */
    SCGI_COMPLETE, /* *header_len bytes hold the netstring, comma included */
    SCGI_GARBAGE,  /* not SCGI, or longer than REQUEST_HEADER_MAX */
};

/* Looks whether data begins with a complete header. */
enum scgi_result scgi_scan(const char *data, size_t len, size_t *header_len);

/*
 * Fills request with the parameters of a complete header; they point into
 * data. Returns 0, or -1 when the header breaks the protocol: CONTENT_LENGTH
 * not first or not a number, SCGI not "1", a value without its end.
 */
int scgi_parse(const char *data, size_t header_len, struct request *request,
               uint64_t *content_length_bytes)
    __attribute__((warn_unused_result));

#endif
