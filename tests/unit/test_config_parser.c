/*
 * The configuration's syntax, through a visitor that writes down what it is
 * given: nginx's rules for words, quotes, escapes, comments and blocks, and
 * its messages with file and line.
 */
#include "unit.h"

#include "config_parser.h"

#define FILE_NAME "a.conf"

/* What the visitor does beside writing down. */
struct recorder {
    struct buffer text;
    const char *fail_at;   /* the directive that it refuses, or NULL */
    int closes_until_fail; /* 0: it refuses no end of a block */
};

static void
check_statement(const struct statement *statement)
{
    ASSERT_TEXT("file", statement->file, FILE_NAME);
    ASSERT_THAT("count", statement->count > 0);
    ASSERT_THAT("count", statement->count <= DIRECTIVE_ARGS_MAX);
}

/* Writes [name][argument]...LINE; or [name][argument]...LINE{ */
static char *
record_directive(void *context, const struct statement *statement)
{
    struct recorder *recorder = context;

    check_statement(statement);
    for (int i = 0; i < statement->count; i++) {
        buffer_printf(&recorder->text, "[%s]", statement->args[i]);
    }
    buffer_printf(&recorder->text, "%d%c", statement->line,
                  statement->block ? '{' : ';');
    if (recorder->fail_at != NULL &&
        strcmp(statement->args[0], recorder->fail_at) == 0) {
        return config_message(statement, "refused \"%s\"", statement->args[0]);
    }
    return NULL;
}

static char *
record_close(void *context)
{
    struct recorder *recorder = context;

    buffer_append_string(&recorder->text, "}");
    if (recorder->closes_until_fail > 0 && --recorder->closes_until_fail == 0) {
        return strdup("refused the end");
    }
    return NULL;
}

/* Parses a text; *message is to be freed. */
static void
parse(const char *text, struct recorder *recorder, char **message)
{
    const struct config_visitor visitor = { record_directive, record_close,
                                            recorder };
    char *copy = unit_copy(text, strlen(text) + 1);

    *message = config_parse(FILE_NAME, copy, &visitor);
    buffer_append(&recorder->text, "", 1);
    free(copy);
}

