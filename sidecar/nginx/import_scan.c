/* What an nginx configuration tracks and reports, and what cannot be moved. */
#include "import_scan.h"

#include <string.h>
#include <strings.h>

#include "import_logs.h"
#include "paths.h"

/* What passes a request on; "dav_methods" is inherited, so it stands apart. */
static const char *const passing_directives[] = {
    "proxy_pass", "fastcgi_pass", "scgi_pass",
    "uwsgi_pass", "grpc_pass",    "upload_pass",
};

/* Whether requests are passed on here, or in an "if" or "limit_except". */
/* Not deeper than the tree. NOLINTBEGIN(misc-no-recursion) */
static bool
has_pass(const struct nginx_node *node)
{
    for (const struct nginx_node *c = node->children; c != NULL; c = c->next) {
        if (c->block && (nginx_is(c, "if") || nginx_is(c, "limit_except")) &&
            has_pass(c)) {
            return true;
        }
        for (size_t i = 0;
             i < sizeof(passing_directives) / sizeof(passing_directives[0]);
             i++) {
            if (nginx_is(c, passing_directives[i])) {
                return true;
            }
        }
    }
    return false;
}
/* NOLINTEND(misc-no-recursion) */

/* What holds in a block where it has none of its own. */
static void
inherit(struct nginx_node *block)
{
    const struct nginx_node *up = block->parent;
    struct nginx_node *track = nginx_child(block, "track_uploads");
    struct nginx_node *access_log = nginx_child(block, "access_log");
    struct nginx_node *error_log = nginx_child(block, "error_log");
    struct nginx_node *dav = nginx_child(block, "dav_methods");

    if (track != NULL && track->count != 3) {
        track = NULL; /* the daemon says so */
    }
    block->track = track == NULL && up != NULL ? up->track : track;
    block->access_log =
        access_log == NULL && up != NULL ? up->access_log : access_log;
    block->error_log =
        error_log == NULL && up != NULL ? up->error_log : error_log;
    block->dav = dav == NULL && up != NULL ? up->dav : dav;
}

static bool
has_dav(const struct nginx_node *block)
{
    return block->dav != NULL && block->dav->count > 1 &&
           strcmp(block->dav->args[1], "off") != 0;
}

static bool
is_below_progress(const char *uri)
{
    static const char progress[] = "/progress";
    size_t len = sizeof(progress) - 1;

    return strncmp(uri, progress, len) == 0 &&
           (uri[len] == '\0' || uri[len] == '/');
}

/* Whether a location loses nothing when that of server.conf takes its place. */
static bool
is_replaced(const struct nginx_node *child)
{
    return import_is_module(child) || nginx_is(child, "include") ||
           nginx_is(child, "log_not_found") ||
           (nginx_is(child, "access_log") && child->count > 1 &&
            strcmp(child->args[1], "off") == 0);
}

/* Whether server.conf has that location, or takes its requests. */
static bool
is_of_server_conf(const struct nginx_node *location)
{
    const char *uri = nginx_uri(location);

    return strcmp(uri, "/progress") == 0 ||
           (strcmp(uri, "/progress/") == 0 &&
            nginx_modifier(location)[0] != '=');
}

static void
scan_progress(struct import *import, struct nginx_node *location)
{
    bool same = is_of_server_conf(location);
    const struct nginx_node *child = location->children;

    while (child != NULL && is_replaced(child)) {
        child = child->next;
    }
    location->dropped = same || child == NULL;
    for (; child != NULL && same; child = child->next) {
        if (!is_replaced(child)) {
            import_note(import, child,
                        "\"%s\" goes with its location, which server.conf has "
                        "as well: repeat it there, if it is needed",
                        child->args[0]);
        }
    }
}

static void
scan_report(struct import *import, struct nginx_node *location)
{
    const struct nginx_node *report = nginx_child(location, "report_uploads");

    if (report == NULL) {
        return;
    }
    if (!import_is_movable(location)) {
        import_note(import, report,
                    "location \"%s\" cannot be moved, upload-progressd.conf "
                    "has locations by prefix alone: report under one that "
                    "begins with \"/\"",
                    nginx_uri(location));
        return;
    }
    if (has_pass(location)) {
        import_note(import, report,
                    "location \"%s\" passes requests on and cannot answer "
                    "probes: report under a location of its own",
                    nginx_uri(location));
        return;
    }
    location->reports = true;
    if (is_below_progress(nginx_uri(location))) {
        scan_progress(import, location);
    }
}

/* The track_uploads of a location needs a person where no URI leads to it. */
static void
scan_own_track(struct import *import, const struct nginx_node *location)
{
    const struct nginx_node *track = nginx_child(location, "track_uploads");
    const struct nginx_node *try = nginx_child(location, "try_files");

    if (track == NULL) {
        return;
    }
    if (track->count == 3 && !import_is_movable(location)) {
        import_note(import, track,
                    "location \"%s\" cannot be moved, upload-progressd.conf "
                    "has locations by prefix alone: its zone is set in nginx "
                    "instead, its time is that of the zone; see that both are "
                    "right",
                    nginx_uri(location));
    }
    if (try != NULL && try->args[try->count - 1][0] == '/') {
        import_note(import, try,
                    "\"try_files\" leads out of a tracked location: include "
                    "upload-progress/location.conf where it leads to, too, for "
                    "the end of uploads is logged there");
    }
}

