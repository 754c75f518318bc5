/*
 * nginx.conf as --import reads it, with its includes, see fuzz_files.h.
 *
 * - Each directive lies in the text of its file, those of a block within it
 *   and in their order, and so do their lines.
 * - Printed as it is to be written, the tree is read back the same.
 * - As "nginx -T" puts it out, it is read the same, with the same places.
 */
#include "nginx_blocks.h"

#include "config_parser.h"
#include "fuzz.h"
#include "fuzz_files.h"
#include "nginx_dump.h"

/* A tree as the words of its directives, in order. */
struct flat {
    struct buffer text;  /* nginx.conf again */
    struct buffer words; /* with a NUL behind each, and what ends them */
    struct buffer places;
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
        buffer_printf(&flat->places, "%s:%d-%d\n", c->source->file, c->line,
                      c->last_line);
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

static bool
is_same(const struct buffer *a, const struct buffer *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
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
    FUZZ_HOLDS(is_same(&words, &flat->words));
    buffer_release(&words);
}

static void
flat_release(struct flat *flat)
{
    buffer_release(&flat->text);
    buffer_release(&flat->words);
    buffer_release(&flat->places);
}

/* Each file once, in the order in which they are opened. */
static void
check_dump(const struct nginx_tree *tree, const struct flat *flat)
{
    static const char marker[] = "# configuration file ";
    struct flat again = { .text = BUFFER_INIT };
    struct buffer dump = BUFFER_INIT;
    struct nginx_tree *dumped;
    char *message = NULL;

    for (const struct nginx_source *s = tree->sources; s; s = s->next) {
        if (strstr(s->text, marker) != NULL) {
            buffer_release(&dump);
            return; /* where a file ends can be guessed only */
        }
        buffer_printf(&dump, "%s%s:\n", marker, s->file);
        buffer_append(&dump, s->text, s->len);
        buffer_append_string(&dump, "\n");
    }
    dumped = nginx_dump_load(dump.data, dump.len, &message);
    FUZZ_HOLDS(dumped != NULL && message == NULL);
    flatten(&dumped->root, &again);
    FUZZ_HOLDS(is_same(&again.words, &flat->words));
    FUZZ_HOLDS(is_same(&again.places, &flat->places));
    nginx_free(dumped);
    flat_release(&again);
    buffer_release(&dump);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flat flat = { .text = BUFFER_INIT };
    char *message = NULL;
    struct nginx_tree *tree;

    files_split(data, size);
    tree = nginx_load(FILES_FOLDER "0", &message);
    FUZZ_HOLDS((tree == NULL) == (message != NULL));
    if (tree != NULL) {
        flatten(&tree->root, &flat);
        check_printed(&flat);
        check_dump(tree, &flat);
    }
    nginx_free(tree);
    free(message);
    flat_release(&flat);
    return 0;
}