static const struct good_row {
    const char *name;
    const char *text;
    const char *expected;
} good_rows[] = {
    { "empty", "", "" },
    { "blank", " \t\r\n\n ", "" },
    { "comment only", "# a b; { }", "" },
    { "directive", "a;", "[a]1;" },
    { "arguments", "a b c;", "[a][b][c]1;" },
    { "blanks", "  a \t b\r\n ;  ", "[a][b]2;" },
    { "two on a line", "a 1;b 2;", "[a][1]1;[b][2]1;" },
    { "lines", "a;\n\nb;\nc\n;", "[a]1;[b]3;[c]5;" },
    { "CR LF", "a;\r\nb c;\r\n", "[a]1;[b][c]2;" },
    { "sixteen words", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16;",
      "[1][2][3][4][5][6][7][8][9][10][11][12][13][14][15][16]1;" },
    { "long word",
      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst"
      " b;",
      "[abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr"
      "st][b]1;" },

    { "comment", "a; # b;\nc;", "[a]1;[c]2;" },
    { "comment among arguments", "a # b\n c;", "[a][c]2;" },
    { "comment at the end", "a;#", "[a]1;" },
    { "comment with quotes", "# \"'{\na;", "[a]2;" },
    { "comment at once behind", "a;#b\nc;", "[a]1;[c]2;" },
    { "# in a word", "a b#c;", "[a][b#c]1;" },
    { "# in quotes", "a '# b';", "[a][# b]1;" },

    { "double quotes", "a \"b c\";", "[a][b c]1;" },
    { "single quotes", "a 'b c';", "[a][b c]1;" },
    { "quotes in quotes", "a \"'\" '\"';", "[a]['][\"]1;" },
    { "empty quotes", "a \"\" '';", "[a][][]1;" },
    { "empty quotes first", "a '' b;", "[a][][b]1;" },
    { "special characters", "a \";{}#$\";", "[a][;{}#$]1;" },
    { "quotes within a word", "a b\"c'd;", "[a][b\"c'd]1;" },
    { "quoted name", "'a' b;", "[a][b]1;" },
    { "newlines in quotes", "a \"b\nc\n\" d\n;", "[a][b\nc\n][d]4;" },
    { "semicolon behind quotes", "a \"b\";c;", "[a][b]1;[c]1;" },
    { "block behind quotes", "a \"b\"{}", "[a][b]1{}" },
    { "newline behind quotes", "a \"b\"\n'c'\r\n;", "[a][b][c]3;" },

    { "escapes in double quotes", "a \"\\\"\\'\\\\\\t\\n\\r\";",
      "[a][\"'\\\t\n\r]1;" },
    { "escapes in single quotes", "a '\\\"\\'\\\\\\t\\n\\r';",
      "[a][\"'\\\t\n\r]1;" },
    { "escapes in a word", "a b\\\"c\\'d\\\\e\\tf;", "[a][b\"c'd\\e\tf]1;" },
    { "other escapes stay", "a \\.\\$ \"\\.\\d\";", "[a][\\.\\$][\\.\\d]1;" },
    { "escaped semicolon", "a b\\;c;", "[a][b\\;c]1;" },
    { "escaped blank", "a b\\ c;", "[a][b\\ c]1;" },
    { "escaped brace", "a b\\{c;", "[a][b\\{c]1;" },
    { "escaped newline", "a b\\\nc\n;", "[a][b\\\nc]3;" },
    { "escaped first", "\\a;", "[\\a]1;" },
    { "escaped quote first", "a \\\"b;", "[a][\"b]1;" },
    { "escaped once", "a \\\\n;", "[a][\\n]1;" },

    { "variable", "a $b;", "[a][$b]1;" },
    { "variable in braces", "a ${b};", "[a][${b}]1;" },
    { "variables in a word", "a x${b}y${c};", "[a][x${b}y${c}]1;" },
    { "variable in quotes", "a \"${b} c\";", "[a][${b} c]1;" },
    { "variable, then block", "a ${b}{c;}", "[a][${b}]1{[c]1;}" },
    { "dollar, then block", "a $ {c;}", "[a][$]1{[c]1;}" },

    { "block", "a { b; }", "[a]1{[b]1;}" },
    { "block with arguments", "a = /b { c d; }", "[a][=][/b]1{[c][d]1;}" },
    { "empty block", "a {}", "[a]1{}" },
    { "tight block", "a{b;}c;", "[a]1{[b]1;}[c]1;" },
    { "closing brace in a word", "a b};", "[a][b}]1;" },
    { "blocks side by side", "a {} b {}", "[a]1{}[b]1{}" },
    { "nested", "a { b { c; } d; } e;", "[a]1{[b]1{[c]1;}[d]1;}[e]1;" },
    { "block lines", "a\n{\nb\nc;\n}\nd;", "[a]2{[b][c]4;}[d]6;" },
    { "comments in a block", "a { # b\n# }\nc; # d\n}", "[a]1{[c]3;}" },
    { "deeply nested", "a{a{a{a{a{a{a{a{a{a{b;}}}}}}}}}}",
      "[a]1{[a]1{[a]1{[a]1{[a]1{[a]1{[a]1{[a]1{[a]1{[a]1{[b]1;}}}}}}}}}}" },
    { "beyond ASCII", "a \xc3\xa4\xff;", "[a][\xc3\xa4\xff]1;" },
};

static void
test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        const struct good_row *row = &good_rows[i];
        struct recorder recorder = { .text = BUFFER_INIT };
        char *message;

        parse(row->text, &recorder, &message);
        ASSERT_TEXT(row->name, message != NULL ? message : "", "");
        ASSERT_TEXT(row->name, recorder.text.data, row->expected);
        buffer_release(&recorder.text);
    }
}

