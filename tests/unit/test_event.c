/*
 * Events, from the parameters of a mirrored request and from log lines: every
 * field by every way, what is refused, the hash, and temporary files.
 */
#include "unit.h"

#include "event.h"
#include "syslog_line.h"

#define REQUEST_ID "0123456789abcdeffedcba9876543210"
#define PREFIX     "UPLOAD_PROGRESS_"
#define TEXT_63 \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

/* clang-format off */
#define AT(field, size)      offsetof(struct event, field), size
#define AS(type, value)      sizeof(type), &(const type){ value }
#define NUMBER(field, value) offsetof(struct event, field), AS(int64_t, value)
#define FLAG(field, value)   offsetof(struct event, field), AS(bool, value)
#define HTTP(value)          offsetof(struct event, protocol), AS(int, value)
#define HASH(value) \
    offsetof(struct event, request_hash), AS(uint64_t, value)
#define TEXT(field, literal) AT(field, sizeof(literal)), literal
/* clang-format on */

/* One parameter, and the bytes of the event that it is to change. */
static const struct field_row {
    const char *param; /* without the prefix */
    const char *log;
    const char *value;
    size_t offset;
    size_t size;
    const void *expected;
} field_rows[] = {
    { "ZONE", "zone", "uploads", TEXT(zone, "uploads") },
    { "ZONE", "zone", TEXT_63, TEXT(zone, TEXT_63) },
    { "PID", "pid", "4711", NUMBER(pid, 4711) },
    { "CONNECTION", "connection", "12", NUMBER(connection, 12) },
    { "CONNECTION", "connection", "9223372036854775807",
      NUMBER(connection, INT64_MAX) },
    { "CONNECTION_REQUESTS", "connection_requests", "3",
      NUMBER(connection_requests, 3) },
    { "HOST", "host", "example.org", TEXT(host, "example.org") },
    { "URI", "uri", "/upload?a=b", TEXT(uri, "/upload") },
    { "CONTENT_LENGTH", "content_length", "0",
      NUMBER(content_length_bytes, 0) },
    { "CONTENT_LENGTH", "content_length", "5000000000",
      NUMBER(content_length_bytes, 5000000000) },
    { "CONTENT_LENGTH", "content_length", "007",
      NUMBER(content_length_bytes, 7) },
    { "HEADER_LENGTH", "header_length", "321",
      NUMBER(header_length_bytes, 321) },
    { "REQUEST_LENGTH", "request_length", "654",
      NUMBER(request_length_bytes, 654) },
    { "STATUS", "status", "404", NUMBER(status, 404) },
    { "MSEC", "msec", "1795303698.123", NUMBER(msec, 1795303698123) },
    { "MSEC", "msec", "1795303698.007", NUMBER(msec, 1795303698007) },
    { "MSEC", "msec", "1795303698.000", NUMBER(msec, 1795303698000) },
    { "REQUEST_TIME", "request_time", "0.000", NUMBER(request_time_ms, 0) },
    { "REQUEST_TIME", "request_time", "0.050", NUMBER(request_time_ms, 50) },
    { "REQUEST_TIME", "request_time", "12.999",
      NUMBER(request_time_ms, 12999) },
    { "PROTOCOL", "protocol", "HTTP/1.0", HTTP(10) },
    { "PROTOCOL", "protocol", "HTTP/1.1", HTTP(11) },
    { "PROTOCOL", "protocol", "HTTP/2.0", HTTP(20) },
    { "PROTOCOL", "protocol", "HTTP/3.0", HTTP(30) },
    { "HTTPS", "https", "on", FLAG(tls, true) },
    { "HTTPS", "https", "off", FLAG(tls, false) },
    { "HTTPS", "https", "", FLAG(tls, false) },
    { "PROXY_PROTOCOL", "proxy_protocol", "10.0.0.1",
      FLAG(proxy_protocol, true) },
    { "PROXY_PROTOCOL", "proxy_protocol", "", FLAG(proxy_protocol, false) },
    { "TRANSFER_ENCODING", "transfer_encoding", "chunked",
      FLAG(chunked, true) },
    /* nginx compares without case. */
    { "TRANSFER_ENCODING", "transfer_encoding", "Chunked",
      FLAG(chunked, true) },
    { "TRANSFER_ENCODING", "transfer_encoding", "identity",
      FLAG(chunked, false) },
    { "REQUEST", "request", "a", HASH(0x2f63dc4c8601ec8c) },
    { "REMOTE_ADDR", "remote_addr", "127.0.0.1",
      TEXT(remote_addr, "127.0.0.1") },
    { "REMOTE_ADDR", "remote_addr", "2001:db8::1",
      TEXT(remote_addr, "2001:db8::1") },
    { "REMOTE_ADDR", "remote_addr", "unix:", TEXT(remote_addr, "unix:") },
    { "REMOTE_ADDR", "remote_addr", TEXT_63, TEXT(remote_addr, TEXT_63) },
    { "REMOTE_PORT", "remote_port", "65535", TEXT(remote_port, "65535") },
    { "REMOTE_PORT", "remote_port", "1234567", TEXT(remote_port, "1234567") },
    { "SERVER_ADDR", "server_addr", "::1", TEXT(server_addr, "::1") },
    { "SERVER_PORT", "server_port", "80", TEXT(server_port, "80") },
    { "REQUEST_ID", "request_id", "ff000000000000000000000000000001",
      AT(attempt, UPLOAD_ATTEMPT_BYTES), "\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" },
    { "REQUEST_ID", "request_id", REQUEST_ID, AT(attempt, UPLOAD_ATTEMPT_BYTES),
      "\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10" },
};

