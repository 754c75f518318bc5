/*
 * Templates: what compiles, what is reported when it does not, and what is
 * rendered for known and unknown sizes.
 */
#include "unit.h"

#include "template.h"

static const struct progress half = {
    .state = UPLOAD_UPLOADING,
    .received_bytes = 4000000000,
    .size_bytes = 10000000000,
};

static const struct progress unsized = {
    .state = UPLOAD_UPLOADING,
    .received_bytes = 7,
    .size_bytes = -1,
};

static const struct progress failed = {
    .state = UPLOAD_ERROR,
    .status = 413,
};

static const struct progress all = {
    .state = UPLOAD_DONE,
    .status = 201,
    .received_bytes = 10,
    .size_bytes = 10,
};

static const struct render_row {
    const char *name;
    const char *text;
    const struct progress *progress;
    const char *callback;
    const char *expected;
} render_rows[] = {
    { "empty", "", &half, "", "" },
    { "no variables", "{ \"state\" : \"done\" }\r\n", &half, "cb",
      "{ \"state\" : \"done\" }\r\n" },
    { "percent signs", "100% %s %n", &half, "", "100% %s %n" },
    { "braces without a dollar", "{uploadprogress_length}", &half, "",
      "{uploadprogress_length}" },
    { "received", "$uploadprogress_received", &half, "", "4000000000" },
    { "length", "$uploadprogress_length", &half, "", "10000000000" },
    { "remaining", "$uploadprogress_remaining", &half, "", "6000000000" },
    { "remaining, none", "$uploadprogress_remaining", &all, "", "0" },
    { "status, none yet", "$uploadprogress_status", &half, "", "0" },
    { "status", "$uploadprogress_status", &failed, "", "413" },
    { "length, unknown", "$uploadprogress_length", &unsized, "", "-1" },
    { "remaining, unknown", "$uploadprogress_remaining", &unsized, "", "-1" },
    { "received, size unknown", "$uploadprogress_received", &unsized, "", "7" },
    { "callback", "$uploadprogress_callback(1)", &half, "a.b", "a.b(1)" },
    { "no callback", "$uploadprogress_callback(1)", &half, "", "(1)" },
    { "callback is not compiled", "$uploadprogress_callback", &half,
      "$uploadprogress_length", "$uploadprogress_length" },
    { "braces", "${uploadprogress_length}", &half, "", "10000000000" },
    { "braces, text sticks", "a${uploadprogress_status}b", &failed, "",
      "a413b" },
    { "text around", "a $uploadprogress_status b", &failed, "", "a 413 b" },
    { "side by side", "$uploadprogress_received$uploadprogress_length", &all,
      "", "1010" },
    { "side by side, braces",
      "${uploadprogress_received}${uploadprogress_status}", &all, "", "10201" },
    { "twice", "$uploadprogress_status,$uploadprogress_status", &failed, "",
      "413,413" },
    { "at the end", "status=$uploadprogress_status", &failed, "",
      "status=413" },
    { "hyphen ends a name", "$uploadprogress_status-1", &failed, "", "413-1" },
    { "brace behind a name", "$uploadprogress_status}", &failed, "", "413}" },
    { "beyond ASCII", "\xc3\xa4$uploadprogress_status\xc3\xa4", &failed, "",
      "\xc3\xa4"
      "413\xc3\xa4" },
};

static void
test_render(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(render_rows); i++) {
        const struct render_row *row = &render_rows[i];
        const struct template_values values = { row->progress, "one",
                                                row->callback, NULL };
        struct buffer out = BUFFER_INIT;
        char *text = unit_copy(row->text, strlen(row->text) + 1);
        char *unknown = NULL;
        struct template *template =
            template_compile(text, ESCAPE_NONE, &unknown);

        free(text); /* the template has its own */
        ASSERT_THAT(row->name, template != NULL);
        ASSERT_THAT(row->name, unknown == NULL);
        template_render(template, &values, &out);
        ASSERT_BYTES(row->name, out.data, out.len, row->expected,
                     strlen(row->expected));
        buffer_release(&out);
        template_free(template);
    }
}

/* It appends, and a template renders any number of times. */
static void
test_render_again(void **state)
{
    static const char expected[] = ">f 10000000000;g 10;f 10000000000;";
    const struct template_values first = { &half, "one", "f", NULL };
    const struct template_values second = { &all, "one", "g", NULL };
    struct buffer out = BUFFER_INIT;
    char *unknown = NULL;
    struct template *template =
        template_compile("$uploadprogress_callback $uploadprogress_length;",
                         ESCAPE_NONE, &unknown);

    (void)state;
    assert_non_null(template);
    buffer_append_string(&out, ">");
    template_render(template, &first, &out);
    template_render(template, &second, &out);
    template_render(template, &first, &out);
    ASSERT_BYTES("three times", out.data, out.len, expected,
                 sizeof(expected) - 1);
    buffer_release(&out);
    template_free(template);
}

