/*
 * The syntax of nginx's configuration files: words, quotes, escapes, comments,
 * directives and blocks. Knows no directive.
 */
#ifndef SIDECAR_CONFIG_PARSER_H
#define SIDECAR_CONFIG_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* Enough for the names of a server or the extensions of a type in nginx. */
enum { DIRECTIVE_ARGS_MAX = 1024 };

/* One directive as it stands in the text. */
struct statement {
    char *args[DIRECTIVE_ARGS_MAX]; /* args[0] is the name */
    int count;
    bool block; /* '{' follows, instead of ';' */
    const char *file;
    int line;        /* of the directive's end, as nginx reports */
    const char *end; /* in the text, behind its ';' or '{' */
};

/* What to do with the directives. Both return NULL or a message to be freed. */
struct config_visitor {
    /* A directive; for one with a block the block's follow, then close(). */
    char *(*directive)(void *context, const struct statement *statement);
    char *(*close)(void *context);
    void *context;
};

/* Parses a text. Returns NULL, or a message in nginx's form to be freed. */
char *config_parse(const char *file, const char *text,
                   const struct config_visitor *visitor);

/* Formats a message " in FILE:LINE"; aborts if out of memory. */
char *config_message(const struct statement *statement, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
