/*
 * The ready-made outputs, byte for byte, and the detailed output, read back as
 * JSON.
 */
#include "unit.h"

#include <jansson.h>

#include "outputs.h"
#include "template.h"

enum { NO_PERCENT = -1 };

static const struct body_row {
    const char *directive;
    const char *content_type;
    const char *bodies[UPLOAD_STATES];
} body_rows[] = {
    { "upload_progress_json_output",
      "application/json",
      { "{ \"state\" : \"starting\" }\r\n",
        "{ \"state\" : \"uploading\", \"received\" : 70, \"size\" : 100 }\r\n",
        "{ \"state\" : \"done\" }\r\n",
        "{ \"state\" : \"error\", \"status\" : 413 }\r\n" } },
    { "upload_progress_jsonp_output",
      "application/javascript",
      { "cb({ \"state\" : \"starting\" });\r\n",
        "cb({ \"state\" : \"uploading\", \"received\" : 70, \"size\" : 100 "
        "});\r\n",
        "cb({ \"state\" : \"done\" });\r\n",
        "cb({ \"state\" : \"error\", \"status\" : 413 });\r\n" } },
    { "upload_progress_java_output",
      "text/javascript",
      { "new Object({ 'state' : 'starting' })\r\n",
        "new Object({ 'state' : 'uploading', 'received' : 70, 'size' : 100 "
        "})\r\n",
        "new Object({ 'state' : 'done' })\r\n",
        "new Object({ 'state' : 'error', 'status' : 413 })\r\n" } },
    { "upload_progress_xml_output",
      "text/xml",
      { "<upload><state>starting</state></upload>\r\n",
        "<upload><state>uploading</state><size>100</size><uploaded>70"
        "</uploaded></upload>\r\n",
        "<upload><state>done</state></upload>\r\n",
        "<upload><state>error</state><code>413</code></upload>\r\n" } },
    { "upload_progress_lighttpd_output",
      "text/xml",
      { "not in progress",
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><upload><size>100"
        "</size><received>70</received></upload>",
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><upload><size>100"
        "</size><received>70</received></upload>",
        "not in progress" } },
    { "upload_progress_apache_output",
      "text/javascript",
      { "{ \"state\" : \"starting\", \"uuid\" : \"one\" }\r\n",
        "{ \"state\" : \"uploading\", \"received\" : 70, \"size\" : 100, "
        "\"speed\" : 5, \"started_at\": 7, \"eta\" : 6, \"uuid\" : \"one\" "
        "}\r\n",
        "{ \"state\" : \"done\", \"size\" : 100, \"speed\" : 5, "
        "\"started_at\": 7, \"completed_at\": 8, \"uuid\" : \"one\" }\r\n",
        "{ \"state\" : \"error\", \"status\" : 413, \"uuid\" : \"one\" "
        "}\r\n" } },
};

static void
check_body(const char *name, const char *text, const char *callback,
           const char *expected)
{
    const struct progress progress = { .status = 413,
                                       .received_bytes = 70,
                                       .size_bytes = 100,
                                       .rate = 5,
                                       .eta_ms = 6999,
                                       .started_ms = 7999,
                                       .finished_ms = 8999 };
    const struct template_values values = { &progress, "one", callback, NULL };
    struct buffer out = BUFFER_INIT;
    char *unknown = NULL;
    struct template *template = template_compile(text, ESCAPE_NONE, &unknown);

    ASSERT_THAT(name, template != NULL);
    template_render(template, &values, &out);
    ASSERT_BYTES(name, out.data, out.len, expected, strlen(expected));
    buffer_release(&out);
    template_free(template);
}

static void
test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(body_rows); i++) {
        const struct body_row *row = &body_rows[i];
        const struct output *output = output_find(row->directive);

        ASSERT_THAT(row->directive, output != NULL);
        ASSERT_TEXT(row->directive, output->content_type, row->content_type);
        for (int j = 0; j < UPLOAD_STATES; j++) {
            check_body(unit_case("%s, %s", row->directive, state_name(j)),
                       output->templates[j], "cb", row->bodies[j]);
        }
    }
}

