/*
 * Texts with variables, compiled once and rendered for each answer. Compiled
 * templates are immutable, rendering is thread-safe.
 */
#ifndef SIDECAR_TEMPLATE_H
#define SIDECAR_TEMPLATE_H

#include "buffer.h"
#include "escape.h"
#include "message.h"
#include "uploads.h"

struct template;

/* What the variables of a template may stand for. */
struct template_values {
    const struct progress *progress;
    const char *id;
    const char *callback;          /* validated; "" without one */
    const struct request *request; /* the probe; NULL: without parameters */
};

/*
 * Compiles text with $name and ${name}, whose values are escaped as told,
 * except those of $raw_name. Besides the variables below, $arg_name and
 * $http_name are known. Returns NULL and sets *unknown to the name that is no
 * variable, to "${name" if its bracket is missing, or to "" for a '$' without
 * a name; the caller frees it. Aborts if out of memory.
 */
struct template *template_compile(const char *text, enum escape escape,
                                  char **unknown);

void template_free(struct template *template);

/* Appends the rendered text to out. */
void template_render(const struct template *template,
                     const struct template_values *values, struct buffer *out);

/* A variable of the upload, or of the request that probes. */
struct template_variable {
    const char *name;  /* without "$" */
    const char *param; /* that it stands for; NULL: the upload's */
};

/* All of them; ends with a NULL name. */
extern const struct template_variable template_variables[];

#endif
