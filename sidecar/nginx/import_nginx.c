/* The changes of nginx's files. */
#include "import_nginx.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "import_text.h"

static bool
has_include(const struct nginx_node *block, const char *snippet)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (nginx_is(c, "include") && c->count == 2 &&
            strcmp(c->args[1], snippet) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds a line to a block, behind the last of two directives that are there. */
static void
add_include(struct nginx_node *block, const char *snippet, const char *first,
            const char *second)
{
    size_t offset = block->end;
    char *indent = import_inner_indent(block);
    char *text = alloc_format("\n%sinclude %s;", indent, snippet);

    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (c->source == block->source &&
            (nginx_is(c, first) || nginx_is(c, second))) {
            offset = c->close;
        }
    }
    if (!has_include(block, snippet)) {
        import_insert(block->source, offset, text);
    }
    free(text);
    free(indent);
}

/* What takes the place of a location's track_uploads. */
static char *
location_lines(const struct nginx_node *location, const char *indent)
{
    const struct nginx_node *own = nginx_child(location, "track_uploads");
    bool named = nginx_uri(location)[0] == '@';
    struct buffer out = BUFFER_INIT;
    char *text;

    buffer_append_string(&out, "include upload-progress/location.conf;");
    if (location->track != NULL && !import_is_movable(location) &&
        (own != NULL || !named)) {
        buffer_printf(&out, "\n%sset $upload_progress_zone ", indent);
        nginx_print_word(&out, location->track->args[1]);
        buffer_append_string(&out, ";");
    }
    text = alloc_copy(out.data, out.len);
    buffer_release(&out);
    return text;
}

static void
edit_tracked(struct nginx_node *location)
{
    struct nginx_node *own = nginx_child(location, "track_uploads");
    char *indent = import_inner_indent(location);
    char *lines = location_lines(location, indent);
    char *text = alloc_format("\n%s%s", indent, lines);

    if (has_include(location, "upload-progress/location.conf")) {
        /* as it is */
    } else if (own != NULL) {
        import_replace(own, lines);
    } else {
        import_insert(location->source, location->end, text);
    }
    free(text);
    free(lines);
    free(indent);
}

static bool
is_load_module(const struct nginx_node *node)
{
    return nginx_is(node, "load_module") && node->count > 1 &&
           strstr(node->args[1], "uploadprogress") != NULL;
}

/* Not deeper than the tree. NOLINTBEGIN(misc-no-recursion) */
static void
edit_block(struct import *import, struct nginx_node *block)
{
    for (struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (c->dropped) {
            import_remove(c);
            continue;
        }
        if (import_is_server(import, c) && c->involved) {
            add_include(c, "upload-progress/server.conf", "listen",
                        "server_name");
        }
        if (nginx_is_location(c) && c->tracked) {
            edit_tracked(c);
        }
        if (nginx_is_location(c) && c->reports) {
            import_replace(nginx_child(c, "report_uploads"),
                           "include upload-progress/probe.conf;");
        }
        if (import_is_module(c) || is_load_module(c)) {
            import_remove(c); /* unless something took its place */
        }
        edit_block(import, c);
    }
}

/* A file that is included in several places has one text for all of them. */
static void
check_shared(struct import *import, const struct nginx_node *block)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (nginx_is_location(c) && !c->tracked && c->source->loads > 1 &&
            import_has_insert(c->source, c->end)) {
            import_note(import, c,
                        "this file is included in several places, and uploads "
                        "are tracked in some of them only: see that each has "
                        "upload-progress/server.conf");
        }
        check_shared(import, c);
    }
}
/* NOLINTEND(misc-no-recursion) */

void
import_edit(struct import *import)
{
    if (import->http->block && import->http->source != NULL) {
        /* A map fixes these sizes, so they have to come first. */
        add_include(import->http, "upload-progress/http.conf",
                    "map_hash_max_size", "map_hash_bucket_size");
    }
    edit_block(import, &import->tree->root);
    import_sort_edits(import->tree);
    check_shared(import, import->http);
}
