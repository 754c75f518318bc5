/* Where uploads are mirrored to and probes are passed, as far as the daemon. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "alloc.h"
#include "check_internal.h"

enum { BODY_BYTES_MAX = 1 << 20 /* nginx's client_max_body_size */ };

/* The value of a parameter that holds in a location, or NULL. */
static const char *
parameter(const struct nginx_node *location, const char *name)
{
    const struct nginx_node *pass = check_pass(location);
    const struct nginx_node *c;

    if (pass == NULL) {
        return NULL;
    }
    c = nginx_holding(location, nginx_is(pass, "scgi_pass") ? "scgi_param"
                                                            : "fastcgi_param");
    while (c != NULL && !nginx_says(c, name)) {
        c = nginx_again(c);
    }
    return c != NULL && c->count > 2 ? c->args[2] : NULL;
}

const char *
check_event(const struct nginx_node *location)
{
    return parameter(location, "UPLOAD_PROGRESS_EVENT");
}

const char *
check_mirror_event(const struct nginx_node *mirror,
                   const struct nginx_node *server)
{
    static const char folder[] = "/upload-progress/";
    const char *uri = mirror->args[1];
    const struct nginx_node *target = nginx_find_location(server, uri);
    const char *event = target != NULL ? check_event(target) : NULL;
    const char *name = strncmp(uri, folder, sizeof(folder) - 1) == 0
                           ? uri + sizeof(folder) - 1
                           : NULL;

    if (event == NULL && name != NULL) {
        event = strcmp(name, "body") == 0 ? "body" : "start";
    }
    if (event != NULL && strcmp(event, "start") == 0 &&
        ((name != NULL && strcmp(name, "piece") == 0) ||
         (target != NULL && check_tells_pieces(target)))) {
        event = "piece";
    }
    return event;
}

bool
check_tells_pieces(const struct nginx_node *location)
{
    return parameter(location, "UPLOAD_PROGRESS_METHOD") != NULL;
}

static int64_t
body_limit(const struct nginx_node *location)
{
    const struct nginx_node *limit =
        nginx_holding(location, "client_max_body_size");
    int64_t bytes = limit != NULL ? nginx_size(limit->args[1]) : -1;

    if (bytes == 0) {
        return INT64_MAX;
    }
    return bytes > 0 ? bytes : BODY_BYTES_MAX;
}

static void
check_limit(struct check *check, const struct nginx_node *location,
            const struct nginx_node *target)
{
    const struct nginx_node *own = nginx_child(target, "client_max_body_size");
    char *name;

    if (body_limit(target) >= body_limit(location)) {
        return;
    }
    name = check_name(location);
    check_report(check, FINDING_WARN, own != NULL ? own : target,
                 alloc_format("%s: client_max_body_size 0;",
                              own != NULL ? "change it to" : "add"),
                 "nginx does not mirror uploads of more than %" PRId64
                 " bytes, which %s takes,",
                 body_limit(target), name);
    free(name);
}

/* Limits of its own count again here; inherited ones have let the upload by. */
static void
check_limits_of_rate(struct check *check, const struct nginx_node *location,
                     const struct nginx_node *target)
{
    static const char *const names[] = { "limit_req", "limit_conn" };

    for (size_t i = 0; i < 2; i++) {
        const struct nginx_node *own = nginx_child(target, names[i]);

        if (own != NULL && nginx_level(location, names[i]) == NULL) {
            check_report(check, FINDING_WARN, own, alloc_string("take it out"),
                         "\"%s\" refuses to tell of uploads", names[i]);
        }
    }
}

