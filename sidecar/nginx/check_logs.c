/* Whether we are told of uploads by log lines, and what the site's logs lose.
 */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "check_lines.h"
#include "log.h"

/* What the line of ends is to be like in a block. */
struct end_line {
    const char *filter; /* what its "if=" is to name */
    bool pieces;        /* it is to tell of pieces of files */
};

/* Another line in place of one; to be freed. */
static char *
end_instead(const struct check *check, const struct nginx_node *log,
            const struct end_line *wanted)
{
    return check_advice(
        "change it to",
        line_of_end(check, line_option(log, "if="), wanted->pieces));
}

/* Tells of a line that is meant for us and does not reach us. */
static void
check_address(struct check *check, const struct nginx_node *log, char *advice)
{
    char *names;
    char *address;

    if (line_reaches_us(check, log)) {
        free(advice);
        return;
    }
    names = check_listen_names(check, LISTEN_SYSLOG);
    address = line_address(log);
    check_report(check, FINDING_WARN, log, advice,
                 "\"%s\" sends lines to %s, upload-progressd takes them at %s,",
                 log->args[0], address ? address : log->args[1], names);
    free(address);
    free(names);
}

/* The line that tells us of the end, if there is one: that reaches us. */
static const struct nginx_node *
find_end_line(const struct check *check, const struct nginx_node *block,
              bool says_here)
{
    const struct nginx_node *log = nginx_holding(block, "access_log");
    const struct nginx_node *found = NULL;

    for (; log != NULL; log = nginx_again(log)) {
        if (line_is_ours(check, log) &&
            (says_here || !line_is_redirected(log)) &&
            (found == NULL || line_reaches_us(check, log))) {
            found = log;
        }
    }
    return found;
}

/* Whether something was wrong with it. */
static bool
check_pieces_line(struct check *check, const struct nginx_node *log,
                  const struct end_line *wanted)
{
    bool formatted = line_has_pieces(check, log);

    if (!wanted->pieces ||
        (formatted && strcmp(line_option(log, "if="), filter_tracked) != 0)) {
        return false;
    }
    check_report(
        check, FINDING_WARN, log,
        lines_have_pieces(check)
            ? end_instead(check, log, wanted)
            : alloc_string("take the log_format upload_progress_pieces of "
                           "upload-progress/variables.conf"),
        formatted ? "\"access_log\" to upload-progressd leaves out pieces of "
                    "files without a progress ID,"
                  : "the format of \"access_log\" to upload-progressd lacks "
                    "what pieces of files are known by,");
    return true;
}

static void
check_end_line(struct check *check, const struct nginx_node *log,
               const struct end_line *wanted)
{
    if (!line_has_format(check, log)) {
        check_report(check, FINDING_WARN, log, end_instead(check, log, wanted),
                     "the format of \"access_log\" to upload-progressd lacks "
                     "the ID, the request ID or the status,");
    } else if (check_pieces_line(check, log, wanted)) {
        return;
    } else if (!line_has_key(check, log)) {
        check_report(check, FINDING_WARN, log,
                     alloc_string("add: key=\"$upload_progress_key\" to its "
                                  "log_format"),
                     "\"access_log\" to upload-progressd lacks the key,");
    } else {
        check_address(check, log, end_instead(check, log, wanted));
    }
}

static const struct nginx_node *
find_off(const struct nginx_node *block)
{
    const struct nginx_node *log = nginx_holding(block, "access_log");

    while (log != NULL && !nginx_says(log, "off")) {
        log = nginx_again(log);
    }
    return log;
}

