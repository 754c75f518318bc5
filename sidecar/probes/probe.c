/* Answering probes and taking events in. */
#include "probe.h"

#include <string.h>

#include "answer.h"
#include "io.h"
#include "log.h"
#include "progress_id.h"
#include "syslog_line.h"
#include "template.h"

enum {
    CALLBACK_MAX = 128,
    URI_MAX = 4096,
    HTTP_NO_CONTENT = 204,
    HTTP_BAD_REQUEST = 400,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
};

static void
refuse(struct response *response, int status, const char *why)
{
    response->status = status;
    response_header(response, "Content-Type", "text/plain");
    response_header(response, "X-Content-Type-Options", "nosniff");
    buffer_printf(&response->body, "%s\n", why);
}

/* The URI of the client's request, without its query. */
static void
request_uri(const struct request *request, char *uri, size_t size)
{
    const char *text = request_param(request, "DOCUMENT_URI");
    size_t len;

    if (text[0] == '\0') {
        text = request_param(request, "REQUEST_URI");
    }
    len = strcspn(text, "?");
    len = len < size ? len : size - 1;
    memcpy(uri, text, len);
    uri[len] = '\0';
}

static const char *
request_host(const struct request *request)
{
    const char *host = request_param(request, "HTTP_HOST");

    return host[0] != '\0' ? host : request_param(request, "SERVER_NAME");
}

/* A path of JavaScript identifiers: nothing that could run by itself. */
static bool
callback_is_valid(const char *callback)
{
    return strspn(callback, "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.[]") ==
           strlen(callback);
}

static bool
has_id(const struct request *request, const struct location_config *location)
{
    return request_param(request, location->header_param)[0] != '\0' ||
           query_has(request_param(request, "QUERY_STRING"), location->header);
}

/* Reads the callback, "" without one. Returns false if it is not valid. */
static bool
read_callback(const struct request *request, const char *name, char *callback,
              size_t size)
{
    size_t len = 0;
    /* The module, too, takes this name with its case. */
    const char *value =
        query_find_exact(request_param(request, "QUERY_STRING"), name, &len);

    callback[0] = '\0';
    return value == NULL || (query_decode(value, len, callback, size) &&
                             callback_is_valid(callback));
}

/* Reads one ID that stands, percent-encoded, in text. */
static bool
add_id(struct probe *probe, const char *text, size_t len)
{
    return probe->id_count < ANSWER_IDS_MAX &&
           progress_id_decode(text, len, probe->ids[probe->id_count++]);
}

/*
 * In a JSON answer there is room for many: the argument may be repeated, and
 * may be a list with commas. Elsewhere it is one ID.
 */
static bool
read_query_ids(struct probe *probe)
{
    const char *query = request_param(probe->request, "QUERY_STRING");
    bool many = probe->location->escape == ESCAPE_JSON;
    const char *value;
    size_t len;

    while ((value = query_find(query, probe->location->header, &len))) {
        query = value + len;
        for (const char *end = value + len; value <= end;) {
            size_t id_len = (size_t)(end - value);
            const char *comma = many ? memchr(value, ',', id_len) : NULL;

            id_len = comma != NULL ? (size_t)(comma - value) : id_len;
            if (!add_id(probe, value, id_len)) {
                return false;
            }
            value += id_len + 1;
        }
        if (!many) {
            break;
        }
    }
    return probe->id_count > 0;
}

static bool
read_ids(struct probe *probe)
{
    const char *header =
        request_param(probe->request, probe->location->header_param);

    if (header[0] == '\0') {
        return read_query_ids(probe);
    }
    probe->id_count = 1;
    return progress_id_choose(header, "", probe->ids[0]);
}

