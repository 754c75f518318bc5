/* What each location has and lacks for its uploads to be tracked. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "check_lines.h"

static const char here_variable[] = "$upload_progress_here";

/* What a location has of tracking, inherited or not. */
struct parts {
    struct node_list starts; /* mirror directives for us */
    struct node_list pieces;
    struct node_list bodies;
    int other_mirrors;
    bool here;   /* says itself that it tracks; that is not inherited */
    bool length; /* it or its server takes the headers' length down */
    bool logs;   /* lines for tracked requests below http { } */
};

static bool
sets_here(const struct nginx_node *block)
{
    for (const struct nginx_node *c = block->children; c; c = c->next) {
        if (nginx_is(c, "set") && nginx_says(c, here_variable)) {
            return true;
        }
    }
    return false;
}

/*
 * Whether a "set" makes nginx look the headers' length up before the body
 * comes; later it would be that of both.
 */
static bool
takes_length(const struct nginx_node *block)
{
    for (const struct nginx_node *c = block ? block->children : NULL; c;
         c = c->next) {
        for (int i = 1; nginx_is(c, "set") && i < c->count; i++) {
            if (strstr(c->args[i], "$upload_progress_header_length") != NULL) {
                return true;
            }
        }
    }
    return false;
}

/* Whether lines for us hold that stand in a location or server. */
static bool
has_log(const struct check *check, const struct nginx_node *block,
        const char *name)
{
    const struct nginx_node *level = nginx_level(block, name);
    const struct nginx_node *log = nginx_holding(block, name);

    if (level == check->http || level == &check->tree->root) {
        return false;
    }
    for (; log != NULL; log = nginx_again(log)) {
        if (line_is_ours(check, log) && !line_is_redirected(log)) {
            return true;
        }
    }
    return false;
}

static bool
has_own_log(const struct check *check, const struct nginx_node *block,
            const char *name)
{
    return nginx_level(block, name) == block && has_log(check, block, name);
}

static struct parts
find_parts(const struct check *check, const struct nginx_node *location)
{
    const struct nginx_node *server = nginx_server(location);
    const struct nginx_node *mirror = nginx_holding(location, "mirror");
    struct parts parts = {
        .here = sets_here(location),
        .length = takes_length(location) || takes_length(server),
    };

    for (; mirror != NULL && !nginx_says(mirror, "off");
         mirror = nginx_again(mirror)) {
        const char *event = check_mirror_event(mirror, server);

        if (event == NULL) {
            parts.other_mirrors++;
        } else {
            check_add(strcmp(event, "body") == 0    ? &parts.bodies
                      : strcmp(event, "piece") == 0 ? &parts.pieces
                                                    : &parts.starts,
                      mirror);
        }
    }
    parts.logs = has_log(check, location, "access_log") ||
                 has_log(check, location, "error_log");
    return parts;
}

static bool
has_mirror(const struct parts *parts)
{
    return parts->starts.count + parts->pieces.count + parts->bodies.count > 0;
}

static bool
mirrors_body(const struct nginx_node *location)
{
    return !nginx_says(nginx_holding(location, "mirror_request_body"), "off");
}

/* Those of outer levels would be replaced, so they are repeated. */
static char *
mirror_to_add(const struct nginx_node *location, const char *event)
{
    bool with_body = strcmp(event, "body") == 0;
    struct buffer out = BUFFER_INIT;
    const struct nginx_node *other = NULL;
    char *text;

    buffer_printf(&out, "add: mirror /upload-progress/%s;", event);
    if (nginx_level(location, "mirror") != location) {
        other = nginx_holding(location, "mirror");
    }
    for (; other != NULL && !nginx_says(other, "off");
         other = nginx_again(other)) {
        char *copy = check_print(other);

        buffer_printf(&out, " %s", copy);
        free(copy);
    }
    if (!with_body && mirrors_body(location)) {
        buffer_append_string(&out, " mirror_request_body off;");
    }
    text = alloc_copy(out.data, out.len);
    buffer_release(&out);
    return text;
}

