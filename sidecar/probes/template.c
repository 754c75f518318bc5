/* Texts with variables. */
#include "template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "progress_id.h"
#include "transitions.h"

/* In the order of the table below; from REQUEST_VARIABLE on, parameters. */
enum variable {
    VARIABLE_RECEIVED,
    VARIABLE_REMAINING,
    VARIABLE_LENGTH,
    VARIABLE_STATUS,
    VARIABLE_PERCENT,
    VARIABLE_RATE,
    VARIABLE_ETA,
    VARIABLE_ELAPSED,
    VARIABLE_STARTED,
    VARIABLE_FINISHED,
    VARIABLE_ID,
    VARIABLE_STATE,
    VARIABLE_PHASE,
    VARIABLE_CALLBACK,
    REQUEST_VARIABLE,
};

const struct template_variable template_variables[] = {
    [VARIABLE_RECEIVED] = { "uploadprogress_received", NULL },
    [VARIABLE_REMAINING] = { "uploadprogress_remaining", NULL },
    [VARIABLE_LENGTH] = { "uploadprogress_length", NULL },
    [VARIABLE_STATUS] = { "uploadprogress_status", NULL },
    [VARIABLE_PERCENT] = { "uploadprogress_percent", NULL },
    [VARIABLE_RATE] = { "uploadprogress_rate", NULL },
    [VARIABLE_ETA] = { "uploadprogress_eta", NULL },
    [VARIABLE_ELAPSED] = { "uploadprogress_elapsed", NULL },
    [VARIABLE_STARTED] = { "uploadprogress_started", NULL },
    [VARIABLE_FINISHED] = { "uploadprogress_finished", NULL },
    [VARIABLE_ID] = { "uploadprogress_id", NULL },
    [VARIABLE_STATE] = { "uploadprogress_state", NULL },
    [VARIABLE_PHASE] = { "uploadprogress_phase", NULL },
    [VARIABLE_CALLBACK] = { "uploadprogress_callback", NULL },
    { "args", "QUERY_STRING" },
    { "document_uri", "DOCUMENT_URI" },
    { "host", "HTTP_HOST" },
    { "https", "HTTPS" },
    { "query_string", "QUERY_STRING" },
    { "remote_addr", "REMOTE_ADDR" },
    { "remote_port", "REMOTE_PORT" },
    { "remote_user", "REMOTE_USER" },
    { "request_method", "REQUEST_METHOD" },
    { "request_uri", "REQUEST_URI" },
    { "scheme", "REQUEST_SCHEME" },
    { "server_addr", "SERVER_ADDR" },
    { "server_name", "SERVER_NAME" },
    { "server_port", "SERVER_PORT" },
    { "server_protocol", "SERVER_PROTOCOL" },
    { "uri", "DOCUMENT_URI" },
    { NULL, NULL },
};

enum part_kind {
    PART_LITERAL,
    PART_UPLOAD,   /* a variable of the upload */
    PART_PARAM,    /* a parameter of the probe's request */
    PART_ARGUMENT, /* an argument of its query */
};

struct part {
    enum part_kind kind;
    enum variable variable; /* of the upload */
    enum escape escape;     /* of the value */
    char *text;             /* literal, or name of the parameter; owned */
};

struct template
{
    enum escape escape;
    struct part *parts;
    size_t count;
};

