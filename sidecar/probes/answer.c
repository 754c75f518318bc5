/* Writing the answer to a probe. */
#include "answer.h"

#include <string.h>

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
    const char *origin;

    if (location->origins == NULL) {
        return false;
    }
    origin = request_param(request, "HTTP_ORIGIN");
    for (char **allowed = location->origins; *allowed != NULL; allowed++) {
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

static uint64_t
mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* Eight bytes at a time: all that is asked of it is that it differs. */
static uint64_t
hash_body(const struct buffer *body)
{
    uint64_t hash = body->len;
    uint64_t word;
    size_t left = body->len;
    const char *at = body->data;

    for (; left >= sizeof(word); left -= sizeof(word), at += sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        hash = mix(hash, word);
    }
    if (left > 0) {
        word = 0;
        memcpy(&word, at, left);
        hash = mix(hash, word);
    }
    return hash;
}

/* An unchanged answer need not be sent again (RFC 9110, section 13.1.2). */
static void
add_etag(const struct request *request, struct response *response)
{
    uint64_t hash = hash_body(&response->body);
    const char *known = request_param(request, "HTTP_IF_NONE_MATCH");
    char etag[2 + ETAG_DIGITS + 1] = "\"";

    for (int i = ETAG_DIGITS; i > 0; i--) {
        etag[i] = "0123456789abcdef"[hash & 15];
        hash >>= 4;
    }
    strcpy(etag + 1 + ETAG_DIGITS, "\"");
    response_header(response, "ETag", etag);
    if (known[0] != '\0' && strstr(known, etag) != NULL) {
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
