/* Which log lines tell us of uploads, and how they have to be. */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "alloc.h"
#include "check_lines.h"
#include "log.h"

const char filter_tracked[] = "$upload_progress_tracked";
const char filter_pieces[] = "$upload_progress_piece";
const char filter_redirected[] = "$upload_progress_redirected";

/* The part "server=..." of "syslog:..."; to be freed, or NULL. */
static char *
syslog_server(const struct nginx_node *log)
{
    static const char prefix[] = "syslog:";
    const char *p = log->args[1];
    const char *server = NULL;

    if (strncmp(p, prefix, sizeof(prefix) - 1) != 0) {
        return NULL;
    }
    p += sizeof(prefix) - 2;
    while (p != NULL && server == NULL) {
        server = strncmp(p + 1, "server=", 7) == 0 ? p + 8 : NULL;
        p = strchr(p + 1, ',');
    }
    return server != NULL ? alloc_copy(server, strcspn(server, ",")) : NULL;
}

/* With the port that nginx adds; to be freed, or NULL. */
char *
line_address(const struct nginx_node *log)
{
    char *server = syslog_server(log);
    const char *colon = server != NULL ? strrchr(server, ':') : NULL;
    char *full;

    if (server == NULL || (colon != NULL && strchr(colon, ']') == NULL)) {
        return server;
    }
    full = alloc_format("%s:514", server);
    free(server);
    return full;
}

bool
line_reaches_us(const struct check *check, const struct nginx_node *log)
{
    char *address = line_address(log);
    bool ours = address != NULL && check_listens(check, address, LISTEN_SYSLOG);

    free(address);
    return ours;
}

static bool
has_our_tag(const struct nginx_node *log)
{
    return strstr(log->args[1], "tag=upload_progress") != NULL;
}

const char *
line_option(const struct nginx_node *log, const char *name)
{
    for (int i = 3; i < log->count; i++) {
        if (strncmp(log->args[i], name, strlen(name)) == 0) {
            return log->args[i] + strlen(name);
        }
    }
    return "";
}

/* Whether a log_format has what the daemon cannot do without. */
static bool
is_our_format(const struct nginx_node *format)
{
    static const char *const fields[] = { "request_id=\"$request_id\"",
                                          "status=\"$status\"" };
    bool has_id = false;
    bool has[2] = { false, false };

    for (int i = 2; i < format->count; i++) {
        has_id = has_id || strstr(format->args[i], "arg=\"$") != NULL ||
                 strncmp(format->args[i], "id=\"$", 5) == 0 ||
                 strstr(format->args[i], " id=\"$") != NULL;
        for (int j = 0; j < 2; j++) {
            has[j] = has[j] || strstr(format->args[i], fields[j]) != NULL;
        }
    }
    return has_id && has[0] && has[1];
}

/* Without the method the daemon looks at nothing that tells of pieces. */
static bool
is_format_of_pieces(const struct nginx_node *format)
{
    bool has = false;

    for (int i = 2; i < format->count && !has; i++) {
        has = strncmp(format->args[i], "method=\"$", 9) == 0 ||
              strstr(format->args[i], " method=\"$") != NULL;
    }
    return has && is_our_format(format);
}

static const struct nginx_node *
find_format(const struct check *check, const char *name)
{
    const struct nginx_node *c = check->http->children;

    while (c != NULL && (!nginx_is(c, "log_format") || c->count < 3 ||
                         strcmp(c->args[1], name) != 0)) {
        c = c->next;
    }
    return c;
}

/* The first of ours, for pieces of files or for others, or NULL. */
static const struct nginx_node *
find_our_format(const struct check *check, bool of_pieces)
{
    const struct nginx_node *c = check->http->children;

    while (c != NULL &&
           (!nginx_is(c, "log_format") || c->count < 3 || !is_our_format(c) ||
            is_format_of_pieces(c) != of_pieces)) {
        c = c->next;
    }
    return c;
}

bool
line_has_format(const struct check *check, const struct nginx_node *log)
{
    const struct nginx_node *format =
        log->count > 2 ? find_format(check, log->args[2]) : NULL;

    return format != NULL && is_our_format(format);
}

bool
line_has_pieces(const struct check *check, const struct nginx_node *log)
{
    const struct nginx_node *format =
        log->count > 2 ? find_format(check, log->args[2]) : NULL;

    return format != NULL && is_format_of_pieces(format);
}

bool
lines_have_pieces(const struct check *check)
{
    return find_our_format(check, true) != NULL;
}

bool
line_is_ours(const struct check *check, const struct nginx_node *log)
{
    return strncmp(log->args[1], "syslog:", 7) == 0 &&
           (has_our_tag(log) || line_reaches_us(check, log) ||
            (nginx_is(log, "access_log") && line_has_format(check, log)));
}