static void
mark_named(struct nginx_node *server, const char *name)
{
    for (struct nginx_node *c = server->children; c != NULL; c = c->next) {
        if (nginx_is_location(c) && strcmp(c->args[1], name) == 0) {
            c->tracked = true;
        }
    }
}

/* The end of an upload is logged where it is answered: in a named location. */
static void
follow_named(const struct nginx_node *location)
{
    static const char *const names[] = { "try_files", "upload_pass" };
    struct nginx_node *server = location->parent;

    while (server != NULL && !nginx_is(server, "server")) {
        server = server->parent;
    }
    for (size_t i = 0; server != NULL && i < 2; i++) {
        const struct nginx_node *way = nginx_child(location, names[i]);

        if (way != NULL && way->args[way->count - 1][0] == '@') {
            mark_named(server, way->args[way->count - 1]);
        }
    }
}

static void
scan_location(struct import *import, struct nginx_node *location)
{
    bool own = nginx_child(location, "track_uploads") != NULL;

    scan_report(import, location);
    scan_own_track(import, location);
    location->passes = has_pass(location) || has_dav(location);
    if (location->track == NULL || location->reports ||
        (!own && !location->passes)) {
        return;
    }
    location->tracked = true;
    if (own) {
        follow_named(location);
    }
    location->track->used = true;
}

/* Directives that stand in an "if" or a "limit_except". */
/* Not deeper than the tree. NOLINTBEGIN(misc-no-recursion) */
static void
scan_other(struct import *import, const struct nginx_node *block)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (import_is_module(c)) {
            import_note(import, c,
                        "\"%s\" in a block \"%s\" cannot be moved: give it a "
                        "location of its own",
                        c->args[0], block->args[0]);
        }
        scan_other(import, c);
    }
}

static void
scan_outer_report(struct import *import, const struct nginx_node *block)
{
    const struct nginx_node *report = nginx_child(block, "report_uploads");

    if (report != NULL) {
        import_note(import, report,
                    "\"report_uploads\" outside of a location: only URIs at "
                    "and below /progress will be answered; other ones need "
                    "locations of their own");
    }
}

static void
scan_block(struct import *import, struct nginx_node *block)
{
    inherit(block);
    if (nginx_is_location(block)) {
        scan_location(import, block);
    } else {
        scan_outer_report(import, block);
    }
    for (struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (nginx_is_location(c) || import_is_server(import, c)) {
            scan_block(import, c);
        } else if (c->block) {
            scan_other(import, c);
        }
    }
}

/* What concerns single directives, wherever they stand. */
static void
scan_directives(struct import *import, const struct nginx_node *block)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (nginx_is_lua(c)) {
            import_note(import, c, "\"%s\" was not looked into", c->args[0]);
        }
        if (nginx_is(c, "upload_progress_header") && c->count > 1 &&
            strcasecmp(c->args[1], PROGRESS_HEADER) != 0) {
            import_note(
                import, c,
                "\"upload_progress_header\": the snippets pass " PROGRESS_HEADER
                "; install them by make install "
                "PROGRESS_HEADER=%s",
                c->args[1]);
        }
        if (nginx_is(c, "track_uploads") && !c->used &&
            (block == import->http || import_is_server(import, block))) {
            import_note(import, c,
                        "\"track_uploads\": no location here passes requests "
                        "on, nothing is tracked");
        }
        scan_directives(import, c);
    }
}

/* Whether the server needs server.conf; tells what it would clash with. */
static bool
scan_involved(struct import *import, const struct nginx_node *block)
{
    bool involved = nginx_child(block, "report_uploads") != NULL;

    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (!nginx_is_location(c)) {
            continue;
        }
        if (c->tracked) {
            import_check_logs(import, c);
            if (nginx_child(c, "mirror_request_body") != NULL) {
                import_note(import, nginx_child(c, "mirror_request_body"),
                            "\"mirror_request_body\" is in location.conf, too: "
                            "take one out");
            }
        }
        involved =
            scan_involved(import, c) || c->tracked || c->reports || involved;
    }
    return involved;
}
/* NOLINTEND(misc-no-recursion) */

static void
scan_clash(struct import *import, const struct nginx_node *server)
{
    for (const struct nginx_node *c = server->children; c; c = c->next) {
        if (nginx_is_location(c) && !c->dropped && import_is_movable(c) &&
            is_of_server_conf(c)) {
            import_note(import, c,
                        "location \"%s\" is in server.conf, too: take one out",
                        nginx_uri(c));
        }
    }
}

void
import_scan(struct import *import)
{
    inherit(&import->tree->root); /* its error_log */
    scan_block(import, import->http);
    scan_directives(import, &import->tree->root);
    for (struct nginx_node *c = import->http->children; c; c = c->next) {
        if (import_is_server(import, c)) {
            c->involved = scan_involved(import, c);
            if (c->involved) {
                scan_clash(import, c);
            }
        }
    }
}
