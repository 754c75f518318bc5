/*
 * Addresses in nginx's notation: all forms, all errors, and that what is
 * formatted reads back as the same. No name here needs a name server.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "address.h"

#define PATH_50 "0123456789012345678901234567890123456789012345678/"

static const struct good_row {
    const char *text;
    int family;
    const char *formatted;
} good_rows[] = {
    { "127.0.0.1:9000", AF_INET, "127.0.0.1:9000" },
    { "0.0.0.0:1", AF_INET, "0.0.0.0:1" },
    { "255.255.255.255:65535", AF_INET, "255.255.255.255:65535" },
    { "9000", AF_INET, "127.0.0.1:9000" },
    { "1", AF_INET, "127.0.0.1:1" },
    { "65535", AF_INET, "127.0.0.1:65535" },
    { "[::1]:9000", AF_INET6, "[::1]:9000" },
    { "[::]:80", AF_INET6, "[::]:80" },
    { "[2001:db8::1]:80", AF_INET6, "[2001:db8::1]:80" },
    { "[2001:0DB8:0:0:0:0:0:1]:80", AF_INET6, "[2001:db8::1]:80" },
    { "[::ffff:10.0.0.1]:80", AF_INET6, "[::ffff:10.0.0.1]:80" },
    { "[1111:2222:3333:4444:5555:6666:7777:8888]:65535", AF_INET6,
      "[1111:2222:3333:4444:5555:6666:7777:8888]:65535" },
    { "unix:/run/a.sock", AF_UNIX, "unix:/run/a.sock" },
    { "unix:a", AF_UNIX, "unix:a" },
    { "unix:/a:80", AF_UNIX, "unix:/a:80" },
    { "unix:unix:", AF_UNIX, "unix:unix:" },
    { "unix:/a b", AF_UNIX, "unix:/a b" },
    { "unix:" PATH_50 PATH_50 "1234567", AF_UNIX,
      "unix:" PATH_50 PATH_50 "1234567" },
};

static void
test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        const struct good_row *row = &good_rows[i];
        char text[ADDRESS_TEXT_MAX];
        struct address address;
        struct address again;

        memset(&address, 0x55, sizeof(address));
        ASSERT_THAT(row->text, address_parse(row->text, &address) == NULL);
        ASSERT_INT(row->text, address.storage.ss_family, row->family);
        address_format(&address, text, sizeof(text));
        ASSERT_TEXT(row->text, text, row->formatted);
        ASSERT_THAT(row->text, address_parse(text, &again) == NULL);
        ASSERT_BYTES(row->text, &again.storage, again.len, &address.storage,
                     address.len);
    }
}

/* The length is what bind(2) wants. */
static void
test_length(void **state)
{
    static const struct {
        const char *text;
        socklen_t len;
    } rows[] = {
        { "127.0.0.1:80", sizeof(struct sockaddr_in) },
        { "[::1]:80", sizeof(struct sockaddr_in6) },
        { "unix:/a", sizeof(struct sockaddr_un) },
    };
    struct address address;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_THAT(rows[i].text,
                    address_parse(rows[i].text, &address) == NULL);
        ASSERT_INT(rows[i].text, address.len, rows[i].len);
    }
}

static void
test_path(void **state)
{
    static const struct {
        const char *text;
        const char *path; /* NULL: none */
    } rows[] = {
        { "unix:/run/a.sock", "/run/a.sock" },
        { "unix:" PATH_50 PATH_50 "1234567", PATH_50 PATH_50 "1234567" },
        { "127.0.0.1:80", NULL },
        { "[::1]:80", NULL },
    };
    struct address address;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_THAT(rows[i].text,
                    address_parse(rows[i].text, &address) == NULL);
        if (rows[i].path != NULL) {
            ASSERT_TEXT(rows[i].text, address_path(&address), rows[i].path);
        } else {
            ASSERT_THAT(rows[i].text, address_path(&address) == NULL);
        }
    }
}

/* Which of the loopback addresses it is depends on the machine. */
static void
test_localhost(void **state)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX];

    (void)state;
    ASSERT_THAT("localhost", address_parse("localhost:9000", &address) == NULL);
    address_format(&address, text, sizeof(text));
    ASSERT_THAT(text, strcmp(text, "127.0.0.1:9000") == 0 ||
                          strcmp(text, "[::1]:9000") == 0);
}

#define BAD_PORT  "has no valid port"
#define NOT_FOUND "has a host that is not found"