/* "off" wins over the lines beside it. */
static void
report_off(struct check *check, const struct nginx_node *block,
           const struct nginx_node *off, const char *name,
           const struct end_line *wanted)
{
    const struct nginx_node *beside = nginx_holding(block, "access_log");
    char *advice;

    while (beside != NULL && !line_is_ours(check, beside)) {
        beside = nginx_again(beside);
    }
    if (off->parent != block) {
        advice =
            line_to_add(check, block, "access_log",
                        line_of_end(check, wanted->filter, wanted->pieces));
    } else {
        advice = beside != NULL
                     ? alloc_string("take it out")
                     : check_advice(
                           "change it to",
                           line_of_end(check, wanted->filter, wanted->pieces));
    }
    check_report(check, FINDING_WARN, off->parent == block ? off : block,
                 advice, "\"access_log off\" silences the end of uploads in %s",
                 name);
}

static void
check_end(struct check *check, const struct nginx_node *block,
          const struct end_line *wanted, bool says_here)
{
    const struct nginx_node *off = find_off(block);
    char *name = check_name(block);
    const struct nginx_node *line;

    if (off != NULL) {
        report_off(check, block, off, name, wanted);
    } else if ((line = find_end_line(check, block, says_here)) != NULL) {
        check_end_line(check, line, wanted);
    } else {
        check_report(
            check, FINDING_WARN, block,
            line_to_add(check, block, "access_log",
                        line_of_end(check, wanted->filter, wanted->pieces)),
            "no \"access_log\" line tells the end of uploads in %s", name);
    }
    free(name);
}

/* The message comes at a lower level where every body goes to a file. */
static const char *
wanted_level(const struct nginx_node *block)
{
    const struct nginx_node *only =
        nginx_holding(block, "client_body_in_file_only");

    return only != NULL && !nginx_says(only, "off") ? "notice" : "warn";
}

static void
check_spool(struct check *check, const struct nginx_node *block)
{
    const struct nginx_node *log = nginx_holding(block, "error_log");
    const struct nginx_node *found = NULL;
    const char *wanted = wanted_level(block);
    char *name = check_name(block);

    for (; log != NULL; log = nginx_again(log)) {
        if (line_is_ours(check, log) &&
            (found == NULL || line_reaches_us(check, log))) {
            found = log;
        }
    }
    log = found;
    if (log == NULL) {
        check_report(check, FINDING_WARN, block,
                     line_to_add(check, block, "error_log",
                                 line_of_spool(check, wanted)),
                     "no \"error_log\" line tells of temporary files in %s",
                     name);
    } else if (line_level(log) < log_level(wanted)) {
        check_report(
            check, FINDING_WARN, log,
            check_advice("change it to", line_of_spool(check, wanted)),
            "\"error_log\" to upload-progressd has to be of level %s, the "
            "message of temporary files is,",
            wanted);
    } else if (!line_has_key(check, log)) {
        check_report(
            check, FINDING_WARN, log,
            check_advice("change it to", line_of_spool(check, log->args[2])),
            "\"error_log\" to upload-progressd lacks the key,");
    } else {
        check_address(
            check, log,
            check_advice(
                "change it to",
                line_of_spool(check, log->count > 2 ? log->args[2] : "warn")));
    }
    free(name);
}

/* Whether two lines write the same to the same log. */
static bool
write_alike(const struct nginx_node *outer, const struct nginx_node *own)
{
    const char *outer_format = outer->count > 2 ? outer->args[2] : "combined";
    const char *own_format = own->count > 2 ? own->args[2] : "combined";

    if (nginx_is(outer, "error_log")) {
        return line_level(own) >= line_level(outer);
    }
    return strcmp(outer_format, own_format) == 0 &&
           strcmp(line_option(outer, "if="), line_option(own, "if=")) == 0;
}

