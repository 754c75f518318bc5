/*
 * Finds where a FastCGI request ends without interpreting it, so that whoever
 * reads it, libfcgi with its blocking reader included, is given complete and
 * well-formed requests only (FastCGI specification 1.0, sections 3.3, 3.4 and
 * 5). Pure, thread-safe.
 */
#ifndef FCGI_FASTCGI_SCAN_H
#define FCGI_FASTCGI_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

enum fastcgi_result {
    FASTCGI_MORE,     /* all bytes are consumed, the request goes on */
    FASTCGI_PARAMS,   /* the parameters just ended; feed the rest */
    FASTCGI_COMPLETE, /* the request just ended */
    FASTCGI_GARBAGE,  /* not FastCGI, or beyond the limits; give up */
};

/* One parameter of the stream: its two lengths, then that many bytes. */
struct fastcgi_pair {
    uint32_t length[2];   /* name, value */
    unsigned index;       /* the length that is being read; 2: the bytes */
    unsigned length_left; /* bytes of that length still to come */
    uint32_t bytes_left;  /* of name and value */
};

struct fastcgi_scan {
    uint8_t header[8];
    unsigned header_len;
    unsigned content_left; /* of the current record */
    unsigned padding_left;
    bool begun;       /* the begin record was seen */
    bool params_done; /* the empty parameter record was seen */
    unsigned request_id;
    unsigned param_count;
    size_t params_bytes;
    struct fastcgi_pair pair;
    uint64_t body_bytes; /* of standard input, so far */

    /* What to keep of the parameters: contents only, whatever they were cut
     * into. */
    struct buffer *kept_params; /* the caller's, or NULL: nothing is kept */
    uint8_t begin_body[8];      /* of the begin record */
};

#define FASTCGI_SCAN_INIT \
    {                     \
        .header_len = 0   \
    }

/*
 * Feeds len bytes. Sets *consumed to the bytes that belong to this request up
 * to the point that the result tells of.
 */
enum fastcgi_result fastcgi_scan(struct fastcgi_scan *scan, const uint8_t *data,
                                 size_t len, size_t *consumed);

#endif
