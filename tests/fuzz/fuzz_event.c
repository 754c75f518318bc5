/*
 * Events, the same one told both ways: by parameters and by a log line with
 * the values escaped as nginx does.
 *
 * - Whatever the values hold, the line gives them back as they were.
 * - Both ways take the same events, and read the same from them.
 */
#include "event.h"

#include "buffer.h"
#include "fuzz.h"
#include "syslog_line.h"

enum { VALUES_MAX = 64 };

/* log_format's default escaping (ngx_http_log_escape). */
static void
add_escaped(struct buffer *line, const char *value)
{
    if (value[0] == '\0') {
        buffer_append_string(line, "-");
    }
    for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
        if (*p == '"' || *p == '\\' || *p < ' ' || *p > '~') {
            buffer_printf(line, "\\x%02X", *p);
        } else {
            buffer_append(line, p, 1);
        }
    }
}

static void
add_field(struct buffer *line, struct request *params, const char *log,
          const char *param, const char *value)
{
    buffer_printf(line, "%s%s=\"", line->data[line->len - 1] == '"' ? " " : "",
                  log);
    add_escaped(line, value);
    buffer_append_string(line, "\"");
    FUZZ_HOLDS(request_add(params, param, value) == 0);
}

/* Builds both; the values are to be freed. */
static int
build(struct fuzz_input *input, struct buffer *line, struct request *params,
      char *values[VALUES_MAX])
{
    int count = 0;

    buffer_append_string(line, "<190>Jan 31 12:34:56 upload_progress: ");
    values[count] = fuzz_field(input);
    add_field(line, params, "id", "UPLOAD_PROGRESS_ID", values[count++]);
    values[count] = fuzz_field(input);
    add_field(line, params, "arg", "UPLOAD_PROGRESS_ARG", values[count++]);
    for (const struct event_field *f = event_fields; f->param; f++) {
        values[count] = fuzz_field(input);
        /* nginx logs "-" for nothing, so it cannot stand for itself. */
        if (strcmp(values[count], "-") == 0) {
            values[count][0] = '\0';
        }
        add_field(line, params, f->log, f->param, values[count++]);
    }
    buffer_append(line, "", 1);
    FUZZ_HOLDS(request_add(params, "UPLOAD_PROGRESS_EVENT", "start") == 0);
    return count;
}

static void
compare_values(const struct request *params, const struct request *line)
{
    FUZZ_HOLDS(line->param_count + 1 == params->param_count);
    for (size_t i = 0; i < line->param_count; i++) {
        const char *value = params->params[i].value;

        FUZZ_HOLDS(strcmp(line->params[i].value,
                          strcmp(value, "-") == 0 ? "" : value) == 0);
    }
}

/* The texts that stay those of the request; afterwards they are left out. */
static void
compare_texts(struct event *one, struct event *other)
{
    for (const struct event_field *f = event_fields; f->param; f++) {
        if (f->offset >= offsetof(struct event, request) &&
            f->offset < offsetof(struct event, piece)) {
            const char **a = (const char **)((char *)one + f->offset);
            const char **b = (const char **)((char *)other + f->offset);

            FUZZ_HOLDS(strcmp(*a, *b) == 0);
            *a = *b = NULL;
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    struct buffer line = BUFFER_INIT;
    struct request params = { .param_count = 0 };
    struct request parsed = { .param_count = 0 };
    struct event by_params;
    struct event by_line;
    char *values[VALUES_MAX];
    int count = build(&input, &line, &params, values);
    const char *wrong;

    FUZZ_HOLDS(syslog_line_parse(line.data, &parsed) == SYSLOG_ACCESS);
    compare_values(&params, &parsed);
    if (strcmp(values[0], "-") == 0) {
        values[0][0] = '\0';
    }
    if (strcmp(values[1], "-") == 0) {
        values[1][0] = '\0';
    }
    wrong = event_from_params(&params, &by_params);
    if (wrong != NULL) {
        const char *also = event_from_log(&parsed, &by_line);

        FUZZ_HOLDS(also != NULL && strcmp(also, wrong) == 0);
    } else if (by_params.status < 0) {
        FUZZ_HOLDS(event_from_log(&parsed, &by_line) != NULL);
    } else {
        FUZZ_HOLDS(event_from_log(&parsed, &by_line) == NULL);
        by_line.kind = EVENT_START;
        compare_texts(&by_line, &by_params);
        FUZZ_HOLDS(memcmp(&by_line, &by_params, sizeof(by_line)) == 0);
    }
    while (count > 0) {
        free(values[--count]);
    }
    buffer_release(&line);
    return 0;
}
