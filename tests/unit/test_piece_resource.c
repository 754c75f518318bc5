/* Identities of upload resources, and the values of headers. */
#include "unit.h"

#include "resource.h"
#include "values.h"

/* Of a request; those behind each other give the same. */
static const struct {
    const char *uri;
    const char *id;
} request_rows[] = {
    { "/files/24e5", "/files/24e5" },
    { "/files/24e5?a=/b", "/files/24e5" },
    { "/files/24e5#a", "/files/24e5" },
    { "/files/24e5?", "/files/24e5" },
    { "/files/./24e5", "/files/24e5" },
    { "/x/../files/24e5", "/files/24e5" },
    { "/../files/24e5", "/files/24e5" },
    { "/files/%2e%2E/files/24e5", "/files/24e5" },
    { "/files/%324e5", "/files/24e5" },
    { "http://h:80/files/24e5?a", "/files/24e5" },
    { "HTTPS://h/files/24e5", "/files/24e5" },
    { "//files/24e5", "/24e5" }, /* the host is "files" */
    { "/files//24e5", "/files//24e5" },
    { "/files/24e5/", "/files/24e5/" },
    { "/files/24e5/.", "/files/24e5/" },
    { "/files/24e5/x/..", "/files/24e5/" },
    { "/files/..a/...", "/files/..a/..." },
    { "/", "/" },
    { "/..", "/" },
    { "/.", "/" },
    { "http://h", "/" },
    { "http://h?a", "/" },
    { "/a%2fb", "/a%2Fb" },
    { "/a%2Fb", "/a%2Fb" },
    { "/a%2cb,c", "/a%2Cb,c" },
    { "/a b\"c", "/a%20b%22c" },
    { "/a%20b%22c", "/a%20b%22c" },
    { "/\xc3\xa4", "/%C3%A4" },
    { "/%c3%a4", "/%C3%A4" },
    { "/%7ea~-._", "/~a~-._" },
    { "/100%", "/100%25" },
    { "/100%25", "/100%25" },
    { "/%zz%2", "/%25zz%252" },
    { "/%252e%252e/a", "/%252e%252e/a" },
    { "/%00", "/%00" },
    { "/!$&'()*+,;=:@", "/!$&'()*+,;=:@" },
    { "/[\\]^`{|}<>", "/%5B%5C%5D%5E%60%7B%7C%7D%3C%3E" },
    { "", "" },
    { "*", "" },
    { "files/24e5", "" },
    { "?a", "" },
    { "ftp://h/a", "" },
    { "http:/a", "" },
    { "h:443", "" },
};

static void
test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(request_rows); i++) {
        char *uri =
            unit_copy(request_rows[i].uri, strlen(request_rows[i].uri) + 1);
        char id[UPLOAD_ID_MAX + 1];
        bool found = resource_of_request(uri, id);

        ASSERT_TEXT(uri, id, request_rows[i].id);
        ASSERT_INT(uri, found, id[0] != '\0');
        free(uri);
    }
}

/* The references of RFC 3986, section 5.4, to its base with a host of http. */
static const struct {
    const char *base;
    const char *reference;
    const char *id;
} reference_rows[] = {
#define BASE "/b/c/d;p?q"
    { BASE, "g:h", "" },
    { BASE, "g", "/b/c/g" },
    { BASE, "./g", "/b/c/g" },
    { BASE, "g/", "/b/c/g/" },
    { BASE, "/g", "/g" },
    { BASE, "//g", "/" },
    { BASE, "?y", "" }, /* the path would not tell it from the base */
    { BASE, "g?y", "/b/c/g" },
    { BASE, "#s", "/b/c/d;p" },
    { BASE, "g#s", "/b/c/g" },
    { BASE, "g?y#s", "/b/c/g" },
    { BASE, ";x", "/b/c/;x" },
    { BASE, "g;x", "/b/c/g;x" },
    { BASE, "g;x?y#s", "/b/c/g;x" },
    { BASE, "", "" }, /* no Location */
    { BASE, ".", "/b/c/" },
    { BASE, "./", "/b/c/" },
    { BASE, "..", "/b/" },
    { BASE, "../", "/b/" },
    { BASE, "../g", "/b/g" },
    { BASE, "../..", "/" },
    { BASE, "../../", "/" },
    { BASE, "../../g", "/g" },
    { BASE, "../../../g", "/g" },
    { BASE, "../../../../g", "/g" },
    { BASE, "/./g", "/g" },
    { BASE, "/../g", "/g" },
    { BASE, "g.", "/b/c/g." },
    { BASE, ".g", "/b/c/.g" },
    { BASE, "g..", "/b/c/g.." },
    { BASE, "..g", "/b/c/..g" },
    { BASE, "./../g", "/b/g" },
    { BASE, "./g/.", "/b/c/g/" },
    { BASE, "g/./h", "/b/c/g/h" },
    { BASE, "g/../h", "/b/c/h" },
    { BASE, "g;x=1/./y", "/b/c/g;x=1/y" },
    { BASE, "g;x=1/../y", "/b/c/y" },
    { BASE, "g?y/./x", "/b/c/g" },
    { BASE, "g#s/../x", "/b/c/g" },
    { BASE, "http:g", "" },
    { "/files", "24e5", "/24e5" },
    { "/files/", "24e5", "/files/24e5" },
    { "/files/?a=/b/", "24e5", "/files/24e5" },
    { "/files/", "https://tus.example.org/files/24e5", "/files/24e5" },
    { "/files/", "https://tus.example.org:8080/files/24e5?a=1", "/files/24e5" },
    { "/files/", "HTTP://tus.example.org", "/" },
    { "/files/", "//tus.example.org/files/24e5", "/files/24e5" },
    { "/files/", "https:///files/24e5", "/files/24e5" },
    { "/files/", "file:///files/24e5", "" },
    { "/files/", "javascript:alert(1)", "" },
    { "/files/", "/files/%7Ea%2fb c", "/files/~a%2Fb%20c" },
    { "/files", "/files?id=24e5", "" },
    { "/files?id=1", "https://h/files?id=24e5", "" },
    { "http://h", "24e5", "/24e5" },
    { "*", "/files/24e5", "" },
};

