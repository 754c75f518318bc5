/* upload-progressd --import: what a site has for the module, for us. */
#include "import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "config.h"
#include "import_daemon.h"
#include "import_logs.h"
#include "import_nginx.h"
#include "import_scan.h"
#include "import_text.h"

/* Not deeper than the tree. NOLINTBEGIN(misc-no-recursion) */
static bool
has_module(const struct nginx_node *node)
{
    if (node->count > 0 && import_is_module(node)) {
        return true;
    }
    for (const struct nginx_node *c = node->children; c != NULL; c = c->next) {
        if (has_module(c)) {
            return true;
        }
    }
    return false;
}
/* NOLINTEND(misc-no-recursion) */

/* Nothing is printed that the daemon would refuse without telling so. */
static void
check_daemon(struct import *import, const struct buffer *text)
{
    char *copy = alloc_copy(text->data ? text->data : "", text->len);
    char *message = NULL;
    struct config *config = config_load(NULL, copy, &message);

    if (config == NULL) {
        import_note(import, NULL,
                    "upload-progressd.conf needs to be corrected: %s of what "
                    "is below",
                    message);
    }
    config_free(config);
    free(message);
    free(copy);
}

static void
print_notes(const struct import *import)
{
    const char *line = import->notes.data;
    const char *end = line + import->notes.len;

    while (line != end) {
        const char *next = (const char *)memchr(line, '\n', end - line) + 1;

        printf("# %.*s", (int)(next - line), line);
        fprintf(stderr, "%.*s", (int)(next - line), line);
        line = next;
    }
}

static enum import_status
import_tree(struct import *import, const char *file)
{
    struct buffer daemon = BUFFER_INIT;
    struct buffer nginx = BUFFER_INIT;
    enum import_status status;

    import->http = nginx_child(&import->tree->root, "http");
    if (import->http == NULL || !import->http->block) {
        import->http = &import->tree->root;
        import_note(import, NULL,
                    "%s has no http { }: include upload-progress/http.conf "
                    "where it is",
                    file);
    }
    import_read_logs(import, file);
    import_scan(import);
    import_print_daemon(import, &daemon);
    check_daemon(import, &daemon);
    import_edit(import);
    import_print_edits(import->tree, &nginx);
    status = import->notes.len > 0 ? IMPORT_PARTIAL : IMPORT_DONE;
    if (status == IMPORT_PARTIAL) {
        print_notes(import);
    }
    fputs("#### upload-progressd.conf\n", stdout);
    fwrite(daemon.data ? daemon.data : "", 1, daemon.len, stdout);
    fwrite(nginx.data ? nginx.data : "", 1, nginx.len, stdout);
    buffer_release(&daemon);
    buffer_release(&nginx);
    return fflush(stdout) == 0 ? status : IMPORT_FAILED;
}

enum import_status
import_run(const char *file)
{
    struct import import = { .notes = BUFFER_INIT };
    enum import_status status = IMPORT_FAILED;
    char *message = NULL;

    import.tree = nginx_load(file, &message);
    if (import.tree == NULL) {
        fprintf(stderr, "upload-progressd: [emerg] %s\n", message);
    } else if (!has_module(&import.tree->root)) {
        fprintf(stderr,
                "upload-progressd: [emerg] no directive of "
                "nginx-upload-progress-module in %s\n",
                file);
    } else {
        status = import_tree(&import, file);
    }
    for (char **line = import.log_lines; line && *line; line++) {
        free(*line);
    }
    free(import.log_lines);
    free(message);
    buffer_release(&import.notes);
    nginx_free(import.tree);
    return status;
}
