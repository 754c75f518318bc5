/* upload-progressd.conf from an nginx configuration. */
#include "import_daemon.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "template.h"

/* What a server is told by, and what of it has been printed. */
struct printed_server {
    const struct nginx_node *node;
    char *names; /* one a line, each with '\n' on both sides */
    char *body;
    struct printed_server *next;
};

/* The parameters that server.conf passes with a probe. */
static const char *const passed[] = {
    "REQUEST_METHOD",     "DOCUMENT_URI",       "HTTP_HOST",   "QUERY_STRING",
    "HTTP_X_PROGRESS_ID", "HTTP_IF_NONE_MATCH", "HTTP_ORIGIN",
};

static bool
is_passed(const char *param)
{
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
        if (strcmp(passed[i], param) == 0) {
            return true;
        }
    }
    return false;
}

/* The parameter that a variable stands for, to be freed; NULL for none. */
static char *
param_of(const char *name)
{
    char *param = NULL;

    for (size_t i = 0; template_variables[i].name != NULL; i++) {
        if (strcmp(template_variables[i].name, name) == 0 &&
            template_variables[i].param != NULL) {
            return alloc_string(template_variables[i].param);
        }
    }
    if (strncmp(name, "http_", 5) == 0) {
        param = alloc_string(name);
        for (char *p = param; *p != '\0'; p++) {
            *p = (char)toupper((unsigned char)*p);
        }
    }
    return param;
}

/* Tells of the variables of a template that server.conf does not pass. */
static void
check_params(struct import *import, const struct nginx_node *node)
{
    const char *p = node->args[2];

    while ((p = strchr(p, '$')) != NULL) {
        size_t len = 0;
        char *name;
        char *param;

        p += p[1] == '{' ? 2 : 1;
        while (isalnum((unsigned char)p[len]) || p[len] == '_') {
            len++;
        }
        name = alloc_copy(p, len);
        param = param_of(name);
        if (param != NULL && !is_passed(param)) {
            import_note(import, node,
                        "\"$%s\" of the template is empty unless nginx passes "
                        "it with the probe: fastcgi_param %s $%s;",
                        name, param, name);
        }
        free(name);
        free(param);
    }
}

/* Whether a template can be moved; tells why not. */
static bool
check_template(struct import *import, const struct nginx_node *node)
{
    struct template *template;
    char *unknown = NULL;

    if (node->count != 3) {
        return true; /* the daemon says so */
    }
    template = template_compile(node->args[2], ESCAPE_NONE, &unknown);
    if (template == NULL) {
        import_note(import, node,
                    "the template has the variable \"$%s\", which "
                    "upload-progressd does not know: take it out",
                    unknown);
        free(unknown);
        return false;
    }
    template_free(template);
    check_params(import, node);
    return true;
}

static void
print_directive(struct import *import, struct buffer *out,
                const struct nginx_node *node, int depth)
{
    bool kept = !nginx_is(node, "upload_progress_template") ||
                check_template(import, node);

    buffer_printf(out, "%*s%s", 4 * depth, "", kept ? "" : "# not moved: ");
    nginx_print(out, node);
    buffer_append_string(out, ";\n");
}

static void
print_own(struct import *import, struct buffer *out,
          const struct nginx_node *block, int depth)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (import_is_module(c) && !nginx_is(c, "upload_progress")) {
            print_directive(import, out, c, depth);
        }
    }
}

/* Also a location that inherits is printed: it is inside no other's prefix. */
/* Not deeper than the tree. NOLINTBEGIN(misc-no-recursion) */
static void
print_locations(struct import *import, struct buffer *out,
                const struct nginx_node *block, int depth)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        struct buffer inner = BUFFER_INIT;

        if (!nginx_is_location(c) || !import_is_movable(c)) {
            continue;
        }
        print_own(import, &inner, c, depth + 1);
        print_locations(import, &inner, c, depth + 1);
        if (inner.len > 0 || c->tracked || c->reports) {
            buffer_printf(out, "%*slocation %s%s", 4 * depth, "",
                          nginx_modifier(c),
                          nginx_modifier(c)[0] != '\0' ? " " : "");
            nginx_print_word(out, nginx_uri(c));
            buffer_append_string(out, " {\n");
            buffer_append(out, inner.data ? inner.data : "", inner.len);
            buffer_printf(out, "%*s}\n", 4 * depth, "");
        }
        buffer_release(&inner);
    }
}

/* Zones in use where no URI tells them get their time here. */
static void
print_unmoved_tracks(struct import *import, struct buffer *out,
                     const struct nginx_node *block, struct buffer *zones)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        bool here = nginx_is(c, "track_uploads") && c->count == 3 &&
                    (block == import->http ||
                     (nginx_is_location(block) && !import_is_movable(block)));
        char *line = here ? alloc_format("\n%s\n", c->args[1]) : NULL;

        if (here && (zones->len == 0 || memmem(zones->data, zones->len, line,
                                               strlen(line)) == NULL)) {
            buffer_append_string(zones, line);
            if (block != import->http) {
                print_directive(import, out, c, 0);
            }
        }
        free(line);
        if (import_is_server(import, c) || nginx_is_location(c)) {
            print_unmoved_tracks(import, out, c, zones);
        }
    }
}
/* NOLINTEND(misc-no-recursion) */