static void
add(struct request *request, const char *name, const char *value)
{
    assert_int_equal(request_add(request, name, value), 0);
}

/*
 * Makes a request of one field, behind those without which none is an event;
 * the first of a name is the one that counts.
 */
static void
make(struct request *request, bool from_log, const char *name,
     const char *value)
{
    memset(request, 0, sizeof(*request));
    add(request, name, value);
    if (from_log) {
        add(request, "id", "abc");
        add(request, "request_id", REQUEST_ID);
        add(request, "status", "200");
    } else {
        add(request, PREFIX "EVENT", "start");
        add(request, PREFIX "ID", "abc");
        add(request, PREFIX "REQUEST_ID", REQUEST_ID);
    }
}

static const char *
parse(const struct request *request, bool from_log, struct event *event)
{
    return from_log ? event_from_log(request, event)
                    : event_from_params(request, event);
}

/* Parses a field alone; nothing but its bytes may differ from the default. */
static void
check_field(const struct field_row *row, bool from_log)
{
    const char *name = unit_case("%s=%s from %s", row->param, row->value,
                                 from_log ? "log" : "parameters");
    char param[64];
    struct request request;
    struct event event;
    struct event expected;

    snprintf(param, sizeof(param), PREFIX "%s", row->param);
    make(&request, from_log, "other", "x");
    ASSERT_THAT(name, parse(&request, from_log, &expected) == NULL);
    memcpy((char *)&expected + row->offset, row->expected, row->size);
    make(&request, from_log, from_log ? row->log : param, row->value);
    ASSERT_THAT(name, parse(&request, from_log, &event) == NULL);
    ASSERT_THAT(name, memcmp((char *)&event + row->offset, row->expected,
                             row->size) == 0);
    ASSERT_THAT(name, memcmp(&event, &expected, sizeof(event)) == 0);
}

static void
test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(field_rows); i++) {
        check_field(&field_rows[i], false);
        check_field(&field_rows[i], true);
    }
}

/* The fields of locations that take pieces: texts that stay the request's. */
static bool
is_of_pieces(const struct event_field *f)
{
    return f->offset >= offsetof(struct event, request) &&
           f->offset < offsetof(struct event, piece);
}

/* One of them with the method, and without, where it is not looked at. */
static void
check_piece_field(const struct event_field *f, bool from_log)
{
    static const char value[] = "/a?b=c";
    const struct event_field *method = event_fields;
    struct request request;
    struct event event;

    while (!is_of_pieces(method)) {
        method++;
    }
    make(&request, from_log, from_log ? f->log : f->param, value);
    ASSERT_THAT(f->param, parse(&request, from_log, &event) == NULL);
    ASSERT_TEXT(f->param, *(const char **)((char *)&event + f->offset),
                f == method ? value : "");
    add(&request, from_log ? method->log : method->param, "POST");
    ASSERT_THAT(f->param, parse(&request, from_log, &event) == NULL);
    ASSERT_TEXT(f->param, *(const char **)((char *)&event + f->offset), value);
}

