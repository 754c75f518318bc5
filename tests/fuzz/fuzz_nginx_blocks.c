/*
 * nginx.conf as --import reads it, with its includes, see fuzz_files.h.
 *
 * - Each directive lies in the text of its file, those of a block within it
 *   and in their order, and so do their lines.
 * - Printed as it is to be written, the tree is read back the same.
 */
#include "nginx_blocks.h"

#include "config_parser.h"
#include "fuzz.h"
#include "fuzz_files.h"

/* A tree as the words of its directives, in order. */
struct flat {
    struct buffer text;  /* nginx.conf again */
    struct buffer words; /* with a NUL behind each, and what ends them */
};

static void
check_place(const struct nginx_node *node, const struct nginx_node *before)
{
    const struct nginx_source *source = node->source;

    FUZZ_HOLDS(node->count > 0);
    FUZZ_HOLDS(node->start < node->end && node->end <= node->close);
    FUZZ_HOLDS(node->close <= source->len);
    FUZZ_HOLDS(node->line >= 1 && node->line <= node->last_line);
    FUZZ_HOLDS(source->text[node->end - 1] == (node->block ? '{' : ';'));
    FUZZ_HOLDS(!node->block || source->text[node->close - 1] == '}');
    if (before != NULL && before->source == source && source->loads == 1) {
        FUZZ_HOLDS(before->close <= node->start);
        FUZZ_HOLDS(before->last_line <= node->line);
    }
    if (node->parent->source == source && source->loads == 1) {
        FUZZ_HOLDS(node->parent->end <= node->start);
        FUZZ_HOLDS(node->close < node->parent->close);
    }
}

/* Not deeper than nginx_load() allows. */
static void
flatten(const struct nginx_node *block, struct flat *flat)
{
    const struct nginx_node *before = NULL;

    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        check_place(c, before);
        before = c;
        nginx_print(&flat->text, c);
        buffer_append_string(&flat->text, c->block ? " {\n" : ";\n");
        for (int i = 0; i < c->count; i++) {
            buffer_append(&flat->words, c->args[i], strlen(c->args[i]) + 1);
        }
        buffer_append(&flat->words, c->block ? "{" : ";", 2);
        flatten(c, flat);
        if (c->block) {
            buffer_append_string(&flat->text, "}\n");
            buffer_append(&flat->words, "}", 2);
        }
    }
}

static char *
collect(void *context, const struct statement *statement)
{
    for (int i = 0; i < statement->count; i++) {
        buffer_append(context, statement->args[i],
                      strlen(statement->args[i]) + 1);
    }
    buffer_append(context, statement->block ? "{" : ";", 2);
    return NULL;
}

static char *
collect_close(void *context)
{
    buffer_append(context, "}", 2);
    return NULL;
}

static void
check_printed(struct flat *flat)
{
    struct buffer words = BUFFER_INIT;
    struct config_visitor visitor = { collect, collect_close, &words };
    char *message;

    buffer_append(&flat->text, "", 1);
    message = config_parse("printed", flat->text.data, &visitor);
    FUZZ_HOLDS(message == NULL);
    FUZZ_HOLDS(words.len == flat->words.len);
    FUZZ_HOLDS(words.len == 0 ||
               memcmp(words.data, flat->words.data, words.len) == 0);
    buffer_release(&words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flat flat = { BUFFER_INIT, BUFFER_INIT };
    char *message = NULL;
    struct nginx_tree *tree;

    files_split(data, size);
    tree = nginx_load(FILES_FOLDER "0", &message);
    FUZZ_HOLDS((tree == NULL) == (message != NULL));
    if (tree != NULL) {
        flatten(&tree->root, &flat);
        check_printed(&flat);
    }
    nginx_free(tree);
    free(message);
    buffer_release(&flat.text);
    buffer_release(&flat.words);
    return 0;
}
