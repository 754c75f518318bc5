/*
 * The syslog reader: both kinds of nginx's lines, whole, cut at every byte and
 * hostile. A cut line may yield less, never anything that was not in it.
 */
#include "unit.h"

#include "buffer.h"
#include "syslog_line.h"

/* A parameter as it is expected. */
struct pair {
    const char *name;
    const char *value;
};

#define ACCESS "<190>Nov 21 23:48:18 upload_progress: "
#define ERROR  "<188>Nov 21 23:48:18 upload_progress: "
#define DATE   "2026/11/21 23:48:18 "
#define WARN   ERROR DATE "[warn] 123#125: *45 "
#define SPOOL                                                \
    "a client request body is buffered to a temporary file " \
    "/var/lib/nginx/body/0000000001"
#define REQUEST "POST /upload?X-Progress-ID=abc HTTP/1.1"

enum { EXPECTED_MAX = 12 };

static const struct row {
    const char *name;
    const char *line;
    enum syslog_kind kind;
    struct pair expected[EXPECTED_MAX]; /* all of them, in any order */
} rows[] = {
    { "access",
      ACCESS "zone=\"uploads\" id=\"abc\" status=\"200\"",
      SYSLOG_ACCESS,
      { { "zone", "uploads" }, { "id", "abc" }, { "status", "200" } } },
    { "access, one pair",
      ACCESS "id=\"abc\"",
      SYSLOG_ACCESS,
      { { "id", "abc" } } },
    { "access, hostname",
      "<190>Nov 21 23:48:18 web1.example.org upload_progress: id=\"abc\"",
      SYSLOG_ACCESS,
      { { "id", "abc" } } },
    { "access, day of one digit",
      "<190>Nov  1 23:48:18 upload_progress: id=\"abc\"",
      SYSLOG_ACCESS,
      { { "id", "abc" } } },
    { "access, newline",
      ACCESS "id=\"abc\" status=\"200\"\n",
      SYSLOG_ACCESS,
      { { "id", "abc" }, { "status", "200" } } },
    { "access, no value",
      ACCESS "id=\"-\" arg=\"\" x=\"--\"",
      SYSLOG_ACCESS,
      { { "id", "" }, { "arg", "" }, { "x", "--" } } },
    { "access, blank and equals",
      ACCESS "id=\"a b=c\" x=\"=\"",
      SYSLOG_ACCESS,
      { { "id", "a b=c" }, { "x", "=" } } },
    { "access, colon",
      ACCESS "remote_addr=\"::1\" x=\"a: b\"",
      SYSLOG_ACCESS,
      { { "remote_addr", "::1" }, { "x", "a: b" } } },
    { "access, another's name in a value",
      ACCESS "x=\"id=\" id=\"abc\"",
      SYSLOG_ACCESS,
      { { "x", "id=" }, { "id", "abc" } } },

    { "escaped quotes",
      ACCESS "id=\"\\x22 id=\\x22evil\" status=\"200\"",
      SYSLOG_ACCESS,
      { { "id", "\" id=\"evil" }, { "status", "200" } } },
    { "escaped backslash",
      ACCESS "id=\"a\\x5Cb\"",
      SYSLOG_ACCESS,
      { { "id", "a\\b" } } },
    { "unescaped once",
      ACCESS "id=\"\\x5Cx41\"",
      SYSLOG_ACCESS,
      { { "id", "\\x41" } } },
    { "escaped bytes",
      ACCESS "id=\"\\x0A\\x7F\\xC3\\xA4\\xFF\"",
      SYSLOG_ACCESS,
      { { "id", "\n\x7f\xc3\xa4\xff" } } },
    { "escaped NUL",
      ACCESS "id=\"abc\\x00def\"",
      SYSLOG_ACCESS,
      { { "id", "abc\\x00def" } } },
    { "half an escape at the end",
      ACCESS "id=\"a\\x4\" x=\"1\"",
      SYSLOG_ACCESS,
      { { "id", "a\\x4" }, { "x", "1" } } },
    { "backslash at the end",
      ACCESS "id=\"a\\\" x=\"1\"",
      SYSLOG_ACCESS,
      { { "id", "a\\" }, { "x", "1" } } },
    { "no escape",
      ACCESS "id=\"\\xZZ\\x\\n\\\\\"",
      SYSLOG_ACCESS,
      { { "id", "\\xZZ\\x\\n\\\\" } } },

    { "name alone", ACCESS "id", SYSLOG_OTHER, { { NULL, NULL } } },
    { "no value", ACCESS "id=", SYSLOG_OTHER, { { NULL, NULL } } },
    { "no quotes", ACCESS "id=abc", SYSLOG_OTHER, { { NULL, NULL } } },
    { "quote not closed", ACCESS "id=\"abc", SYSLOG_OTHER, { { NULL, NULL } } },
    { "second not closed",
      ACCESS "zone=\"u\" id=\"abc",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "words behind",
      ACCESS "id=\"abc\" and more",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "words only", ACCESS "hello world", SYSLOG_OTHER, { { NULL, NULL } } },

    { "empty", "", SYSLOG_OTHER, { { NULL, NULL } } },
    { "header only", ACCESS, SYSLOG_OTHER, { { NULL, NULL } } },
    { "header and newline", ACCESS "\n", SYSLOG_OTHER, { { NULL, NULL } } },
    { "no header", "id=\"abc\"", SYSLOG_OTHER, { { NULL, NULL } } },
    { "priority only", "<190>", SYSLOG_OTHER, { { NULL, NULL } } },
    { "priority not closed", "<190", SYSLOG_OTHER, { { NULL, NULL } } },
    { "priority not a number",
      "<abc>Nov 21 23:48:18 t: id=\"abc\"",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "no tag",
      "<190>Nov 21 23:48:18 id=\"abc\"",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "short time",
      "<190>Nov 21: id=\"abc\"",
      SYSLOG_OTHER,
      { { NULL, NULL } } },

    { "error",
      WARN SPOOL ", client: 127.0.0.1, server: , request: \"" REQUEST
                 "\", host: \"localhost\"",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "127.0.0.1" },
        { "server", "" },
        { "request", REQUEST },
        { "host", "localhost" } } },
    { "error, hostname",
      "<188>Nov 21 23:48:18 web1 upload_progress: " DATE
      "[warn] 123#125: *45 " SPOOL ", client: 127.0.0.1",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "127.0.0.1" } } },
    { "error, server name",
      WARN SPOOL ", client: 10.0.0.1, server: example.org, request: \"" REQUEST
                 "\", upstream: \"http://127.0.0.1:80/x\", host: \"h\", "
                 "referrer: \"http://h/\"",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "10.0.0.1" },
        { "server", "example.org" },
        { "request", REQUEST },
        { "upstream", "http://127.0.0.1:80/x" },
        { "host", "h" },
        { "referrer", "http://h/" } } },
    { "error, IPv6 client",
      WARN SPOOL ", client: 2001:db8::1, server: ::, request: \"" REQUEST "\"",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "2001:db8::1" },
        { "server", "::" },
        { "request", REQUEST } } },
    { "error, client on a Unix socket",
      WARN SPOOL ", client: unix:, server: , request: \"" REQUEST "\"",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "unix:" },
        { "server", "" },
        { "request", REQUEST } } },
    { "error, quotes in the request",
      WARN SPOOL ", client: ::1, server: , request: "
                 "\"POST /\"?x=\",&X-Progress-ID=a\"b HTTP/1.1\", host: \"h\"",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "::1" },
        { "server", "" },
        { "request", "POST /\"?x=\",&X-Progress-ID=a\"b HTTP/1.1" },
        { "host", "h" } } },
    { "error, quotes in the request, which is last",
      WARN SPOOL ", client: ::1, server: , request: "
                 "\"POST /?X-Progress-ID=a\"b HTTP/1.1\"",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "::1" },
        { "server", "" },
        { "request", "POST /?X-Progress-ID=a\"b HTTP/1.1" } } },
    { "error, escapes in the request stay",
      WARN SPOOL ", client: ::1, server: , request: "
                 "\"POST /\\x22?X-Progress-ID=a%22b HTTP/1.1\"",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "::1" },
        { "server", "" },
        { "request", "POST /\\x22?X-Progress-ID=a%22b HTTP/1.1" } } },
    { "error, another level",
      ERROR DATE "[notice] 1#1: *1 " SPOOL ", client: ::1",
      SYSLOG_ERROR,
      { { "pid", "1" },
        { "connection", "1" },
        { "message", SPOOL },
        { "client", "::1" } } },
    { "error, another message",
      WARN "open() \"/a, b\" failed (2: No such file or directory), client: "
           "::1, server: , request: \"GET /a HTTP/1.1\"",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", "open() \"/a, b\" failed (2: No such file or directory)" },
        { "client", "::1" },
        { "server", "" },
        { "request", "GET /a HTTP/1.1" } } },
    { "error, no client",
      WARN "something happened",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", "something happened" } } },
    { "error, request cut short",
      WARN SPOOL ", client: ::1, server: , request: \"POST /upload?X-Pro",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "::1" },
        { "server", "" },
        { "request", "POST /upload?X-Pro" },
        { "truncated", "1" } } },
    { "error, host cut short",
      WARN SPOOL ", client: ::1, server: , request: \"" REQUEST
                 "\", host: \"loc",
      SYSLOG_ERROR,
      { { "pid", "123" },
        { "connection", "45" },
        { "message", SPOOL },
        { "client", "::1" },
        { "server", "" },
        { "request", REQUEST },
        { "host", "loc" } } },

    { "no connection",
      ERROR DATE "[notice] 123#123: signal process started",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "connection not a number",
      ERROR DATE "[warn] 123#123: *x y",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "connection empty",
      ERROR DATE "[warn] 123#123: * y",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "connection last",
      ERROR DATE "[warn] 123#123: *45",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "connection negative",
      ERROR DATE "[warn] 123#123: *-45 x",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "PID not a number",
      ERROR DATE "[warn] x#123: *45 y",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "PID empty",
      ERROR DATE "[warn] #123: *45 y",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "no thread",
      ERROR DATE "[warn] 123: *45 y",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "level not closed",
      ERROR DATE "[warn 123#123: *45 y",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "level not opened",
      ERROR DATE "warn] 123#123: *45 y",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "level missing",
      ERROR DATE "123#123: *45 y",
      SYSLOG_OTHER,
      { { NULL, NULL } } },
    { "date only", ERROR DATE, SYSLOG_OTHER, { { NULL, NULL } } },
    { "half a date", ERROR "2026/11/21", SYSLOG_OTHER, { { NULL, NULL } } },
    { "a digit", ERROR "2", SYSLOG_OTHER, { { NULL, NULL } } },
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        char *line = unit_copy(row->line, strlen(row->line) + 1);
        struct request request = { .param_count = 0 };
        size_t count = 0;

        ASSERT_INT(row->name, syslog_line_parse(line, &request), row->kind);
        for (; row->expected[count].name != NULL; count++) {
            ASSERT_TEXT(
                unit_case("%s: %s", row->name, row->expected[count].name),
                request_param(&request, row->expected[count].name),
                row->expected[count].value);
        }
        if (row->kind != SYSLOG_OTHER) {
            ASSERT_INT(row->name, request.param_count, count);
        }
        free(line);
    }
}

