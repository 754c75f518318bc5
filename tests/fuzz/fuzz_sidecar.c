/*
 * The daemon's application: events and probes as the wire hands them over,
 * many in one input, on an empty store. Each message ends with an RS byte
 * (0x1e); its first byte tells what it is: 'l' a log line, 't' the timer, 'k'
 * that events need a key from here on, "s" that a snapshot is taken, once, all
 * others a request, of names and values with NULs behind them.
 *
 * - A request is answered with one of the statuses that are meant, and header
 *   lines that are one line each, whatever was asked.
 * - The body is what its type says: JSON that jansson takes, JavaScript and
 *   XML without markup or ends of lines out of a value.
 * - The detailed output tells nothing that cannot be: more received than the
 *   size, more than 100 %, a finished upload without its end.
 * - Whatever events have made of the store, a snapshot of it is taken over.
 * - Where a key is needed, what does not hold it adds no upload.
 * - Everything is over at some time, told or not, and the zones are empty then.
 */
#include "probe.h"

#include <jansson.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "io.h"
#include "log.h"
#include "trust.h"

enum {
    MESSAGE_END = 0x1e,
    TICKS_MAX = 200, /* until all is over that an input began */
    TICK_MS = 10000,
    OTHER_BYTES = 1200, /* of the second zone: a few uploads fill it */
};

static const char configuration[] =
    "upload_progress uploads 32k; upload_progress other 32k;"
    "track_uploads uploads 1s; report_uploads uploads;"
    "location / { upload_progress_json_output; }"
    "location /jsonp { upload_progress_jsonp_output; }"
    "location /java { upload_progress_java_output; }"
    "location /xml { upload_progress_xml_output; track_uploads other 5s; }"
    "location /detail { upload_progress_detail_output;"
    "  upload_progress_allow_origin https://a.example https://b.example; }"
    "location /apache { upload_progress_apache_output;"
    "  upload_progress_allow_origin *; upload_progress_unknown 404; }"
    "location /lighttpd { upload_progress_lighttpd_output; }"
    "location /text { upload_progress_content_type application/json;"
    "  upload_progress_template starting '{\"a\":\"$arg_a $http_a $uri\"}';"
    "  upload_progress_template uploading '{\"a\":\"$uploadprogress_id\"}';"
    "  upload_progress_template done '{\"a\":[\"$arg_a\"]}';"
    "  upload_progress_template error '{\"\":$uploadprogress_status}'; }"
    "location /html { upload_progress_content_type text/html;"
    "  upload_progress_template starting '$arg_a $http_a $uri';"
    "  upload_progress_template uploading '$uploadprogress_id';"
    "  upload_progress_template done '$arg_a';"
    "  upload_progress_template error '$uploadprogress_status'; }"
    "server { server_name b.example; report_uploads other;"
    "  upload_progress_header X-Other; upload_progress_detail_output; }";

static const char key[] = "0123456789ab";

static struct sidecar sidecar;
static bool passed_on; /* once in an input: it takes longer than most */

static void
open_store(void)
{
    struct uploads_options options = {
        .gauges = { [GAUGE_SPOOL] = true },
        .check_interval_ms = 1000,
        .inactive_timeout_ms = 1000,
        .ttl_ms = { 1000, 1000 },
        .clock_ms = io_now_ms,
        .thread_us = io_thread_us,
    };
    const char *message = NULL;

    sidecar.store = store_new(&message);
    FUZZ_HOLDS(sidecar.store != NULL);
    FUZZ_HOLDS(store_zone_set(sidecar.store, "uploads", 32768) == 0);
    FUZZ_HOLDS(store_zone_set(sidecar.store, "other", OTHER_BYTES) == 1);
    sidecar.uploads = uploads_new(sidecar.store, &options);
}

/* Once: it takes longer than what an input does. */
static void
set_up(void)
{
    char *message = NULL;

    if (sidecar.config == NULL) {
        FUZZ_HOLDS(log_open("/dev/null", LOG_EMERG) == 0);
        sidecar.config = config_load(NULL, configuration, &message);
        FUZZ_HOLDS(message == NULL);
        open_store();
    }
}

