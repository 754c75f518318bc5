/* An nginx configuration as a tree. */
#include "nginx_blocks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "config_parser.h"
#include "nginx_lua.h"

enum {
    BLOCKS_MAX = 64,   /* blocks within blocks */
    INCLUDES_MAX = 64, /* files within files */
    DIRECTIVES_MAX = 1000000,
};

struct reading {
    struct nginx_tree *tree;
    const struct nginx_files *files;
    struct nginx_node *block;    /* the innermost that is open */
    struct nginx_source *source; /* the file that is read */
    const char *text;            /* its text, without Lua */
    size_t cursor;               /* offset behind what was taken from it */
    int line;                    /* at the cursor */
    int depth;
    int include_depth;
};

/* The offset of what comes behind blanks and comments. */
static size_t
skip_blank(const char *text, size_t offset)
{
    for (;;) {
        if (text[offset] == '#') {
            offset += strcspn(text + offset, "\n");
        } else if (isspace((unsigned char)text[offset])) {
            offset++;
        } else {
            return offset;
        }
    }
}

static int
count_lines(const char *text, size_t start, size_t end)
{
    int lines = 0;

    for (size_t i = start; i < end; i++) {
        lines += text[i] == '\n';
    }
    return lines;
}

/* Remembers what stands outside of all blocks of its file, once. */
static void
add_top(struct nginx_node *node)
{
    struct nginx_source *source = node->source;

    if (source->loads > 1) {
        return;
    }
    if ((source->top_count & (source->top_count - 1)) == 0) {
        source->tops = alloc_again(source->tops, source->top_count * 2 + 1,
                                   sizeof(struct nginx_node *));
    }
    source->tops[source->top_count++] = node;
}

static struct nginx_node *
add_node(struct reading *reading, const struct statement *statement)
{
    struct nginx_node *node = alloc_zeroed(1, sizeof(*node));
    struct nginx_node *block = reading->block;

    node->count = statement->count;
    node->args = alloc_zeroed((size_t)statement->count, sizeof(char *));
    for (int i = 0; i < statement->count; i++) {
        node->args[i] = alloc_string(statement->args[i]);
    }
    node->block = statement->block;
    node->source = reading->source;
    node->start = skip_blank(reading->text, reading->cursor);
    node->end = (size_t)(statement->end - reading->text);
    node->close = node->end;
    node->line =
        statement->line - count_lines(reading->text, node->start, node->end);
    node->last_line = statement->line;
    node->parent = block;
    *(block->last_child ? &block->last_child->next : &block->children) = node;
    block->last_child = node;
    reading->cursor = node->end;
    reading->line = statement->line;
    if (block->source != node->source) {
        add_top(node);
    }
    return node;
}

static char *read_source(void *context, const char *file,
                         const struct statement *from);

static char *
take_directive(void *context, const struct statement *statement)
{
    struct reading *reading = context;
    struct nginx_node *node;
    char *message = NULL;

    if (++reading->tree->count > DIRECTIVES_MAX) {
        return config_message(statement, "too many directives");
    }
    node = add_node(reading, statement);
    if (statement->block) {
        if (++reading->depth > BLOCKS_MAX) {
            return config_message(statement,
                                  "\"%s\" directive is nested too deep",
                                  statement->args[0]);
        }
        reading->block = node;
    } else if (nginx_is(node, "include") && node->count == 2) {
        if (reading->include_depth == INCLUDES_MAX) {
            return config_message(statement,
                                  "\"include\" directive is nested too deep");
        }
        reading->include_depth++;
        message = reading->files->include(reading->files->context, statement,
                                          read_source, reading);
        reading->include_depth--;
    }
    return message;
}

static char *
close_block(void *context)
{
    struct reading *reading = context;
    struct nginx_node *node = reading->block;
    size_t brace = skip_blank(reading->text, reading->cursor);

    reading->line += count_lines(reading->text, reading->cursor, brace);
    reading->cursor = brace + 1;
    node->close = brace + 1;
    node->last_line = reading->line;
    reading->block = node->parent;
    reading->depth--;
    return NULL;
}

static struct nginx_source *
find_source(struct nginx_tree *tree, const char *file)
{
    struct nginx_source **last = &tree->sources;

    while (*last != NULL && strcmp((*last)->file, file) != 0) {
        last = &(*last)->next;
    }
    if (*last == NULL) {
        *last = alloc_zeroed(1, sizeof(**last));
        (*last)->file = alloc_string(file);
    }
    return *last;
}