/* A client's texts behind the request cannot take its place. */
static void
test_injection(void **state)
{
    static const struct pair expected[] = {
        { "pid", "123" },    { "connection", "45" }, { "message", SPOOL },
        { "client", "::1" }, { "server", "" },       { "request", REQUEST },
    };
    static const char text[] =
        WARN SPOOL ", client: ::1, server: , request: \"" REQUEST
                   "\", host: \"h\", referrer: \"x\", request: \"POST "
                   "/upload?X-Progress-ID=evil HTTP/1.1\", pid: 1, "
                   "connection: 1, message: evil, client: evil, server: evil";
    char *line = unit_copy(text, sizeof(text));
    struct request request = { .param_count = 0 };

    (void)state;
    ASSERT_INT("kind", syslog_line_parse(line, &request), SYSLOG_ERROR);
    for (size_t i = 0; i < COUNT(expected); i++) {
        ASSERT_TEXT(expected[i].name, request_param(&request, expected[i].name),
                    expected[i].value);
    }
    free(line);
}

/* What a whole line says, and one that is cut. */
struct cut {
    const char *name;
    const char *line;
    struct request whole;
    struct request part;
    enum syslog_kind kind;
    size_t len;
};

static void
check_access_cut(const struct cut *cut)
{
    if (cut->kind == SYSLOG_OTHER) {
        return;
    }
    /* Behind a pair nothing shows that more was to come. */
    ASSERT_INT(cut->name, cut->kind, SYSLOG_ACCESS);
    ASSERT_THAT(cut->name, cut->line[cut->len - 1] == '"' ||
                               cut->line[cut->len - 1] == ' ');
    for (size_t i = 0; i < cut->part.param_count; i++) {
        ASSERT_TEXT(cut->name, cut->part.params[i].name,
                    cut->whole.params[i].name);
        ASSERT_TEXT(cut->name, cut->part.params[i].value,
                    cut->whole.params[i].value);
    }
}

