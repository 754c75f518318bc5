/*
 * Progress IDs: found in headers, arguments and request lines as nginx would
 * find them ($arg_ takes the first exact name, without case), decoded once.
 */
#include "unit.h"

#include "progress_id.h"

#define NAME "X-Progress-ID"

static const struct valid_row {
    const char *name;
    const char *text;
    bool valid;
} valid_rows[] = {
    { "empty", "", false },
    { "one byte", "a", true },
    { "blank", " ", true },
    { "tilde", "~", true },
    { "all kinds", "a-Z_0.9!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~ ", true },
    { "control byte", "a\x1f", false },
    { "newline", "a\n", false },
    { "tab first", "\ta", false },
    { "delete", "a\x7f", false },
    { "UTF-8", "\xc3\xa4", false },
    { "Latin-1", "a\xe4", false },
    { "last byte", "a\xff", false },
};

static void
test_is_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid_rows); i++) {
        ASSERT_INT(valid_rows[i].name, progress_id_is_valid(valid_rows[i].text),
                   valid_rows[i].valid);
    }
}

static const struct argument_row {
    const char *name;
    const char *query;
    const char *value; /* NULL: not there, or not to be decoded */
} argument_rows[] = {
    { "alone", NAME "=abc", "abc" },
    { "first", NAME "=abc&a=1", "abc" },
    { "last", "a=1&" NAME "=abc", "abc" },
    { "in the middle", "a=1&" NAME "=abc&b=2", "abc" },
    { "equals in the value", NAME "=a=b", "a=b" },
    { "question mark in the value", NAME "=a?b", "a?b" },
    { "lower case", "x-progress-id=abc", "abc" },
    { "upper case", "X-PROGRESS-ID=abc", "abc" },
    { "the first of two", NAME "=1&" NAME "=2", "1" },
    { "the first of two, by case", "x-progress-id=1&" NAME "=2", "1" },
    { "empty", NAME "=", "" },
    { "empty, then another", NAME "=&" NAME "=2", "" },
    { "ampersands", "&&" NAME "=abc&&", "abc" },
    { "only an ampersand behind", NAME "=abc&", "abc" },
    { "nothing", "", NULL },
    { "only ampersands", "&&", NULL },
    { "another", "a=1", NULL },
    { "no equals", NAME, NULL },
    { "no equals, then another", NAME "&a=1", NULL },
    { "no equals, then with", NAME "&" NAME "=2", "2" },
    { "prefix of another", NAME "2=1", NULL },
    { "prefix of another, then itself", NAME "2=1&" NAME "=2", "2" },
    { "another is its prefix", "X-Progress=1&X=2", NULL },
    { "suffix of another", "My" NAME "=1", NULL },
    { "suffix of another, then itself", "My" NAME "=1&" NAME "=2", "2" },
    { "in another's value", "a=" NAME "=1", NULL },
    { "underscores", "X_Progress_ID=1", NULL },
    { "blank before", " " NAME "=1", NULL },
    { "blank behind", NAME " =1", NULL },
    { "name encoded", "X%2DProgress-ID=1", NULL },
    { "semicolon", "a=1;" NAME "=2", NULL },
    { "question mark", "?" NAME "=2", NULL },

    { "decoded", NAME "=%41%62%63", "Abc" },
    { "decoded, both cases", NAME "=%4a%4B%6C%6d", "JKlm" },
    { "decoded, ampersand", NAME "=a%26b%3Dc&d=e", "a&b=c" },
    { "decoded, percent", NAME "=%2541", "%41" },
    { "decoded, plus", NAME "=a%2Bb", "a+b" },
    { "decoded, blank", NAME "=a%20b", "a b" },
    { "decoded, beyond ASCII", NAME "=%C3%A4%ff", "\xc3\xa4\xff" },
    { "decoded, up to the ampersand", NAME "=%4&1=%4", "%4" },
    { "plus", NAME "=a+b", "a+b" },
    { "percent alone", NAME "=%", "%" },
    { "percent last", NAME "=100%", "100%" },
    { "one digit", NAME "=%4", "%4" },
    { "one digit, then text", NAME "=%4g", "%4g" },
    { "no digits", NAME "=%zz", "%zz" },
    { "second is no digit", NAME "=a%f:b", "a%f:b" },
    { "percent twice", NAME "=%%41", "%A" },
    { "sign", NAME "=%+1%-1", "%+1%-1" },
    { "NUL", NAME "=%00", NULL },
    { "NUL in the middle", NAME "=abc%00def", NULL },
    { "NUL at the end", NAME "=abc%00", NULL },
    { "just fits", NAME "=0123456789abcde", "0123456789abcde" },
    { "just fits when decoded", NAME "=%30123456789abcde", "0123456789abcde" },
    { "one byte too long", NAME "=0123456789abcdef", NULL },
};