/* Takes the directives of a file into the block that is open. */
static char *
read_source(void *context, const char *file, const struct statement *from)
{
    struct reading *reading = context;
    struct reading outer = *reading;
    struct config_visitor visitor = { take_directive, close_block, reading };
    struct nginx_source *source = find_source(reading->tree, file);
    char *message = NULL;
    char *text;

    if (source->text == NULL) {
        text =
            reading->files->read(reading->files->context, file, from, &message);
        if (text == NULL) {
            return message;
        }
        source->text = alloc_string(text);
        source->len = strlen(text);
        free(text);
    }
    source->loads++;
    text = alloc_string(source->text);
    nginx_blank_lua(text);
    reading->source = source;
    reading->text = text;
    reading->cursor = 0;
    reading->line = 1;
    message = config_parse(source->file, text, &visitor);
    *reading = outer;
    free(text);
    return message;
}

struct nginx_tree *
nginx_load_from(const struct nginx_files *files, const char *file,
                char **message)
{
    struct nginx_tree *tree = alloc_zeroed(1, sizeof(*tree));
    struct reading reading = { .tree = tree, .files = files };

    reading.block = &tree->root;
    tree->root.block = true;
    *message = read_source(&reading, file, NULL);
    if (*message != NULL) {
        nginx_free(tree);
        return NULL;
    }
    return tree;
}

static char *
read_from_disk(void *context, const char *file, const struct statement *from,
               char **message)
{
    (void)context;
    return config_read(file, from, message);
}

static char *
include_from_disk(void *context, const struct statement *statement,
                  config_file_fn take, void *taker)
{
    return config_include(context, statement, take, taker);
}

struct nginx_tree *
nginx_load(const char *file, char **message)
{
    char *folder = config_folder(file);
    struct nginx_files files = { read_from_disk, include_from_disk, folder };
    struct nginx_tree *tree = nginx_load_from(&files, file, message);

    free(folder);
    return tree;
}

/* Not deeper than BLOCKS_MAX. NOLINTBEGIN(misc-no-recursion) */
static void
free_children(struct nginx_node *node)
{
    for (struct nginx_node *child = node->children, *next; child;
         child = next) {
        next = child->next;
        free_children(child);
        for (int i = 0; i < child->count; i++) {
            free(child->args[i]);
        }
        free(child->args);
        free(child);
    }
}
/* NOLINTEND(misc-no-recursion) */

void
nginx_free(struct nginx_tree *tree)
{
    if (tree == NULL) {
        return;
    }
    free_children(&tree->root);
    for (struct nginx_source *s = tree->sources, *next; s != NULL; s = next) {
        next = s->next;
        for (size_t i = 0; i < s->edit_count; i++) {
            free(s->edits[i].text);
        }
        free(s->edits);
        free(s->tops);
        free(s->text);
        free(s->file);
        free(s);
    }
    free(tree);
}

struct nginx_node *
nginx_child(const struct nginx_node *node, const char *name)
{
    struct nginx_node *child = node->children;

    while (child != NULL && !nginx_is(child, name)) {
        child = child->next;
    }
    return child;
}

bool
nginx_is(const struct nginx_node *node, const char *name)
{
    return node->count > 0 && strcmp(node->args[0], name) == 0;
}

bool
nginx_is_lua(const struct nginx_node *node)
{
    size_t len = strlen(node->args[0]);
    size_t suffix_len = strlen(NGINX_LUA_SUFFIX);

    return len > suffix_len &&
           strcmp(node->args[0] + len - suffix_len, NGINX_LUA_SUFFIX) == 0;
}

/* Whether a word is read back the same without quotes. */
static bool
is_plain(const char *word)
{
    if (word[0] == '\0' || word[0] == '#') {
        return false;
    }
    for (const char *p = word; *p != '\0'; p++) {
        if (isspace((unsigned char)*p) || strchr(";{}\"'", *p) != NULL ||
            (*p == '\\' && (p[1] == '\0' || strchr("\\tnr", p[1]) != NULL))) {
            return false;
        }
    }
    return true;
}

void
nginx_print_word(struct buffer *out, const char *word)
{
    static const char special[] = "\"\\\t\n\r";
    static const char letters[] = "\"\\tnr";

    if (is_plain(word)) {
        buffer_append_string(out, word);
        return;
    }
    buffer_append_string(out, "\"");
    for (const char *p = word; *p != '\0'; p++) {
        const char *found = strchr(special, *p);

        if (found != NULL) {
            buffer_append_string(out, "\\");
            buffer_append(out, &letters[found - special], 1);
        } else {
            buffer_append(out, p, 1);
        }
    }
    buffer_append_string(out, "\"");
}

void
nginx_print(struct buffer *out, const struct nginx_node *node)
{
    for (int i = 0; i < node->count; i++) {
        if (i > 0) {
            buffer_append_string(out, " ");
        }
        nginx_print_word(out, node->args[i]);
    }
}