static const struct bad_row {
    const char *name;
    const char *text;
    const char *message; /* in front of " in FILE:LINE" */
    int line;
    const char *expected; /* what came before it */
} bad_rows[] = {
    { "no semicolon", "a", "unexpected end of file, expecting \";\" or \"}\"",
      1, "" },
    { "no semicolon, arguments", "a b\nc\n",
      "unexpected end of file, expecting \";\" or \"}\"", 3, "" },
    { "no semicolon, comment", "a b # c;",
      "unexpected end of file, expecting \";\" or \"}\"", 1, "" },
    { "no semicolon, backslash", "a \\",
      "unexpected end of file, expecting \";\" or \"}\"", 1, "" },
    { "no semicolon, quotes", "a 'b'",
      "unexpected end of file, expecting \";\" or \"}\"", 1, "" },
    { "no semicolon in a block", "a {\nb c\n",
      "unexpected end of file, expecting \";\" or \"}\"", 3, "[a]1{" },
    { "block not closed", "a {\n", "unexpected end of file, expecting \"}\"", 2,
      "[a]1{" },
    { "block not closed, directive", "a {\nb;",
      "unexpected end of file, expecting \"}\"", 2, "[a]1{[b]2;" },
    { "inner block not closed", "a { b { c; }\n",
      "unexpected end of file, expecting \"}\"", 2, "[a]1{[b]1{[c]1;}" },
    { "double quotes not closed", "a;\nb \"c\n;\n",
      "unexpected end of file, expecting a closing quote", 4, "[a]1;" },
    { "single quotes not closed", "a 'b\";",
      "unexpected end of file, expecting a closing quote", 1, "" },
    { "escaped closing quote", "a 'b\\';",
      "unexpected end of file, expecting a closing quote", 1, "" },
    { "quotes end in a backslash", "a 'b\\",
      "unexpected end of file, expecting a closing quote", 1, "" },
    { "semicolon alone", ";", "unexpected \";\"", 1, "" },
    { "two semicolons", "a;\n;", "unexpected \";\"", 2, "[a]1;" },
    { "semicolon in a block", "a {\n\n;}", "unexpected \";\"", 3, "[a]1{" },
    { "semicolon behind a block", "a {};", "unexpected \";\"", 1, "[a]1{}" },
    { "brace alone", "{", "unexpected \"{\"", 1, "" },
    { "brace behind a directive", "a; {", "unexpected \"{\"", 1, "[a]1;" },
    { "brace in a block", "a {{", "unexpected \"{\"", 1, "[a]1{" },
    { "closing brace alone", "\n}", "unexpected \"}\"", 2, "" },
    { "one brace too many", "a {}\n}", "unexpected \"}\"", 2, "[a]1{}" },
    { "brace before the semicolon", "a {\nb }", "unexpected \"}\"", 2,
      "[a]1{" },
    { "brace before the semicolon, no block", "a }", "unexpected \"}\"", 1,
      "" },
    { "text sticks to quotes", "a \"b\"c;", "unexpected \"c\"", 1, "" },
    { "quotes stick to quotes", "a\n'b''c';", "unexpected \"'\"", 2, "" },
    { "comment sticks to quotes", "a 'b'# c\n;", "unexpected \"#\"", 1, "" },
    { "closing brace sticks to quotes", "a { b 'c'}", "unexpected \"}\"", 1,
      "[a]1{" },
    { "text sticks to quotes of lines", "a \"b\nc\"d;", "unexpected \"d\"", 2,
      "" },
};

static void
test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_rows); i++) {
        const struct bad_row *row = &bad_rows[i];
        struct recorder recorder = { .text = BUFFER_INIT };
        char expected[256];
        char *message;

        snprintf(expected, sizeof(expected), "%s in " FILE_NAME ":%d",
                 row->message, row->line);
        parse(row->text, &recorder, &message);
        ASSERT_TEXT(row->name, message, expected);
        ASSERT_TEXT(row->name, recorder.text.data, row->expected);
        buffer_release(&recorder.text);
        free(message);
    }
}