static void
check_no_mirror(struct check *check, const struct nginx_node *location,
                const struct parts *parts, const char *name)
{
    const struct nginx_node *off = nginx_holding(location, "mirror");
    const char *start = check_takes_pieces(check, location) ? "piece" : "start";
    bool with_body = parts->other_mirrors > 0 && mirrors_body(location);

    if (nginx_says(off, "off") && off->parent == location) {
        check_report(check, FINDING_WARN, off,
                     alloc_format("change it to: mirror "
                                  "/upload-progress/%s;%s",
                                  start,
                                  mirrors_body(location)
                                      ? " mirror_request_body off;"
                                      : ""),
                     "\"mirror off\" keeps the start of uploads in %s from "
                     "being told",
                     name);
    } else {
        check_report(check, FINDING_WARN, location,
                     mirror_to_add(location, with_body ? "body" : start),
                     "no \"mirror /upload-progress/%s;\" in %s", start, name);
    }
}

/* The start has to come before the body, a copy has to have it. */
static void
check_mirror_body(struct check *check, const struct nginx_node *location,
                  const struct parts *parts, const char *name)
{
    bool wanted = parts->bodies.count > 0;
    const struct nginx_node *own = nginx_child(location, "mirror_request_body");

    if (wanted == mirrors_body(location) ||
        (wanted && parts->starts.count + parts->pieces.count > 0)) {
        return;
    }
    check_report(check, FINDING_WARN, own != NULL ? own : location,
                 alloc_format("%s: mirror_request_body %s;",
                              own != NULL ? "change it to" : "add",
                              wanted ? "on" : "off"),
                 wanted ? "\"mirror_request_body\" is off, the body of uploads "
                          "to %s is not counted,"
                        : "\"mirror_request_body\" is on, the start of uploads "
                          "to %s is told at the end of their body,",
                 name);
}

static void
check_mirror(struct check *check, const struct nginx_node *location,
             const struct parts *parts, const char *name)
{
    const struct node_list *lists[3] = { &parts->starts, &parts->pieces,
                                         &parts->bodies };

    if (!has_mirror(parts)) {
        check_no_mirror(check, location, parts, name);
        return;
    }
    check_mirror_body(check, location, parts, name);
    check_pieces(check, location);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < lists[i]->count; j++) {
            check_target(check, location, lists[i]->nodes[j]);
            check_rewrites(check, nginx_server(location),
                           lists[i]->nodes[j]->args[1]);
        }
    }
}

/* Where a directive of a tracked location leads requests to, or NULL. */
static const struct nginx_node *
led_to(const struct nginx_node *location, const char *uri)
{
    const struct nginx_node *server = nginx_server(location);
    const struct nginx_node *target;

    if (uri[0] != '/' && uri[0] != '@') {
        return NULL; /* a status, or another host */
    }
    target = nginx_find_location(server, uri);
    return target != NULL || uri[0] == '@' ? target : server;
}

static void
add_led(struct node_list *list, const struct nginx_node *location)
{
    const struct nginx_node *way = nginx_holding(location, "error_page");
    const struct nginx_node *block;

    for (; way != NULL; way = nginx_again(way)) {
        block = led_to(location, way->args[way->count - 1]);
        if (block != NULL) {
            check_add(list, block);
        }
    }
    way = nginx_child(location, "try_files");
    block = way != NULL && way->count > 2
                ? led_to(location, way->args[way->count - 1])
                : NULL;
    if (block != NULL) {
        check_add(list, block);
    }
}

