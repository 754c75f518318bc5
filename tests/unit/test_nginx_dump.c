/*
 * The output of "nginx -T", divided into its files; which of what stands in
 * them holds where.
 */
#include "unit.h"

#include "buffer.h"
#include "nginx_dump.h"
#include "nginx_levels.h"

#define FILE_LINE(name) "# configuration file " name ":\n"

/* The directives as "FILE:LINE name", or the message. */
static const struct row {
    const char *name;
    const char *dump;
    const char *expected;
} rows[] = {
    { "one file", FILE_LINE("/n/a.conf") "a;\nb {\n c;\n}\n\n",
      "/n/a.conf:1 a\n/n/a.conf:2 b\n/n/a.conf:3 c\n" },
    { "what nginx says in front of it",
      "nginx: the configuration file /n/a.conf syntax is ok\n"
      "nginx: configuration file /n/a.conf test is successful\n" FILE_LINE(
          "/n/a.conf") "a;\n\n",
      "/n/a.conf:1 a\n" },
    { "ends of lines of a terminal",
      "# configuration file /n/a.conf:\r\na;\r\nb;\r\n\r\n",
      "/n/a.conf:1 a\n/n/a.conf:2 b\n" },
    { "includes, relative and absolute",
      FILE_LINE("/n/a.conf") "include x/b;\ninclude /c;\n\n" FILE_LINE(
          "/n/x/b") "b;\n\n" FILE_LINE("/c") "c;\n\n",
      "/n/a.conf:1 include\n/n/x/b:1 b\n/n/a.conf:2 include\n/c:1 c\n" },
    { "a file without an end of line",
      FILE_LINE("/n/a.conf") "include b;\n\n" FILE_LINE("/n/b") "b;",
      "/n/a.conf:1 include\n/n/b:1 b\n" },
    { "a pattern, in the order of names, once each",
      FILE_LINE("/n/a.conf") "include d/*.c;\n\n" FILE_LINE(
          "/n/d/1.c") "b1;\n\n" FILE_LINE("/n/d/2.c") "b2;\n\n",
      "/n/a.conf:1 include\n/n/d/1.c:1 b1\n/n/d/2.c:1 b2\n" },
    { "a pattern does not reach into folders, nor match hidden files",
      FILE_LINE("/n/a.conf") "include *.c;\ninclude d/x.c;\ninclude .h.c;\n\n" FILE_LINE(
          "/n/d/x.c") "x;\n\n" FILE_LINE("/n/.h.c") "h;\n\n",
      "/n/a.conf:1 include\n/n/a.conf:2 include\n/n/d/x.c:1 x\n"
      "/n/a.conf:3 include\n/n/.h.c:1 h\n" },
    { "a pattern without a match", FILE_LINE("/n/a.conf") "include d/*;\n\n",
      "/n/a.conf:1 include\n" },
    { "a file that is included twice stands there once",
      FILE_LINE("/n/a.conf") "x { include b; }\ny { include b; }\n\n" FILE_LINE(
          "/n/b") "b;\n\n",
      "/n/a.conf:1 x\n/n/a.conf:1 include\n/n/b:1 b\n"
      "/n/a.conf:2 y\n/n/a.conf:2 include\n/n/b:1 b\n" },
    { "such a line in a comment of the first file",
      FILE_LINE("/n/a.conf") "a;\n" FILE_LINE(
          "/n/z") "b;\ninclude c;\n\n" FILE_LINE("/n/c") "c;\n\n",
      "/n/a.conf:1 a\n/n/a.conf:3 b\n/n/a.conf:4 include\n/n/c:1 c\n" },
    { "such a line that names the file that is included next",
      FILE_LINE("/n/a.conf") "a;\n" FILE_LINE(
          "/n/c") "include c;\n\n" FILE_LINE("/n/c") "c;\n\n",
      "/n/a.conf:1 a\n/n/a.conf:3 include\n/n/c:1 c\n" },
    { "such a line that names its own file",
      FILE_LINE("/n/a.conf") "a;\n" FILE_LINE("/n/a.conf") "b;\n\n",
      "/n/a.conf:1 a\n/n/a.conf:3 b\n" },
    { "such a line in a string",
      FILE_LINE("/n/a.conf") "a 'x\n" FILE_LINE("/n/z") "';\nb;\n\n",
      "/n/a.conf:1 a\n/n/a.conf:4 b\n" },
    { "such a line in a block",
      FILE_LINE("/n/a.conf") "a {\n" FILE_LINE("/n/z") "b;\n}\ninclude c;\n\n" FILE_LINE(
          "/n/c") "c;\n" FILE_LINE("/n/c") "\n",
      "/n/a.conf:1 a\n/n/a.conf:3 b\n/n/a.conf:5 include\n/n/c:1 c\n" },
    { "lines that only look like it",
      FILE_LINE("/n/a.conf") "a;\n # configuration file /n/b:\n"
                             "# configuration file /n/b\n"
                             "# configuration file b:\n# configuration file :\n"
                             "b;\n\n",
      "/n/a.conf:1 a\n/n/a.conf:6 b\n" },
    { "Lua with braces and such a line",
      FILE_LINE("/n/a.conf") "a { x_by_lua_block {\n local s = '}'\n" FILE_LINE(
          "/n/z") "} b; }\n\n",
      "/n/a.conf:1 a\n/n/a.conf:1 x_by_lua_block\n/n/a.conf:4 b\n" },
    { "an include that is missing", FILE_LINE("/n/a.conf") "a;\ninclude b;\n\n",
      "\"/n/b\" is not in the output of nginx -T, but included in /n/a.conf:2" },
    { "a missing include and more files",
      FILE_LINE("/n/a.conf") "include b;\ninclude c;\n\n" FILE_LINE(
          "/n/c") "c;\n\n",
      "\"/n/b\" is not in the output of nginx -T, but included in /n/a.conf:1" },
    { "cut off", FILE_LINE("/n/a.conf") "a {\n",
      "unexpected end of file, expecting \"}\" in /n/a.conf:2" },
    { "a syntax error in front of files",
      FILE_LINE("/n/a.conf") "a; }\n\n" FILE_LINE("/n/b") "b;\n\n",
      "unexpected \"}\" in /n/a.conf:1" },
    { "a file that includes itself",
      FILE_LINE("/n/a.conf") "include a.conf;\n\n",
      "\"include\" directive is nested too deep in /n/a.conf:1" },
    { "nothing", "", "no output of nginx -T: no line" },
    { "something else", "events { }\n", "no output of nginx -T: no line" },
};

