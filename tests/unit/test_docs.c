/*
 * The README, the man pages and the snippets name what the code has: every
 * directive, variable, parameter, output field and option, and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "config.h"
#include "directives.h"
#include "event.h"
#include "outputs.h"
#include "paths.h"
#include "template.h"
#include "transitions.h"
#include "unit.h"

static char *
read_text(const char *path)
{
    FILE *stream = fopen(path, "re");
    char *text = calloc(1, 1 << 20);

    if (stream == NULL) {
        fail_msg("%s cannot be opened: the tests run in the project's folder",
                 path);
    }
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, stream) > 0);
    fclose(stream);
    return text;
}

/* Calls check with each name in backquotes, or only the first. */
static int
each_quoted(char *text, bool first_only, void (*check)(const char *name))
{
    int count = 0;

    for (char *name = strchr(text, '`'); name != NULL;) {
        char *name_end = strchr(name + 1, '`');

        *name_end = '\0';
        check(name + 1);
        count++;
        name = first_only ? NULL : strchr(name_end + 1, '`');
    }
    return count;
}

/* The same with the first column of each row of the table behind a marker. */
static int
each_first_column(const char *marker, void (*check)(const char *name))
{
    char *readme = read_text("README.md");
    char *line = strstr(readme, marker);
    int count = 0;

    assert_non_null(line);
    line = strchr(line, '\n') + 1;
    while (line[0] == '|') {
        char *end = strchr(line, '\n');
        char *column_end;

        *end = '\0';
        column_end = strstr(line + 1, " | ");
        if (column_end != NULL) {
            *column_end = '\0';
            count +=
                each_quoted(line, strstr(marker, "directives") != NULL, check);
        }
        line = end + 1;
    }
    free(readme);
    return count;
}

static void
known_directive(const char *name)
{
    ASSERT_THAT(name, directive_find(name) != NULL);
}

static void
directives_are_documented(void **state)
{
    int count = 0;

    (void)state;
    for (const struct directive *d = directives; d->name != NULL; d++) {
        count++;
    }
    /* As many as there are, each known, none twice as duplicates do not fit. */
    assert_int_equal(each_first_column("<!-- directives", known_directive),
                     count);
}

static void
known_variable(const char *name)
{
    if (strcmp(name, "$arg_name") == 0 || strcmp(name, "$http_name") == 0) {
        return;
    }
    for (int i = 0; template_variables[i].name != NULL; i++) {
        if (strcmp(template_variables[i].name, name + 1) == 0) {
            return;
        }
    }
    fail_msg("unknown variable %s", name);
}

static void
variables_are_documented(void **state)
{
    int count = 0;

    (void)state;
    while (template_variables[count].name != NULL) {
        count++;
    }
    /* And the two families. */
    assert_int_equal(each_first_column("<!-- variables", known_variable),
                     count + 2);
}

static json_t *detail;

static void
known_field(const char *name)
{
    ASSERT_THAT(name, json_object_get(detail, name) != NULL);
}

static void
detail_fields_are_documented(void **state)
{
    struct progress progress = { .state = UPLOAD_STARTING };
    struct buffer out = BUFFER_INIT;

    (void)state;
    output_detail("uploads", "one", &progress, &out);
    detail = json_loadb(out.data, out.len, 0, NULL);
    assert_non_null(detail);
    assert_int_equal(each_first_column("<!-- detail", known_field),
                     json_object_size(detail));
    json_decref(detail);
    buffer_release(&out);
}

static const struct event_field *
find_param(const char *name)
{
    const struct event_field *f = event_fields;

    while (f->param != NULL && strcmp(f->param, name) != 0) {
        f++;
    }
    return f;
}

static void
known_param(const char *name)
{
    bool special = strcmp(name, "UPLOAD_PROGRESS_EVENT") == 0 ||
                   strcmp(name, "UPLOAD_PROGRESS_ID") == 0 ||
                   strcmp(name, "UPLOAD_PROGRESS_ARG") == 0 ||
                   strcmp(name, "UPLOAD_PROGRESS_KEY") == 0;

    ASSERT_THAT(name, special || find_param(name)->param != NULL);
}

/* The row of the README has name, log field and variable of the table's. */
static void
parameters_are_documented(void **state)
{
    char *readme = read_text("README.md");
    int count = 4; /* event, key, ID, argument */
    char row[256];

    (void)state;
    for (const struct event_field *f = event_fields; f->param; f++, count++) {
        snprintf(row, sizeof(row), "| `%s` | `%s` | `%s` |", f->param, f->log,
                 f->variable);
        ASSERT_THAT(row, strstr(readme, row) != NULL);
    }
    assert_int_equal(each_first_column("<!-- parameters", known_param), count);
    free(readme);
}