static void
add_part(struct template *t, struct part part)
{
    t->parts = alloc_again(t->parts, t->count + 1, sizeof(*t->parts));
    t->parts[t->count++] = part;
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

/* "$http_user_agent" is the parameter HTTP_USER_AGENT. */
static char *
upper(const char *name)
{
    char *text = alloc_string(name);

    for (char *p = text; *p != '\0'; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
    return text;
}

/* Finds what a name stands for. Returns false if it is no variable. */
static bool
find_variable(const char *name, struct part *part)
{
    if (strncmp(name, "arg_", 4) == 0 && name[4] != '\0') {
        part->kind = PART_ARGUMENT;
        part->text = alloc_string(name + 4);
        return true;
    }
    if (strncmp(name, "http_", 5) == 0 && name[5] != '\0') {
        part->kind = PART_PARAM;
        part->text = upper(name);
        return true;
    }
    for (int i = 0; template_variables[i].name != NULL; i++) {
        if (strcmp(template_variables[i].name, name) == 0) {
            part->kind = i < REQUEST_VARIABLE ? PART_UPLOAD : PART_PARAM;
            part->variable = (enum variable)i;
            part->text = i < REQUEST_VARIABLE
                             ? NULL
                             : alloc_string(template_variables[i].param);
            return true;
        }
    }
    return false;
}

/* Compiles the variable at text, a '$'. Returns what follows it, or NULL. */
static const char *
add_variable(struct template *t, const char *text, char **unknown)
{
    static const char raw[] = "raw_";
    bool braces = text[1] == '{';
    const char *start = text + 1 + braces;
    size_t len = name_length(start);
    char *name = alloc_copy(start, len);
    bool is_raw = strncmp(name, raw, sizeof(raw) - 1) == 0;
    struct part part = { .escape = is_raw ? ESCAPE_NONE : t->escape };

    if (braces && len > 0 && start[len] != '}') {
        *unknown = alloc_format("${%s", name);
        free(name);
        return NULL;
    }
    if (len == 0 ||
        !find_variable(is_raw ? name + sizeof(raw) - 1 : name, &part)) {
        *unknown = name;
        return NULL;
    }
    free(name);
    add_part(t, part);
    return start + len + braces;
}

struct template *
template_compile(const char *text, enum escape escape, char **unknown)
{
    struct template *t = alloc_zeroed(1, sizeof(*t));

    t->escape = escape;
    while (*text != '\0') {
        size_t len = strcspn(text, "$");

        if (len > 0) {
            add_part(t, (struct part){ .kind = PART_LITERAL,
                                       .text = alloc_copy(text, len) });
        }
        text += len;
        if (*text == '\0') {
            break;
        }
        text = add_variable(t, text, unknown);
        if (text == NULL) {
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
    for (size_t i = 0; i < template->count; i++) {
        free(template->parts[i].text);
    }
    free(template->parts);
    free(template);
}

/* Whole seconds; -1 stays. */
static void
render_seconds(struct buffer *out, int64_t ms)
{
    buffer_append_number(out, ms < 0 ? -1 : ms / 1000);
}

static void
render_upload(const struct part *part, const struct template_values *values,
              struct buffer *out)
{
    const struct progress *p = values->progress;

    switch (part->variable) {
    case VARIABLE_RECEIVED:
        buffer_append_number(out, p->received_bytes);
        break;
    case VARIABLE_REMAINING:
        buffer_append_number(
            out, p->size_bytes < 0 ? -1 : p->size_bytes - p->received_bytes);
        break;
    case VARIABLE_LENGTH:
        buffer_append_number(out, p->size_bytes);
        break;
    case VARIABLE_STATUS:
        buffer_append_number(out, p->status);
        break;
    case VARIABLE_PERCENT:
        buffer_append_number(out, progress_hundredths(p) / 100);
        break;
    case VARIABLE_RATE:
        buffer_append_number(out, p->rate > 0 ? p->rate : 0);
        break;
    case VARIABLE_ETA:
        render_seconds(out, p->eta_ms);
        break;
    case VARIABLE_ELAPSED:
        render_seconds(out, p->elapsed_ms);
        break;
    case VARIABLE_STARTED:
        render_seconds(out, p->started_ms);
        break;
    case VARIABLE_FINISHED:
        render_seconds(out, p->finished_ms);
        break;
    case VARIABLE_ID:
        escape_append(out, part->escape, values->id);
        break;
    case VARIABLE_STATE:
        buffer_append_string(out, state_name(p->state));
        break;
    case VARIABLE_PHASE:
        buffer_append_string(out, phase_name(p->phase));
        break;
    case VARIABLE_CALLBACK:
        buffer_append_string(out, values->callback);
        break;
    case REQUEST_VARIABLE: /* not the upload's */
        break;
    }
}

static void
render_argument(const struct part *part, const struct request *request,
                struct buffer *out)
{
    const char *query = request_param(request, "QUERY_STRING");
    char *value = alloc_zeroed(1, strlen(query) + 1);

    if (query_argument(query, part->text, value, strlen(query) + 1)) {
        escape_append(out, part->escape, value);
    }
    free(value);
}

void
template_render(const struct template *template,
                const struct template_values *values, struct buffer *out)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct part *part = &template->parts[i];

        switch (part->kind) {
        case PART_LITERAL:
            buffer_append_string(out, part->text);
            break;
        case PART_UPLOAD:
            render_upload(part, values, out);
            break;
        case PART_PARAM:
            if (values->request != NULL) {
                escape_append(out, part->escape,
                              request_param(values->request, part->text));
            }
            break;
        case PART_ARGUMENT:
            if (values->request != NULL) {
                render_argument(part, values->request, out);
            }
            break;
        }
    }
}