static void
test_piece_fields(void **state)
{
    int count = 0;

    (void)state;
    for (const struct event_field *f = event_fields; f->param != NULL; f++) {
        if (is_of_pieces(f)) {
            check_piece_field(f, false);
            check_piece_field(f, true);
            count++;
        }
    }
    ASSERT_INT("all of them", count, 23);
}

/* Every other field that the daemon knows has a row above, and a variable. */
static void
test_fields_complete(void **state)
{
    (void)state;
    for (const struct event_field *f = event_fields; f->param != NULL; f++) {
        bool covered = is_of_pieces(f);

        for (size_t i = 0; i < COUNT(field_rows); i++) {
            covered |=
                strcmp(f->param + strlen(PREFIX), field_rows[i].param) == 0 &&
                strcmp(f->log, field_rows[i].log) == 0;
        }
        ASSERT_THAT(f->param, covered);
        ASSERT_INT(f->param, f->variable[0], '$');
    }
}

static const struct bad_row {
    const char *param;
    const char *log;
    const char *values[20];
} bad_rows[] = {
    { "ZONE", "zone", { TEXT_63 "f" } },
    { "PID",
      "pid",
      { "-1", "+1", " 1", "1 ", "1x", "x", "0x10", "1.5", "9223372036854775808",
        "99999999999999999999999999" } },
    { "CONNECTION", "connection", { "x" } },
    { "CONNECTION_REQUESTS", "connection_requests", { "x" } },
    { "CONTENT_LENGTH", "content_length", { "-1" } },
    { "HEADER_LENGTH", "header_length", { "x" } },
    { "REQUEST_LENGTH", "request_length", { "x" } },
    { "STATUS", "status", { "2OO" } },
    { "MSEC", /* three decimals, neither more nor less */
      "msec",
      { "x", "-1.000", " 1.000", ".500", "1.x", "1.000x", "1,000", "1.1234",
        "1.5", "1.05", "1.", "1.-05", "1.+05", "1. 05", "1e3",
        "9223372036854775807.000", "9223372036854775808.000" } },
    { "REQUEST_TIME", "request_time", { "-0.001", "1.5" } },
    { "PROTOCOL",
      "protocol",
      { "HTTP", "HTTP/", "HTTP/1", "HTTP/1.", "HTTP/1.x", "HTTP/x.1",
        "HTTP/1.10", "HTTP/11", "HTTP/1.1 ", "http/1.1", "1.1" } },
    { "REMOTE_ADDR", "remote_addr", { TEXT_63 "f" } },
    { "REMOTE_PORT", "remote_port", { "12345678" } },
    { "SERVER_ADDR", "server_addr", { TEXT_63 "f" } },
    { "SERVER_PORT", "server_port", { "12345678" } },
    { "REQUEST_ID",
      "request_id",
      { "0", "0123456789abcdeffedcba987654321", REQUEST_ID "0",
        "0123456789ABCDEFFEDCBA9876543210", "g123456789abcdeffedcba9876543210",
        "0123456789abcdeffedcba987654321 ",
        "00000000000000000000000000000000" } },
};

/* expected: the name without the prefix, or NULL for none */
static void
check_bad(const char *name, const char *bad, const char *expected)
{
    ASSERT_INT(name, bad != NULL, expected != NULL);
    if (bad != NULL && expected != NULL) {
        ASSERT_TEXT(name, bad + strlen(PREFIX), expected);
    }
}

static void
check_bad_value(const struct bad_row *row, const char *value, bool from_log)
{
    const char *name = unit_case("%s=%s from %s", row->param, value,
                                 from_log ? "log" : "parameters");
    char param[64];
    struct request request;
    struct event event;

    snprintf(param, sizeof(param), PREFIX "%s", row->param);
    make(&request, from_log, from_log ? row->log : param, value);
    check_bad(name, parse(&request, from_log, &event), row->param);
}

static void
test_bad_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_rows); i++) {
        for (size_t j = 0; bad_rows[i].values[j] != NULL; j++) {
            check_bad_value(&bad_rows[i], bad_rows[i].values[j], false);
            check_bad_value(&bad_rows[i], bad_rows[i].values[j], true);
        }
    }
}