/* What the snippets pass is read, under the names that are read. */
static void
snippets_pass_what_is_read(void **state)
{
    char *params =
        read_text("nginx-snippets/upload-progress/event-params.conf");
    char *http = read_text("nginx-snippets/upload-progress/variables.conf");
    char text[256];

    (void)state;
    for (const struct event_field *f = event_fields; f->param; f++) {
        bool in_params;
        bool in_log;

        snprintf(text, sizeof(text), "scgi_param %s %s;", f->param,
                 f->variable);
        in_params = strstr(params, text) != NULL;
        snprintf(text, sizeof(text), "%s=\"%s\"", f->log, f->variable);
        in_log = strstr(http, text) != NULL;
        ASSERT_THAT(f->param, in_params || in_log);
    }
    for (char *p = params; (p = strstr(p, "\nscgi_param UPLOAD")) != NULL;) {
        p += sizeof("\nscgi_param ") - 1;
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(p, " "), p);
        known_param(text);
    }
    free(params);
    free(http);
}

/* What a probe is read from is in both documents, by its name. */
static void
probe_parameters_are_documented(void **state)
{
    static const char *const sources[] = { "sidecar/probes/probe.c",
                                           "sidecar/probes/answer.c" };
    char *readme = read_text("README.md");
    char *page = read_text("docs/upload-progressd.conf.5");
    int count = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(sources); i++) {
        char *source = read_text(sources[i]);
        char name[128];

        for (const char *p = source; (p = strstr(p, "request_param("));) {
            p += sizeof("request_param(") - 1;
            if (sscanf(p, "%*[a-z>-], \"%127[A-Z_]\"", name) == 1) {
                ASSERT_THAT(name, strstr(readme, name) != NULL);
                ASSERT_THAT(name, strstr(page, name) != NULL);
                count++;
            }
        }
        free(source);
    }
    assert_true(count > 5);
    free(page);
    free(readme);
}

/* What the source of a man page has for characters that roff would change. */
static void
unescape(char *text)
{
    static const char *const escapes[][2] = {
        { "\\(aq", "'" },  { "\\(ha", "^" }, { "\\(ti", "~" },
        { "\\(dq", "\"" }, { "\\&", "" },
    };
    char *out = text;

    while (*text != '\0') {
        size_t i = 0;

        while (i < COUNT(escapes) &&
               strncmp(text, escapes[i][0], strlen(escapes[i][0])) != 0) {
            i++;
        }
        if (i < COUNT(escapes)) {
            text += strlen(escapes[i][0]);
            out = stpcpy(out, escapes[i][1]);
        } else {
            *out++ = *text++;
        }
    }
    *out = '\0';
}

static char *
read_page(const char *path)
{
    char *text = read_text(path);

    unescape(text);
    return text;
}

/* The page has this entry, once. */
static void
assert_entry(const char *page, const char *entry)
{
    const char *found = strstr(page, entry);

    ASSERT_THAT(entry, found != NULL);
    ASSERT_THAT(entry, strstr(found + 1, entry) == NULL);
}

/* How many lines of the text begin so. */
static int
count_lines(const char *text, const char *start)
{
    int count = 0;

    for (const char *p = text; (p = strstr(p, start)) != NULL; p++) {
        count += p == text || p[-1] == '\n';
    }
    return count;
}

/* The words of a directive as a line that shows it in the page. */
static void
add_shown(struct buffer *out, const char *before, const char *name,
          const char *rest)
{
    size_t len = strlen(rest);

    buffer_printf(out, "%s \"%s%s%s\"%s\n", before, name, len ? " " : "", rest,
                  len && rest[len - 1] == '}' ? "" : " ;");
}

/* Directives that have no default in the table, but for what they act as. */
static const char *
implied_default(const char *name)
{
    if (strcmp(name, "upload_progress_unknown") == 0) {
        return "starting";
    }
    return strcmp(name, "upload_progress_allow_origin") == 0 ? "off" : NULL;
}

/* The lines of the built-in configuration that have the directive. */
static void
add_builtin(struct buffer *out, const char *name)
{
    const char *const texts[] = { config_default_listens, config_default_zone,
                                  config_default_track,
                                  config_default_locations };
    size_t len = strlen(name);
    int count = 0;

    for (size_t i = 0; i < COUNT(texts); i++) {
        for (const char *p = texts[i]; *p != '\0'; p = strchr(p, '\n') + 1) {
            char rest[256];

            if (strncmp(p, name, len) != 0 || p[len] != ' ') {
                continue;
            }
            snprintf(rest, sizeof(rest), "%.*s",
                     (int)strcspn(p + len + 1, "\n"), p + len + 1);
            if (rest[strlen(rest) - 1] == ';') {
                rest[strlen(rest) - 1] = '\0';
            }
            if (count++ == 0) {
                buffer_append_string(out, "Default:\n");
            }
            buffer_append_string(out, ".br\n");
            add_shown(out, ".Ic", name, rest);
        }
    }
    /* One line stands behind the word, more below it. */
    if (count == 1) {
        char *line = memmem(out->data, out->len, ".br\n", 4);

        memmove(line, line + 4, out->len - 4 - (size_t)(line - out->data));
        out->len -= 4;
    }
    buffer_append_string(out, count > 0 ? ".br\n" : "");
}

