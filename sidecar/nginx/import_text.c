/* Changes of the text of nginx's files, and what of it is printed. */
#include "import_text.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

enum { SKIPPED_LINES_MIN = 3 }; /* fewer are printed as they are */

static size_t
line_start(const struct nginx_source *source, size_t offset)
{
    while (offset > 0 && source->text[offset - 1] != '\n') {
        offset--;
    }
    return offset;
}

/* The end of the line, where only blanks and a comment follow; else offset. */
static size_t
line_rest(const struct nginx_source *source, size_t offset)
{
    size_t end = offset + strspn(source->text + offset, " \t\r");

    if (source->text[end] == '#') {
        end += strcspn(source->text + end, "\n");
    }
    return source->text[end] == '\n' || end == source->len ? end : offset;
}

static bool
ends_line(const struct nginx_source *source, size_t offset)
{
    size_t end = line_rest(source, offset);

    return end == source->len || source->text[end] == '\n';
}

/* The blanks in front of what is first on its line; to be freed. */
static char *
indent_of(const struct nginx_node *node, bool *first)
{
    size_t start = line_start(node->source, node->start);
    size_t len = strspn(node->source->text + start, " \t");

    *first = start + len == node->start;
    return alloc_copy(node->source->text + start, len);
}

char *
import_inner_indent(const struct nginx_node *block)
{
    bool first = false;
    char *indent;
    char *inner;

    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (c->source != block->source) {
            continue;
        }
        indent = indent_of(c, &first);
        if (first) {
            return indent;
        }
        free(indent);
    }
    indent = indent_of(block, &first);
    inner = alloc_format("%s    ", indent);
    free(indent);
    return inner;
}

static void
add_edit(struct nginx_source *source, size_t start, size_t end, char *text)
{
    struct nginx_edit *edit;

    if ((source->edit_count & (source->edit_count - 1)) == 0) {
        source->edits = alloc_again(source->edits, source->edit_count * 2 + 1,
                                    sizeof(*source->edits));
    }
    edit = &source->edits[source->edit_count];
    *edit = (struct nginx_edit){ start, end, text, source->edit_count++ };
}

void
import_insert(struct nginx_source *source, size_t offset, const char *text)
{
    size_t end = line_rest(source, offset);

    add_edit(source, end, end, alloc_string(text));
}

bool
import_has_insert(const struct nginx_source *source, size_t offset)
{
    size_t end = line_rest(source, offset);

    for (size_t i = 0; i < source->edit_count; i++) {
        if (source->edits[i].start == end && source->edits[i].end == end) {
            return true;
        }
    }
    return false;
}

void
import_replace(struct nginx_node *node, const char *text)
{
    node->edited = true;
    add_edit(node->source, node->start, node->end, alloc_string(text));
}

/* Where nothing is around it in its file, a comment tells what was there. */
static char *
removed_text(const struct nginx_node *node, bool whole_line)
{
    struct buffer out = BUFFER_INIT;
    char *text;

    if (node->parent->source != node->source) {
        buffer_append_string(&out, "# removed: ");
        nginx_print(&out, node);
        buffer_append_string(&out, node->block ? " { ... }\n" : ";\n");
    } else if (!whole_line) {
        return alloc_string("");
    }
    text = alloc_copy(out.data ? out.data : "", out.len);
    buffer_release(&out);
    return text;
}

void
import_remove(struct nginx_node *node)
{
    struct nginx_source *source = node->source;
    size_t start = line_start(source, node->start);
    size_t end = node->close;
    bool alone = strspn(source->text + start, " \t") == node->start - start &&
                 ends_line(source, end);

    if (node->edited) {
        return;
    }
    if (alone) {
        end = line_rest(source, end);
        end += end < source->len; /* the end of the line */
    } else {
        start = node->start;
    }
    add_edit(source, start, end, removed_text(node, alone));
}

static int
compare_edits(const void *a, const void *b)
{
    const struct nginx_edit *x = a;
    const struct nginx_edit *y = b;

    if (x->start != y->start) {
        return x->start < y->start ? -1 : 1;
    }
    return x->order < y->order ? -1 : 1;
}

void
import_sort_edits(struct nginx_tree *tree)
{
    for (struct nginx_source *s = tree->sources; s != NULL; s = s->next) {
        if (s->edit_count > 0) {
            qsort(s->edits, s->edit_count, sizeof(*s->edits), compare_edits);
        }
    }
}

