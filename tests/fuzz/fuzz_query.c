/*
 * Query strings and the IDs in them. The input is a name, a NUL, a query.
 *
 * - The argument that is found is the first of that name between two '&', with
 *   or without its case as asked.
 * - A decoded value holds no NUL and fits; what is encoded is decoded to what
 *   it was.
 * - An ID is 1 to 255 bytes of printable ASCII, wherever it comes from.
 * - Of a request line that is cut anywhere, the ID is that of the whole line,
 *   or there is none: never the beginning of one.
 */
#include <strings.h>

#include "buffer.h"
#include "fuzz.h"
#include "progress_id.h"

static const char *
expect(const char *query, const char *name, bool exact, size_t *value_len)
{
    size_t name_len = strlen(name);

    while (query != NULL) {
        const char *end = strchrnul(query, '&');
        const char *equals = query + name_len;

        /* An argument without a value has its name, '=' and nothing. */
        if (end > equals && *equals == '=' &&
            (exact ? memcmp(query, name, name_len)
                   : strncasecmp(query, name, name_len)) == 0) {
            *value_len = (size_t)(end - equals - 1);
            return equals + 1;
        }
        query = *end == '&' ? end + 1 : NULL;
    }
    return NULL;
}

static void
check_find(const char *query, const char *name)
{
    for (int exact = 0; exact < 2; exact++) {
        size_t len = 0;
        size_t expected_len = 0;
        const char *found =
            (exact ? query_find_exact : query_find)(query, name, &len);
        const char *expected = expect(query, name, exact, &expected_len);

        FUZZ_HOLDS(found == expected);
        FUZZ_HOLDS(found == NULL || len == expected_len);
        FUZZ_HOLDS(exact || query_has(query, name) == (found != NULL));
    }
}

static void
check_id(const char *id)
{
    size_t len = strlen(id);

    FUZZ_HOLDS(len > 0 && len <= UPLOAD_ID_MAX && strcmp(id, "-") != 0);
    for (const char *p = id; *p != '\0'; p++) {
        FUZZ_HOLDS(*p >= ' ' && *p <= '~');
    }
}

static void
check_ids(const char *query, const char *name)
{
    char id[UPLOAD_ID_MAX + 1];

    if (progress_id_decode(query, strlen(query), id)) {
        check_id(id);
    }
    if (progress_id_choose(query, name, id)) {
        check_id(id);
    }
    if (progress_id_choose("", query, id)) {
        check_id(id);
    }
    if (progress_id_extract("", query, name, id)) {
        check_id(id);
    }
    if (progress_id_extract(query, "", name, id)) {
        check_id(id);
        FUZZ_HOLDS(strcmp(id, query) == 0);
    }
    if (progress_id_from_request_line(query, name, id)) {
        check_id(id);
    }
}

static void
check_decode(const char *text, size_t len)
{
    size_t size = len + 1;
    char *value = malloc(size);
    char *small = malloc(size / 2 + 1);
    struct buffer encoded = BUFFER_INIT;

    FUZZ_HOLDS(value != NULL && small != NULL);
    if (query_decode(text, len, value, size)) {
        FUZZ_HOLDS(strlen(value) <= len);
        FUZZ_HOLDS(query_decode(text, len, small, size / 2 + 1) ==
                   (strlen(value) <= size / 2));
    }
    for (size_t i = 0; i < len; i++) {
        buffer_printf(&encoded, i % 2 ? "%%%02x" : "%%%02X",
                      (unsigned char)text[i]);
    }
    FUZZ_HOLDS(query_decode(encoded.data ? encoded.data : "", encoded.len,
                            value, size));
    FUZZ_HOLDS(strcmp(value, text) == 0);
    buffer_release(&encoded);
    free(value);
    free(small);
}

/* The query cannot hold what ends a URI. */
static void
check_cut_lines(const char *query, const char *name)
{
    char whole_id[UPLOAD_ID_MAX + 1];
    struct buffer line = BUFFER_INIT;
    bool whole;

    if (strlen(query) > 1000 || strpbrk(query, " #") != NULL) {
        return;
    }
    buffer_printf(&line, "POST /upload?%s HTTP/1.1", query);
    buffer_append(&line, "", 1);
    whole = progress_id_from_request_line(line.data, name, whole_id);
    for (size_t len = line.len - 1; len > 0; len--) {
        char id[UPLOAD_ID_MAX + 1];
        char *cut = fuzz_string(line.data, len);

        if (progress_id_from_request_line(cut, name, id)) {
            FUZZ_HOLDS(whole && strcmp(id, whole_id) == 0);
        }
        free(cut);
    }
    buffer_release(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    char *name = fuzz_field(&input);
    char *query = fuzz_field(&input);

    check_find(query, name);
    check_ids(query, name);
    check_decode(query, strlen(query));
    check_cut_lines(query, name);
    free(name);
    free(query);
    return 0;
}