static const struct bad_row {
    const char *text;
    const char *message;
} bad_rows[] = {
    { "", BAD_PORT },
    { ":", BAD_PORT },
    { "127.0.0.1", BAD_PORT },
    { "127.0.0.1:", BAD_PORT },
    { "localhost", BAD_PORT },
    { "localhost:http", BAD_PORT },
    { "127.0.0.1:80x", BAD_PORT },
    { "127.0.0.1: 80", BAD_PORT },
    { "127.0.0.1:80 ", BAD_PORT },
    { "127.0.0.1:-1", BAD_PORT },
    { "127.0.0.1:+80", BAD_PORT },
    { "127.0.0.1:0x50", BAD_PORT },
    { "127.0.0.1:0", BAD_PORT },
    { "127.0.0.1:00", BAD_PORT },
    { "127.0.0.1:00000", BAD_PORT },
    { "0", BAD_PORT },
    { "127.0.0.1:65536", BAD_PORT },
    { "127.0.0.1:99999", BAD_PORT },
    { "65536", BAD_PORT },
    { "70000", BAD_PORT },
    { "127.0.0.1:100000", BAD_PORT },
    { "127.0.0.1:4294967376", BAD_PORT },
    { "[::1]", BAD_PORT },
    { "[::1]:", BAD_PORT },
    { "[::1]80", BAD_PORT },
    { "/run/a.sock", BAD_PORT },
    { "unix", BAD_PORT },
    { "UNIX:/a", BAD_PORT },
    { "[]:80", NOT_FOUND },
    { "[::1:80", NOT_FOUND },
    { "::1]:80", NOT_FOUND },
    { "[::g]:80", NOT_FOUND },
    { "[1:2:3:4:5:6:7:8:9]:80", NOT_FOUND },
    { "unix:", "has an empty path" },
    { "unix:" PATH_50 PATH_50 "12345678", "has a path of more than 107 bytes" },
    { "unix:" PATH_50 PATH_50 PATH_50 PATH_50,
      "has a path of more than 107 bytes" },
    { PATH_50 PATH_50 PATH_50 PATH_50 PATH_50 "123456:80",
      "has too long a host name" },
    { PATH_50 PATH_50 PATH_50 PATH_50 PATH_50 PATH_50 PATH_50 ":80",
      "has too long a host name" },
};

static void
test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_rows); i++) {
        char *text = unit_copy(bad_rows[i].text, strlen(bad_rows[i].text) + 1);
        struct address address;
        const char *message = address_parse(text, &address);

        ASSERT_TEXT(bad_rows[i].text, message, bad_rows[i].message);
        free(text);
    }
}

/* A text too small for the address is cut, never overrun. */
static void
test_format_small(void **state)
{
    static const char *const texts[] = { "127.0.0.1:9000", "[::1]:9000",
                                         "unix:/run/a.sock" };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct address address;
        char *small = malloc(5);

        ASSERT_THAT(texts[i], address_parse(texts[i], &address) == NULL);
        address_format(&address, small, 5);
        ASSERT_BYTES(texts[i], small, strlen(small), texts[i], 4);
        free(small);
    }
}

/* The largest that there is fits in the room that the header names. */
static void
test_format_largest(void **state)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX];

    (void)state;
    ASSERT_THAT("path", address_parse("unix:" PATH_50 PATH_50 "1234567",
                                      &address) == NULL);
    address_format(&address, text, sizeof(text));
    ASSERT_INT("path", strlen(text), 5 + 107);
}

static void
test_local(void **state)
{
    static const struct {
        const char *text;
        bool local;
    } rows[] = {
        { "unix:/a", true },
        { "127.0.0.1:1", true },
        { "127.255.255.254:1", true },
        { "[::1]:1", true },
        { "[::ffff:127.0.0.1]:1", true },
        { "1", true },
        { "0.0.0.0:1", false },
        { "[::]:1", false },
        { "126.0.0.1:1", false },
        { "128.0.0.1:1", false },
        { "192.0.2.127:1", false },
        { "[::2]:1", false },
        { "[::ffff:192.0.2.1]:1", false },
        { "[fe80::1]:1", false },
    };
    struct address address = { .len = 0 };

    (void)state;
    assert_false(address_is_local(&address)); /* a sender without a name */
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_THAT(rows[i].text,
                    address_parse(rows[i].text, &address) == NULL);
        ASSERT_INT(rows[i].text, address_is_local(&address), rows[i].local);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_format_small),
        cmocka_unit_test(test_format_largest),
        cmocka_unit_test(test_local),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