static const struct params_row {
    const char *name;
    const char *event; /* NULL here and below: not passed */
    const char *id;
    const char *argument;
    const char *request_id;
    const char *bad; /* NULL: an event */
    enum event_kind kind;
    const char *expected_id;
} params_rows[] = {
    { "start", "start", "abc", NULL, REQUEST_ID, NULL, EVENT_START, "abc" },
    { "body", "body", "abc", NULL, REQUEST_ID, NULL, EVENT_BODY, "abc" },
    { "argument", "start", NULL, "a%20b", REQUEST_ID, NULL, EVENT_START,
      "a b" },
    { "argument, empty header", "body", "", "a", REQUEST_ID, NULL, EVENT_BODY,
      "a" },
    { "header first", "start", "abc", "def", REQUEST_ID, NULL, EVENT_START,
      "abc" },
    { "no event", NULL, "abc", "abc", REQUEST_ID, "EVENT", 0, NULL },
    { "empty event", "", "abc", NULL, REQUEST_ID, "EVENT", 0, NULL },
    { "end", "end", "abc", NULL, REQUEST_ID, "EVENT", 0, NULL },
    { "Start", "Start", "abc", NULL, REQUEST_ID, "EVENT", 0, NULL },
    { "no ID", "start", NULL, NULL, REQUEST_ID, "ID", 0, NULL },
    { "empty IDs", "start", "", "", REQUEST_ID, "ID", 0, NULL },
    { "invalid ID", "start", "\xc3\xa4", NULL, REQUEST_ID, "ID", 0, NULL },
    { "invalid header, good argument", "start", "\x7f", "abc", REQUEST_ID, "ID",
      0, NULL },
    { "no request ID", "start", "abc", NULL, NULL, "REQUEST_ID", 0, NULL },
    { "empty request ID", "start", "abc", NULL, "", "REQUEST_ID", 0, NULL },
    { "nothing", NULL, NULL, NULL, NULL, "EVENT", 0, NULL },
};

static void
add_unless_null(struct request *request, const char *name, const char *value)
{
    if (value != NULL) {
        add(request, name, value);
    }
}

static void
test_params(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(params_rows); i++) {
        const struct params_row *row = &params_rows[i];
        struct request request = { .body_bytes = 7, .body_complete = true };
        struct event event;
        const char *bad;

        add(&request, "request_id", REQUEST_ID); /* the log's name */
        add_unless_null(&request, PREFIX "EVENT", row->event);
        add_unless_null(&request, PREFIX "ID", row->id);
        add_unless_null(&request, PREFIX "ARG", row->argument);
        add_unless_null(&request, PREFIX "REQUEST_ID", row->request_id);
        bad = event_from_params(&request, &event);
        check_bad(row->name, bad, row->bad);
        if (bad == NULL) {
            ASSERT_INT(row->name, event.kind, row->kind);
            ASSERT_TEXT(row->name, event.id, row->expected_id);
            ASSERT_INT(row->name, event.body_bytes, 7);
            ASSERT_INT(row->name, event.body_complete, true);
        }
    }
}

static const struct log_row {
    const char *name;
    const char *line; /* behind the syslog header */
    const char *bad;
    const char *id;
} log_rows[] = {
    { "least", "id=\"abc\" request_id=\"" REQUEST_ID "\" status=\"200\"", NULL,
      "abc" },
    { "argument",
      "id=\"-\" arg=\"a%20b\" request_id=\"" REQUEST_ID "\" status=\"200\"",
      NULL, "a b" },
    { "header first",
      "arg=\"def\" id=\"abc\" request_id=\"" REQUEST_ID "\" status=\"200\"",
      NULL, "abc" },
    { "escaped quote",
      "id=\"a\\x22b\" request_id=\"" REQUEST_ID "\" status=\"200\"", NULL,
      "a\"b" },
    { "escaped control byte",
      "id=\"a\\x0A\" request_id=\"" REQUEST_ID "\" status=\"200\"", "ID",
      NULL },
    { "cut before the status", "id=\"abc\" request_id=\"" REQUEST_ID "\"",
      "STATUS", NULL },
    { "no ID", "request_id=\"" REQUEST_ID "\" status=\"200\"", "ID", NULL },
    { "no request ID", "id=\"abc\"", "REQUEST_ID", NULL },
    { "request ID not logged", "id=\"abc\" request_id=\"-\"", "REQUEST_ID",
      NULL },
    { "parameters' names",
      "id=\"abc\" UPLOAD_PROGRESS_REQUEST_ID=\"" REQUEST_ID "\"", "REQUEST_ID",
      NULL },
};

