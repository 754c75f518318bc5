/* What nginx puts into its syslog datagrams. */
#include "syslog_line.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Skips "<PRI>Mmm dd hh:mm:ss "; NULL if it is not there. */
static const char *
skip_time(const char *message)
{
    const char *p = message;

    if (*p++ != '<') {
        return NULL;
    }
    p += strspn(p, "0123456789");
    if (*p++ != '>' || strlen(p) < sizeof("Mmm dd hh:mm:ss ") - 1) {
        return NULL;
    }
    return p + sizeof("Mmm dd hh:mm:ss ") - 1;
}

/* Skips also "[HOST] TAG: "; NULL if it is not there. */
static char *
skip_header(char *message)
{
    const char *host = skip_time(message);
    const char *end = host != NULL ? strstr(host, ": ") : NULL;

    return end != NULL ? message + (end + 2 - message) : NULL;
}

const char *
syslog_line_tag(const char *message, size_t *len)
{
    const char *host = skip_time(message);
    const char *end = host != NULL ? strstr(host, ": ") : NULL;
    const char *tag = end;

    if (end == NULL) {
        return NULL;
    }
    while (tag > host && tag[-1] != ' ') {
        tag--;
    }
    *len = (size_t)(end - tag);
    return tag;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/*
 * Undoes log_format's default escaping, \xHH, in place. A byte of value 0
 * would cut the value short, so it stays escaped.
 */
static void
unescape(char *value)
{
    char *out = value;

    for (char *in = value; *in != '\0';) {
        int high = in[0] == '\\' && in[1] == 'x' ? hex_digit(in[2]) : -1;
        int low = high >= 0 ? hex_digit(in[3]) : -1;

        if (low >= 0 && (high | low) != 0) {
            *out++ = (char)(high << 4 | low);
            in += 4;
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
}

static enum syslog_kind
parse_access(char *line, struct request *request)
{
    char *p = line;

    while (*p != '\0') {
        char *name = p;
        char *value = strstr(p, "=\"");
        char *end = value != NULL ? strchr(value + 2, '"') : NULL;

        if (end == NULL) {
            return SYSLOG_OTHER;
        }
        *value = '\0';
        value += 2;
        *end = '\0';
        unescape(value);
        /* nginx logs a variable without a value as "-". */
        if (request_add(request, name, strcmp(value, "-") ? value : "") < 0) {
            return SYSLOG_OTHER;
        }
        p = end + 1;
        p += strspn(p, " \n");
    }
    return request->param_count > 0 ? SYSLOG_ACCESS : SYSLOG_OTHER;
}

/* Cuts a run of digits that ends with the given byte; NULL if it is not so. */
static char *
cut_number(char **p, char end)
{
    char *number = *p;
    size_t len = strspn(number, "0123456789");

    if (len == 0 || number[len] != end) {
        return NULL;
    }
    number[len] = '\0';
    *p = number + len + 1;
    return number;
}

/* The value of a part in quotes ends at the last quote that ends a part. */
static char *
end_of_quoted(char *value)
{
    char *end = strstr(value, "\", ");

    if (end == NULL) {
        end = strrchr(value, '"');
    }
    return end;
}

/* A quote may stand in the URI, too; the protocol ends a request line. */
static bool
is_whole_request(const char *value, const char *end)
{
    static const char protocol[] = " HTTP/1.1";
    size_t len = sizeof(protocol) - 1;

    return end != NULL && (size_t)(end - value) > len &&
           memcmp(end - len, protocol, len - 3) == 0;
}

static bool
add_part(struct request *request, char *name, char *value, char **next)
{
    char *end;
    bool quoted = value[0] == '"';

    if (quoted) {
        value++;
        end = end_of_quoted(value);
    } else {
        end = strstr(value, ", ");
    }
    if (strcmp(name, "request") == 0 && !is_whole_request(value, end) &&
        request_add(request, "truncated", "1") < 0) {
        return false;
    }
    *next = NULL;
    if (end != NULL) {
        char *comma = strstr(end, ", ");

        *next = comma != NULL ? comma + 2 : NULL;
        *end = '\0';
    }
    return request_add(request, name, value) == 0;
}

static bool
add_parts(struct request *request, char *p)
{
    while (p != NULL) {
        char *colon = strstr(p, ": ");
        char *name = p;

        if (colon == NULL) {
            return true; /* the end of a truncated line */
        }
        *colon = '\0';
        if (!add_part(request, name, colon + 2, &p)) {
            return false;
        }
    }
    return true;
}

/* "2026/01/31 12:34:56 [warn] PID#TID: *CONNECTION message, client: ..." */
static enum syslog_kind
parse_error(char *line, struct request *request)
{
    static const char date[] = "2026/01/31 12:34:56 [";
    char *p = line;
    char *pid;
    char *connection;
    char *client;

    if (strlen(p) < sizeof(date) - 1 || p[sizeof(date) - 2] != '[') {
        return SYSLOG_OTHER;
    }
    p = strstr(p, "] ");
    if (p == NULL) {
        return SYSLOG_OTHER;
    }
    p += 2;
    pid = cut_number(&p, '#');
    if (pid == NULL || cut_number(&p, ':') == NULL ||
        strncmp(p, " *", 2) != 0) {
        return SYSLOG_OTHER;
    }
    p += 2;
    connection = cut_number(&p, ' ');
    if (connection == NULL) {
        return SYSLOG_OTHER;
    }
    client = strstr(p, ", client: ");
    if (client != NULL) {
        *client = '\0';
    }
    if (request_add(request, "pid", pid) < 0 ||
        request_add(request, "connection", connection) < 0 ||
        request_add(request, "message", p) < 0 ||
        !add_parts(request, client != NULL ? client + 2 : NULL)) {
        return SYSLOG_OTHER;
    }
    return SYSLOG_ERROR;
}

enum syslog_kind
syslog_line_parse(char *message, struct request *request)
{
    char *line = skip_header(message);

    if (line == NULL) {
        return SYSLOG_OTHER;
    }
    if (isdigit((unsigned char)line[0])) {
        return parse_error(line, request);
    }
    return parse_access(line, request);
}
