/* Progress IDs in headers and query strings. */
#include "progress_id.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool
progress_id_is_valid(const char *text)
{
    size_t len = 0;

    for (; text[len] != '\0'; len++) {
        if (len == UPLOAD_ID_MAX || text[len] < 0x20 || text[len] > 0x7e) {
            return false;
        }
    }
    return len > 0 && strcmp(text, "-") != 0;
}

static int
hex_digit(char c)
{
    if (isdigit((unsigned char)c)) {
        return c - '0';
    }
    if (isxdigit((unsigned char)c)) {
        return (c | 0x20) - 'a' + 10;
    }
    return -1;
}

/* Decodes %HH; a '%' that is not followed by two digits stays as it is. */
bool
query_decode(const char *text, size_t len, char *value, size_t size)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)text[i];
        bool escape = c == '%' && i + 2 < len;
        int high = escape ? hex_digit(text[i + 1]) : -1;
        int low = escape ? hex_digit(text[i + 2]) : -1;

        if (high >= 0 && low >= 0) {
            c = high << 4 | low;
            i += 2;
        }
        if (c == '\0' || out + 1 >= size) {
            return false;
        }
        value[out++] = (char)c;
    }
    value[out] = '\0';
    return true;
}

const char *
query_find(const char *query, const char *name, size_t *value_len)
{
    size_t name_len = strlen(name);

    for (const char *p = query; *p != '\0';) {
        size_t len = strcspn(p, "&");

        if (len > name_len && p[name_len] == '=' &&
            strncasecmp(p, name, name_len) == 0) {
            *value_len = len - name_len - 1;
            return p + name_len + 1;
        }
        p += len + (p[len] == '&');
    }
    return NULL;
}

const char *
query_find_exact(const char *query, const char *name, size_t *value_len)
{
    size_t name_len = strlen(name);
    const char *value;

    while ((value = query_find(query, name, value_len)) != NULL &&
           strncmp(value - name_len - 1, name, name_len) != 0) {
        query = value + *value_len;
    }
    return value;
}

bool
query_has(const char *query, const char *name)
{
    size_t len;

    return query_find(query, name, &len) != NULL;
}

bool
query_argument(const char *query, const char *name, char *value, size_t size)
{
    size_t len;
    const char *found = query_find(query, name, &len);

    return found != NULL && query_decode(found, len, value, size);
}

bool
progress_id_decode(const char *text, size_t len, char id[UPLOAD_ID_MAX + 1])
{
    return query_decode(text, len, id, UPLOAD_ID_MAX + 1) &&
           progress_id_is_valid(id);
}

bool
progress_id_choose(const char *header, const char *argument,
                   char id[UPLOAD_ID_MAX + 1])
{
    if (header[0] != '\0') {
        if (!progress_id_is_valid(header)) {
            return false;
        }
        strcpy(id, header);
        return true;
    }
    return progress_id_decode(argument, strlen(argument), id);
}

bool
progress_id_extract(const char *header, const char *query, const char *name,
                    char id[UPLOAD_ID_MAX + 1])
{
    if (header[0] != '\0') {
        return progress_id_choose(header, "", id);
    }
    return query_argument(query, name, id, UPLOAD_ID_MAX + 1) &&
           progress_id_is_valid(id);
}

bool
progress_id_from_request_line(const char *line, const char *name,
                              char id[UPLOAD_ID_MAX + 1])
{
    char query[4096];
    const char *uri = strchr(line, ' ');
    size_t uri_len = uri != NULL ? strcspn(uri + 1, " #") : 0;
    const char *question = uri != NULL ? memchr(uri + 1, '?', uri_len) : NULL;
    size_t len;
    char *cut;

    if (question == NULL) {
        return false;
    }
    len = (size_t)(uri + 1 + uri_len - (question + 1));
    if (len >= sizeof(query)) {
        return false;
    }
    memcpy(query, question + 1, len);
    query[len] = '\0';
    if (uri[1 + uri_len] == '\0') { /* the line ends within the last argument */
        cut = strrchr(query, '&');
        if (cut == NULL) {
            return false;
        }
        *cut = '\0';
    }
    return progress_id_extract("", query, name, id);
}
