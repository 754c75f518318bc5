/*
 * The man pages have an entry for what the code has: every directive, variable,
 * parameter, output and option, and none for anything else.
 */
#include "docs_unit.h"
#include "paths.h"
#include "store_internal.h"

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
    json_t *object = detail_fields();
    json_t *value;
    const char *name;
    char entry[64];

    (void)state;
    json_object_foreach(object, name, value)
    {
        snprintf(entry, sizeof(entry), "\n.It Li %s\n", name);
        assert_entry(page, entry);
    }
    assert_int_equal(count_lines(page, ".It Li "), json_object_size(object));
    json_decref(object);
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

/* What an upload takes of its zone, and beside it. */
static void
memory_is_told(void **state)
{
    char *page = read_page("docs/upload-progressd.conf.5");
    char *readme = read_text("README.md");

    (void)state;
    assert_entry(page, unit_case("An upload takes %d bytes and four times the "
                                 "length of its ID.\n",
                                 ROW_COST_BYTES));
    assert_int_equal(ID_COST_BYTES, 4);
    assert_entry(readme, unit_case("an upload takes %d bytes, and %d for each "
                                   "of its ID",
                                   ROW_COST_BYTES, ID_COST_BYTES));
    assert_entry(page, unit_case("Of those in flight, %d at "
                                 "most,",
                                 CACHE_SETS * CACHE_WAYS));
    free(readme);
    free(page);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directives_have_entries),
        cmocka_unit_test(variables_have_entries),
        cmocka_unit_test(parameters_have_entries),
        cmocka_unit_test(detail_fields_have_entries),
        cmocka_unit_test(outputs_have_their_bodies),
        cmocka_unit_test(options_have_entries),
        cmocka_unit_test(memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