bool
line_is_redirected(const struct nginx_node *node)
{
    return strcmp(line_option(node, "if="), filter_redirected) == 0;
}

/* With the key where the line has no field for it; to be freed. */
static char *
our_tag(const struct check *check, const char *name)
{
    const char *key = check->config->key;
    bool tagged = key != NULL && strcmp(name, "error_log") == 0;

    return alloc_format("tag=upload_progress%s%s", tagged ? "_" : "",
                        tagged ? key : "");
}

bool
line_has_key(const struct check *check, const struct nginx_node *log)
{
    const struct nginx_node *format =
        log->count > 2 ? find_format(check, log->args[2]) : NULL;
    bool has = false;
    char *tag;
    const char *found;

    if (check->config->key == NULL) {
        return true;
    }
    if (nginx_is(log, "access_log")) {
        for (int i = 2; format != NULL && i < format->count; i++) {
            has = has || strstr(format->args[i], "key=\"") != NULL;
        }
        return has;
    }
    tag = our_tag(check, log->args[0]);
    found = strstr(log->args[1], tag);
    has = found != NULL && strchr(",", found[strlen(tag)]) != NULL;
    free(tag);
    return has;
}

/* A line of ours; to be freed. */
static char *
our_line(const struct check *check, const char *name, const char *rest)
{
    const struct listen_config *l = check->config->listens;
    char address[ADDRESS_TEXT_MAX] = "ADDRESS";
    const char *any = "0.0.0.0:";
    const char *port = NULL;
    char *tag;
    char *line;

    while (l != NULL && l->protocol != LISTEN_SYSLOG) {
        l = l->next;
    }
    if (l != NULL) {
        address_format(&l->address, address, sizeof(address));
    }
    if (strncmp(address, any, strlen(any)) == 0) {
        port = address + strlen(any); /* nothing can be sent to 0.0.0.0 */
    }
    tag = our_tag(check, name);
    line = alloc_format("%s syslog:server=%s%s,nohostname,%s %s;", name,
                        port != NULL ? "127.0.0.1:" : "",
                        port != NULL ? port : address, tag, rest);
    free(tag);
    return line;
}

/* The site's, of what variables.conf calls so. */
static const char *
format_name(const struct check *check, bool pieces)
{
    const struct nginx_node *format = find_our_format(check, pieces);

    if (format == NULL && !pieces) {
        format = find_our_format(check, true); /* it has all, and more */
    }
    if (format != NULL) {
        return format->args[1];
    }
    return pieces ? "upload_progress_pieces" : "upload_progress";
}

/* The usual one, unless the line is one of redirected requests or the site's.
 */
static const char *
filter_name(const char *filter, bool pieces)
{
    if (filter[0] != '\0' && strcmp(filter, filter_tracked) != 0) {
        return filter;
    }
    return pieces ? filter_pieces : filter_tracked;
}

char *
line_of_end(const struct check *check, const char *filter, bool pieces)
{
    /* Those of http.conf are of pieces, whatever the location takes. */
    bool in_full = pieces || (strcmp(filter, filter_redirected) == 0 &&
                              lines_have_pieces(check));
    char *rest = alloc_format("%s if=%s", format_name(check, in_full),
                              filter_name(filter, pieces));
    char *line = our_line(check, "access_log", rest);

    free(rest);
    return line;
}

char *
line_of_spool(const struct check *check, const char *level)
{
    return our_line(check, "error_log", level);
}

int
line_level(const struct nginx_node *log)
{
    int level = log->count > 2 ? -1 : LOG_ERR;

    for (int i = 2; i < log->count; i++) {
        int one = strncmp(log->args[i], "debug_", 6) == 0
                      ? LOG_DEBUG
                      : log_level(log->args[i]);

        level = one > level ? one : level;
    }
    return level;
}

void
lines_of_site(const struct check *check, const struct nginx_node *block,
              const char *name, struct node_list *lines)
{
    lines->count = 0;
    for (const struct nginx_node *n = nginx_holding(block, name); n != NULL;
         n = nginx_again(n)) {
        if (!line_is_ours(check, n) && !nginx_says(n, "off")) {
            check_add(lines, n);
        }
    }
}

char *
line_to_add(const struct check *check, const struct nginx_node *block,
            const char *name, char *line)
{
    struct node_list lines = { .count = 0 };
    struct buffer out = BUFFER_INIT;
    char *text;

    buffer_printf(&out, "add: %s", line);
    if (nginx_level(block, name) != block) {
        lines_of_site(check, block, name, &lines);
    }
    for (int i = 0; i < lines.count; i++) {
        char *copy = check_print(lines.nodes[i]);

        buffer_printf(&out, " %s", copy);
        free(copy);
    }
    text = alloc_copy(out.data, out.len);
    buffer_release(&out);
    free(line);
    return text;
}
