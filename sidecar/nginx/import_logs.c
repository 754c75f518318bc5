/* The site's own log lines, which those of location.conf replace. */
#include "import_logs.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "config.h"

/* As location.conf is shipped; where it is installed, that counts. */
static const char *const shipped[] = {
    "access_log /var/log/nginx/access.log combined",
    "error_log /var/log/nginx/error.log error",
};

/* The directive with its default, to be compared; to be freed. */
static char *
full_line(const struct nginx_node *log)
{
    struct buffer line = BUFFER_INIT;
    char *text;

    nginx_print(&line, log);
    if (log->count == 2 && strcmp(log->args[1], "off") != 0) {
        buffer_append_string(&line, nginx_is(log, "access_log") ? " combined"
                                                                : " error");
    }
    text = alloc_copy(line.data, line.len);
    buffer_release(&line);
    return text;
}

static void
add_line(struct import *import, char *line)
{
    size_t count = 0;

    while (import->log_lines != NULL && import->log_lines[count] != NULL) {
        count++;
    }
    import->log_lines =
        alloc_again(import->log_lines, count + 2, sizeof(char *));
    import->log_lines[count] = line;
    import->log_lines[count + 1] = NULL;
}

static bool
is_log(const struct nginx_node *node)
{
    return node->count > 1 &&
           (nginx_is(node, "access_log") || nginx_is(node, "error_log"));
}

void
import_read_logs(struct import *import, const char *nginx_conf)
{
    char *folder = config_folder(nginx_conf);
    char *file = alloc_format("%s/upload-progress/location.conf", folder);
    char *message = NULL;
    struct nginx_tree *tree = nginx_load(file, &message);

    for (size_t i = 0; tree == NULL && i < 2; i++) {
        add_line(import, alloc_string(shipped[i]));
    }
    for (struct nginx_node *c = tree ? tree->root.children : NULL; c != NULL;
         c = c->next) {
        if (is_log(c) && strncmp(c->args[1], "syslog:", 7) != 0) {
            add_line(import, full_line(c));
        }
    }
    nginx_free(tree);
    free(message);
    free(file);
    free(folder);
}

static bool
is_repeated(const struct import *import, const struct nginx_node *log)
{
    char *line = full_line(log);
    char **known = import->log_lines;

    while (known != NULL && *known != NULL && strcmp(*known, line) != 0) {
        known++;
    }
    free(line);
    return known != NULL && *known != NULL;
}

/* Tells of the log lines of the level that the first of them is on, once. */
static void
check_log(struct import *import, const struct nginx_node *location,
          struct nginx_node *first)
{
    if (first == NULL || first->used) {
        return;
    }
    for (struct nginx_node *c = first; c != NULL; c = c->next) {
        if (!nginx_is(c, first->args[0]) || c->count < 2) {
            continue;
        }
        c->used = true;
        if (first->parent == location) {
            import_note(import, c,
                        "\"%s %s\" stands beside the lines of location.conf, "
                        "and one of them is enough%s",
                        c->args[0], c->args[1],
                        strcmp(c->args[1], "off") == 0
                            ? "; \"off\" also silences upload-progressd's"
                            : "");
        } else if (strcmp(c->args[1], "off") == 0) {
            import_note(import, c,
                        "\"%s off\": location.conf logs uploads (first "
                        "%s:%d); take that line out there, if they shall not "
                        "be",
                        c->args[0], location->source->file, location->line);
        } else if (!is_repeated(import, c)) {
            import_note(import, c,
                        "\"%s %s\" does not reach into locations with "
                        "location.conf (first %s:%d): repeat it there, beside "
                        "the include",
                        c->args[0], c->args[1], location->source->file,
                        location->line);
        }
    }
}

void
import_check_logs(struct import *import, const struct nginx_node *location)
{
    check_log(import, location, location->access_log);
    check_log(import, location, location->error_log);
}
