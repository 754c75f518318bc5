/* The ready-made outputs. The first three are the module's, byte for byte. */
#include "outputs.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define JSON_STARTING "{ \"state\" : \"starting\" }"
#define JSON_UPLOADING                                                       \
    "{ \"state\" : \"uploading\", \"received\" : $uploadprogress_received, " \
    "\"size\" : $uploadprogress_length }"
#define JSON_DONE "{ \"state\" : \"done\" }"
#define JSON_ERROR \
    "{ \"state\" : \"error\", \"status\" : $uploadprogress_status }"

#define JSONP(json) "$uploadprogress_callback(" json ");\r\n"

#define LIGHTTPD_XML                                                  \
    "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><upload><size>"   \
    "$uploadprogress_length</size><received>$uploadprogress_received" \
    "</received></upload>"

#define APACHE_SIZE                                                         \
    "\"size\" : $uploadprogress_length, \"speed\" : $uploadprogress_rate, " \
    "\"started_at\": $uploadprogress_started"
#define APACHE_UUID "\"uuid\" : \"$uploadprogress_id\" }\r\n"

const struct output outputs[] = {
    {
        "upload_progress_json_output",
        "application/json",
        {
            [UPLOAD_STARTING] = JSON_STARTING "\r\n",
            [UPLOAD_UPLOADING] = JSON_UPLOADING "\r\n",
            [UPLOAD_DONE] = JSON_DONE "\r\n",
            [UPLOAD_ERROR] = JSON_ERROR "\r\n",
        },
    },
    {
        "upload_progress_jsonp_output",
        "application/javascript",
        {
            [UPLOAD_STARTING] = JSONP(JSON_STARTING),
            [UPLOAD_UPLOADING] = JSONP(JSON_UPLOADING),
            [UPLOAD_DONE] = JSONP(JSON_DONE),
            [UPLOAD_ERROR] = JSONP(JSON_ERROR),
        },
    },
    {
        "upload_progress_java_output",
        "text/javascript",
        {
            [UPLOAD_STARTING] = "new Object({ 'state' : 'starting' })\r\n",
            [UPLOAD_UPLOADING] =
                "new Object({ 'state' : 'uploading', 'received' : "
                "$uploadprogress_received, 'size' : $uploadprogress_length "
                "})\r\n",
            [UPLOAD_DONE] = "new Object({ 'state' : 'done' })\r\n",
            [UPLOAD_ERROR] = "new Object({ 'state' : 'error', 'status' : "
                             "$uploadprogress_status })\r\n",
        },
    },
    {
        "upload_progress_xml_output",
        "text/xml",
        {
            [UPLOAD_STARTING] = "<upload><state>starting</state></upload>\r\n",
            [UPLOAD_UPLOADING] =
                "<upload><state>uploading</state><size>$uploadprogress_length"
                "</size><uploaded>$uploadprogress_received</uploaded>"
                "</upload>\r\n",
            [UPLOAD_DONE] = "<upload><state>done</state></upload>\r\n",
            [UPLOAD_ERROR] =
                "<upload><state>error</state><code>$uploadprogress_status"
                "</code></upload>\r\n",
        },
    },
    {
        /* mod_uploadprogress of lighttpd 1.4: an upload that it does not have,
         * or no longer, is not in progress. */
        "upload_progress_lighttpd_output",
        "text/xml",
        {
            [UPLOAD_STARTING] = "not in progress",
            [UPLOAD_UPLOADING] = LIGHTTPD_XML,
            [UPLOAD_DONE] = LIGHTTPD_XML,
            [UPLOAD_ERROR] = "not in progress",
        },
    },
    {
        /* mod_upload_progress of Apache. */
        "upload_progress_apache_output",
        "text/javascript",
        {
            [UPLOAD_STARTING] = "{ \"state\" : \"starting\", " APACHE_UUID,
            [UPLOAD_UPLOADING] =
                "{ \"state\" : \"uploading\", \"received\" : "
                "$uploadprogress_received, " APACHE_SIZE
                ", \"eta\" : $uploadprogress_eta, " APACHE_UUID,
            [UPLOAD_DONE] =
                "{ \"state\" : \"done\", " APACHE_SIZE
                ", \"completed_at\": $uploadprogress_finished, " APACHE_UUID,
            [UPLOAD_ERROR] = "{ \"state\" : \"error\", \"status\" : "
                             "$uploadprogress_status, " APACHE_UUID,
        },
    },
    { "upload_progress_detail_output", "application/json", { NULL } },
    { NULL, NULL, { NULL } },
};