static void
test_query_argument(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(argument_rows); i++) {
        const struct argument_row *row = &argument_rows[i];
        char *query = unit_copy(row->query, strlen(row->query) + 1);
        char *value = malloc(16);

        ASSERT_INT(row->name, query_argument(query, NAME, value, 16),
                   row->value != NULL);
        if (row->value != NULL) {
            ASSERT_TEXT(row->name, value, row->value);
        }
        free(value);
        free(query);
    }
}

/* Other names than the default one. */
static void
test_query_names(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } rows[] = {
        { "a", "1" },
        { "B", "2" },
        { "a-b", "3" },
        { "callback", "4" },
    };
    char value[8];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_THAT(rows[i].name,
                    query_argument("ab=0&a=1&b=2&a-b=3&callback=4",
                                   rows[i].name, value, sizeof(value)));
        ASSERT_TEXT(rows[i].name, value, rows[i].value);
    }
}

/* Both ways: the argument's value alone, and the whole query. */
static const struct choose_row {
    const char *name;
    const char *header;
    const char *argument;
    const char *id; /* NULL: none */
} choose_rows[] = {
    { "header", "abc", "", "abc" },
    { "argument", "", "abc", "abc" },
    { "header first", "abc", "def", "abc" },
    { "neither", "", "", NULL },
    { "header not decoded", "%41+b", "", "%41+b" },
    { "argument decoded", "", "%41+b", "A+b" },
    { "argument decoded once", "", "%2541", "%41" },
    { "header with a blank", "a b", "", "a b" },
    { "header with a quote", "a\"b", "", "a\"b" },
    { "header beyond ASCII", "\xc3\xa4", "", NULL },
    { "header invalid, argument not", "a\x01", "abc", NULL },
    { "argument invalid, header valid", "abc", "%00", "abc" },
    { "argument with NUL", "", "abc%00", NULL },
    { "argument beyond ASCII", "", "%C3%A4", NULL },
    { "argument beyond ASCII, not encoded", "", "\xc3\xa4", NULL },
    { "argument with a control byte", "", "a%0Ab", NULL },
    { "argument with a delete", "", "a%7f", NULL },
    { "argument with a bad escape", "", "a%zz%", "a%zz%" },
};

static void
check_id(const char *name, bool found, const char *id, const char *expected)
{
    ASSERT_INT(name, found, expected != NULL);
    if (expected != NULL) {
        ASSERT_TEXT(name, id, expected);
    }
}

static void
test_choose(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(choose_rows); i++) {
        const struct choose_row *row = &choose_rows[i];
        char query[256];
        char id[UPLOAD_ID_MAX + 1];
        bool found;

        found = progress_id_choose(row->header, row->argument, id);
        check_id(row->name, found, id, row->id);
        snprintf(query, sizeof(query), "a=1&" NAME "=%s&b=2", row->argument);
        found = progress_id_extract(row->header, query, NAME, id);
        check_id(unit_case("%s, query", row->name), found, id, row->id);
    }
}

static void
test_extract_without_argument(void **state)
{
    char id[UPLOAD_ID_MAX + 1];

    (void)state;
    check_id("no argument", progress_id_extract("", "a=1", NAME, id), id, NULL);
    check_id("no query", progress_id_extract("", "", NAME, id), id, NULL);
    check_id("header", progress_id_extract("abc", "", NAME, id), id, "abc");
    check_id("other name", progress_id_extract("", "id=abc", "id", id), id,
             "abc");
}

/* A text of len bytes, each written as unit; to be freed. */
static char *
repeat(const char *prefix, const char *unit, size_t len)
{
    size_t prefix_len = strlen(prefix);
    size_t unit_len = strlen(unit);
    char *text = malloc(prefix_len + unit_len * len + 1);

    memcpy(text, prefix, prefix_len);
    for (size_t i = 0; i < len; i++) {
        memcpy(text + prefix_len + i * unit_len, unit, unit_len);
    }
    text[prefix_len + unit_len * len] = '\0';
    return text;
}

static void
check_length(size_t len, const char *unit, bool valid)
{
    const char *name = unit_case("%zu times \"%s\"", len, unit);
    char *argument = repeat("", unit, len);
    char *query = repeat(NAME "=", unit, len);
    char *id = malloc(UPLOAD_ID_MAX + 1);

    if (unit[1] == '\0') {
        ASSERT_INT(name, progress_id_is_valid(argument), valid);
        ASSERT_INT(name, progress_id_choose(argument, "", id), valid);
    }
    ASSERT_INT(name, progress_id_choose("", argument, id), valid);
    ASSERT_INT(name, progress_id_extract("", query, NAME, id), valid);
    if (valid) {
        ASSERT_INT(name, strlen(id), len);
    }
    free(id);
    free(query);
    free(argument);
}