static void
test_references(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(reference_rows); i++) {
        const char *base = reference_rows[i].base;
        const char *reference = reference_rows[i].reference;
        char id[UPLOAD_ID_MAX + 1];
        bool found = resource_of_reference(base, reference, id);

        ASSERT_TEXT(reference, id, reference_rows[i].id);
        ASSERT_INT(reference, found, id[0] != '\0');
    }
}

static void
test_argument(void **state)
{
    static const struct {
        const char *uri;
        const char *id;
    } rows[] = {
        { "/api/?patch=4f", "/api/?patch=4f" },
        { "/api/?a=b&patch=4f&c=d", "/api/?patch=4f" },
        { "/x/../api/?patch=%34f", "/api/?patch=4f" },
        { "/api/?patch=/a/../b", "/api/?patch=/a/../b" },
        { "/api/?patch=", "" },
        { "/api/?Patch=4f", "" },
        { "/api/#?patch=4f", "" },
        { "/api/", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char id[UPLOAD_ID_MAX + 1];
        bool found = resource_of_argument(rows[i].uri, "patch", id);

        ASSERT_TEXT(rows[i].uri, id, rows[i].id);
        ASSERT_INT(rows[i].uri, found, id[0] != '\0');
    }
}

/* A path of that many bytes, made of one that is written as unit. */
static void
check_length(size_t len, const char *unit, size_t unit_bytes, bool valid)
{
    const char *name = unit_case("%zu bytes of \"%s\"", len, unit);
    char *uri = malloc(1 + len * strlen(unit) + 1);
    char id[UPLOAD_ID_MAX + 1];
    char *end = uri;

    *end++ = '/';
    for (size_t i = 1; i + unit_bytes <= len; i += unit_bytes) {
        end = stpcpy(end, unit);
    }
    *end = '\0';
    ASSERT_INT(name, resource_of_request(uri, id), valid);
    ASSERT_INT(name, strlen(id), valid ? len : 0);
    free(uri);
}

static void
test_length(void **state)
{
    (void)state;
    check_length(255, "a", 1, true);
    check_length(256, "a", 1, false);
    check_length(255, "%61", 1, true);
    check_length(256, "%61", 1, false);
    check_length(253, " ", 3, true);
    check_length(256, " ", 3, false);
    for (size_t len = 1000; len < 1100; len++) {
        check_length(len, "a", 1, false);
    }
    check_length(100000, "a", 1, false);
}

/* What goes again before the end: as long as it is looked at at all. */
static void
test_long_with_dots(void **state)
{
    char uri[2000];
    char id[UPLOAD_ID_MAX + 1];

    (void)state;
    memset(uri, 'a', sizeof(uri));
    uri[0] = '/';
    strcpy(uri + 900, "/../b");
    assert_true(resource_of_request(uri, id));
    assert_string_equal(id, "/b");
    memset(uri, 'a', sizeof(uri));
    uri[0] = '/';
    strcpy(uri + 1100, "/../b");
    assert_false(resource_of_request(uri, id));
}

static void
test_media_types(void **state)
{
    (void)state;
    assert_true(value_is_media_type("text/plain", "text/plain"));
    assert_true(value_is_media_type("Text/Plain; a=b", "text/plain"));
    assert_true(value_is_media_type("text/plain ;a=b", "text/plain"));
    assert_false(value_is_media_type("text/plainly", "text/plain"));
    assert_false(value_is_media_type("text/plai", "text/plain"));
    assert_false(value_is_media_type("", "text/plain"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_argument),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_long_with_dots),
        cmocka_unit_test(test_media_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