/* The beginning of the directive's entry, from the table alone. */
static void
build_entry(const struct directive *d, struct buffer *out)
{
    static const struct {
        unsigned context;
        const char *name;
    } contexts[] = { { CONTEXT_MAIN, "main" },
                     { CONTEXT_HTTP, "http" },
                     { CONTEXT_SERVER, "server" },
                     { CONTEXT_LOCATION, "location" } };
    const char *text =
        d->default_value ? d->default_value : implied_default(d->name);
    const char *comma = "";

    add_shown(out, "\n.It Ic", d->name, d->syntax);
    if (text != NULL) {
        buffer_append_string(out, "Default:\n");
        add_shown(out, ".Ic", d->name, text);
        buffer_append_string(out, ".br\n");
    } else {
        add_builtin(out, d->name);
    }
    buffer_append_string(out, "Context:\n.Em \"");
    for (size_t i = 0; i < COUNT(contexts); i++) {
        if (d->contexts & contexts[i].context) {
            buffer_printf(out, "%s%s", comma, contexts[i].name);
            comma = ", ";
        }
    }
    buffer_append(out, "\"\n.Pp\n", sizeof("\"\n.Pp\n")); /* with its NUL */
}

static void
directives_have_entries(void **state)
{
    char *page = read_page("docs/upload-progressd.conf.5");
    int count = 0;

    (void)state;
    if (strcmp(RUNDIR, "/run/upload-progressd") != 0 ||
        strcmp(EVENT_ADDRESS, "127.0.0.1:4514") != 0) {
        free(page);
        skip(); /* the page has the defaults of the Makefile */
    }
    for (const struct directive *d = directives; d->name != NULL; d++) {
        struct buffer entry = BUFFER_INIT;

        build_entry(d, &entry);
        assert_entry(page, entry.data);
        buffer_release(&entry);
        count++;
    }
    assert_int_equal(count_lines(page, ".It Ic "), count);
    free(page);
}

static void
variables_have_entries(void **state)
{
    char *page = read_page("docs/upload-progressd.conf.5");
    char entry[128];
    int count = 0;

    (void)state;
    for (; template_variables[count].name != NULL; count++) {
        const struct template_variable *v = &template_variables[count];

        snprintf(entry, sizeof(entry), "\n.It Va $%s\n%s%s%s", v->name,
                 v->param ? ".Ev " : "", v->param ? v->param : "",
                 v->param ? "\n" : "");
        assert_entry(page, entry);
    }
    /* And the two families. */
    assert_int_equal(count_lines(page, ".It Va "), count + 2);
    free(page);
}

static void
parameters_have_entries(void **state)
{
    char *page = read_page("docs/upload-progressd.conf.5");
    char entry[256];
    int count = 4; /* event, key, ID, argument */

    (void)state;
    assert_entry(page, "\n.It Ev UPLOAD_PROGRESS_EVENT\n");
    assert_entry(page, "\n.It Ev UPLOAD_PROGRESS_KEY\n.Li key ,\n"
                       ".Va $upload_progress_key\n");
    assert_entry(page, "\n.It Ev UPLOAD_PROGRESS_ID\n.Li id ,\n");
    assert_entry(page, "\n.It Ev UPLOAD_PROGRESS_ARG\n.Li arg ,\n");
    for (const struct event_field *f = event_fields; f->param; f++, count++) {
        snprintf(entry, sizeof(entry), "\n.It Ev %s\n.Li %s ,\n.Va %s\n",
                 f->param, f->log, f->variable);
        assert_entry(page, entry);
    }
    assert_int_equal(count_lines(page, ".It Ev "), count);
    free(page);
}

static void
detail_fields_have_entries(void **state)
{
    char *page = read_page("docs/upload-progressd.conf.5");
    struct progress progress = { .state = UPLOAD_STARTING };
    struct buffer out = BUFFER_INIT;
    json_t *object;
    json_t *value;
    const char *name;
    char entry[64];

    (void)state;
    output_detail("uploads", "one", &progress, &out);
    object = json_loadb(out.data, out.len, 0, NULL);
    assert_non_null(object);
    json_object_foreach(object, name, value)
    {
        snprintf(entry, sizeof(entry), "\n.It Li %s\n", name);
        assert_entry(page, entry);
    }
    assert_int_equal(count_lines(page, ".It Li "), json_object_size(object));
    json_decref(object);
    buffer_release(&out);
    free(page);
}

