/*
 * Texts with variables, compiled once and rendered for each answer. Compiled
 * templates are immutable, rendering is thread-safe.
 */
#ifndef SIDECAR_TEMPLATE_H
#define SIDECAR_TEMPLATE_H

#include "buffer.h"
#include "uploads.h"

struct template;

/* What the variables of a template may stand for. */
struct template_values {
    const struct progress *progress;
    const char *callback; /* validated; "" without one */
};

/*
 * Compiles text with $name and ${name}. Returns NULL and sets *unknown to the
 * name that is no variable, or to "" for a '$' without a name; the caller
 * frees it. Aborts if out of memory.
 */
struct template *template_compile(const char *text, char **unknown);

void template_free(struct template *template);

/* Appends the rendered text to out. */
void template_render(const struct template *template,
                     const struct template_values *values, struct buffer *out);

/* The names of all variables, without "$"; ends with NULL. */
extern const char *const template_variables[];

#endif