static void
test_length(void **state)
{
    static const struct {
        size_t len;
        bool valid;
    } rows[] = {
        { 0, false },   { 1, true },    { 254, true },    { 255, true },
        { 256, false }, { 257, false }, { 10000, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_length(rows[i].len, "a", rows[i].valid);
        check_length(rows[i].len, "%61", rows[i].valid);
    }
}

static const struct line_row {
    const char *name;
    const char *line;
    const char *id; /* NULL: none */
} line_rows[] = {
    { "plain", "POST /upload?" NAME "=abc HTTP/1.1", "abc" },
    { "PUT, HTTP/2", "PUT /a/b?" NAME "=abc HTTP/2.0", "abc" },
    { "among others", "POST /upload?a=1&" NAME "=abc&b=2 HTTP/1.1", "abc" },
    { "decoded", "POST /upload?" NAME "=%41%26 HTTP/1.1", "A&" },
    { "case", "POST /upload?x-progress-id=abc HTTP/1.1", "abc" },
    { "absolute URI", "POST http://h:80/u?" NAME "=abc HTTP/1.1", "abc" },
    { "root", "POST /?" NAME "=abc HTTP/1.1", "abc" },
    { "quotes", "POST /\"u\"?" NAME "=a\"b HTTP/1.1", "a\"b" },
    { "fragment behind", "POST /u?" NAME "=abc#def HTTP/1.1", "abc" },
    { "fragment before", "POST /u#?" NAME "=abc HTTP/1.1", NULL },
    { "fragment only", "POST /u#" NAME "=abc HTTP/1.1", NULL },
    { "encoded #", "POST /u?" NAME "=abc%23def HTTP/1.1", "abc#def" },
    { "second question mark", "POST /u?a?" NAME "=abc HTTP/1.1", NULL },
    { "question mark behind", "POST /u?a=?&" NAME "=abc HTTP/1.1", "abc" },
    { "no query", "POST /upload HTTP/1.1", NULL },
    { "empty query", "POST /upload? HTTP/1.1", NULL },
    { "another argument", "POST /upload?id=abc HTTP/1.1", NULL },
    { "prefix of another", "POST /upload?" NAME "2=abc HTTP/1.1", NULL },
    { "empty ID", "POST /upload?" NAME "= HTTP/1.1", NULL },
    { "invalid ID", "POST /upload?" NAME "=%C3%A4 HTTP/1.1", NULL },
    { "NUL", "POST /upload?" NAME "=abc%00 HTTP/1.1", NULL },
    { "in the path", "POST /" NAME "=abc HTTP/1.1", NULL },
    { "in the method", "?" NAME "=abc / HTTP/1.1", NULL },
    { "cut in the ID", "POST /upload?" NAME "=ab", NULL },
    { "cut in the ID, not the first", "POST /?a=1&" NAME "=ab", NULL },
    { "cut in an escape", "POST /upload?" NAME "=abc%2", NULL },
    { "cut behind the ID", "POST /upload?" NAME "=abc&", "abc" },
    { "cut in another argument", "POST /upload?" NAME "=abc&a=1", "abc" },
    { "cut in the fragment", "POST /upload?" NAME "=abc#d", "abc" },
    { "cut in the protocol", "POST /upload?" NAME "=abc HT", "abc" },
    { "cut before the protocol", "POST /upload?" NAME "=abc ", "abc" },
    { "no spaces", "/upload?" NAME "=abc", NULL },
    { "method only", "POST ", NULL },
    { "a word", "POST", NULL },
    { "nothing", "", NULL },
    { "a blank", " ", NULL },
};

static void
test_request_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(line_rows); i++) {
        const struct line_row *row = &line_rows[i];
        char *line = unit_copy(row->line, strlen(row->line) + 1);
        char id[UPLOAD_ID_MAX + 1];

        check_id(row->name, progress_id_from_request_line(line, NAME, id), id,
                 row->id);
        free(line);
    }
}

/* nginx cuts its lines at 2048 bytes; what is longer must only be safe. */
static void
check_long_line(size_t len)
{
    const char *name = unit_case("%zu bytes of another argument", len);
    char *line = repeat("POST /?" NAME "=abc&a=", "x", len);
    char id[UPLOAD_ID_MAX + 1];
    bool found = progress_id_from_request_line(line, NAME, id);

    ASSERT_THAT(name, found || len > 2048);
    if (found) {
        ASSERT_TEXT(name, id, "abc");
    }
    free(line);
}

static void
test_long_request_line(void **state)
{
    (void)state;
    check_long_line(1000);
    check_long_line(2000);
    for (size_t len = 4000; len < 4200; len++) { /* around a page */
        check_long_line(len);
    }
    check_long_line(100000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_valid),
        cmocka_unit_test(test_query_argument),
        cmocka_unit_test(test_query_names),
        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_extract_without_argument),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_request_line),
        cmocka_unit_test(test_long_request_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
