/* Escaping: what a browser or parser could stumble over, for each place. */
#include "escape.h"
#include "unit.h"

static void
test_types(void **state)
{
    static const struct {
        const char *type;
        enum escape escape;
    } rows[] = {
        { "application/json", ESCAPE_JSON },
        { "Application/JSON; charset=utf-8", ESCAPE_JSON },
        { "application/problem+json", ESCAPE_JSON },
        { "text/javascript", ESCAPE_JAVASCRIPT },
        { "application/javascript;charset=x", ESCAPE_JAVASCRIPT },
        { "application/x-javascript", ESCAPE_JAVASCRIPT },
        { "text/xml", ESCAPE_XML },
        { "text/html", ESCAPE_XML },
        { "image/svg+xml", ESCAPE_XML },
        { "text/plain", ESCAPE_NONE },
        { "something/else", ESCAPE_XML },
        { "", ESCAPE_XML },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_INT(rows[i].type, escape_for(rows[i].type), rows[i].escape);
    }
}

#define BAD "\xef\xbf\xbd"

static const struct {
    const char *text;
    const char *json;
    const char *javascript;
    const char *xml;
} rows[] = {
    { "", "", "", "" },
    { "plain 09_-.", "plain 09_-.", "plain 09_-.", "plain 09_-." },
    { "\"", "\\\"", "\\\"", "&quot;" },
    { "'", "'", "\\u0027", "&#39;" },
    { "\\", "\\\\", "\\\\", "\\" },
    { "</script>", "\\u003c/script\\u003e", "\\u003c/script\\u003e",
      "&lt;/script&gt;" },
    { "]]>", "]]\\u003e", "]]\\u003e", "]]&gt;" },
    { "a&b", "a\\u0026b", "a\\u0026b", "a&amp;b" },
    { "\r\n\t", "\\u000d\\u000a\\u0009", "\\u000d\\u000a\\u0009",
      "&#13;&#10;&#9;" },
    { "`${x}", "`${x}", "\\u0060\\u0024{x}", "`${x}" },
    { "\xef\xbf\xbe\xef\xbf\xbf", "\xef\xbf\xbe\xef\xbf\xbf",
      "\xef\xbf\xbe\xef\xbf\xbf", BAD BAD },
    { "\x01\x1f", "\\u0001\\u001f", "\\u0001\\u001f", BAD BAD },
    { "\x7f", "\\u007f", "\\u007f", "\x7f" },
    { "\xc3\xa4", "\xc3\xa4", "\xc3\xa4", "\xc3\xa4" },
    { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80",
      "\xf0\x9f\x98\x80" },
    { "\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029", "\\u2028\\u2029",
      "\xe2\x80\xa8\xe2\x80\xa9" },
    { "\xff", BAD, BAD, BAD },
    { "\xc3", BAD, BAD, BAD },
    { "\xc3\"", BAD "\\\"", BAD "\\\"", BAD "&quot;" },
    { "\xc0\xaf", BAD BAD, BAD BAD, BAD BAD },
    { "\xed\xa0\x80", BAD BAD BAD, BAD BAD BAD, BAD BAD BAD },
    { "\xf4\x90\x80\x80", BAD BAD BAD BAD, BAD BAD BAD BAD, BAD BAD BAD BAD },
    { "\xe2\x80", BAD BAD, BAD BAD, BAD BAD },
};

static void
check(const char *text, enum escape escape, const char *expected)
{
    struct buffer out = BUFFER_INIT;

    escape_append(&out, escape, text);
    ASSERT_BYTES(text, out.data, out.len, expected, strlen(expected));
    buffer_release(&out);
}

static void
test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        check(rows[i].text, ESCAPE_JSON, rows[i].json);
        check(rows[i].text, ESCAPE_JAVASCRIPT, rows[i].javascript);
        check(rows[i].text, ESCAPE_XML, rows[i].xml);
        check(rows[i].text, ESCAPE_NONE, rows[i].text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