static void
check_lost_line(struct check *check, const struct nginx_node *location,
                const struct nginx_node *outer)
{
    const struct nginx_node *same = NULL;
    const struct nginx_node *log = nginx_holding(location, outer->args[0]);
    char *name = check_name(location);

    for (; log != NULL; log = nginx_again(log)) {
        if (!nginx_says(outer, log->args[1])) {
            continue;
        }
        if (write_alike(outer, log)) {
            free(name);
            return;
        }
        same = log;
    }
    if (same != NULL) {
        check_report(check, FINDING_WARN, same,
                     check_advice("change it to", check_print(outer)),
                     "\"%s\" %s than that of %s:%d does", outer->args[0],
                     nginx_is(outer, "error_log") ? "writes less to the log"
                                                  : "writes other lines",
                     outer->source->file, outer->line);
    } else {
        check_report(check, FINDING_WARN, location,
                     check_advice("add", check_print(outer)),
                     "the site's own \"%s\" of %s:%d does not hold in %s, "
                     "which has lines of its own,",
                     outer->args[0], outer->source->file, outer->line, name);
    }
    free(name);
}

/* The log that nginx writes to when nothing is said. */
static void
check_lost_default(struct check *check, const struct nginx_node *block,
                   const char *name)
{
    const char *path = NULL;
    struct node_list own;
    char *block_name;

    lines_of_site(check, block, name, &own);
    if (own.count > 0 || check->build == NULL) {
        return;
    }
    path = strcmp(name, "access_log") == 0 ? check->build->access_log
                                           : check->build->error_log;
    block_name = check_name(block);
    check_report(check, FINDING_WARN, block,
                 alloc_format("add: %s %s;", name, path),
                 "nginx's default \"%s\" does not hold in %s, which has lines "
                 "of its own,",
                 name, block_name);
    free(block_name);
}

/* What the site's own log loses to our lines. */
static void
check_lost(struct check *check, const struct nginx_node *location,
           const char *name)
{
    struct node_list outer;
    const struct nginx_node *log = nginx_holding(location, name);

    if (nginx_level(location, name) != location) {
        return;
    }
    while (log != NULL && !line_is_ours(check, log)) {
        log = nginx_again(log);
    }
    if (log == NULL) {
        return; /* the lines are the site's choice */
    }
    if (nginx_level(location->parent, name) == NULL) {
        check_lost_default(check, location, name);
        return;
    }
    lines_of_site(check, location->parent, name, &outer);
    for (int i = 0; i < outer.count; i++) {
        check_lost_line(check, location, outer.nodes[i]);
    }
}

void
check_logs(struct check *check, const struct nginx_node *location,
           bool says_here)
{
    struct end_line wanted = { .filter = filter_tracked };

    wanted.pieces = check_takes_pieces(check, location);
    check_end(check, location, &wanted, says_here);
    check_spool(check, location);
    check_lost(check, location, "access_log");
    check_lost(check, location, "error_log");
}

void
check_led_logs(struct check *check, const struct nginx_node *location,
               const struct nginx_node *block, const struct nginx_node *way)
{
    struct end_line wanted = { .filter = filter_redirected };

    wanted.pieces = check_takes_pieces(check, location);
    check_end(check, block, &wanted, true);
    /* The body may be read there, other than behind error_page. */
    if (!nginx_is(way, "error_page")) {
        check_spool(check, block);
    }
}

void
check_inner_logs(struct check *check, const struct nginx_node *block)
{
    struct end_line wanted = { .filter = filter_tracked };

    wanted.pieces = check_takes_pieces(check, block);
    if (nginx_level(block, "access_log") == block) {
        check_end(check, block, &wanted, true);
    }
}

void
check_http_logs(struct check *check)
{
    const struct nginx_node *http = check->http;
    struct node_list site;
    const struct nginx_node *log = nginx_holding(http, "access_log");

    lines_of_site(check, http, "access_log", &site);
    if (log == NULL || site.count > 0 || find_off(http) != NULL) {
        return;
    }
    for (const struct nginx_node *c = http->children; c != NULL; c = c->next) {
        if (c->block && nginx_is(c, "server") &&
            nginx_level(c, "access_log") == http) {
            check_report(check, FINDING_WARN, http,
                         alloc_format("add: access_log %s;",
                                      check->build
                                          ? check->build->access_log
                                          : "/var/log/nginx/access.log"),
                         "nginx's default \"access_log\" is replaced by that "
                         "of upload-progressd alone");
            return;
        }
    }
}
