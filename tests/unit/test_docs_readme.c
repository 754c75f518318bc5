/*
 * The README and the snippets name what the code has: every directive,
 * variable, parameter and output field, and nothing else.
 */
#include "docs_unit.h"

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
    (void)state;
    detail = detail_fields();
    assert_int_equal(each_first_column("<!-- detail", known_field),
                     json_object_size(detail));
    json_decref(detail);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