/* Text is escaped for where it stands; what is checked or counted is not. */
static void
test_escaped(void **state)
{
    static const char text[] =
        "$uploadprogress_id|$arg_a|$http_x_y|$remote_addr|$raw_arg_a|"
        "$uploadprogress_state|$uploadprogress_phase|$uploadprogress_percent|"
        "$uploadprogress_rate|$uploadprogress_eta|$uploadprogress_elapsed";
    static const struct {
        enum escape escape;
        const char *expected;
    } rows[] = {
        { ESCAPE_JSON, "a\\\"\\u003cb|1\\u003c'2|\\\\|::1|1<'2|uploading|"
                       "receiving|40|1000|5|7" },
        { ESCAPE_JAVASCRIPT, "a\\\"\\u003cb|1\\u003c\\u00272|\\\\|::1|1<'2|"
                             "uploading|receiving|40|1000|5|7" },
        { ESCAPE_XML, "a&quot;&lt;b|1&lt;&#39;2|\\|::1|1<'2|uploading|"
                      "receiving|40|1000|5|7" },
        { ESCAPE_NONE, "a\"<b|1<'2|\\|::1|1<'2|uploading|receiving|40|1000|5|"
                       "7" },
    };
    struct progress progress = half;
    struct request request = { .param_count = 0 };
    const struct template_values values = { &progress, "a\"<b", "", &request };

    (void)state;
    progress.state = UPLOAD_UPLOADING;
    progress.phase = PHASE_RECEIVING;
    progress.rate = 1000;
    progress.eta_ms = 5999;
    progress.elapsed_ms = 7000;
    assert_int_equal(request_add(&request, "QUERY_STRING", "b=2&a=1%3C%272"),
                     0);
    assert_int_equal(request_add(&request, "HTTP_X_Y", "\\"), 0);
    assert_int_equal(request_add(&request, "REMOTE_ADDR", "::1"), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer out = BUFFER_INIT;
        char *unknown = NULL;
        struct template *template =
            template_compile(text, rows[i].escape, &unknown);

        assert_non_null(template);
        template_render(template, &values, &out);
        ASSERT_BYTES(rows[i].expected, out.data, out.len, rows[i].expected,
                     strlen(rows[i].expected));
        buffer_release(&out);
        template_free(template);
    }
}

static const struct unknown_row {
    const char *name;
    const char *text;
    const char *unknown;
} unknown_rows[] = {
    { "unknown", "$port", "port" },
    { "unknown in braces", "${port}", "port" },
    { "unknown in the middle", "a $port b", "port" },
    { "unknown behind a known one", "$uploadprogress_status $nope", "nope" },
    { "the first of two", "$one $two", "one" },
    { "too short", "$uploadprogress_statu", "uploadprogress_statu" },
    { "too long", "$uploadprogress_statuses", "uploadprogress_statuses" },
    { "digit", "$1", "1" },
    { "underscore", "$_", "_" },
    { "family without a name", "$arg_", "arg_" },
    { "raw without a name", "$raw_", "raw_" },
    { "raw of an unknown one", "$raw_port", "raw_port" },
    { "braces needed", "$uploadprogress_receivedB",
      "uploadprogress_receivedB" },
    { "lone", "$", "" },
    { "at the end", "costs 5 $", "" },
    { "at the start", "$ 5", "" },
    { "in the middle", "a $ b", "" },
    { "two", "$$", "" },
    { "two before a name", "$$uploadprogress_status", "" },
    { "hyphen", "$-", "" },
    { "beyond ASCII", "$\xc3\xa4", "" },
    { "empty braces", "${}", "" },
    { "open brace at the end", "${", "" },
    { "blank in braces", "${ uploadprogress_status}", "" },
};

static void
test_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(unknown_rows); i++) {
        char *unknown = NULL;

        ASSERT_THAT(unknown_rows[i].name,
                    template_compile(unknown_rows[i].text, ESCAPE_NONE,
                                     &unknown) == NULL);
        ASSERT_TEXT(unknown_rows[i].name, unknown, unknown_rows[i].unknown);
        free(unknown);
    }
}

/* Known names all of them, but the brace is not closed. */
static void
test_open_braces(void **state)
{
    static const char *const texts[] = {
        "${uploadprogress_status",
        "${uploadprogress_status ",
        "${uploadprogress_status $uploadprogress_status}",
        "${uploadprogress_status-}",
        "a${uploadprogress_status\r\n}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char *unknown = NULL;

        ASSERT_THAT(texts[i],
                    template_compile(texts[i], ESCAPE_NONE, &unknown) == NULL);
        ASSERT_THAT(texts[i], unknown != NULL);
        free(unknown);
    }
}

static void
test_free_null(void **state)
{
    (void)state;
    template_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render),      cmocka_unit_test(test_render_again),
        cmocka_unit_test(test_escaped),     cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_open_braces), cmocka_unit_test(test_free_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