static bool
is_prefix(const char *part, const char *whole)
{
    return strncmp(part, whole, strlen(part)) == 0;
}

/* A part without quotes may have run into the comma and name behind it. */
static bool
is_in_line(const struct cut *cut, const struct param *param)
{
    const char *whole = request_param(&cut->whole, param->name);

    return strcmp(param->name, "truncated") == 0 ||
           is_prefix(param->value, whole) ||
           (is_prefix(whole, param->value) &&
            strstr(cut->line, param->value) != NULL);
}

static void
check_error_cut(const struct cut *cut)
{
    const char *request = request_param(&cut->part, "request");

    if (cut->kind == SYSLOG_OTHER) {
        return;
    }
    ASSERT_INT(cut->name, cut->kind, SYSLOG_ERROR);
    ASSERT_TEXT(cut->name, request_param(&cut->part, "pid"),
                request_param(&cut->whole, "pid"));
    ASSERT_TEXT(cut->name, request_param(&cut->part, "connection"),
                request_param(&cut->whole, "connection"));
    for (size_t i = 0; i < cut->part.param_count; i++) {
        ASSERT_THAT(cut->name, is_in_line(cut, &cut->part.params[i]));
    }
    if (request[0] != '\0' &&
        strcmp(request_param(&cut->part, "truncated"), "1") != 0) {
        ASSERT_TEXT(cut->name, request, request_param(&cut->whole, "request"));
    }
}