/* Lets the time pass until all is over. */
static void
empty_store(void)
{
    int64_t now_ms = io_now_ms();

    for (int i = 0; store_upload_count(sidecar.store) > 0; i++) {
        FUZZ_HOLDS(i < TICKS_MAX);
        now_ms += TICK_MS;
        uploads_tick(sidecar.uploads, now_ms);
    }
    FUZZ_HOLDS(store_zone_used(sidecar.store, 0) == 0);
    FUZZ_HOLDS(store_zone_used(sidecar.store, 1) == 0);
}

static bool
is_type(const char *header, const char *type)
{
    static const char name[] = "Content-Type: ";
    const char *found = strstr(header, name);

    return found != NULL &&
           strncmp(found + sizeof(name) - 1, type, strlen(type)) == 0;
}

/* Complete lines, "Name: value", and no other line in one of them. */
static void
check_header(const char *header)
{
    while (*header != '\0') {
        size_t name_len = strcspn(header, ":\r\n");
        size_t len = strcspn(header, "\r\n");

        FUZZ_HOLDS(name_len > 0 && name_len < len);
        FUZZ_HOLDS(strncmp(header + name_len, ": ", 2) == 0);
        FUZZ_HOLDS(strncmp(header + len, "\r\n", 2) == 0);
        header += len + 2;
    }
}

static double
number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    FUZZ_HOLDS(json_is_number(value) || json_is_null(value));
    return json_is_null(value) ? -1 : json_number_value(value);
}

static void
check_detail(const json_t *detail)
{
    const char *state = json_string_value(json_object_get(detail, "state"));
    bool finished;

    FUZZ_HOLDS(state != NULL);
    finished = strcmp(state, "done") == 0 || strcmp(state, "error") == 0;
    FUZZ_HOLDS(finished || strcmp(state, "starting") == 0 ||
               strcmp(state, "uploading") == 0);
    FUZZ_HOLDS(number(detail, "received") >= 0);
    FUZZ_HOLDS(number(detail, "size") < 0 ||
               number(detail, "received") <= number(detail, "size"));
    FUZZ_HOLDS(number(detail, "percent") <= 100);
    FUZZ_HOLDS(number(detail, "elapsed") >= -1);
    FUZZ_HOLDS(finished == (number(detail, "finished") >= 0));
    FUZZ_HOLDS(finished || number(detail, "status") < 0);
}

/* One answer, or an object of them. */
static void
check_json(const struct buffer *body)
{
    json_t *json = json_loadb(body->data, body->len, 0, NULL);
    const char *name;
    json_t *value;

    FUZZ_HOLDS(json_is_object(json));
    if (json_object_get(json, "retry_after") != NULL) {
        check_detail(json);
    }
    json_object_foreach(json, name, value)
    {
        if (json_object_get(value, "retry_after") != NULL) {
            check_detail(value);
        }
    }
    json_decref(json);
}

/* A call, an object or an assignment, in one line; nothing ends a script. */
static void
check_javascript(const char *body)
{
    size_t len = strcspn(body, "\r\n<>&");

    FUZZ_HOLDS(strcmp(body + len, "\r\n") == 0);
    for (size_t i = 0; i < len; i++) {
        FUZZ_HOLDS(body[i] >= ' ' && body[i] <= '~');
    }
}

static void
check_xml(const char *body, bool html)
{
    if (html) { /* all of it is values */
        FUZZ_HOLDS(strpbrk(body, "<>\"'") == NULL);
        return;
    }
    for (const char *p = body; *p != '\0'; p++) {
        FUZZ_HOLDS((*p >= ' ' && *p <= '~') || *p == '\r' || *p == '\n');
    }
    FUZZ_HOLDS(body[0] == '<' || strcmp(body, "not in progress") == 0);
}

static void
check_response(struct response *response)
{
    static const int statuses[] = { 200, 204, 304, 400, 403, 404, 405 };
    bool known = false;
    struct buffer rendered = BUFFER_INIT;
    const char *body;

    for (size_t i = 0; i < COUNT(statuses); i++) {
        known = known || response->status == statuses[i];
    }
    FUZZ_HOLDS(known);
    buffer_append(&response->header, "", 1);
    buffer_append(&response->body, "", 1);
    response->header.len--;
    response->body.len--;
    check_header(response->header.data);
    body = response->body.data;
    if (response->status == 204 || response->status == 304) {
        FUZZ_HOLDS(response->body.len == 0);
    } else if (is_type(response->header.data, "application/json")) {
        check_json(&response->body);
    } else if (is_type(response->header.data, "text/javascript") ||
               is_type(response->header.data, "application/javascript")) {
        check_javascript(body);
    } else if (is_type(response->header.data, "text/plain")) {
        FUZZ_HOLDS(response->status >= 400);
    } else {
        check_xml(body, is_type(response->header.data, "text/html"));
    }
    response_render(response, &rendered);
    buffer_release(&rendered);
}