/* Not deeper than the texts above. NOLINTNEXTLINE(misc-no-recursion) */
static void
list(struct buffer *out, const struct nginx_node *block)
{
    for (const struct nginx_node *c = block->children; c != NULL; c = c->next) {
        buffer_printf(out, "%s:%d %s\n", c->source->file, c->line, c->args[0]);
        list(out, c);
    }
}

/* Loads a copy without a byte to spare. */
static struct nginx_tree *
load(const char *text, size_t len, char **message)
{
    char *copy = unit_copy(text, len);
    struct nginx_tree *tree = nginx_dump_load(copy, len, message);

    free(copy);
    return tree;
}

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct buffer out = BUFFER_INIT;
        char *message = NULL;
        struct nginx_tree *tree = load(row->dump, strlen(row->dump), &message);

        ASSERT_THAT(row->name, (tree == NULL) == (message != NULL));
        if (tree == NULL) {
            ASSERT_THAT(message, strstr(message, row->expected) != NULL);
        } else {
            list(&out, &tree->root);
            buffer_append(&out, "", 1);
            ASSERT_TEXT(row->name, out.data, row->expected);
        }
        buffer_release(&out);
        nginx_free(tree);
        free(message);
    }
}

static void
test_binary(void **state)
{
    char *message = NULL;

    (void)state;
    ASSERT_THAT("NUL", load(BYTES(FILE_LINE("/a") "a\0;\n"), &message) == NULL);
    ASSERT_TEXT("NUL", message, "the output of nginx -T is not text");
    free(message);
}

/* 2000 files with 100 directives each. */
static void
test_many(void **state)
{
    struct buffer text = BUFFER_INIT;
    char *message = NULL;
    struct nginx_tree *tree;

    (void)state;
    buffer_append_string(&text, FILE_LINE("/n/a") "include d/*;\n\n");
    for (int i = 0; i < 2000; i++) {
        buffer_printf(&text, FILE_LINE("/n/d/%04d"), i);
        for (int j = 0; j < 100; j++) {
            buffer_printf(&text, "name%d 'a value' $of{%d;\n", j, i);
        }
        buffer_append_string(&text, "\n");
    }
    for (char *p = text.data; p < text.data + text.len; p++) {
        *p = *p == '{' ? '_' : *p;
    }
    tree = load(text.data, text.len, &message);
    ASSERT_THAT(message ? message : "many", tree != NULL);
    ASSERT_INT("many", tree->count, 200001);
    ASSERT_TEXT("many", tree->root.last_child->source->file, "/n/d/1999");
    ASSERT_INT("many", tree->root.last_child->line, 100);
    nginx_free(tree);
    buffer_release(&text);
}

/* More lines that look like files than are worth to be tried. */
static void
test_too_many_markers(void **state)
{
    struct buffer text = BUFFER_INIT;
    char *message = NULL;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        buffer_append_string(&text, FILE_LINE("/n/a"));
    }
    ASSERT_THAT("markers", load(text.data, text.len, &message) == NULL);
    ASSERT_THAT(message, strstr(message, "too many lines") == message);
    free(message);
    buffer_release(&text);
}

