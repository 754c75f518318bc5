/* Texts with variables. */
#include "template.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

enum variable {
    VARIABLE_RECEIVED,
    VARIABLE_REMAINING,
    VARIABLE_LENGTH,
    VARIABLE_STATUS,
    VARIABLE_CALLBACK,
    VARIABLES,
    LITERAL = VARIABLES,
};

const char *const template_variables[VARIABLES + 1] = {
    [VARIABLE_RECEIVED] = "uploadprogress_received",
    [VARIABLE_REMAINING] = "uploadprogress_remaining",
    [VARIABLE_LENGTH] = "uploadprogress_length",
    [VARIABLE_STATUS] = "uploadprogress_status",
    [VARIABLE_CALLBACK] = "uploadprogress_callback",
    [VARIABLES] = NULL,
};

/* A stretch of literal text, or a variable. */
struct part {
    enum variable variable;
    size_t start; /* of a literal, in the template's text */
    size_t len;
};

struct template
{
    char *text; /* owned */
    struct part *parts;
    size_t count;
};

static void
add_part(struct template *t, enum variable variable, size_t start, size_t len)
{
    if (variable == LITERAL && len == 0) {
        return;
    }
    t->parts = alloc_again(t->parts, t->count + 1, sizeof(*t->parts));
    t->parts[t->count++] = (struct part){ variable, start, len };
}

static size_t
name_length(const char *text)
{
    size_t len = 0;

    while (isalnum((unsigned char)text[len]) || text[len] == '_') {
        len++;
    }
    return len;
}

static enum variable
find_variable(const char *name, size_t len)
{
    for (int i = 0; i < VARIABLES; i++) {
        if (strlen(template_variables[i]) == len &&
            strncmp(template_variables[i], name, len) == 0) {
            return (enum variable)i;
        }
    }
    return LITERAL;
}

/* Compiles the variable at text[at], a '$'. Returns where it ends, or 0. */
static size_t
add_variable(struct template *t, size_t at, char **unknown)
{
    bool braces = t->text[at + 1] == '{';
    const char *name = t->text + at + 1 + braces;
    size_t len = name_length(name);
    enum variable variable = find_variable(name, len);

    if (len == 0 || (braces && name[len] != '}') || variable == LITERAL) {
        *unknown = alloc_copy(name, len);
        return 0;
    }
    add_part(t, variable, 0, 0);
    return (size_t)(name - t->text) + len + braces;
}

struct template *
template_compile(const char *text, char **unknown)
{
    struct template *t = alloc_zeroed(1, sizeof(*t));
    size_t at = 0;

    t->text = alloc_string(text);
    while (t->text[at] != '\0') {
        size_t len = strcspn(t->text + at, "$");

        add_part(t, LITERAL, at, len);
        at += len;
        if (t->text[at] == '\0') {
            break;
        }
        at = add_variable(t, at, unknown);
        if (at == 0) {
            template_free(t);
            return NULL;
        }
    }
    return t;
}

void
template_free(struct template *template)
{
    if (template == NULL) {
        return;
    }
    free(template->parts);
    free(template->text);
    free(template);
}

static void
render_number(struct buffer *out, int64_t number)
{
    buffer_printf(out, "%" PRId64, number);
}

static void
render_variable(enum variable variable, const struct template_values *values,
                struct buffer *out)
{
    const struct progress *p = values->progress;

    switch (variable) {
    case VARIABLE_RECEIVED:
        render_number(out, p->received_bytes);
        break;
    case VARIABLE_REMAINING:
        render_number(
            out, p->size_bytes < 0 ? -1 : p->size_bytes - p->received_bytes);
        break;
    case VARIABLE_LENGTH:
        render_number(out, p->size_bytes);
        break;
    case VARIABLE_STATUS:
        render_number(out, p->status);
        break;
    case VARIABLE_CALLBACK:
        buffer_append_string(out, values->callback);
        break;
    case VARIABLES: /* a literal, the caller's */
        break;
    }
}

void
template_render(const struct template *template,
                const struct template_values *values, struct buffer *out)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct part *part = &template->parts[i];

        if (part->variable == LITERAL) {
            buffer_append(out, template->text + part->start, part->len);
        } else {
            render_variable(part->variable, values, out);
        }
    }
}
