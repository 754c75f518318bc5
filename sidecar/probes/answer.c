/* Writing the answer to a probe. */
#include "answer.h"

#include <string.h>

#include "hash.h"
#include "io.h"
#include "outputs.h"

enum {
    HTTP_NOT_MODIFIED = 304,
    HTTP_NOT_FOUND = 404,
    ETAG_DIGITS = 16,
};

static enum upload_state
append_progress(const struct sidecar *sidecar, const struct probe *probe,
                const char *id, struct buffer *out)
{
    const struct location_config *location = probe->location;
    struct progress progress;
    struct template_values values = { &progress, id, probe->callback,
                                      probe->request };
    int zone = store_zone_find(sidecar->store, location->zone);

    uploads_progress(sidecar->uploads, zone, id, io_now_ms(), &progress);
    if (location->templates[progress.state] != NULL) {
        template_render(location->templates[progress.state], &values, out);
    } else {
        output_detail(location->zone, id, &progress, out);
    }
    return progress.state;
}

/* { "first": ANSWER, "second": ANSWER } */
static void
append_object(const struct sidecar *sidecar, const struct probe *probe,
              struct buffer *out)
{
    for (int i = 0; i < probe->id_count; i++) {
        buffer_append_string(out, i == 0 ? "{ \"" : ", \"");
        escape_append(out, ESCAPE_JSON, probe->ids[i]);
        buffer_append_string(out, "\": ");
        append_progress(sidecar, probe, probe->ids[i], out);
        while (out->len > 0 && (out->data[out->len - 1] == '\n' ||
                                out->data[out->len - 1] == '\r')) {
            out->len--;
        }
    }
    buffer_append_string(out, " }\r\n");
}

bool
answer_origin(const struct location_config *location,
              const struct request *request, struct response *response)
{
    const char *origin = request_param(request, "HTTP_ORIGIN");

    for (char **allowed = location->origins; allowed && *allowed; allowed++) {
        if (strcmp(*allowed, "*") == 0) {
            response_header(response, "Access-Control-Allow-Origin", "*");
            return true;
        }
        if (origin[0] != '\0' && strcmp(*allowed, origin) == 0) {
            response_header(response, "Access-Control-Allow-Origin", origin);
            response_header(response, "Vary", "Origin");
            return true;
        }
    }
    return false;
}

/* An unchanged answer need not be sent again (RFC 9110, section 13.1.2). */
static void
add_etag(const struct request *request, struct response *response)
{
    uint64_t hash = hash_bytes(response->body.data, response->body.len);
    char etag[2 + ETAG_DIGITS + 1] = "\"";

    for (int i = ETAG_DIGITS; i > 0; i--) {
        etag[i] = "0123456789abcdef"[hash & 15];
        hash >>= 4;
    }
    strcpy(etag + 1 + ETAG_DIGITS, "\"");
    response_header(response, "ETag", etag);
    if (strstr(request_param(request, "HTTP_IF_NONE_MATCH"), etag) != NULL) {
        response->status = HTTP_NOT_MODIFIED;
        response->body.len = 0;
    }
}

void
answer_probe(const struct sidecar *sidecar, const struct probe *probe,
             struct response *response)
{
    const struct location_config *location = probe->location;
    enum upload_state state = UPLOAD_DONE;

    response_header(response, "Content-Type", location->content_type);
    response_header_lines(response, "Expires: Thu, 01 Jan 1970 00:00:01 GMT\r\n"
                                    "Cache-Control: no-cache\r\n"
                                    "X-Content-Type-Options: nosniff\r\n");
    answer_origin(location, probe->request, response);
    if (probe->id_count > 1) {
        append_object(sidecar, probe, &response->body);
    } else {
        state = append_progress(sidecar, probe, probe->ids[0], &response->body);
    }
    if (state == UPLOAD_STARTING && probe->unknown == UNKNOWN_404) {
        response->status = HTTP_NOT_FOUND;
        return;
    }
    add_etag(probe->request, response);
}