static void
test_no_callback(void **state)
{
    const struct output *output = output_find("upload_progress_jsonp_output");

    (void)state;
    assert_non_null(output);
    check_body("no callback", output->templates[UPLOAD_STARTING], "",
               "({ \"state\" : \"starting\" });\r\n");
}

static void
test_find(void **state)
{
    static const char *const unknown[] = {
        "",
        "json",
        "upload_progress_json",
        "upload_progress_json_outputs",
        "UPLOAD_PROGRESS_JSON_OUTPUT",
    };
    const struct output *detail = output_find("upload_progress_detail_output");
    size_t count = 0;

    (void)state;
    assert_non_null(detail);
    ASSERT_TEXT("detail", detail->content_type, "application/json");
    for (int i = 0; i < UPLOAD_STATES; i++) {
        ASSERT_THAT(state_name(i), detail->templates[i] == NULL);
    }
    for (size_t i = 0; i < COUNT(unknown); i++) {
        ASSERT_THAT(unknown[i], output_find(unknown[i]) == NULL);
    }
    while (outputs[count].directive != NULL) {
        count++;
    }
    ASSERT_INT("all outputs are tested", count, COUNT(body_rows) + 1);
}

/* The object that the detailed output is; to be given back. */
static json_t *
detail(const char *name, const char *id, const struct progress *progress)
{
    struct buffer out = BUFFER_INIT;
    json_error_t error;
    json_t *object;

    output_detail("uploads", id, progress, &out);
    ASSERT_THAT(name, out.len > 2);
    ASSERT_BYTES(name, out.data + out.len - 2, 2, "\r\n", 2);
    ASSERT_THAT(name, memchr(out.data, '\n', out.len - 1) == NULL);
    object = json_loadb(out.data, out.len, 0, &error);
    ASSERT_THAT(name, json_is_object(object));
    buffer_release(&out);
    return object;
}

/* A running upload of which all is known. */
static const struct progress full = {
    .state = UPLOAD_UPLOADING,
    .phase = PHASE_RECEIVING,
    .received_bytes = 70,
    .size_bytes = 300,
    .rate = 35,
    .eta_ms = 6571,
    .started_ms = 1795303698123,
    .updated_ms = 1795303700007,
    .elapsed_ms = 2001,
    .protocol = 20,
    .gauge = GAUGE_SPOOL,
    .approximate = true,
};

/* One that has ended, of which little is. */
static const struct progress ended = {
    .state = UPLOAD_ERROR,
    .phase = PHASE_ERROR,
    .status = 499,
    .received_bytes = 5000000000,
    .size_bytes = -1,
    .rate = -1,
    .eta_ms = -1,
    .started_ms = 1795303698000,
    .updated_ms = 1795303698000,
    .finished_ms = 1795303699500,
    .elapsed_ms = 1500,
    .gauge = GAUGE_NONE,
    .inferred = true,
};

static const struct progress unknown_id = {
    .state = UPLOAD_STARTING,
    .phase = PHASE_STARTING,
    .size_bytes = -1,
    .rate = -1,
    .eta_ms = -1,
};

static const struct progress all_came = {
    .state = UPLOAD_DONE,
    .phase = PHASE_DONE,
    .status = 200,
    .received_bytes = 0,
    .size_bytes = 0,
    .rate = 0,
    .eta_ms = 0,
    .started_ms = 1000,
    .updated_ms = 1000,
    .finished_ms = 1001,
    .elapsed_ms = 0,
    .protocol = 11,
    .gauge = GAUGE_END,
};

static const struct progress in_pieces = {
    .state = UPLOAD_UPLOADING,
    .phase = PHASE_WAITING,
    .received_bytes = 70,
    .size_bytes = 300,
    .rate = -1,
    .eta_ms = -1,
    .started_ms = 1000,
    .updated_ms = 1000,
    .elapsed_ms = 1000,
    .pieces = { .in_pieces = true,
                .count = 2,
                .resumed_bytes = 0,
                .protocol = "tus",
                .missing_count = 2,
                .missing = { { 20, 50 }, { 100, 5000000000 } } },
};

