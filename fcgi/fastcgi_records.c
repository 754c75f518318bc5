/* FastCGI's parameters and records in memory. */
#include "fastcgi_records.h"

#include <fastcgi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A length of one byte, or of four if the first one's upper bit is set. */
static size_t
read_length(const uint8_t **at)
{
    const uint8_t *p = *at;

    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    *at += 4;
    return (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 |
           (size_t)p[2] << 8 | p[3];
}

void
fastcgi_read_params(const char *params, size_t len, struct buffer *text,
                    struct request *request)
{
    const uint8_t *at = (const uint8_t *)params;
    const uint8_t *end;
    char *to;

    if (len == 0) {
        return; /* there may be no buffer then */
    }
    buffer_reserve(text, len); /* "=" and a NUL for two lengths, or more */
    to = text->data + text->len;
    end = at + len;
    while (at < end) {
        size_t name_len = read_length(&at);
        size_t value_len = read_length(&at);
        char *name = to;
        char *equals;

        memcpy(to, at, name_len);
        to += name_len;
        *to++ = '=';
        memcpy(to, at + name_len, value_len);
        to += value_len;
        *to++ = '\0';
        at += name_len + value_len;
        equals = strchr(name, '=');
        if (equals == NULL) {
            continue;
        }
        *equals = '\0';
        if (request_add_named(request, name, (size_t)(equals - name),
                              equals + 1) < 0) {
            abort(); /* the scan has counted them */
        }
    }
    text->len = (size_t)(to - text->data);
}

void
fastcgi_put_record(struct buffer *out, unsigned type, unsigned id,
                   const void *content, size_t len)
{
    uint8_t header[FCGI_HEADER_LEN] = {
        FCGI_VERSION_1, (uint8_t)type,       (uint8_t)(id >> 8),
        (uint8_t)id,    (uint8_t)(len >> 8), (uint8_t)len,
    };

    buffer_append(out, header, sizeof(header));
    buffer_append(out, content, len);
}

void
fastcgi_put_stream(struct buffer *out, unsigned type, unsigned id,
                   const char *content, size_t len)
{
    for (size_t at = 0, step; at < len; at += step) {
        step = len - at < FCGI_MAX_LENGTH ? len - at : FCGI_MAX_LENGTH;
        fastcgi_put_record(out, type, id, content + at, step);
    }
    fastcgi_put_record(out, type, id, NULL, 0);
}