/* Access rules need no look: nginx applies none to mirrored requests. */
static void
check_form(struct check *check, const struct nginx_node *target)
{
    const struct nginx_node *logged = nginx_holding(target, "log_subrequest");
    char *name = check_name(target);

    if (nginx_child(target, "internal") == NULL) {
        check_report(check, FINDING_WARN, target,
                     alloc_string("add: internal;"),
                     "everybody can make up uploads by %s", name);
    }
    if (nginx_says(logged, "on")) {
        bool own = logged->parent == target;

        check_report(check, FINDING_EMERG, own ? logged : target,
                     alloc_format("%s: log_subrequest off;",
                                  own ? "change it to" : "add"),
                     "\"log_subrequest on\" tells the end of uploads when they "
                     "begin, by %s",
                     name);
    }
    if (parameter(target, "UPLOAD_PROGRESS_REQUEST_ID") == NULL ||
        (parameter(target, "UPLOAD_PROGRESS_ID") == NULL &&
         parameter(target, "UPLOAD_PROGRESS_ARG") == NULL)) {
        check_report(check, FINDING_EMERG, target,
                     alloc_string("add: include "
                                  "upload-progress/event-params.conf;"),
                     "%s does not pass the ID and the request ID of uploads",
                     name);
    }
    free(name);
}

static void
check_way(struct check *check, const struct nginx_node *pass)
{
    struct buffer names = BUFFER_INIT;
    char *ours;

    if (strchr(pass->args[1], '$') != NULL) {
        check_report(check, FINDING_NOTICE, pass, NULL,
                     "not checked: where \"%s %s\" leads to", pass->args[0],
                     pass->args[1]);
    } else if (!check_passes(check, pass, &names)) {
        ours = check_listen_names(
            check, nginx_is(pass, "scgi_pass") ? LISTEN_SCGI : LISTEN_FASTCGI);
        check_report(check, FINDING_EMERG, pass,
                     alloc_format("make them the same, here or by \"listen\" "
                                  "in upload-progressd.conf"),
                     "\"%s %s\" leads to %.*s, upload-progressd listens at %s,",
                     pass->args[0], pass->args[1], (int)names.len,
                     names.data ? names.data : "", ours);
        free(ours);
    }
    buffer_release(&names);
}

void
check_pid_tests(struct check *check, const struct nginx_node *location)
{
    const char *pid = check->config->pid;

    for (const struct nginx_node *c = location->children; c; c = c->next) {
        struct stat theirs;
        struct stat ours;
        size_t len;
        char *file;

        if (!c->block || !nginx_is(c, "if") || c->count != 3 ||
            strcmp(c->args[1], "(!-f") != 0) {
            continue;
        }
        len = strlen(c->args[2]);
        file = alloc_copy(c->args[2], len - (c->args[2][len - 1] == ')'));
        if (strcmp(file, pid) != 0 &&
            (stat(file, &theirs) < 0 || stat(pid, &ours) < 0 ||
             theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev)) {
            check_report(check, FINDING_EMERG, c,
                         alloc_format("change it to: if (!-f %s) {", pid),
                         "nginx looks for %s, but the \"pid\" of "
                         "upload-progressd is %s,",
                         file, pid);
        }
        free(file);
    }
}

/* A location with a regular expression goes before one with a prefix. */
static void
check_regexes(struct check *check, const struct nginx_node *server,
              const struct nginx_node *target, const char *uri)
{
    if (nginx_modifier(target)[0] != '\0') {
        return;
    }
    for (const struct nginx_node *c = server->children; c; c = c->next) {
        if (nginx_is_location(c) && nginx_modifier(c)[0] == '~' &&
            nginx_may_match(nginx_uri(c), nginx_modifier(c)[1] == '*', uri)) {
            char *name = check_name(target);

            check_report(check, FINDING_WARN, target,
                         alloc_format("change it to: location = %s {", uri),
                         "%s:%d may take the requests that are for %s",
                         c->source->file, c->line, name);
            free(name);
        }
    }
}

/* A server that has other locations of server.conf cannot include it again. */
static char *
target_to_add(const struct nginx_node *server, const char *uri, bool named)
{
    const struct nginx_node *start =
        nginx_find_location(server, "/upload-progress/start");

    if (named) {
        return alloc_string("add: scgi_param UPLOAD_PROGRESS_EVENT start; "
                            "include upload-progress/event-params.conf; "
                            "scgi_pass upload_progress_scgi;");
    }
    if (start != NULL && check_event(start) != NULL) {
        return alloc_format("take \"location = %s\" of "
                            "upload-progress/server.conf over",
                            uri);
    }
    return alloc_string("add: include upload-progress/server.conf;");
}