/* Without blanks, so that it does not matter where a line ends. */
static void
squeeze(char *text)
{
    char *out = text;

    for (; *text != '\0'; text++) {
        if (strchr(" \r\n", *text) == NULL) {
            *out++ = *text;
        }
    }
    *out = '\0';
}

/* A template's text as the page shows it: variables are N, ID, CALLBACK. */
static void
add_body(struct buffer *out, const char *text)
{
    static const char prefix[] = "$uploadprogress_";

    while (*text != '\0') {
        if (strncmp(text, prefix, sizeof(prefix) - 1) != 0) {
            buffer_append(out, text++, 1);
            continue;
        }
        text += sizeof(prefix) - 1;
        buffer_append_string(out, strncmp(text, "id", 2) == 0 ? "ID"
                                  : strncmp(text, "callback", 8) == 0
                                      ? "CALLBACK"
                                      : "N");
        text += strspn(text, "abcdefghijklmnopqrstuvwxyz");
    }
    buffer_append(out, "", 1);
}

/* The entry of each output has its content type and its four bodies. */
static void
outputs_have_their_bodies(void **state)
{
    char *page = read_page("docs/upload-progressd.conf.5");

    (void)state;
    for (const struct output *o = outputs; o->directive != NULL; o++) {
        char start[128];
        char *entry;
        char *end;

        snprintf(start, sizeof(start), "\n.It Ic \"%s\"", o->directive);
        entry = strstr(page, start);
        assert_non_null(entry);
        entry = strdup(entry);
        assert_non_null(entry);
        end = strstr(entry + 1, "\n.It ");
        end = end != NULL ? end : strstr(entry, "\n.Sh ");
        *end = '\0';
        snprintf(start, sizeof(start), ".Li %s .\n", o->content_type);
        ASSERT_THAT(o->directive, strstr(entry, start) != NULL);
        squeeze(entry);
        for (int i = 0; i < UPLOAD_STATES && o->templates[i] != NULL; i++) {
            struct buffer body = BUFFER_INIT;

            add_body(&body, o->templates[i]);
            squeeze(body.data);
            ASSERT_THAT(body.data, strstr(entry, body.data) != NULL);
            buffer_release(&body);
        }
        free(entry);
    }
    free(page);
}

/* "  -s signal      send a signal" is ".It Fl s Ar signal" in the page. */
static void
options_have_entries(void **state)
{
    char *page = read_page("docs/upload-progressd.8");
    char *source = read_text("sidecar/main.c");
    char *usage = strstr(source, "usage[] =");
    int count = 0;

    (void)state;
    assert_non_null(usage);
    *strstr(usage, ";\n") = '\0';
    for (char *p = usage; (p = strstr(p, "\"  -")) != NULL; count++) {
        char text[64];
        char entry[160];
        char *argument;

        p += sizeof("\"  -") - 1;
        snprintf(text, sizeof(text), "%.*s", (int)(strstr(p, "  ") - p), p);
        argument = strchr(text, ' ');
        if (text[1] == ',') {
            snprintf(entry, sizeof(entry), "\n.It Fl %c , Fl %s\n", text[0],
                     text + 3);
        } else if (argument != NULL) {
            bool optional = argument[1] == '[';

            *argument++ = '\0';
            argument += optional;
            snprintf(entry, sizeof(entry), "\n.It Fl %s %sAr %.*s\n", text,
                     optional ? "Op " : "", (int)strcspn(argument, "]"),
                     argument);
        } else {
            snprintf(entry, sizeof(entry), "\n.It Fl %s\n", text);
        }
        assert_entry(page, entry);
    }
    assert_true(count > 0);
    assert_int_equal(count_lines(page, ".It Fl "), count);
    free(page);
    free(source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directives_are_documented),
        cmocka_unit_test(variables_are_documented),
        cmocka_unit_test(detail_fields_are_documented),
        cmocka_unit_test(parameters_are_documented),
        cmocka_unit_test(snippets_pass_what_is_read),
        cmocka_unit_test(probe_parameters_are_documented),
        cmocka_unit_test(directives_have_entries),
        cmocka_unit_test(variables_have_entries),
        cmocka_unit_test(parameters_have_entries),
        cmocka_unit_test(detail_fields_have_entries),
        cmocka_unit_test(outputs_have_their_bodies),
        cmocka_unit_test(options_have_entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
