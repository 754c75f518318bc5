/* Who is believed: keys, tags, and how often the log hears of the others. */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "log.h"
#include "trust.h"

static const char key[] = "0123456789abCDEF";

static void
what_is_a_key(void **state)
{
    static const struct {
        const char *text;
        bool is_key;
    } rows[] = {
        { "0123456789ab", true },
        { "0123456789abCDEF", true },
        { "0123456789a", false },
        { "0123456789abCDEFg", false },
        { "", false },
        { "0123456789-ab", false },
        { "0123456789_ab", false },
        { "0123456789ab\n", false },
        { "0123456789ab\xc3\xa4", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_INT(rows[i].text, trust_is_key(rows[i].text), rows[i].is_key);
    }
}

static void
the_key_alone_is_believed(void **state)
{
    static const struct {
        const char *given;
        bool believed;
    } rows[] = {
        { "0123456789abCDEF", true },
        { "0123456789abCDEf", false },
        { "1123456789abCDEF", false },
        { "0123456789abCDE", false },
        { "0123456789abCDEFG", false },
        { "0123456789abCDEF ", false },
        { " 0123456789abCDEF", false },
        { "0123456789ABCDEF", false },
        { "", false },
        { "-", false },
        { "*", false },
        { "%", false },
    };
    struct trust *trust = trust_new(key);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char tag[64];

        ASSERT_INT(rows[i].given, trust_key(trust, rows[i].given),
                   rows[i].believed);
        snprintf(tag, sizeof(tag), "upload_progress_%s", rows[i].given);
        ASSERT_INT(tag, trust_tag(trust, tag, strlen(tag)), rows[i].believed);
        ASSERT_THAT(tag, !trust_tag(trust, tag + 1, strlen(tag + 1)));
    }
    ASSERT_THAT("no prefix", !trust_tag(trust, key, strlen(key)));
    ASSERT_THAT("prefix", !trust_tag(trust, "upload_progress_", 16));
    ASSERT_THAT("prefix", !trust_tag(trust, "upload_progress", 15));
    ASSERT_THAT("empty", !trust_tag(trust, "", 0));
    trust_free(trust);
}

/* A short one is not filled up by what the sender adds. */
static void
a_short_key(void **state)
{
    struct trust *trust = trust_new("0123456789ab");

    (void)state;
    assert_true(trust_key(trust, "0123456789ab"));
    assert_false(trust_key(trust, "0123456789abcdef"));
    assert_false(trust_key(trust, "0123456789a"));
    trust_free(trust);
}

static void
without_a_key_everybody_is_believed(void **state)
{
    struct trust *trust = trust_new(NULL);

    (void)state;
    assert_null(trust);
    assert_true(trust_key(trust, ""));
    assert_true(trust_key(trust, "anything"));
    assert_true(trust_tag(trust, "", 0));
    trust_report(trust, 0);
    trust_free(trust);
}

/* What the log has got since the last time. */
static const char *
logged(int fd)
{
    static char text[4096];
    ssize_t len = read(fd, text, sizeof(text) - 1);

    assert_true(len >= 0);
    text[len] = '\0';
    return text;
}

static void
the_log_is_not_flooded(void **state)
{
    char path[sizeof(UNIT_FILE)];
    int fd = unit_file(path, "");
    struct trust *trust = trust_new(key);

    (void)state;
    assert_int_equal(log_open(path, LOG_WARNING), 0);
    unlink(path);
    trust_report(trust, 1);
    assert_string_equal(logged(fd), "");
    trust_refuse(trust, "request", 1000);
    assert_non_null(strstr(logged(fd), ": 1 events without the key of "
                                       "upload_progress_key were refused, the "
                                       "last was a request\n"));
    for (int i = 0; i < 10000; i++) {
        trust_refuse(trust, "line", 1000 + i);
    }
    trust_report(trust, 1000 + TRUST_LOG_MS - 1);
    assert_string_equal(logged(fd), "");
    trust_report(trust, 1000 + TRUST_LOG_MS);
    assert_non_null(strstr(logged(fd), ": 10000 events "));
    trust_report(trust, 1000 + 9 * TRUST_LOG_MS);
    assert_string_equal(logged(fd), "");
    close(fd);
    trust_free(trust);
}

/* What a peer has sent ends no line. */
static void
the_log_has_no_line_of_a_peer(void **state)
{
    char path[sizeof(UNIT_FILE)];
    int fd = unit_file(path, "");
    const char *text;
    char large[3000];

    (void)state;
    assert_int_equal(log_open(path, LOG_WARNING), 0);
    unlink(path);
    log_write(LOG_WARNING, "zone \"%s\"",
              "a\n2026 [emerg]\r\x1b[2J\x7f\xc2\x9b");
    text = logged(fd);
    assert_non_null(strstr(
        text, ": zone \"a\\x0A2026 [emerg]\\x0D\\x1B[2J\\x7F\\xC2\\x9B\"\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    memset(large, '\n', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    log_write(LOG_WARNING, "%s", large);
    text = logged(fd);
    assert_true(strlen(text) <= 2048);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_a_key),
        cmocka_unit_test(the_key_alone_is_believed),
        cmocka_unit_test(a_short_key),
        cmocka_unit_test(without_a_key_everybody_is_believed),
        cmocka_unit_test(the_log_is_not_flooded),
        cmocka_unit_test(the_log_has_no_line_of_a_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