static const struct match_row {
    const char *pattern;
    const char *text;
    bool expected;
} match_rows[] = {
    { "^/old/(.*)$", "/upload-progress/start", false },
    { "^/(.*)$", "/upload-progress/start", true },
    { "^", "/upload-progress/start", true },
    { "\\.php$", "/upload-progress/start", false },
    { "^/(?:a|u)", "/upload-progress/start", true },
    { "^/(?:a|b)", "/upload-progress/start", false },
    { "^/(?<name>[a-z]+)-", "/upload-progress/start", true },
    { "^/\\d+", "/upload-progress/start", false },
    { "^/\\w+", "/upload-progress/start", true },
    { "^/.*?x/", "/upload-progress/start", false },
    { "^/.*?/", "/upload-progress/start", true },
    { "^(?!/upload-progress/)/", "/upload-progress/start", false },
    { "^(?!/other/)/", "/upload-progress/start", true },
    { "^(?!)", "/upload-progress/start", true },
    /* Lazy and possessive ones, and a set with their characters. */
    { "^/a++b*+c?+d{2}+$", "/aaccdd", false },
    { "^/a++b*+c?+d{2}+$", "/aacdd", true },
    { "^/[*+]+$", "/+", true },
    { "^/[*+?]+$", "/?*", true },
    { "^/[]+?*]+$", "/]?", true },
    { "^/[^a+?]$", "/?", false },
    { "^/[\\d]$", "/x", true }, /* not told */
    { "^/\\++$", "/++", true },
    { "^/\\++$", "/", false },
    /* Which would take all memory and time: not told. */
    { "^/x++++++++++++++++++++++++++++++++++++$", "/", true },
    { "^/((((((((((((((((((((((x+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+$",
      "/", true },
    { "^/((x{1,255}){1,255}){255}$", "/", true },
    { "^/(x{1,9}){2}$", "/", false },
    { "(?=x)", "/upload-progress/start", true },
    { "[", "/upload-progress/start", true },
    { "\\", "/upload-progress/start", true },
};

static void
test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(match_rows); i++) {
        const struct match_row *row = &match_rows[i];

        ASSERT_INT(row->pattern,
                   nginx_may_match(row->pattern, false, row->text),
                   row->expected);
    }
    ASSERT_THAT("case", !nginx_may_match("^/UP", false, "/up"));
    ASSERT_THAT("case", nginx_may_match("^/UP", true, "/up"));
}

static void
test_levels(void **state)
{
    static const char text[] = FILE_LINE("/a") //
        "server { log a; log b; location / { }\n"
        "location = /x { log c; } location /x { location /x/y { } }\n"
        "location @n { } location ~ ^/x { } location ^~ /x/yy { } }\n";
    char *message = NULL;
    struct nginx_tree *tree = load(text, sizeof(text) - 1, &message);
    const struct nginx_node *server;
    const struct nginx_node *found;

    (void)state;
    ASSERT_THAT(message ? message : "levels", tree != NULL);
    server = tree->root.children;
    found = nginx_find_location(server, "/x");
    ASSERT_TEXT("exact", nginx_modifier(found), "=");
    ASSERT_TEXT("own", nginx_holding(found, "log")->args[1], "c");
    found = nginx_find_location(server, "/x/y/z");
    ASSERT_TEXT("nested", nginx_uri(found), "/x/y");
    ASSERT_THAT("inherited", nginx_level(found, "log") == server);
    ASSERT_TEXT("second", nginx_again(nginx_holding(found, "log"))->args[1],
                "b");
    ASSERT_THAT("server", nginx_server(found) == server);
    ASSERT_TEXT("longest", nginx_uri(nginx_find_location(server, "/x/yyy")),
                "/x/yy");
    ASSERT_TEXT("named", nginx_uri(nginx_find_location(server, "@n")), "@n");
    ASSERT_THAT("named", nginx_find_location(server, "@m") == NULL);
    ASSERT_TEXT("rest", nginx_uri(nginx_find_location(server, "/y")), "/");
    nginx_free(tree);
}

static void
test_sizes(void **state)
{
    (void)state;
    ASSERT_INT("0", nginx_size("0"), 0);
    ASSERT_INT("17", nginx_size("17"), 17);
    ASSERT_INT("1k", nginx_size("1k"), 1024);
    ASSERT_INT("8M", nginx_size("8M"), 8 << 20);
    ASSERT_INT("8g", nginx_size("8g"), INT64_C(8) << 30);
    ASSERT_INT("m", nginx_size("m"), -1);
    ASSERT_INT("1mm", nginx_size("1mm"), -1);
    ASSERT_INT("1x", nginx_size("1x"), -1);
    ASSERT_INT("overflow", nginx_size("9223372036854775807g"), -1);
    ASSERT_INT("empty", nginx_size(""), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_binary),
        cmocka_unit_test(test_many),    cmocka_unit_test(test_too_many_markers),
        cmocka_unit_test(test_matches), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests_name("nginx_dump", tests, NULL, NULL);
}