/* Cuts a line at every length but its own. */
static void
cut_line(const char *name, const char *line,
         void (*check)(const struct cut *cut))
{
    static struct cut cut;
    char *whole = unit_copy(line, strlen(line) + 1);

    cut.line = line;
    cut.whole.param_count = 0;
    ASSERT_THAT(name, syslog_line_parse(whole, &cut.whole) != SYSLOG_OTHER);
    for (cut.len = 0; cut.len < strlen(line); cut.len++) {
        char *part = unit_copy(line, cut.len + 1);

        part[cut.len] = '\0';
        cut.part.param_count = 0;
        cut.name = unit_case("%s, cut at %zu", name, cut.len);
        cut.kind = syslog_line_parse(part, &cut.part);
        check(&cut);
        free(part);
    }
    free(whole);
}

static void
test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        switch (rows[i].kind) {
        case SYSLOG_ACCESS:
            cut_line(rows[i].name, rows[i].line, check_access_cut);
            break;
        case SYSLOG_ERROR:
            cut_line(rows[i].name, rows[i].line, check_error_cut);
            break;
        case SYSLOG_OTHER:
            break;
        }
    }
}

static void
test_many_pairs(void **state)
{
    static const struct {
        int pairs;
        enum syslog_kind kind;
    } counts[] = {
        { 200, SYSLOG_ACCESS },
        { REQUEST_PARAMS_MAX, SYSLOG_ACCESS },
        { REQUEST_PARAMS_MAX + 1, SYSLOG_OTHER },
        { 300, SYSLOG_OTHER },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        const char *name = unit_case("%d pairs", counts[i].pairs);
        struct request request = { .param_count = 0 };
        struct buffer line = BUFFER_INIT;

        buffer_append_string(&line, ACCESS);
        for (int pair = 0; pair < counts[i].pairs; pair++) {
            buffer_printf(&line, "n%d=\"v%d\" ", pair, pair);
        }
        buffer_append(&line, "", 1);
        ASSERT_INT(name, syslog_line_parse(line.data, &request),
                   counts[i].kind);
        if (counts[i].kind == SYSLOG_ACCESS) {
            ASSERT_INT(name, request.param_count, counts[i].pairs);
            ASSERT_TEXT(name, request_param(&request, "n0"), "v0");
            ASSERT_TEXT(name, request_param(&request, "n199"), "v199");
        }
        buffer_release(&line);
    }
}

/* As many named parts in an error line. */
static void
test_many_parts(void **state)
{
    static const struct {
        int parts;
        enum syslog_kind kind;
    } counts[] = { { 200, SYSLOG_ERROR }, { 300, SYSLOG_OTHER } };

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct request request = { .param_count = 0 };
        struct buffer line = BUFFER_INIT;

        buffer_append_string(&line, WARN SPOOL ", client: ::1");
        for (int part = 0; part < counts[i].parts; part++) {
            buffer_printf(&line, ", n%d: v%d", part, part);
        }
        buffer_append(&line, "", 1);
        ASSERT_INT(unit_case("%d parts", counts[i].parts),
                   syslog_line_parse(line.data, &request), counts[i].kind);
        buffer_release(&line);
    }
}

static void
test_tag(void **state)
{
    static const struct {
        const char *line;
        const char *tag; /* NULL: none */
    } tags[] = {
        { ACCESS "id=\"abc\"", "upload_progress" },
        { WARN SPOOL, "upload_progress" },
        { "<190>Nov 21 23:48:18 web1.example.org tag_1: x", "tag_1" },
        { "<190>Nov 21 23:48:18 a: b: x", "a" },
        { "<190>Nov 21 23:48:18 : x", "" },
        { "<190>Nov 21 23:48:18 tag", NULL },
        { "<190>Nov 21 23:48", NULL },
        { "<190>", NULL },
        { "<", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(tags); i++) {
        size_t len = 99;
        const char *tag = syslog_line_tag(tags[i].line, &len);

        if (tags[i].tag == NULL) {
            ASSERT_THAT(tags[i].line, tag == NULL);
        } else {
            ASSERT_THAT(tags[i].line, tag != NULL);
            ASSERT_BYTES(tags[i].line, tag, len, tags[i].tag,
                         strlen(tags[i].tag));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_injection),
        cmocka_unit_test(test_cut),        cmocka_unit_test(test_many_pairs),
        cmocka_unit_test(test_many_parts), cmocka_unit_test(test_tag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