/* Whether the method is one of a probe; answers the others. */
static bool
check_method(const struct request *request,
             const struct location_config *location, struct response *response)
{
    const char *method = request_param(request, "REQUEST_METHOD");

    response->header_only = strcmp(method, "HEAD") == 0;
    if (response->header_only || method[0] == '\0' ||
        strcmp(method, "GET") == 0) {
        return true;
    }
    /* A browser asks first, as the header of the ID is not a simple one. */
    if (strcmp(method, "OPTIONS") == 0 &&
        answer_origin(location, request, response)) {
        response_header(response, "Access-Control-Allow-Methods", "GET, HEAD");
        response_header(response, "Access-Control-Allow-Headers",
                        location->header);
        response_header(response, "Access-Control-Max-Age", "86400");
        response->status = HTTP_NO_CONTENT;
        return false;
    }
    response_header(response, "Allow", "GET, HEAD");
    refuse(response, HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    return false;
}

/*
 * nginx may say itself what an unknown ID is answered, so that one location
 * asks all daemons in turn and another has the last word.
 */
static bool
read_unknown(struct probe *probe)
{
    const char *value =
        request_param(probe->request, "UPLOAD_PROGRESS_UNKNOWN");

    if (value[0] == '\0') {
        probe->unknown = probe->location->unknown;
    } else if (strcmp(value, "404") == 0) {
        probe->unknown = UNKNOWN_404;
    } else if (strcmp(value, "starting") == 0) {
        probe->unknown = UNKNOWN_STARTING;
    } else {
        return false;
    }
    return true;
}

/* Finds the location that a request is for. */
static void
locate(const struct sidecar *sidecar, struct probe *probe)
{
    char uri[URI_MAX];

    request_uri(probe->request, uri, sizeof(uri));
    probe->location =
        config_location(sidecar->config, request_host(probe->request), uri);
}

static void
respond_to_probe(const struct sidecar *sidecar, const struct request *request,
                 struct response *response)
{
    char ids[ANSWER_IDS_MAX][UPLOAD_ID_MAX + 1];
    char callback[CALLBACK_MAX + 1];
    struct probe probe = { .request = request, .callback = callback };

    probe.ids = ids;
    locate(sidecar, &probe);
    if (!check_method(request, probe.location, response)) {
        return;
    }
    if (probe.location->zone == NULL) {
        refuse(response, HTTP_NOT_FOUND, "no report_uploads for this URI");
        return;
    }
    if (!read_ids(&probe)) {
        bool present = has_id(request, probe.location);

        refuse(response, present ? HTTP_BAD_REQUEST : HTTP_NOT_FOUND,
               present ? "invalid progress ID" : "no progress ID");
        return;
    }
    if (!read_callback(request, probe.location->jsonp_parameter, callback,
                       sizeof(callback))) {
        refuse(response, HTTP_BAD_REQUEST, "invalid callback");
        return;
    }
    if (!read_unknown(&probe)) {
        refuse(response, HTTP_BAD_REQUEST,
               "UPLOAD_PROGRESS_UNKNOWN takes \"starting\" or \"404\"");
        return;
    }
    answer_probe(sidecar, &probe, response);
}

/* Where nginx names no zone, the track_uploads for the upload's URI does. */
static void
resolve_zone(const struct sidecar *sidecar, struct event *event)
{
    const struct track_config *track;

    if (event->zone[0] != '\0') {
        return;
    }
    track =
        config_track(config_location(sidecar->config, event->host, event->uri));
    strcpy(event->zone,
           track != NULL ? track->zone : sidecar->config->zones->name);
    event->ttl_ms = track != NULL ? track->ttl_ms : 0;
}

static void
take_event(const struct sidecar *sidecar, const struct request *request)
{
    struct event event;
    const char *wrong = event_from_params(request, &event);

    if (wrong != NULL) {
        log_write(LOG_WARNING,
                  "event by request: parameter %s is missing or invalid",
                  wrong);
        return;
    }
    resolve_zone(sidecar, &event);
    uploads_event(sidecar->uploads, &event, io_now_ms());
}

static bool
is_event(const struct request *request)
{
    return request_param(request, "UPLOAD_PROGRESS_EVENT")[0] != '\0';
}

/* Whether the event comes from whom we believe; counts the others. */
static bool
is_believed(const struct sidecar *sidecar, const struct request *request)
{
    if (trust_key(sidecar->trust,
                  request_param(request, "UPLOAD_PROGRESS_KEY"))) {
        return true;
    }
    trust_refuse(sidecar->trust, "request", io_now_ms());
    return false;
}

void
sidecar_respond(void *context, const struct request *request,
                struct response *response)
{
    const struct sidecar *sidecar = context;

    if (!is_event(request)) {
        respond_to_probe(sidecar, request, response);
    } else if (is_believed(sidecar, request)) {
        take_event(sidecar, request);
        response->status = HTTP_NO_CONTENT;
    } else {
        refuse(response, HTTP_FORBIDDEN, "the key is missing or wrong");
    }
}

static void
foresee(const struct sidecar *sidecar, const struct request *request)
{
    char ids[ANSWER_IDS_MAX][UPLOAD_ID_MAX + 1];
    struct probe probe = { .request = request, .ids = ids };
    int zone;

    if (is_event(request)) {
        return;
    }
    locate(sidecar, &probe);
    if (probe.location->zone == NULL || !read_ids(&probe)) {
        return;
    }
    zone = store_zone_find(sidecar->store, probe.location->zone);
    for (int i = 0; i < probe.id_count; i++) {
        uploads_foresee(sidecar->uploads, zone, ids[i], io_now_ms());
    }
}

void
sidecar_together(void *context, const struct request *const *requests,
                 size_t count)
{
    const struct sidecar *sidecar = context;

    for (size_t i = 0; i < count; i++) {
        foresee(sidecar, requests[i]);
    }
    if (count == 0) {
        uploads_foreseen();
    }
}

bool
sidecar_body(void *context, const struct request *request)
{
    const struct sidecar *sidecar = context;

    if (!is_event(request)) {
        return false;
    }
    if (!trust_key(sidecar->trust,
                   request_param(request, "UPLOAD_PROGRESS_KEY"))) {
        return true; /* sidecar_respond() refuses it, and counts it once */
    }
    take_event(context, request);
    return strcmp(request_param(request, "UPLOAD_PROGRESS_EVENT"), "start") ==
           0;
}

static void
take_access_line(const struct sidecar *sidecar, const struct request *line)
{
    struct event event;
    const char *wrong = event_from_log(line, &event);

    if (wrong != NULL) {
        log_write(LOG_WARNING,
                  "event by log line: the field of %s is missing or invalid",
                  wrong);
        return;
    }
    resolve_zone(sidecar, &event);
    uploads_event(sidecar->uploads, &event, io_now_ms());
}

void
sidecar_log_line(void *context, char *message)
{
    const struct sidecar *sidecar = context;
    struct request line;
    struct spool spool;
    size_t tag_len = 0;
    const char *tag = syslog_line_tag(message, &tag_len);
    /* The lines of the error log have no field that could carry the key. */
    bool tagged = tag != NULL && trust_tag(sidecar->trust, tag, tag_len);

    request_init(&line);
    switch (syslog_line_parse(message, &line)) {
    case SYSLOG_ACCESS:
        if (trust_key(sidecar->trust, request_param(&line, "key"))) {
            take_access_line(sidecar, &line);
        } else {
            trust_refuse(sidecar->trust, "line of an access log", io_now_ms());
        }
        break;
    case SYSLOG_ERROR:
        if (!event_spool_from_log(&line, sidecar->config->main.header,
                                  &spool)) {
            break; /* about something else */
        }
        if (tagged) {
            uploads_spool(sidecar->uploads, &spool, io_now_ms());
        } else {
            trust_refuse(sidecar->trust, "line of an error log", io_now_ms());
        }
        break;
    case SYSLOG_OTHER:
        log_write(LOG_DEBUG, "a datagram is no log line of nginx");
        break;
    }
}

void
sidecar_burst_begin(void *context)
{
    const struct sidecar *sidecar = context;

    store_batch_begin(sidecar->store);
}

void
sidecar_burst_end(void *context)
{
    const struct sidecar *sidecar = context;

    store_batch_end(sidecar->store);
}
