/*
 * What --import reads: nginx's configuration as a tree with the places of its
 * directives, words that are printed so that they are read back the same, and
 * Lua blocks, which are left out.
 */
#include "unit.h"

#include <unistd.h>

#include "nginx_blocks.h"
#include "nginx_lua.h"

/* Words as they are meant, and as they are printed. */
static const struct word_row {
    const char *word;
    const char *printed;
} word_rows[] = {
    { "plain", "plain" },
    { "", "\"\"" },
    { "a b", "\"a b\"" },
    { "#a", "\"#a\"" },
    { "a#b", "a#b" },
    { "a;b", "\"a;b\"" },
    { "a{2}", "\"a{2}\"" },
    { "${x}", "\"${x}\"" },
    { "'", "\"'\"" },
    { "\"", "\"\\\"\"" },
    { "\\.php$", "\\.php$" },
    { "\\t", "\"\\\\t\"" },
    { "\\\\", "\"\\\\\\\\\"" },
    { "a\\", "\"a\\\\\"" },
    { "\r\n\t", "\"\\r\\n\\t\"" },
    { "\xc3\xa4", "\xc3\xa4" },
};

/* Reads a text as a file of its own. */
static struct nginx_tree *
load(const char *row, const char *text)
{
    char name[sizeof(UNIT_FILE)];
    int fd = unit_file(name, text);
    char *message = NULL;
    struct nginx_tree *tree = nginx_load(name, &message);

    close(fd);
    unlink(name);
    if (tree == NULL) {
        print_error("[%s] %s\n", row, message);
    }
    free(message);
    return tree;
}

static void
test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(word_rows); i++) {
        const struct word_row *row = &word_rows[i];
        struct buffer out = BUFFER_INIT;
        struct nginx_tree *tree;

        buffer_append_string(&out, "name ");
        nginx_print_word(&out, row->word);
        ASSERT_BYTES(row->printed, out.data + 5, out.len - 5, row->printed,
                     strlen(row->printed));
        buffer_append(&out, ";", 2);
        tree = load(row->printed, out.data);
        ASSERT_THAT(row->printed, tree != NULL);
        ASSERT_TEXT(row->printed, tree->root.children->args[1], row->word);
        nginx_free(tree);
        buffer_release(&out);
    }
}

static const struct lua_row {
    const char *text;
    const char *expected;
} lua_rows[] = {
    { "a { b; }", "a { b; }" },
    { "x_by_lua_block { } }", "x_by_lua_block { } }" },
    { "x_by_lua_block {a\n}b", "x_by_lua_block { \n}b" },
    { "x_by_lua_block {{}}b", "x_by_lua_block {  }b" },
    { "x_by_lua_block {'}'}b", "x_by_lua_block {   }b" },
    { "x_by_lua_block {'\\'}'}b", "x_by_lua_block {     }b" },
    { "x_by_lua_block {--}\n}b", "x_by_lua_block {   \n}b" },
    { "x_by_lua_block {--[[\n}]]}b", "x_by_lua_block {    \n   }b" },
    { "x_by_lua_block {[=[}]]]=]}b", "x_by_lua_block {         }b" },
    { "x_by_lua_block $y {z}", "x_by_lua_block $y { }" },
    { "x_by_lua_block {'", "x_by_lua_block { " },
    { "# x_by_lua_block {a}", "# x_by_lua_block {a}" },
    { "'x_by_lua_block' {a}", "'x_by_lua_block' {a}" },
    { "_by_lua_block {a}", "_by_lua_block {a}" },
};

static void
test_lua(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lua_rows); i++) {
        const char *text = lua_rows[i].text;
        char *copy = unit_copy(text, strlen(text) + 1);

        nginx_blank_lua(copy);
        ASSERT_TEXT(text, copy, lua_rows[i].expected);
        free(copy);
    }
}

/* Where each directive stands, between what is around it. */
static void
test_places(void **state)
{
    const char *text = "# a\na b\n c; # d\n\ne {\n  f; g { } # }\n}\nh;";
    struct nginx_tree *tree = load("places", text);
    const struct nginx_node *a;
    const struct nginx_node *e;

    (void)state;
    ASSERT_THAT("tree", tree != NULL);
    a = tree->root.children;
    e = a->next;
    ASSERT_INT("a", a->start, strstr(text, "a b") - text);
    ASSERT_INT("a", a->close, strstr(text, " # d") - text);
    ASSERT_INT("a", a->line, 2);
    ASSERT_INT("a", a->last_line, 3);
    ASSERT_INT("e", e->end, strstr(text, "\n  f") - text);
    ASSERT_INT("e", e->close, strstr(text, "\nh") - text);
    ASSERT_INT("e", e->line, 5);
    ASSERT_INT("e", e->last_line, 7);
    ASSERT_THAT("g", e->last_child->block);
    ASSERT_TEXT("g", e->last_child->args[0], "g");
    ASSERT_INT("g", e->last_child->close, strstr(text, " # }") - text);
    ASSERT_INT("h", e->next->line, 8);
    ASSERT_INT("tops", tree->sources->top_count, 3);
    nginx_free(tree);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_lua),
        cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