/* Whether something changes from the line of start on, up to end. */
static bool
is_edited(const struct nginx_source *source, size_t start, size_t end)
{
    size_t low = 0;
    size_t high = source->edit_count;

    start = line_start(source, start);
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (source->edits[middle].start < start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < source->edit_count && source->edits[low].start <= end;
}

/* A part of a file that is being printed. */
struct region {
    struct buffer *out;
    const struct nginx_source *source;
    size_t cursor; /* offset behind what was printed */
    size_t edit;   /* index of the next edit */
};

/* Prints up to an offset, with the changes. */
static void
print_to(struct region *region, size_t end)
{
    const struct nginx_source *source = region->source;

    while (region->edit < source->edit_count &&
           source->edits[region->edit].start < end) {
        const struct nginx_edit *edit = &source->edits[region->edit++];
        const struct nginx_edit *last = edit > source->edits ? edit - 1 : NULL;
        bool again = last != NULL && last->start == edit->start &&
                     last->end == edit->end;

        if (edit->start < region->cursor || again) {
            continue; /* gone, or included in several places */
        }
        buffer_append(region->out, source->text + region->cursor,
                      edit->start - region->cursor);
        buffer_append_string(region->out, edit->text);
        region->cursor = edit->end;
    }
    if (region->cursor < end) {
        buffer_append(region->out, source->text + region->cursor,
                      end - region->cursor);
        region->cursor = end;
    }
}

/* Whether a block may be left out: unchanged, long, alone on its lines. */
static bool
is_skipped(const struct nginx_node *node)
{
    size_t start = line_start(node->source, node->start);

    return node->block && node->last_line - node->line >= SKIPPED_LINES_MIN &&
           strspn(node->source->text + start, " \t") == node->start - start &&
           ends_line(node->source, node->close) &&
           !is_edited(node->source, start,
                      line_rest(node->source, node->close));
}

/* Not deeper than the tree. NOLINTBEGIN(misc-no-recursion) */
static void
print_block(struct region *region, const struct nginx_node *block)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        if (c->source != block->source || !c->block) {
            continue;
        }
        if (is_skipped(c)) {
            print_to(region, c->start);
            buffer_printf(region->out, "# ... lines %d to %d as they are",
                          c->line, c->last_line);
            region->cursor = line_rest(c->source, c->close);
        } else if (is_edited(c->source, c->start, c->close)) {
            print_block(region, c);
        }
    }
}
/* NOLINTEND(misc-no-recursion) */

static int
line_at(const struct nginx_source *source, size_t offset)
{
    int line = 1;

    for (size_t i = 0; i < offset; i++) {
        line += source->text[i] == '\n';
    }
    return line;
}

/* Behind the line that an offset is in. */
static size_t
next_line(const struct nginx_source *source, size_t offset)
{
    size_t end = offset + strcspn(source->text + offset, "\n");

    return end + (end < source->len);
}

/*
 * Prints the whole lines of the directive tops[i], and of those behind it that
 * share them. Returns the index of the next.
 */
static size_t
print_region(struct region *region, size_t i)
{
    const struct nginx_source *source = region->source;
    size_t start = line_start(source, source->tops[i]->start);
    size_t end = next_line(source, source->tops[i]->close);
    size_t last = i + 1;

    while (last < source->top_count && source->tops[last]->start < end) {
        end = next_line(source, source->tops[last++]->close);
    }
    region->cursor = start;
    buffer_printf(region->out, "#### %s, lines %d to %d\n", source->file,
                  source->tops[i]->line, line_at(source, end - 1));
    for (; i < last; i++) {
        if (is_edited(source, source->tops[i]->start, source->tops[i]->close)) {
            print_block(region, source->tops[i]);
        }
    }
    print_to(region, end);
    if (region->out->data[region->out->len - 1] != '\n') {
        buffer_append_string(region->out, "\n");
    }
    return last;
}

void
import_print_edits(const struct nginx_tree *tree, struct buffer *out)
{
    for (struct nginx_source *s = tree->sources; s != NULL; s = s->next) {
        struct region region = { .out = out, .source = s };

        for (size_t i = 0; i < s->top_count;) {
            if (is_edited(s, s->tops[i]->start, s->tops[i]->close)) {
                i = print_region(&region, i);
            } else {
                i++;
            }
        }
    }
}