const struct output output_default = {
    NULL,
    "text/javascript",
    {
        [UPLOAD_STARTING] = JSONP(JSON_STARTING),
        [UPLOAD_UPLOADING] = JSONP(JSON_UPLOADING),
        [UPLOAD_DONE] = JSONP(JSON_DONE),
        [UPLOAD_ERROR] = JSONP(JSON_ERROR),
    },
};

const struct output *
output_find(const char *directive)
{
    for (const struct output *o = outputs; o->directive != NULL; o++) {
        if (strcmp(o->directive, directive) == 0) {
            return o;
        }
    }
    return NULL;
}

static json_t *
integer_or_null(bool known, int64_t value)
{
    return known ? json_integer((json_int_t)value) : json_null();
}

/* Milliseconds as seconds with three decimals. */
static json_t *
seconds_or_null(bool known, int64_t ms)
{
    return known ? json_real((double)ms / 1000.0) : json_null();
}

static json_t *
text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *
percent(const struct progress *p)
{
    int hundredths = progress_hundredths(p);

    return hundredths < 0 ? json_null() : json_real(hundredths / 100.0);
}

/* When it is worth asking again: 1/20 of the time left, 0.25 to 5 seconds. */
static json_t *
retry_after(const struct progress *p)
{
    int64_t ms = p->eta_ms > 0 ? p->eta_ms / 20 : 1000;

    if (p->state == UPLOAD_DONE || p->state == UPLOAD_ERROR) {
        return json_null();
    }
    ms = ms < 250 ? 250 : ms;
    return json_real((double)(ms > 5000 ? 5000 : ms) / 1000.0);
}

static json_t *
protocol(const struct progress *p)
{
    return p->protocol == 0
               ? json_null()
               : json_sprintf("HTTP/%d.%d", p->protocol / 10, p->protocol % 10);
}

/* Of an ordinary upload null. */
static json_t *
pieces(const struct progress_pieces *p)
{
    json_t *missing;

    if (!p->in_pieces) {
        return json_null();
    }
    missing = json_array();
    for (int i = 0; i < p->missing_count; i++) {
        json_array_append_new(missing,
                              json_pack("[I, I]", (json_int_t)p->missing[i][0],
                                        (json_int_t)p->missing[i][1]));
    }
    return json_pack("{s:s, s:I, s:i, s:o, s:o}", "protocol", p->protocol,
                     "received", (json_int_t)p->count, "receiving",
                     p->under_way, "missing", missing, "resumed_from",
                     integer_or_null(p->resumed_bytes >= 0, p->resumed_bytes));
}

static json_t *
build(const char *zone, const char *id, const struct progress *p)
{
    bool known = p->state != UPLOAD_STARTING;

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
        " s:o, s:o, s:b, s:b, s:o, s:o, s:o}",
        "id", id, "zone", zone, "state", state_name(p->state), "phase",
        phase_name(p->phase), "received", (json_int_t)p->received_bytes, "size",
        integer_or_null(p->size_bytes >= 0, p->size_bytes), "percent",
        percent(p), "rate", integer_or_null(p->rate >= 0, p->rate), "eta",
        seconds_or_null(p->eta_ms >= 0, p->eta_ms), "started",
        seconds_or_null(known, p->started_ms), "updated",
        seconds_or_null(known, p->updated_ms), "finished",
        seconds_or_null(p->finished_ms != 0, p->finished_ms), "elapsed",
        seconds_or_null(known, p->elapsed_ms), "protocol", protocol(p), "gauge",
        text_or_null(gauge_name(p->gauge)), "approximate", (int)p->approximate,
        "inferred", (int)p->inferred, "status",
        integer_or_null(p->status != 0, p->status), "retry_after",
        retry_after(p), "pieces", pieces(&p->pieces));
}

static int
append(const char *text, size_t len, void *out)
{
    buffer_append(out, text, len);
    return 0;
}

void
output_detail(const char *zone, const char *id, const struct progress *progress,
              struct buffer *out)
{
    json_t *object = build(zone, id, progress);

    if (object == NULL ||
        json_dump_callback(object, append, out, JSON_REAL_PRECISION(15)) < 0) {
        abort(); /* ASCII only: it can fail for want of memory alone */
    }
    json_decref(object);
    buffer_append_string(out, "\r\n");
}

const char *
gauge_name(enum gauge gauge)
{
    switch (gauge) {
    case GAUGE_NONE:
    case GAUGES:
        return NULL;
    case GAUGE_SPOOL:
        return "spool";
    case GAUGE_SOCKET:
        return "socket";
    case GAUGE_BODY:
        return "body";
    case GAUGE_END:
        return "end";
    }
    return NULL;
}