/* All names that upload-progressd.conf can have, as in printed_server. */
static char *
server_names(struct import *import, const struct nginx_node *server)
{
    struct buffer names = BUFFER_INIT;
    char *text;

    for (const struct nginx_node *c = server->children; c; c = c->next) {
        for (int i = 1; nginx_is(c, "server_name") && i < c->count; i++) {
            if (c->args[i][0] == '~' || c->args[i][0] == '$') {
                import_note(import, c,
                            "server_name \"%s\" cannot be moved: write the "
                            "names, *.rest or first.*",
                            c->args[i]);
                continue;
            }
            buffer_printf(&names, "\n%s\n", c->args[i]);
        }
    }
    text = alloc_copy(names.data ? names.data : "", names.len);
    buffer_release(&names);
    return text;
}

static void
print_names(struct buffer *out, const char *names)
{
    if (names[0] == '\0') {
        return;
    }
    buffer_append_string(out, "    server_name");
    for (const char *p = names; *p != '\0';) {
        size_t len = strcspn(p + 1, "\n");
        char *name = alloc_copy(p + 1, len);

        buffer_append_string(out, " ");
        nginx_print_word(out, name);
        free(name);
        p += len + 2;
    }
    buffer_append_string(out, ";\n");
}

/* Whether two servers cannot be told apart by name. */
static bool
share_name(const char *a, const char *b)
{
    bool shared = a[0] == '\0' && b[0] == '\0';

    for (const char *p = a; *p != '\0' && !shared;) {
        size_t len = strcspn(p + 1, "\n");
        char *name = alloc_copy(p, len + 2);

        shared = strstr(b, name) != NULL;
        free(name);
        p += len + 2;
    }
    return shared;
}

static void
print_server(struct import *import, struct buffer *out,
             const struct nginx_node *node, struct printed_server **list)
{
    struct printed_server *server = alloc_zeroed(1, sizeof(*server));
    struct buffer body = BUFFER_INIT;
    bool same = false;

    print_own(import, &body, node, 1);
    print_locations(import, &body, node, 1);
    server->node = node;
    server->names = server_names(import, node);
    server->body = alloc_copy(body.data ? body.data : "", body.len);
    if (*list != NULL && server->names[0] == '\0') {
        import_note(import, node,
                    "this server has no name that upload-progressd could tell "
                    "it by, and is not the first: give it one");
    }
    for (struct printed_server *s = *list; s != NULL; s = s->next) {
        if (!share_name(server->names, s->names)) {
            continue;
        }
        same = same || (strcmp(s->names, server->names) == 0 &&
                        strcmp(s->body, server->body) == 0);
        if (strcmp(s->body, server->body) != 0) {
            import_note(
                import, node,
                "this server shares a name, or has none, like that of %s:%d: "
                "upload-progressd goes by names alone; the first holds",
                s->node->source->file, s->node->line);
        }
    }
    server->next = *list;
    *list = server;
    if (!same) {
        buffer_append_string(out, "server {\n");
        print_names(out, server->names);
        buffer_append(out, body.data ? body.data : "", body.len);
        buffer_append_string(out, "}\n");
    }
    buffer_release(&body);
}

static bool
is_default(const struct nginx_node *server)
{
    for (const struct nginx_node *c = server->children; c; c = c->next) {
        for (int i = 2; nginx_is(c, "listen") && i < c->count; i++) {
            if (strcmp(c->args[i], "default_server") == 0 ||
                strcmp(c->args[i], "default") == 0) {
                return true;
            }
        }
    }
    return false;
}

void
import_print_daemon(struct import *import, struct buffer *out)
{
    struct printed_server *servers = NULL;
    struct buffer zones = BUFFER_INIT;

    for (const struct nginx_node *c = import->http->children; c; c = c->next) {
        if (nginx_is(c, "upload_progress")) {
            print_directive(import, out, c, 0);
        }
    }
    print_own(import, out, import->http, 0);
    print_unmoved_tracks(import, out, import->http, &zones);
    /* As in nginx, the default takes the names that no other has: first. */
    for (int others = 0; others < 2; others++) {
        for (const struct nginx_node *c = import->http->children; c != NULL;
             c = c->next) {
            if (import_is_server(import, c) && c->involved &&
                is_default(c) == (others == 0)) {
                print_server(import, out, c, &servers);
            }
        }
    }
    for (struct printed_server *s = servers, *next; s != NULL; s = next) {
        next = s->next;
        free(s->names);
        free(s->body);
        free(s);
    }
    buffer_release(&zones);
}
