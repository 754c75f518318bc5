/* Answering probes and taking events in. */
#include "probe.h"

#include <ctype.h>
#include <string.h>

#include "io.h"
#include "log.h"
#include "outputs.h"
#include "progress_id.h"
#include "syslog_line.h"
#include "template.h"

enum {
    CALLBACK_MAX = 128,
    URI_MAX = 4096,
    HTTP_NO_CONTENT = 204,
    HTTP_BAD_REQUEST = 400,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
};

static void
refuse(struct response *response, int status, const char *why)
{
    response->status = status;
    response_header(response, "Content-Type", "text/plain");
    buffer_printf(&response->body, "%s\n", why);
}

/* The parameter of a request header: "X-Progress-ID" is HTTP_X_PROGRESS_ID. */
static const char *
header_param(const struct request *request, const char *header)
{
    char name[128] = "HTTP_";
    size_t at = 5;

    for (const char *p = header; *p != '\0' && at < sizeof(name) - 1; p++) {
        char upper = (char)toupper((unsigned char)*p);

        name[at++] = (char)(upper == '-' ? '_' : upper);
    }
    name[at] = '\0';
    return request_param(request, name);
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
    return header_param(request, location->header)[0] != '\0' ||
           query_has(request_param(request, "QUERY_STRING"), location->header);
}

/* Reads the callback, "" without one. Returns false if it is not valid. */
static bool
read_callback(const struct request *request, const char *name, char *callback,
              size_t size)
{
    const char *query = request_param(request, "QUERY_STRING");

    callback[0] = '\0';
    return !query_has(query, name) ||
           (query_argument(query, name, callback, size) &&
            callback_is_valid(callback));
}

static void
render(const struct sidecar *sidecar, const struct location_config *location,
       const char *id, const char *callback, struct response *response)
{
    struct progress progress;
    struct template_values values = { &progress, callback };
    int zone = store_zone_find(sidecar->store, location->zone);

    uploads_progress(sidecar->uploads, zone, id, io_now_ms(), &progress);
    response_header(response, "Content-Type", location->content_type);
    response_header(response, "Expires", "Thu, 01 Jan 1970 00:00:01 GMT");
    response_header(response, "Cache-Control", "no-cache");
    response_header(response, "X-Content-Type-Options", "nosniff");
    if (location->templates[progress.state] != NULL) {
        template_render(location->templates[progress.state], &values,
                        &response->body);
    } else {
        output_detail(location->zone, id, &progress, &response->body);
    }
}

static void
answer_probe(const struct sidecar *sidecar, const struct request *request,
             struct response *response)
{
    const char *method = request_param(request, "REQUEST_METHOD");
    const struct location_config *location;
    char callback[CALLBACK_MAX + 1];
    char uri[URI_MAX];
    char id[UPLOAD_ID_MAX + 1];

    response->header_only = strcmp(method, "HEAD") == 0;
    if (!response->header_only && method[0] != '\0' &&
        strcmp(method, "GET") != 0) {
        response_header(response, "Allow", "GET, HEAD");
        refuse(response, HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
        return;
    }
    request_uri(request, uri, sizeof(uri));
    location = config_location(sidecar->config, request_host(request), uri);
    if (location->zone == NULL) {
        refuse(response, HTTP_NOT_FOUND, "no report_uploads for this URI");
        return;
    }
    if (!progress_id_extract(header_param(request, location->header),
                             request_param(request, "QUERY_STRING"),
                             location->header, id)) {
        bool present = has_id(request, location);

        refuse(response, present ? HTTP_BAD_REQUEST : HTTP_NOT_FOUND,
               present ? "invalid progress ID" : "no progress ID");
        return;
    }
    if (!read_callback(request, location->jsonp_parameter, callback,
                       sizeof(callback))) {
        refuse(response, HTTP_BAD_REQUEST, "invalid callback");
        return;
    }
    render(sidecar, location, id, callback, response);
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

void
sidecar_respond(void *context, const struct request *request,
                struct response *response)
{
    const struct sidecar *sidecar = context;

    if (is_event(request)) {
        take_event(sidecar, request);
        response->status = HTTP_NO_CONTENT;
    } else {
        answer_probe(sidecar, request, response);
    }
}

void
sidecar_body(void *context, const struct request *request)
{
    if (is_event(request)) {
        take_event(context, request);
    }
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
    struct request line = { .param_count = 0 };
    struct spool spool;

    switch (syslog_line_parse(message, &line)) {
    case SYSLOG_ACCESS:
        take_access_line(sidecar, &line);
        break;
    case SYSLOG_ERROR:
        if (event_spool_from_log(&line, sidecar->config->main.header, &spool)) {
            uploads_spool(sidecar->uploads, &spool, io_now_ms());
        }
        break;
    case SYSLOG_OTHER:
        log_write(LOG_DEBUG, "a datagram is no log line of nginx");
        break;
    }
}