static void
respond(struct request *request)
{
    struct response response = { .status = 200 };

    if (!sidecar_body(&sidecar, request)) {
        request->body_complete = true;
    }
    sidecar_respond(&sidecar, request, &response);
    check_response(&response);
    response_release(&response);
}

static void
take_request(struct fuzz_input *message)
{
    struct request request = { .param_count = 0 };
    char *words[2 * REQUEST_PARAMS_MAX];
    size_t count = 0;

    request.body_bytes = fuzz_byte(message);
    while (message->len > 0 && count < COUNT(words)) {
        words[count++] = fuzz_field(message);
        if (count % 2 == 0) {
            FUZZ_HOLDS(
                request_add(&request, words[count - 2], words[count - 1]) == 0);
        }
    }
    respond(&request);
    while (count > 0) {
        free(words[--count]);
    }
}

/* A store of the same zones in another order, empty. */
static struct store *
next_store(void)
{
    static struct store *store;
    const char *message = NULL;
    struct spool spool;
    int64_t held_fd;

    if (store == NULL) {
        store = store_new(&message);
        FUZZ_HOLDS(store != NULL);
    } else {
        store_zone_remove(store, 0);
        store_zone_remove(store, 1);
    }
    while (store_spool_scan(store, 0, &spool, 1) > 0) {
        FUZZ_HOLDS(store_spool_take(store, spool.row, &held_fd) == STORE_OK);
    }
    FUZZ_HOLDS(store_zone_set(store, "other", OTHER_BYTES) == 0);
    FUZZ_HOLDS(store_zone_set(store, "uploads", 32768) == 1);
    return store;
}

/* As to the next program of the process. */
static void
pass_on(void)
{
    const struct store_moment now = { .monotonic_ms = io_now_ms(),
                                      .wall_ms = 1,
                                      .boot_id = "one" };
    struct store *next = next_store();
    struct store_loaded loaded;
    char *message = NULL;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    FUZZ_HOLDS(fd >= 0);
    FUZZ_HOLDS(store_snapshot_write(sidecar.store, fd, &now, &message) == 0);
    FUZZ_HOLDS(store_snapshot_read(next, fd, &now, &loaded, &message) == 0);
    FUZZ_HOLDS(loaded.without_zone == 0);
    FUZZ_HOLDS(store_upload_count(next) == store_upload_count(sidecar.store));
    FUZZ_HOLDS(store_zone_used(next, 0) == store_zone_used(sidecar.store, 1));
    FUZZ_HOLDS(store_zone_used(next, 1) == store_zone_used(sidecar.store, 0));
    close(fd);
}

static void
take_message(const uint8_t *data, size_t len)
{
    struct fuzz_input message = { data, len };
    bool believed = sidecar.trust == NULL ||
                    memmem(data, len, key, sizeof(key) - 1) != NULL;
    int before = store_upload_count(sidecar.store);
    char *line;

    if (len > 0 && data[0] == 'l') {
        line = fuzz_string(data + 1, len - 1);
        sidecar_log_line(&sidecar, line);
        free(line);
    } else if (len > 0 && data[0] == 't') {
        uploads_tick(sidecar.uploads, io_now_ms() + 2000 * (int64_t)(len % 8));
    } else if (len > 0 && data[0] == 'k') {
        trust_free(sidecar.trust);
        sidecar.trust = trust_new(key);
    } else if (len == 1 && data[0] == 's') {
        if (!passed_on) {
            pass_on();
        }
        passed_on = true;
    } else {
        take_request(&message);
    }
    FUZZ_HOLDS(believed || store_upload_count(sidecar.store) <= before);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    set_up();
    passed_on = false;
    while (size > 0) {
        const uint8_t *end = memchr(data, MESSAGE_END, size);
        size_t len = end != NULL ? (size_t)(end - data) : size;

        take_message(data, len);
        len += len < size;
        data += len;
        size -= len;
    }
    trust_free(sidecar.trust);
    sidecar.trust = NULL;
    empty_store();
    return 0;
}
