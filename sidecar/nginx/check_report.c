/* The findings of the check, and what they are made of. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "check_internal.h"

static const char *const finding_names[FINDINGS] = {
    [FINDING_INFO] = "info",
    [FINDING_NOTICE] = "notice",
    [FINDING_WARN] = "warn",
    [FINDING_EMERG] = "emerg",
};

/* A file may hold anything in quotes; a finding is one line. */
static void
end_line(struct buffer *line)
{
    for (size_t i = 0; i < line->len; i++) {
        if ((unsigned char)line->data[i] < ' ') {
            line->data[i] = ' ';
        }
    }
    buffer_append_string(line, "\n");
}

/* A file that is included twice is told of once. */
static bool
was_printed(const struct check *check, const struct buffer *line)
{
    return check->printed.len > 0 &&
           memmem(check->printed.data, check->printed.len, line->data,
                  line->len) != NULL;
}

void
check_report(struct check *check, enum finding level,
             const struct nginx_node *where, char *advice, const char *format,
             ...)
{
    struct buffer line = BUFFER_INIT;
    char *text;
    va_list args;

    va_start(args, format);
    text = alloc_vformat(format, args);
    va_end(args);
    buffer_printf(&line, "upload-progressd: [%s] %s", finding_names[level],
                  text);
    if (where != NULL && where->source != NULL) {
        buffer_printf(&line, " in %s:%d", where->source->file, where->line);
    }
    if (advice != NULL) {
        buffer_printf(&line, "; %s", advice);
    }
    end_line(&line);
    if (!was_printed(check, &line)) {
        buffer_append(&check->printed, line.data, line.len);
        fwrite(line.data, 1, line.len, stdout);
        check->counts[level]++;
    }
    buffer_release(&line);
    free(advice);
    free(text);
}

char *
check_name(const struct nginx_node *block)
{
    if (nginx_is_location(block)) {
        return alloc_format("location \"%s%s%s\"", nginx_modifier(block),
                            nginx_modifier(block)[0] != '\0' ? " " : "",
                            nginx_uri(block));
    }
    return alloc_format("\"%s\"", block->count > 0 ? block->args[0] : "main");
}

char *
check_print(const struct nginx_node *node)
{
    struct buffer out = BUFFER_INIT;
    char *text;

    nginx_print(&out, node);
    buffer_append_string(&out, ";");
    text = alloc_copy(out.data, out.len);
    buffer_release(&out);
    return text;
}

bool
check_add(struct node_list *list, const struct nginx_node *node)
{
    for (int i = 0; i < list->count; i++) {
        if (list->nodes[i] == node) {
            return false;
        }
    }
    if (list->count == NODES_MAX) {
        return false;
    }
    list->nodes[list->count++] = node;
    return true;
}

char *
check_advice(const char *what, char *line)
{
    char *text = alloc_format("%s: %s", what, line);

    free(line);
    return text;
}
