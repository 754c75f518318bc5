/* An import: its notes, and what the nodes of its tree are. */
#include "import_model.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static const char *const module_directives[] = {
    "upload_progress",
    "track_uploads",
    "report_uploads",
    "upload_progress_content_type",
    "upload_progress_header",
    "upload_progress_jsonp_parameter",
    "upload_progress_json_output",
    "upload_progress_jsonp_output",
    "upload_progress_java_output",
    "upload_progress_template",
};

bool
import_is_module(const struct nginx_node *node)
{
    for (size_t i = 0;
         i < sizeof(module_directives) / sizeof(module_directives[0]); i++) {
        if (nginx_is(node, module_directives[i])) {
            return true;
        }
    }
    return false;
}

bool
import_is_server(const struct import *import, const struct nginx_node *node)
{
    return node->block && nginx_is(node, "server") &&
           node->parent == import->http;
}

bool
import_is_movable(const struct nginx_node *location)
{
    while (location != NULL && nginx_is_location(location)) {
        if (nginx_modifier(location)[0] == '~' ||
            nginx_uri(location)[0] != '/') {
            return false;
        }
        location = location->parent;
    }
    return true;
}

void
import_note(struct import *import, const struct nginx_node *node,
            const char *format, ...)
{
    struct buffer note = BUFFER_INIT;
    char *text;
    va_list args;

    va_start(args, format);
    text = alloc_vformat(format, args);
    va_end(args);
    if (node != NULL) {
        buffer_printf(&note, "NOTE: %s:%d: ", node->source->file, node->line);
    } else {
        buffer_append_string(&note, "NOTE: ");
    }
    buffer_append_string(&note, text);
    buffer_append_string(&note, "\n");
    for (char *p = note.data; p < note.data + note.len - 1; p++) {
        if (*p == '\n' || *p == '\r') {
            *p = ' '; /* or it ends the comment */
        }
    }
    if (import->notes.len == 0 || memmem(import->notes.data, import->notes.len,
                                         note.data, note.len) == NULL) {
        buffer_append(&import->notes, note.data, note.len);
    }
    free(text);
    buffer_release(&note);
}