static void
check_led(struct check *check, const struct nginx_node *location)
{
    static const char *const names[] = { "error_page", "try_files" };

    for (size_t i = 0; i < 2; i++) {
        const struct nginx_node *way = i == 0
                                           ? nginx_holding(location, names[i])
                                           : nginx_child(location, names[i]);

        for (; way != NULL; way = nginx_again(way)) {
            const struct nginx_node *block =
                way->count > 2 ? led_to(location, way->args[way->count - 1])
                               : NULL;

            if (block != NULL && block != location &&
                (!nginx_is_location(block) || !sets_here(block))) {
                check_led_logs(check, location, block, way);
            }
        }
    }
}

/* Blocks with lines of their own: "if", "limit_except". */
static void
check_inner(struct check *check, const struct nginx_node *location)
{
    for (const struct nginx_node *c = location->children; c; c = c->next) {
        if (c->block && (nginx_is(c, "if") || nginx_is(c, "limit_except"))) {
            check_inner_logs(check, c);
        }
    }
}

static void
check_location(struct check *check, const struct nginx_node *location,
               const struct parts *parts)
{
    char *name = check_name(location);

    check->tracked++;
    check_mirror(check, location, parts, name);
    if (!parts->length) {
        check_report(check, FINDING_WARN, location,
                     alloc_string("add: set $upload_progress_began "
                                  "$upload_progress_header_length;"),
                     "nothing takes the length of the headers down in %s",
                     name);
    }
    check_logs(check, location,
               parts->here || parts->starts.count + parts->pieces.count > 0);
    check_led(check, location);
    check_inner(check, location);
    check_buffering(check, location);
    free(name);
}

/* What a walk through the locations of a server knows. */
struct walk {
    struct check *check;
    struct node_list led; /* where tracked locations lead to */
    bool collecting;      /* does nothing but find those */
};

/* A probe, or the other end of a mirror. */
static bool
is_our_own(const struct check *check, const struct nginx_node *location)
{
    const struct nginx_node *pass = check_pass(location);

    return check_event(location) != NULL ||
           (pass != NULL && check_passes(check, pass, NULL));
}

/*
 * Whether the uploads of a location are tracked, or were meant to be. What it
 * inherits alone counts where it passes requests on.
 */
static bool
is_tracked(const struct walk *walk, const struct nginx_node *location,
           const struct parts *parts, bool inside)
{
    bool own =
        parts->here ||
        (has_mirror(parts) && nginx_level(location, "mirror") == location) ||
        has_own_log(walk->check, location, "access_log") ||
        has_own_log(walk->check, location, "error_log");

    if (is_our_own(walk->check, location)) {
        return false;
    }
    if (inside) {
        return check_takes_bodies(location);
    }
    if (!own && !check_takes_bodies(location)) {
        return false;
    }
    if (has_mirror(parts) || parts->here) {
        return true;
    }
    for (int i = 0; i < walk->led.count; i++) {
        if (walk->led.nodes[i] == location) {
            return false; /* the requests of another location, led here */
        }
    }
    return parts->logs;
}

/* Not deeper than the tree. NOLINTBEGIN(misc-no-recursion) */
static void
walk_locations(struct walk *walk, const struct nginx_node *block, bool inside)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        struct parts parts;
        bool tracked;

        if (!nginx_is_location(c)) {
            continue;
        }
        parts = find_parts(walk->check, c);
        tracked = is_tracked(walk, c, &parts, inside);
        if (walk->collecting && (has_mirror(&parts) || parts.here)) {
            add_led(&walk->led, c);
        }
        if (!walk->collecting && tracked) {
            check_location(walk->check, c, &parts);
        }
        walk_locations(walk, c, inside || tracked);
    }
}
/* NOLINTEND(misc-no-recursion) */

void
check_locations(struct check *check)
{
    for (const struct nginx_node *c = check->http->children; c; c = c->next) {
        struct walk walk = { .check = check, .collecting = true };

        if (c->block && nginx_is(c, "server")) {
            walk_locations(&walk, c, false);
            walk.collecting = false;
            walk_locations(&walk, c, false);
        }
    }
}
