/* The syntax of nginx's configuration files. */
#include "config_parser.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

enum token {
    TOKEN_WORD,
    TOKEN_SEMICOLON,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_END,
    TOKEN_BAD_QUOTE,   /* the text ends within quotes */
    TOKEN_BAD_TRAILER, /* something sticks to a closing quote */
};

struct lexer {
    const char *p;
    int line;
    struct buffer word;
};

static void
skip_blank(struct lexer *lexer)
{
    for (;;) {
        if (*lexer->p == '#') {
            lexer->p += strcspn(lexer->p, "\n");
        } else if (*lexer->p == '\n') {
            lexer->line++;
            lexer->p++;
        } else if (isspace((unsigned char)*lexer->p)) {
            lexer->p++;
        } else {
            return;
        }
    }
}

/* One character of a word after a backslash, by nginx's rules. */
static void
read_escape(struct lexer *lexer)
{
    static const char escapes[] = "\"'\\tnr";
    static const char meanings[] = "\"'\\\t\n\r";
    const char *found;

    lexer->p++;
    found = *lexer->p != '\0' ? strchr(escapes, *lexer->p) : NULL;
    if (found != NULL) {
        buffer_append(&lexer->word, &meanings[found - escapes], 1);
        lexer->p++;
        return;
    }
    buffer_append(&lexer->word, "\\", 1); /* others keep their backslash */
    if (*lexer->p != '\0') {
        lexer->line += *lexer->p == '\n';
        buffer_append(&lexer->word, lexer->p++, 1);
    }
}

static enum token
read_quoted(struct lexer *lexer)
{
    char quote = *lexer->p++;

    while (*lexer->p != quote) {
        if (*lexer->p == '\0') {
            return TOKEN_BAD_QUOTE;
        }
        if (*lexer->p == '\\') {
            read_escape(lexer);
            continue;
        }
        lexer->line += *lexer->p == '\n';
        buffer_append(&lexer->word, lexer->p++, 1);
    }
    lexer->p++;
    if (*lexer->p != '\0' && strchr(";{)", *lexer->p) == NULL &&
        !isspace((unsigned char)*lexer->p)) {
        return TOKEN_BAD_TRAILER;
    }
    return TOKEN_WORD;
}

static enum token
read_bare(struct lexer *lexer)
{
    while (*lexer->p != '\0' && *lexer->p != ';' &&
           !isspace((unsigned char)*lexer->p)) {
        if (*lexer->p == '\\') {
            read_escape(lexer);
            continue;
        }
        if (strncmp(lexer->p, "${", 2) == 0) { /* not a block */
            buffer_append(&lexer->word, lexer->p, 2);
            lexer->p += 2;
            continue;
        }
        if (*lexer->p == '{') {
            break;
        }
        buffer_append(&lexer->word, lexer->p++, 1);
    }
    return TOKEN_WORD;
}

static enum token
next_token(struct lexer *lexer)
{
    lexer->word.len = 0;
    skip_blank(lexer);
    switch (*lexer->p) {
    case '\0':
        return TOKEN_END;
    case ';':
        lexer->p++;
        return TOKEN_SEMICOLON;
    case '{':
        lexer->p++;
        return TOKEN_OPEN;
    case '}':
        lexer->p++;
        return TOKEN_CLOSE;
    case '"':
    case '\'':
        return read_quoted(lexer);
    default:
        return read_bare(lexer);
    }
}

char *
config_message(const struct statement *statement, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return alloc_format("%s in %s:%d", text, statement->file, statement->line);
}

static void
clear(struct statement *statement)
{
    while (statement->count > 0) {
        free(statement->args[--statement->count]);
    }
    statement->block = false;
}

static char *
add_word(struct statement *statement, const struct lexer *lexer)
{
    if (statement->count == DIRECTIVE_ARGS_MAX) {
        return config_message(statement,
                              "too many arguments in \"%s\" directive",
                              statement->args[0]);
    }
    if (lexer->word.len > 0 &&
        memchr(lexer->word.data, '\0', lexer->word.len) != NULL) {
        abort(); /* the text is a C string */
    }
    statement->args[statement->count++] =
        alloc_copy(lexer->word.data ? lexer->word.data : "", lexer->word.len);
    return NULL;
}

static char *
end_statement(struct statement *statement, enum token token,
              const struct config_visitor *visitor, int *depth)
{
    char *message;

    if (statement->count == 0) {
        return config_message(statement, "unexpected \"%c\"",
                              token == TOKEN_OPEN ? '{' : ';');
    }
    statement->block = token == TOKEN_OPEN;
    *depth += statement->block;
    message = visitor->directive(visitor->context, statement);
    clear(statement);
    return message;
}

static char *
end_block(struct statement *statement, const struct config_visitor *visitor,
          int *depth)
{
    if (statement->count > 0 || *depth == 0) {
        return config_message(statement, "unexpected \"}\"");
    }
    (*depth)--;
    return visitor->close(visitor->context);
}

static char *
end_text(struct statement *statement, int depth)
{
    if (statement->count > 0) {
        return config_message(
            statement, "unexpected end of file, expecting \";\" or \"}\"");
    }
    if (depth > 0) {
        return config_message(statement,
                              "unexpected end of file, expecting \"}\"");
    }
    return NULL;
}

char *
config_parse(const char *file, const char *text,
             const struct config_visitor *visitor)
{
    struct lexer lexer = { .p = text, .line = 1, .word = BUFFER_INIT };
    struct statement statement = { .file = file };
    enum token token = TOKEN_WORD;
    char *message = NULL;
    int depth = 0;

    while (message == NULL && token != TOKEN_END) {
        token = next_token(&lexer);
        statement.line = lexer.line;
        statement.end = lexer.p;
        switch (token) {
        case TOKEN_WORD:
            message = add_word(&statement, &lexer);
            break;
        case TOKEN_SEMICOLON:
        case TOKEN_OPEN:
            message = end_statement(&statement, token, visitor, &depth);
            break;
        case TOKEN_CLOSE:
            message = end_block(&statement, visitor, &depth);
            break;
        case TOKEN_END:
            message = end_text(&statement, depth);
            break;
        case TOKEN_BAD_QUOTE:
            message = config_message(
                &statement,
                "unexpected end of file, expecting a closing quote");
            break;
        case TOKEN_BAD_TRAILER:
            message = config_message(&statement, "unexpected \"%c\"", *lexer.p);
            break;
        }
    }
    clear(&statement);
    buffer_release(&lexer.word);
    return message;
}
