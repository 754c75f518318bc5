/* Finds where a FastCGI request ends. */
#include "fastcgi_scan.h"

#include <fastcgi.h>
#include <stddef.h>
#include <string.h>

#include "connection.h"

static unsigned
content_length(const struct fastcgi_scan *scan)
{
    return (unsigned)scan->header[4] << 8 | scan->header[5];
}

static unsigned
record_id(const struct fastcgi_scan *scan)
{
    return (unsigned)scan->header[2] << 8 | scan->header[3];
}

/* A record that ends a stream, or opens a request, changes the phase. */
static enum fastcgi_result
begin_record(struct fastcgi_scan *scan)
{
    unsigned type = scan->header[1];
    unsigned len = content_length(scan);

    if (scan->header[0] != FCGI_VERSION_1) {
        return FASTCGI_GARBAGE;
    }
    if (!scan->begun) {
        if (type != FCGI_BEGIN_REQUEST || record_id(scan) == 0 ||
            len != sizeof(FCGI_BeginRequestBody)) {
            return FASTCGI_GARBAGE;
        }
        scan->begun = true;
        scan->request_id = record_id(scan);
        return FASTCGI_MORE;
    }
    if (record_id(scan) != scan->request_id ||
        type != (scan->params_done ? FCGI_STDIN : FCGI_PARAMS)) {
        return FASTCGI_GARBAGE; /* multiplexed, aborted or out of order */
    }
    if (type == FCGI_PARAMS) {
        scan->params_bytes += len;
        if (scan->params_bytes > REQUEST_HEADER_MAX) {
            return FASTCGI_GARBAGE;
        }
    }
    return FASTCGI_MORE;
}

static enum fastcgi_result
end_record(struct fastcgi_scan *scan)
{
    bool empty = content_length(scan) == 0;

    scan->header_len = 0;
    if (!empty) {
        return FASTCGI_MORE;
    }
    if (scan->params_done) {
        return FASTCGI_COMPLETE;
    }
    scan->params_done = true;
    /* A parameter that the stream's end cuts in two is refused here. */
    return scan->pair.index == 0 && scan->pair.length_left == 0
               ? FASTCGI_PARAMS
               : FASTCGI_GARBAGE;
}

static bool
count_param(struct fastcgi_scan *scan)
{
    scan->param_count++;
    return scan->param_count <= REQUEST_PARAMS_MAX - 1; /* FCGI_ROLE is one */
}

/* Takes one byte of one of the two lengths, which are 1 or 4 bytes long. */
static bool
feed_length(struct fastcgi_scan *scan, uint8_t byte)
{
    struct fastcgi_pair *pair = &scan->pair;
    uint32_t *length = &pair->length[pair->index];

    if (pair->length_left == 0) {
        *length = byte & 0x7f;
        pair->length_left = byte & 0x80 ? 3 : 0;
    } else {
        *length = *length << 8 | byte;
        pair->length_left--;
    }
    if (pair->length_left > 0) {
        return true;
    }
    if (*length > REQUEST_HEADER_MAX) {
        return false;
    }
    pair->index++;
    if (pair->index == 2) {
        pair->bytes_left = pair->length[0] + pair->length[1];
        return count_param(scan);
    }
    return true;
}

/* The bytes of a whole parameter with short lengths, as most are; else 0. */
static size_t
whole_pair(const struct fastcgi_scan *scan, const uint8_t *data, size_t len)
{
    size_t bytes;

    if (scan->pair.index > 0 || scan->pair.length_left > 0 || len < 2 ||
        ((data[0] | data[1]) & 0x80) != 0) {
        return 0;
    }
    bytes = 2U + data[0] + data[1];
    return bytes <= len ? bytes : 0;
}

static bool
feed_params(struct fastcgi_scan *scan, const uint8_t *data, size_t len)
{
    struct fastcgi_pair *pair = &scan->pair;

    while (len > 0) {
        size_t whole = whole_pair(scan, data, len);

        if (whole > 0) {
            if (!count_param(scan)) {
                return false;
            }
            data += whole;
            len -= whole;
        } else if (pair->index < 2) {
            if (!feed_length(scan, *data)) {
                return false;
            }
            data++;
            len--;
        } else {
            size_t step = len < pair->bytes_left ? len : pair->bytes_left;

            data += step;
            len -= step;
            pair->bytes_left -= (uint32_t)step;
        }
        if (pair->index == 2 && pair->bytes_left == 0) {
            pair->index = 0;
        }
    }
    return true;
}

static size_t
feed_content(struct fastcgi_scan *scan, const uint8_t *data, size_t len,
             bool *sane)
{
    size_t step = len < scan->content_left ? len : scan->content_left;

    switch (scan->header[1]) {
    case FCGI_BEGIN_REQUEST:
        memcpy(scan->begin_body + sizeof(scan->begin_body) - scan->content_left,
               data, step);
        break;
    case FCGI_PARAMS:
        *sane = feed_params(scan, data, step);
        if (scan->kept_params != NULL) {
            buffer_append(scan->kept_params, data, step);
        }
        break;
    case FCGI_STDIN:
        scan->body_bytes += step;
        break;
    default: /* no other record comes through begin_record() */
        break;
    }
    scan->content_left -= (unsigned)step;
    return step;
}

static size_t
feed_header(struct fastcgi_scan *scan, const uint8_t *data, size_t len)
{
    size_t left = sizeof(scan->header) - scan->header_len;
    size_t step = len < left ? len : left;

    memcpy(scan->header + scan->header_len, data, step);
    scan->header_len += (unsigned)step;
    return step;
}

enum fastcgi_result
fastcgi_scan(struct fastcgi_scan *scan, const uint8_t *data, size_t len,
             size_t *consumed)
{
    enum fastcgi_result result = FASTCGI_MORE;
    size_t at = 0;
    bool sane = true;

    while (result == FASTCGI_MORE && sane && at < len) {
        if (scan->header_len < sizeof(scan->header)) {
            at += feed_header(scan, data + at, len - at);
            if (scan->header_len < sizeof(scan->header)) {
                continue;
            }
            scan->content_left = content_length(scan);
            scan->padding_left = scan->header[6];
            result = begin_record(scan);
        } else if (scan->content_left > 0) {
            at += feed_content(scan, data + at, len - at, &sane);
        } else {
            size_t left = scan->padding_left;
            size_t step = len - at < left ? len - at : left;

            at += step;
            scan->padding_left -= (unsigned)step;
        }
        if (result == FASTCGI_MORE &&
            scan->header_len == sizeof(scan->header) &&
            scan->content_left == 0 && scan->padding_left == 0) {
            result = end_record(scan);
        }
    }
    *consumed = at;
    return sane ? result : FASTCGI_GARBAGE;
}
