/* What the configuration refuses, each with its message and its line. */
#include "config_unit.h"

static void
refusals(void **state)
{
    static const struct {
        const char *text;
        const char *message; /* before the file's name */
        int line;
    } rows[] = {
        { "nonsense on;", "unknown directive \"nonsense\"", 1 },
        { "\n\nworker_threads;",
          "invalid number of arguments in \"worker_threads\" directive", 3 },
        { "worker_threads 1 2;",
          "invalid number of arguments in \"worker_threads\" directive", 1 },
        { "worker_threads 0;",
          "\"worker_threads\" directive has an invalid value", 1 },
        { "worker_threads 257;",
          "\"worker_threads\" directive has an invalid value", 1 },
        { "worker_threads x;",
          "\"worker_threads\" directive has an invalid value", 1 },
        { "gather_delay 21ms;",
          "\"gather_delay\" directive takes 1ms to 20ms, or \"off\"", 1 },
        { "gather_delay 0;",
          "\"gather_delay\" directive takes 1ms to 20ms, or \"off\"", 1 },
        { "worker_threads 1;\nworker_threads 2;",
          "\"worker_threads\" directive is duplicate", 2 },
        { "pid a;\npid b;", "\"pid\" directive is duplicate", 2 },
        { "error_log stderr loud;",
          "\"error_log\" directive has an invalid log level", 1 },
        { "listen 127.0.0.1;", "\"listen\" directive has no valid port", 1 },
        { "listen unix:;", "\"listen\" directive has an empty path", 1 },
        { "listen 9000 http;", "\"listen\" directive has an unknown parameter",
          1 },
        { "listen 9000 backlog=0;",
          "\"listen\" directive has an invalid parameter", 1 },
        { "listen 9000 mode=9;",
          "\"listen\" directive has an invalid parameter", 1 },
        { "listen 9000 mode=1777;",
          "\"listen\" directive has an unknown parameter", 1 },
        { "listen 9000 rcvbuf=x;", "\"listen\" directive has an invalid rcvbuf",
          1 },
        { "listen unix:/tmp/a owner=no-such-user;",
          "\"listen\" directive has the unknown owner \"no-such-user\"", 1 },
        { "listen unix:/tmp/a owner=;",
          "\"listen\" directive has the unknown owner \"\"", 1 },
        { "listen unix:/tmp/a owner=-1;",
          "\"listen\" directive has the unknown owner \"-1\"", 1 },
        { "listen unix:/tmp/a group=4294967295;",
          "\"listen\" directive has the unknown group \"4294967295\"", 1 },
        { "listen unix:/tmp/a group=no-such-group;",
          "\"listen\" directive has the unknown group \"no-such-group\"", 1 },
        { "listen 9000 group=root;",
          "\"listen\" directive takes \"owner=\" and \"group=\" for "
          "\"unix:\" only",
          1 },
        { "pid a;\nlisten 0.0.0.0:9000 syslog;\nworker_threads 1;",
          "\"listen\" directive takes log lines at \"0.0.0.0:9000\", where "
          "other hosts can send them, which needs \"upload_progress_key\"",
          2 },
        { "listen [::]:9000 syslog;",
          "\"listen\" directive takes log lines at \"[::]:9000\", where other "
          "hosts can send them, which needs \"upload_progress_key\"",
          1 },
        { "upload_progress_key 01234567890;",
          "\"upload_progress_key\" directive takes 12 to 16 letters and digits",
          1 },
        { "upload_progress_key 01234567890123456;",
          "\"upload_progress_key\" directive takes 12 to 16 letters and digits",
          1 },
        { "upload_progress_key 0123456789_a;",
          "\"upload_progress_key\" directive takes 12 to 16 letters and digits",
          1 },
        { "upload_progress_key 0123456789ab;\nupload_progress_key "
          "0123456789ab;",
          "\"upload_progress_key\" directive is duplicate", 2 },
        { "upload_progress_content_type 'text/plain\r\nX-A: b';",
          "\"upload_progress_content_type\" directive has an invalid value",
          2 },
        { "listen 9000; listen 127.0.0.1:9000 scgi;",
          "\"listen\" directive has the address of another \"listen\"", 1 },
        { "upload_progress a 8k;",
          "\"upload_progress\" directive has a zone that is too small: at "
          "least 32k are needed",
          1 },
        { "upload_progress 'Gr\xc3\xb6\xc3\x9f' 1m;",
          "\"upload_progress\" directive has an invalid name: up to 63 "
          "printable ASCII characters",
          1 },
        { "upload_progress "
          "0123456789012345678901234567890123456789012345678901234567890123 "
          "1m;",
          "\"upload_progress\" directive has an invalid name: up to 63 "
          "printable ASCII characters",
          1 },
        { "upload_progress a big;",
          "\"upload_progress\" directive has an invalid size", 1 },
        { "upload_progress a 1m;\nupload_progress a 1m;",
          "\"upload_progress\" directive has the name of another zone", 2 },
        { "track_uploads a 1s;",
          "\"track_uploads\" directive names the unknown zone \"a\"", 1 },
        { "upload_progress a 1m; track_uploads a 1x;",
          "\"track_uploads\" directive has an invalid time", 1 },
        { "upload_progress a 1m; track_uploads a 0;",
          "\"track_uploads\" directive has an invalid time", 1 },
        { "upload_progress a 1m; track_uploads a 1s; track_uploads a 2s;",
          "\"track_uploads\" directive is duplicate", 1 },
        { "report_uploads a;",
          "\"report_uploads\" directive names the unknown zone \"a\"", 1 },
        { "upload_progress_gauges tea;",
          "\"upload_progress_gauges\" directive takes \"spool\", \"socket\" "
          "or \"off\"",
          1 },
        { "listen 9001 fastcgi syslog;",
          "\"listen\" directive takes \"syslog\" or protocols of requests, not "
          "both",
          1 },
        { "upload_progress_template late x;",
          "\"upload_progress_template\" directive has the unknown state "
          "\"late\"",
          1 },
        { "upload_progress_template done $nobody;",
          "\"upload_progress_template\" directive has the unknown \"nobody\" "
          "variable",
          1 },
        { "upload_progress_template done 'a ${uploadprogress_id b';",
          "\"upload_progress_template\" directive lacks the closing bracket of "
          "\"${uploadprogress_id\"",
          1 },
        { "upload_progress_template do a; upload_progress_template done b;",
          "\"upload_progress_template\" directive is duplicate", 1 },
        { "upload_progress_unknown maybe;",
          "\"upload_progress_unknown\" directive takes \"starting\" or "
          "\"404\"",
          1 },
        { "upload_progress_allow_origin example.org;",
          "\"upload_progress_allow_origin\" directive takes \"*\", \"off\", "
          "or origins like \"https://example.org\"",
          1 },
        { "upload_progress_allow_origin * https://example.org;",
          "\"upload_progress_allow_origin\" directive takes \"*\", \"off\", "
          "or origins like \"https://example.org\"",
          1 },
        { "upload_progress_header '';",
          "\"upload_progress_header\" directive has an invalid value", 1 },
        { "location ~ /x { }",
          "\"location\" directive takes \"=\" or \"^~\", not regular "
          "expressions",
          1 },
        { "location x { }",
          "\"location\" directive needs a URI that begins with \"/\"", 1 },
        { "location /x { }\nlocation /x { }",
          "\"location\" directive has the URI of another location", 2 },
        { "location /x;", "directive \"location\" has no opening \"{\"", 1 },
        { "pid x { }", "directive \"pid\" is not terminated by \";\"", 1 },
        { "location /x {\nlisten 9000;\n}",
          "\"listen\" directive is not allowed here", 2 },
        { "location /x { location /y { } }",
          "\"location\" directive is outside of location \"/x\"", 1 },
        { "server_name a;", "\"server_name\" directive is not allowed here",
          1 },
        { "location /x { server { } }",
          "\"server\" directive is not allowed here", 1 },
        { "http { listen 9000; }", "\"listen\" directive is not allowed here",
          1 },
        { "server { server_name a; server_name b; }",
          "\"server_name\" directive is duplicate", 1 },
        { "upload_progress a 1m; server {\nlocation / {\n"
          "track_uploads a 1s;\ntrack_uploads a 2s; } }",
          "\"track_uploads\" directive is duplicate", 4 },
        { "include /nonexistent/file;",
          "open() \"/nonexistent/file\" failed (2: No such file or directory)",
          1 },
        { "location /x {", "unexpected end of file, expecting \"}\"", 1 },
        { "pid x", "unexpected end of file, expecting \";\" or \"}\"", 1 },
        { "}", "unexpected \"}\"", 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *message = NULL;
        struct config *config = load(rows[i].text, &message);
        char *in;
        char *colon;

        ASSERT_THAT(rows[i].text, config == NULL);
        in = strstr(message, " in /tmp/");
        ASSERT_THAT(rows[i].text, in != NULL);
        colon = strrchr(in, ':');
        ASSERT_INT(rows[i].text, atoi(colon + 1), rows[i].line);
        *in = '\0';
        ASSERT_TEXT(rows[i].text, message, rows[i].message);
        free(message);
    }
}

static void
a_file_that_cannot_be_read(void **state)
{
    char *message;

    (void)state;
    assert_null(config_load("/nonexistent/file", NULL, &message));
    assert_string_equal(
        message,
        "open() \"/nonexistent/file\" failed (2: No such file or directory)");
    free(message);
    assert_null(config_load("/", NULL, &message));
    free(message);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_file_that_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