static const struct detail_row {
    const char *name;
    const struct progress *progress;
    const char *expected;
} detail_rows[] = {
    { "full", &full,
      "{\"id\":\"abc\",\"zone\":\"uploads\",\"state\":\"uploading\","
      "\"phase\":\"receiving\",\"received\":70,\"size\":300,"
      "\"percent\":23.33,\"rate\":35,\"eta\":6.571,"
      "\"started\":1795303698.123,\"updated\":1795303700.007,"
      "\"finished\":null,\"elapsed\":2.001,\"protocol\":\"HTTP/2.0\","
      "\"gauge\":\"spool\",\"approximate\":true,\"inferred\":false,"
      "\"status\":null,\"retry_after\":0.328,\"pieces\":null}" },
    { "ended", &ended,
      "{\"id\":\"abc\",\"zone\":\"uploads\",\"state\":\"error\","
      "\"phase\":\"error\",\"received\":5000000000,\"size\":null,"
      "\"percent\":null,\"rate\":null,\"eta\":null,"
      "\"started\":1795303698.0,\"updated\":1795303698.0,"
      "\"finished\":1795303699.5,\"elapsed\":1.5,\"protocol\":null,"
      "\"gauge\":null,\"approximate\":false,\"inferred\":true,"
      "\"status\":499,\"retry_after\":null,\"pieces\":null}" },
    { "unknown ID", &unknown_id,
      "{\"id\":\"abc\",\"zone\":\"uploads\",\"state\":\"starting\","
      "\"phase\":\"starting\",\"received\":0,\"size\":null,"
      "\"percent\":null,\"rate\":null,\"eta\":null,\"started\":null,"
      "\"updated\":null,\"finished\":null,\"elapsed\":null,"
      "\"protocol\":null,\"gauge\":null,\"approximate\":false,"
      "\"inferred\":false,\"status\":null,\"retry_after\":1.0,\"pieces\":null}" },
    { "all came", &all_came,
      "{\"id\":\"abc\",\"zone\":\"uploads\",\"state\":\"done\","
      "\"phase\":\"done\",\"received\":0,\"size\":0,\"percent\":100.0,"
      "\"rate\":0,\"eta\":0.0,\"started\":1.0,\"updated\":1.0,"
      "\"finished\":1.001,\"elapsed\":0.0,\"protocol\":\"HTTP/1.1\","
      "\"gauge\":\"end\",\"approximate\":false,\"inferred\":false,"
      "\"status\":200,\"retry_after\":null,\"pieces\":null}" },
    { "in pieces", &in_pieces,
      "{\"id\":\"abc\",\"zone\":\"uploads\",\"state\":\"uploading\","
      "\"phase\":\"waiting\",\"received\":70,\"size\":300,"
      "\"percent\":23.33,\"rate\":null,\"eta\":null,"
      "\"started\":1.0,\"updated\":1.0,\"finished\":null,\"elapsed\":1.0,"
      "\"protocol\":null,\"gauge\":null,\"approximate\":false,"
      "\"inferred\":false,\"status\":null,\"retry_after\":1.0,"
      "\"pieces\":{\"protocol\":\"tus\",\"received\":2,\"receiving\":0,"
      "\"missing\":[[20,50],[100,5000000000]],\"resumed_from\":0}}" },
};