/* As many words as there may be, and one more. */
static void
test_many_words(void **state)
{
    (void)state;
    for (int words = DIRECTIVE_ARGS_MAX; words <= DIRECTIVE_ARGS_MAX + 1;
         words++) {
        struct recorder recorder = { .text = BUFFER_INIT };
        struct buffer text = BUFFER_INIT;
        char *message;

        for (int i = 0; i < words; i++) {
            buffer_append_string(&text, "a\n");
        }
        buffer_append(&text, ";", 2);
        parse(text.data, &recorder, &message);
        if (words == DIRECTIVE_ARGS_MAX) {
            ASSERT_THAT("all", message == NULL);
        } else {
            ASSERT_TEXT("one more", message,
                        "too many arguments in \"a\" directive in " FILE_NAME
                        ":1025");
        }
        buffer_release(&text);
        buffer_release(&recorder.text);
        free(message);
    }
}

/* What the visitor refuses ends the parsing at once, with its message. */
static const struct visitor_row {
    const char *name;
    const char *text;
    const char *fail_at;
    int closes_until_fail;
    const char *message;
    const char *expected;
} visitor_rows[] = {
    { "directive", "a;\nb c;\nd;", "b", 0, "refused \"b\" in a.conf:2",
      "[a]1;[b][c]2;" },
    { "block", "a {\n b c {\nd; } }", "b", 0, "refused \"b\" in a.conf:2",
      "[a]1{[b][c]2{" },
    { "before a worse error", "a; }", "a", 0, "refused \"a\" in a.conf:1",
      "[a]1;" },
    { "end", "a { b; }\nc;", NULL, 1, "refused the end", "[a]1{[b]1;}" },
    { "second end", "a { b { } }\nc;", NULL, 2, "refused the end",
      "[a]1{[b]1{}}" },
};

static void
test_visitor(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(visitor_rows); i++) {
        const struct visitor_row *row = &visitor_rows[i];
        struct recorder recorder = { BUFFER_INIT, row->fail_at,
                                     row->closes_until_fail };
        char *message;

        parse(row->text, &recorder, &message);
        ASSERT_TEXT(row->name, message, row->message);
        ASSERT_TEXT(row->name, recorder.text.data, row->expected);
        buffer_release(&recorder.text);
        free(message);
    }
}

/* Any beginning of a good text parses or is refused, and leaks nothing. */
static void
test_cut(void **state)
{
    static const char text[] =
        "a 'b \\' c' \"d\\\\\" e\\ f ${g} # h\n i { j \"k\nl\"; m {} } n;\n";

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        struct recorder recorder = { .text = BUFFER_INIT };
        char part[sizeof(text)] = "";
        char *message;

        memcpy(part, text, len);
        parse(part, &recorder, &message);
        ASSERT_THAT(unit_case("cut at %zu", len),
                    message == NULL ||
                        strncmp(message, "unexpected end of file", 22) == 0);
        if (len >= sizeof(text) - 2) {
            ASSERT_THAT("whole", message == NULL);
        }
        buffer_release(&recorder.text);
        free(message);
    }
}

/* A name of any length is cut in the message, not overrun. */
static void
test_message(void **state)
{
    const struct statement statement = { .file = "b.conf", .line = 12 };
    char name[5000];
    char *message = config_message(&statement, "%s and %d", "one", 2);

    (void)state;
    ASSERT_TEXT("formatted", message, "one and 2 in b.conf:12");
    free(message);
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    message = config_message(&statement, "%s", name);
    ASSERT_THAT("begins", strncmp(message, name, 1000) == 0);
    ASSERT_TEXT("ends", message + strlen(message) - 13, " in b.conf:12");
    free(message);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad),
        cmocka_unit_test(test_many_words), cmocka_unit_test(test_visitor),
        cmocka_unit_test(test_cut),        cmocka_unit_test(test_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
