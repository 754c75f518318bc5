/*
 * Templates, and the escaping of what is put into them. The input is a byte
 * for the type, then a template, an ID, a callback, a query and two headers,
 * with NULs between them.
 *
 * - Any template compiles, or names what is wrong in it.
 * - JSON: whatever the values hold, a template whose own text is a string is
 *   still one string when rendered, and jansson takes it.
 * - JavaScript: no quote, end of line or "</" comes out of a value unescaped.
 * - XML: no '<', '>', quote or lone '&' comes out of a value.
 * - Text that is valid UTF-8 comes out of JSON as it went in.
 */
#include "template.h"

#include <ctype.h>
#include <jansson.h>

#include "fuzz.h"

struct values {
    char *id;
    char *callback;
    char *query;
    char *headers[2];
};

static void
render(const char *text, enum escape escape, const struct values *values,
       struct buffer *out)
{
    static const struct progress progress = {
        .state = UPLOAD_UPLOADING,
        .phase = PHASE_RECEIVING,
        .received_bytes = 3276800,
        .size_bytes = 8000000,
        .eta_ms = -1,
    };
    struct request request = { .param_count = 0 };
    struct template_values rendered = { &progress, values->id, values->callback,
                                        &request };
    char *unknown = NULL;
    struct template *template = template_compile(text, escape, &unknown);

    if (template == NULL) {
        FUZZ_HOLDS(unknown != NULL);
        free(unknown);
        return;
    }
    FUZZ_HOLDS(unknown == NULL);
    FUZZ_HOLDS(request_add(&request, "QUERY_STRING", values->query) == 0);
    FUZZ_HOLDS(request_add(&request, "HTTP_A", values->headers[0]) == 0);
    FUZZ_HOLDS(request_add(&request, "HTTP_HOST", values->headers[1]) == 0);
    template_render(template, &rendered, out);
    template_free(template);
}

/* Without the bytes that mean something to the type, and without $raw_. */
static void
disarm(char *text, const char *special)
{
    char *raw;

    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~' ||
            strchr(special, *p) != NULL) {
            *p = '.';
        }
    }
    while ((raw = strstr(text, "raw_")) != NULL) {
        raw[0] = '.';
    }
}

/* Renders the text within quotes. */
static void
render_quoted(const char *text, enum escape escape, const struct values *values,
              struct buffer *out)
{
    buffer_append_string(out, "\"");
    render(text, escape, values, out);
    buffer_append_string(out, "\"");
}

static void
check_json(const char *text, const struct values *values)
{
    struct buffer out = BUFFER_INIT;
    json_t *json;

    render_quoted(text, ESCAPE_JSON, values, &out);
    json = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
    FUZZ_HOLDS(json_is_string(json));
    json_decref(json);
    buffer_release(&out);
}

/* One value alone: jansson gives back what went in, if it was UTF-8. */
static void
check_json_value(const struct values *values)
{
    struct buffer out = BUFFER_INIT;
    json_t *valid = json_string(values->headers[0]);
    json_t *json;

    render_quoted("$http_a", ESCAPE_JSON, values, &out);
    json = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
    FUZZ_HOLDS(json_is_string(json));
    FUZZ_HOLDS(valid == NULL ||
               strcmp(json_string_value(json), values->headers[0]) == 0);
    json_decref(valid);
    json_decref(json);
    buffer_release(&out);
}

static void
check_javascript(const char *text, const struct values *values)
{
    struct buffer out = BUFFER_INIT;

    render(text, ESCAPE_JAVASCRIPT, values, &out);
    buffer_append(&out, "", 1);
    for (const char *p = out.data; *p != '\0'; p++) {
        if (*p == '\\') { /* a whole escape sequence, and a known one */
            p++;
            if (*p == 'u') {
                FUZZ_HOLDS(strspn(p + 1, "0123456789abcdef") >= 4);
                p += 4;
            } else {
                FUZZ_HOLDS(*p == '\\' || *p == '"');
            }
            continue;
        }
        FUZZ_HOLDS(strchr("\"'<>&`", *p) == NULL);
        FUZZ_HOLDS((unsigned char)*p >= ' ' && *p != 0x7f);
        FUZZ_HOLDS(strncmp(p, "\xe2\x80\xa8", 3) != 0); /* U+2028, U+2029 */
        FUZZ_HOLDS(strncmp(p, "\xe2\x80\xa9", 3) != 0);
    }
    buffer_release(&out);
}

static bool
is_entity(const char *p)
{
    static const char *const entities[] = { "&amp;", "&lt;", "&gt;",  "&quot;",
                                            "&#39;", "&#9;", "&#10;", "&#13;" };

    for (size_t i = 0; i < COUNT(entities); i++) {
        if (strncmp(p, entities[i], strlen(entities[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void
check_xml(const char *text, const struct values *values)
{
    struct buffer out = BUFFER_INIT;
    json_t *valid;

    render(text, ESCAPE_XML, values, &out);
    buffer_append(&out, "", 1);
    valid = json_string(out.data); /* UTF-8 it is in any case */
    FUZZ_HOLDS(valid != NULL);
    json_decref(valid);
    for (const char *p = out.data; *p != '\0'; p++) {
        FUZZ_HOLDS(strchr("<>\"'", *p) == NULL);
        FUZZ_HOLDS(*p != '&' || is_entity(p));
        FUZZ_HOLDS((unsigned char)*p >= ' ');
    }
    buffer_release(&out);
}

/* A callback is rendered as it is: what is in it was checked before. */
static void
clean_callback(char *callback)
{
    for (char *p = callback; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p) && strchr("_$.[]", *p) == NULL) {
            *p = '_';
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    unsigned type = fuzz_byte(&input) % 4;
    char *text = fuzz_field(&input);
    struct values values = { .id = fuzz_field(&input) };
    struct buffer out = BUFFER_INIT;

    values.callback = fuzz_field(&input);
    values.query = fuzz_field(&input);
    values.headers[0] = fuzz_field(&input);
    values.headers[1] = fuzz_field(&input);
    clean_callback(values.callback);
    render(text, (enum escape)type, &values, &out);
    switch ((enum escape)type) {
    case ESCAPE_NONE:
        break;
    case ESCAPE_JSON:
        disarm(text, "\"\\");
        check_json(text, &values);
        check_json_value(&values);
        break;
    case ESCAPE_JAVASCRIPT:
        disarm(text, "\"'\\<>&`");
        check_javascript(text, &values);
        break;
    case ESCAPE_XML:
        disarm(text, "\"'<>&");
        check_xml(text, &values);
        break;
    }
    buffer_release(&out);
    free(text);
    free(values.id);
    free(values.callback);
    free(values.query);
    free(values.headers[0]);
    free(values.headers[1]);
    return 0;
}