static void
check_member(const char *name, const char *key, json_t *got, json_t *expected)
{
    char *got_text = json_dumps(got, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    char *expected_text =
        json_dumps(expected, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    ASSERT_THAT(unit_case("%s: no %s", name, key), expected_text != NULL);
    ASSERT_TEXT(unit_case("%s: %s", name, key), got_text, expected_text);
    free(expected_text);
    free(got_text);
}

static void
test_detail(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(detail_rows); i++) {
        const struct detail_row *row = &detail_rows[i];
        json_t *got = detail(row->name, "abc", row->progress);
        json_t *expected = json_loads(row->expected, 0, NULL);
        const char *key;
        json_t *value;

        ASSERT_THAT(row->name, expected != NULL);
        json_object_foreach(expected, key, value)
        {
            check_member(row->name, key, json_object_get(got, key), value);
        }
        ASSERT_INT(row->name, json_object_size(got),
                   json_object_size(expected));
        json_decref(expected);
        json_decref(got);
    }
}

/* Whatever an ID may hold comes back as it was. */
static void
test_detail_id(void **state)
{
    static const char *const ids[] = {
        "a",         "\"",        "\\", "a\"b\\c/d",
        "</script>", "{\"a\":1}", " ",  "!#$%&'()*+,-.:;<=>?@[]^_`{|}~",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++) {
        json_t *object = detail(ids[i], ids[i], &full);

        ASSERT_TEXT(ids[i], json_string_value(json_object_get(object, "id")),
                    ids[i]);
        json_decref(object);
    }
}

static const struct percent_row {
    const char *name;
    enum upload_state state;
    int64_t received_bytes;
    int64_t size_bytes;
    double percent; /* NO_PERCENT: null */
} percent_rows[] = {
    { "nothing yet", UPLOAD_UPLOADING, 0, 100, 0.0 },
    { "half", UPLOAD_UPLOADING, 50, 100, 50.0 },
    { "cut, not rounded", UPLOAD_UPLOADING, 2, 3, 66.66 },
    { "least", UPLOAD_UPLOADING, 1, 10000, 0.01 },
    { "less than the least", UPLOAD_UPLOADING, 1, 10001, 0.0 },
    { "one of 10,000 missing", UPLOAD_UPLOADING, 9999, 10000, 99.99 },
    { "one of 20,000 missing", UPLOAD_UPLOADING, 19999, 20000, 99.99 },
    { "one of 5 GB missing", UPLOAD_UPLOADING, 4999999999, 5000000000, 99.99 },
    { "one of 1 TiB missing", UPLOAD_UPLOADING, 1099511627775, 1099511627776,
      99.99 },
    { "one of 2^53 missing", UPLOAD_UPLOADING, 9007199254740991,
      9007199254740992, 99.99 },
    { "one of 2^62 missing", UPLOAD_UPLOADING, 4611686018427387903,
      4611686018427387904, 99.99 },
    { "one of the most missing", UPLOAD_UPLOADING, INT64_MAX - 1, INT64_MAX,
      99.99 },
    { "all", UPLOAD_UPLOADING, 100, 100, 100.0 },
    { "all of 3", UPLOAD_UPLOADING, 3, 3, 100.0 },
    { "all of 5 GB", UPLOAD_DONE, 5000000000, 5000000000, 100.0 },
    { "all of the most", UPLOAD_DONE, INT64_MAX, INT64_MAX, 100.0 },
    { "empty body", UPLOAD_UPLOADING, 0, 0, 100.0 },
    { "cut short", UPLOAD_ERROR, 99, 100, 99.0 },
    { "unknown size", UPLOAD_UPLOADING, 100, -1, NO_PERCENT },
    { "unknown size, done", UPLOAD_DONE, 100, -1, NO_PERCENT },
    { "unknown ID", UPLOAD_STARTING, 0, -1, NO_PERCENT },
};

static void
test_percent(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(percent_rows); i++) {
        const struct percent_row *row = &percent_rows[i];
        struct progress progress = full;
        json_t *object;
        json_t *percent;

        progress.state = row->state;
        progress.received_bytes = row->received_bytes;
        progress.size_bytes = row->size_bytes;
        object = detail(row->name, "abc", &progress);
        percent = json_object_get(object, "percent");
        if (row->percent == NO_PERCENT) {
            ASSERT_THAT(row->name, json_is_null(percent));
        } else {
            ASSERT_INT(row->name, json_real_value(percent) * 1000 + 0.5,
                       row->percent * 1000 + 0.5);
        }
        json_decref(object);
    }
}

static void
test_gauge_names(void **state)
{
    static const char *const names[GAUGES] = {
        [GAUGE_SPOOL] = "spool",
        [GAUGE_SOCKET] = "socket",
        [GAUGE_BODY] = "body",
        [GAUGE_END] = "end",
    };

    (void)state;
    for (int i = 0; i < GAUGES; i++) {
        if (i == GAUGE_NONE) {
            assert_null(gauge_name(i));
        } else {
            ASSERT_TEXT(unit_case("gauge %d", i), gauge_name(i), names[i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),      cmocka_unit_test(test_no_callback),
        cmocka_unit_test(test_find),        cmocka_unit_test(test_detail),
        cmocka_unit_test(test_detail_id),   cmocka_unit_test(test_percent),
        cmocka_unit_test(test_gauge_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