static void
test_log(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(log_rows); i++) {
        const struct log_row *row = &log_rows[i];
        struct request request = { .param_count = 0 };
        char line[512];
        struct event event;
        const char *bad;

        snprintf(line, sizeof(line), "<190>Nov 21 23:48:18 t: %s", row->line);
        ASSERT_INT(row->name, syslog_line_parse(line, &request), SYSLOG_ACCESS);
        bad = event_from_log(&request, &event);
        check_bad(row->name, bad, row->bad);
        if (bad == NULL) {
            ASSERT_INT(row->name, event.kind, EVENT_END);
            ASSERT_TEXT(row->name, event.id, row->id);
        }
    }
}

/* What nginx did not tell is told apart from 0. */
static void
test_defaults(void **state)
{
    struct request request;
    struct event event;

    (void)state;
    memset(&event, 0x55, sizeof(event));
    make(&request, true, "pid", "");
    ASSERT_THAT("event", event_from_log(&request, &event) == NULL);
    ASSERT_INT("connection_requests", event.connection_requests, 0);
    ASSERT_INT("content_length", event.content_length_bytes, -1);
    ASSERT_INT("header_length", event.header_length_bytes, -1);
    ASSERT_INT("request_length", event.request_length_bytes, -1);
    ASSERT_INT("msec", event.msec, -1);
    ASSERT_INT("request_time", event.request_time_ms, -1);
    ASSERT_INT("protocol", event.protocol, 0);
    ASSERT_INT("request_hash", event.request_hash, 0);
    ASSERT_INT("tls", event.tls, false);
    ASSERT_INT("chunked", event.chunked, false);
    ASSERT_INT("proxy_protocol", event.proxy_protocol, false);
    ASSERT_INT("body_complete", event.body_complete, false);
    ASSERT_INT("body_bytes", event.body_bytes, 0);
    ASSERT_TEXT("zone", event.zone, "");
    ASSERT_TEXT("remote_addr", event.remote_addr, "");
    ASSERT_TEXT("server_port", event.server_port, "");
}

/* FNV-1a's published values, without the highest bit. */
static void
test_hash(void **state)
{
    static const struct {
        const char *line;
        uint64_t hash;
    } rows[] = {
        { "", 0 },
        { "a", 0x2f63dc4c8601ec8c },
        { "b", 0x2f63df4c8601f1a5 },
        { "foobar", 0x05944171f73967e8 },
        { "\xff", 0x2f64724c8602eb6e },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_INT(rows[i].line, event_request_hash(rows[i].line),
                   rows[i].hash);
    }
}

#define SPOOL_MESSAGE "a client request body is buffered to a temporary file "
#define PATH          "/var/lib/nginx/body/0000000001"
#define LINE          "POST /upload?X-Progress-ID=abc HTTP/1.1"

static const struct spool_row {
    const char *name;
    const char *message;
    const char *line; /* of the request */
    const char *truncated;
    const char *argument; /* the name of the argument */
    const char *path;     /* NULL: about something else */
    const char *id;
    bool hash; /* is that of the line */
} spool_rows[] = {
    { "whole", SPOOL_MESSAGE PATH, LINE, "", "X-Progress-ID", PATH, "abc",
      true },
    { "other argument", SPOOL_MESSAGE PATH, "POST /?id=a%20b HTTP/1.1", "",
      "id", PATH, "a b", true },
    { "ID not in the line", SPOOL_MESSAGE PATH, "POST /upload HTTP/1.1", "",
      "X-Progress-ID", PATH, "", true },
    { "invalid ID", SPOOL_MESSAGE PATH, "POST /?id=%00 HTTP/1.1", "", "id",
      PATH, "", true },
    { "ID of 256 bytes", SPOOL_MESSAGE PATH,
      "POST /?id=" TEXT_63 TEXT_63 TEXT_63 TEXT_63 "0123 HTTP/1.1", "", "id",
      PATH, "", true },
    { "no line", SPOOL_MESSAGE PATH, "", "", "id", PATH, "", false },
    { "line cut short in the ID", SPOOL_MESSAGE PATH,
      "POST /upload?X-Progress-ID=ab", "1", "X-Progress-ID", PATH, "", false },
    { "line cut short in an escape", SPOOL_MESSAGE PATH,
      "POST /upload?X-Progress-ID=ab%4", "1", "X-Progress-ID", PATH, "",
      false },
    { "line cut short behind the ID", SPOOL_MESSAGE PATH,
      "POST /upload?X-Progress-ID=abc&a=12", "1", "X-Progress-ID", PATH, "abc",
      false },
    { "path with blanks", SPOOL_MESSAGE "/a b/1", LINE, "", "X-Progress-ID",
      "/a b/1", "abc", true },
    { "no path", SPOOL_MESSAGE, LINE, "", "X-Progress-ID", NULL, NULL, false },
    { "another message", "open() \"/a\" failed", LINE, "", "X-Progress-ID",
      NULL, NULL, false },
    { "words before", "x " SPOOL_MESSAGE PATH, LINE, "", "X-Progress-ID", NULL,
      NULL, false },
    { "a response",
      "an upstream response is buffered to a temporary file " PATH, LINE, "",
      "X-Progress-ID", NULL, NULL, false },
    { "no message", "", LINE, "", "X-Progress-ID", NULL, NULL, false },
};

