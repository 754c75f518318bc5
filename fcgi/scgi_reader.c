/* The SCGI request header. */
#include "scgi_reader.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"

enum {
    LENGTH_DIGITS_MAX = 8 /* of the netstring's length, leading zeros too */
};

enum scgi_result
scgi_scan(const char *data, size_t len, size_t *header_len)
{
    size_t netstring_len = 0;
    size_t i = 0;

    while (i < len && isdigit((unsigned char)data[i])) {
        netstring_len = netstring_len * 10 + (size_t)(data[i] - '0');
        if (netstring_len > REQUEST_HEADER_MAX || ++i > LENGTH_DIGITS_MAX) {
            return SCGI_GARBAGE;
        }
    }
    if (i == len) {
        return SCGI_MORE;
    }
    if (i == 0 || data[i] != ':' || netstring_len == 0) {
        return SCGI_GARBAGE;
    }
    *header_len = i + 1 + netstring_len + 1;
    if (len < *header_len) {
        return SCGI_MORE;
    }
    return data[*header_len - 1] == ',' ? SCGI_COMPLETE : SCGI_GARBAGE;
}

static int
parse_length(const char *text, uint64_t *bytes)
{
    char *end;

    if (!isdigit((unsigned char)text[0])) {
        return -1;
    }
    errno = 0;
    *bytes = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 ? 0 : -1;
}

int
scgi_parse(const char *data, size_t header_len, struct request *request,
           uint64_t *content_length_bytes)
{
    const char *end = data + header_len - 1; /* the comma */
    const char *p = (const char *)memchr(data, ':', header_len) + 1;

    while (p < end) {
        const char *name = p;
        const char *name_end = memchr(p, '\0', (size_t)(end - p));
        const char *value;
        const char *value_end;

        if (name_end == NULL || name_end + 1 >= end) {
            return -1;
        }
        value = name_end + 1;
        value_end = memchr(value, '\0', (size_t)(end - value));
        if (value_end == NULL || request_add(request, name, value) < 0) {
            return -1;
        }
        p = value_end + 1;
    }
    if (request->param_count == 0 ||
        strcmp(request->params[0].name, "CONTENT_LENGTH") != 0 ||
        strcmp(request_param(request, "SCGI"), "1") != 0) {
        return -1;
    }
    return parse_length(request->params[0].value, content_length_bytes);
}