void
check_target(struct check *check, const struct nginx_node *location,
             const struct nginx_node *mirror)
{
    const struct nginx_node *server = nginx_server(location);
    const char *uri = mirror->args[1];
    const struct nginx_node *target = nginx_find_location(server, uri);

    if (target == NULL || check_event(target) == NULL) {
        bool named = target != NULL && strcmp(nginx_uri(target), uri) == 0;

        check_report(check, FINDING_EMERG, named ? target : server,
                     target_to_add(server, uri, named),
                     named ? "\"mirror %s\" leads to a location that does not "
                             "tell upload-progressd"
                           : "\"mirror %s\" leads to no location of this "
                             "server that tells upload-progressd,",
                     uri);
        return;
    }
    check_limit(check, location, target);
    check_limits_of_rate(check, location, target);
    check_form(check, target);
    check_way(check, check_pass(target));
    check_pid_tests(check, target);
    check_regexes(check, server, target, uri);
}

static void
check_rewrite(struct check *check, const struct nginx_node *rewrite, bool sure,
              const char *uri)
{
    const char *pattern = rewrite->count > 2 ? rewrite->args[1] : "";

    if (rewrite->count > 2 && nginx_may_match(pattern, false, uri)) {
        check_report(check, sure ? FINDING_EMERG : FINDING_NOTICE, rewrite,
                     alloc_string("include upload-progress/server.conf before "
                                  "it"),
                     "\"rewrite %s\" may lead the mirrored requests for %s "
                     "elsewhere, as a second upload,",
                     pattern, uri);
    }
}

/*
 * Whether this is what server.conf has: if ($uri ~ ^/upload-progress/) {
 * break; } No rewrite behind it sees a mirrored request.
 */
static bool
spares(const struct nginx_node *node, const char *uri)
{
    bool spared = false;
    char *pattern;
    size_t len;

    if (!nginx_is(node, "if") || node->count != 4 ||
        strcmp(node->args[1], "($uri") != 0 ||
        strcmp(node->args[2], "~") != 0 || nginx_child(node, "break") == NULL) {
        return false;
    }
    pattern = alloc_string(node->args[3]);
    len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == ')') {
        pattern[len - 1] = '\0';
        spared = nginx_may_match(pattern, false, uri);
    }
    free(pattern);
    return spared;
}

void
check_rewrites(struct check *check, const struct nginx_node *server,
               const char *uri)
{
    for (const struct nginx_node *c = server->children; c; c = c->next) {
        if (spares(c, uri)) {
            return;
        }
        if (nginx_is(c, "rewrite")) {
            check_rewrite(check, c, true, uri);
        }
        for (const struct nginx_node *inner = c->children;
             nginx_is(c, "if") && inner != NULL; inner = inner->next) {
            if (nginx_is(inner, "rewrite")) {
                check_rewrite(check, inner, false, uri);
            }
        }
    }
}

static bool
is_probe(const struct check *check, const struct nginx_node *location)
{
    const struct nginx_node *pass = check_pass(location);

    return pass != NULL && check_event(location) == NULL &&
           (check_passes(check, pass, NULL) ||
            strncmp(pass->args[1], "upload_progress_", 16) == 0 ||
            parameter(location, "HTTP_X_PROGRESS_ID") != NULL);
}

/* Not deeper than the tree. NOLINTBEGIN(misc-no-recursion) */
static int
check_probes_in(struct check *check, const struct nginx_node *block)
{
    int count = 0;

    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (!nginx_is_location(c)) {
            count += c->block && nginx_is(c, "server")
                         ? check_probes_in(check, c)
                         : 0;
            continue;
        }
        if (is_probe(check, c)) {
            check_way(check, check_pass(c));
            check_pid_tests(check, c);
            count++;
        }
        count += check_probes_in(check, c);
    }
    return count;
}
/* NOLINTEND(misc-no-recursion) */

void
check_probes(struct check *check)
{
    if (check_probes_in(check, check->http) == 0) {
        check_report(check, FINDING_NOTICE, check->http,
                     alloc_string("include upload-progress/server.conf in the "
                                  "server that is asked"),
                     "no location passes probes on to upload-progressd");
    }
}