static void
make_spool(struct request *request, const char *message, const char *line,
           const char *truncated)
{
    memset(request, 0, sizeof(*request));
    add(request, "pid", "4711");
    add(request, "connection", "12");
    add(request, "message", message);
    add(request, "client", "127.0.0.1");
    add(request, "server", "");
    if (truncated[0] != '\0') {
        add(request, "truncated", truncated);
    }
    add(request, "request", line);
}

static void
test_spool(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(spool_rows); i++) {
        const struct spool_row *row = &spool_rows[i];
        struct request request;
        struct spool spool;
        bool is_spool;

        memset(&spool, 0x55, sizeof(spool));
        make_spool(&request, row->message, row->line, row->truncated);
        is_spool = event_spool_from_log(&request, row->argument, &spool);
        ASSERT_INT(row->name, is_spool, row->path != NULL);
        if (is_spool) {
            ASSERT_TEXT(row->name, spool.path, row->path);
            ASSERT_TEXT(row->name, spool.id, row->id);
            ASSERT_INT(row->name, spool.request_hash,
                       row->hash ? event_request_hash(row->line) : 0);
            ASSERT_INT(row->name, spool.pid, 4711);
            ASSERT_INT(row->name, spool.connection, 12);
            ASSERT_INT(row->name, spool.fd, -1);
        }
    }
}

static void
test_spool_path_length(void **state)
{
    static const struct {
        int bytes;
        bool taken;
    } rows[] = { { SPOOL_PATH_MAX, true }, { SPOOL_PATH_MAX + 1, false } };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *name = unit_case("%d bytes", rows[i].bytes);
        struct request request;
        struct spool spool;
        char message[2048];

        snprintf(message, sizeof(message), SPOOL_MESSAGE "/%0*d",
                 rows[i].bytes - 1, 1);
        make_spool(&request, message, LINE, "");
        ASSERT_INT(name,
                   event_spool_from_log(&request, "X-Progress-ID", &spool),
                   rows[i].taken);
        if (rows[i].taken) {
            ASSERT_INT(name, strlen(spool.path), rows[i].bytes);
        }
    }
}

/* A datagram that was cut anywhere gives the whole of each fact, or none. */
static void
test_spool_cut(void **state)
{
    static const char line[] =
        "<188>Nov 21 23:48:18 t: 2026/11/21 23:48:18 [warn] 4711#1: "
        "*12 " SPOOL_MESSAGE PATH ", client: 127.0.0.1, server: , request: "
        "\"" LINE "\", host: \"localhost\"";

    (void)state;
    for (size_t len = 0; len < sizeof(line); len++) {
        const char *name = unit_case("cut at %zu", len);
        struct request request = { .param_count = 0 };
        struct spool spool;
        char part[sizeof(line)] = "";

        memcpy(part, line, len);
        if (syslog_line_parse(part, &request) != SYSLOG_ERROR ||
            !event_spool_from_log(&request, "X-Progress-ID", &spool)) {
            ASSERT_THAT(name, len < sizeof(line) - 1);
            continue;
        }
        ASSERT_TEXT(name, spool.path, PATH);
        ASSERT_INT(name, spool.pid, 4711);
        ASSERT_INT(name, spool.connection, 12);
        ASSERT_TEXT(name, spool.id, spool.id[0] != '\0' ? "abc" : "");
        ASSERT_THAT(name, spool.request_hash == 0 ||
                              spool.request_hash == event_request_hash(LINE));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_fields_complete),
        cmocka_unit_test(test_piece_fields),
        cmocka_unit_test(test_bad_fields),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_spool),
        cmocka_unit_test(test_spool_path_length),
        cmocka_unit_test(test_spool_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
