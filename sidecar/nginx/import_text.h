/* Changes of the text of nginx's files. */
#ifndef SIDECAR_IMPORT_TEXT_H
#define SIDECAR_IMPORT_TEXT_H

#include "buffer.h"
#include "nginx_blocks.h"

/* The indentation of what is in a block; to be freed. */
char *import_inner_indent(const struct nginx_node *block);

/* Puts text behind what ends at an offset, and behind a comment of its line. */
void import_insert(struct nginx_source *source, size_t offset,
                   const char *text);

/* Puts text in place of a directive. */
void import_replace(struct nginx_node *node, const char *text);

/* Takes a directive out, unless its text was replaced. */
void import_remove(struct nginx_node *node);

/* To be called behind the last change and before what follows here. */
void import_sort_edits(struct nginx_tree *tree);

/* Whether text was put behind what ends at an offset. */
bool import_has_insert(const struct nginx_source *source, size_t offset);

/* Appends the parts of nginx's files that change. */
void import_print_edits(const struct nginx_tree *tree, struct buffer *out);

#endif
