/*
 * nginx's log lines, as a datagram brings them: access lines to events, error
 * lines to temporary files.
 *
 * - Names and values lie in the message, and each ends in it.
 * - An event that is taken has a valid ID, an attempt, a status, numbers that
 *   are not negative unless they are unknown, and texts that end.
 * - A temporary file has a path, and its ID is valid where it has one.
 * - Every line that is taken has a tag, of no blanks, in front of ": ".
 */
#include "event.h"
#include "fuzz.h"
#include "progress_id.h"
#include "syslog_line.h"

static void
check_params(const struct request *request, const char *message, size_t len)
{
    FUZZ_HOLDS(request->param_count <= REQUEST_PARAMS_MAX);
    for (size_t i = 0; i < request->param_count; i++) {
        const struct param *param = &request->params[i];

        /* Two are constants: an empty value, and that it is truncated. */
        if (param->name >= message && param->name <= message + len) {
            FUZZ_HOLDS(param->name + strlen(param->name) <= message + len);
        } else {
            FUZZ_HOLDS(strlen(param->name) > 0);
        }
        if (param->value >= message && param->value <= message + len) {
            FUZZ_HOLDS(param->value + strlen(param->value) <= message + len);
        } else {
            FUZZ_HOLDS(strlen(param->value) <= 1);
        }
    }
}

#define ENDS(field) (strnlen(field, sizeof(field)) < sizeof(field))

static void
check_event(const struct event *event)
{
    static const uint8_t none[UPLOAD_ATTEMPT_BYTES];

    FUZZ_HOLDS(event->kind == EVENT_END);
    FUZZ_HOLDS(ENDS(event->id) &&
               (progress_id_is_valid(event->id) ||
                (event->id[0] == '\0' && event->request.method[0] != '\0')));
    FUZZ_HOLDS(memcmp(event->attempt, none, sizeof(none)) != 0);
    FUZZ_HOLDS(ENDS(event->zone) && ENDS(event->host) && ENDS(event->uri));
    FUZZ_HOLDS(ENDS(event->remote_addr) && ENDS(event->remote_port));
    FUZZ_HOLDS(ENDS(event->server_addr) && ENDS(event->server_port));
    FUZZ_HOLDS(strchr(event->uri, '?') == NULL);
    FUZZ_HOLDS(event->status >= 0 && event->pid >= 0);
    FUZZ_HOLDS(event->connection >= 0 && event->connection_requests >= 0);
    FUZZ_HOLDS(event->content_length_bytes >= -1);
    FUZZ_HOLDS(event->header_length_bytes >= -1);
    FUZZ_HOLDS(event->request_length_bytes >= -1);
    FUZZ_HOLDS(event->msec >= -1 && event->request_time_ms >= -1);
    FUZZ_HOLDS(event->protocol >= 0 && event->protocol <= 99);
}

static void
check_spool(const struct spool *spool)
{
    FUZZ_HOLDS(ENDS(spool->path) && ENDS(spool->id));
    FUZZ_HOLDS(spool->id[0] == '\0' || progress_id_is_valid(spool->id));
    FUZZ_HOLDS(spool->pid >= 0 && spool->connection >= 0 && spool->fd == -1);
}

/* Returns whether there is one. */
static bool
check_tag(const char *message)
{
    size_t len = 0;
    const char *tag = syslog_line_tag(message, &len);

    if (tag == NULL) {
        return false;
    }
    FUZZ_HOLDS(tag > message && tag + len + 2 <= message + strlen(message));
    FUZZ_HOLDS(strncmp(tag + len, ": ", 2) == 0);
    FUZZ_HOLDS(memchr(tag, ' ', len) == NULL);
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *message = fuzz_string(data, size);
    size_t len = strlen(message);
    bool tagged = check_tag(message);
    struct request request = { .param_count = 0 };
    struct event event;
    struct spool spool;

    switch (syslog_line_parse(message, &request)) {
    case SYSLOG_ACCESS:
        FUZZ_HOLDS(tagged && request.param_count > 0);
        check_params(&request, message, len);
        if (event_from_log(&request, &event) == NULL) {
            check_event(&event);
        }
        break;
    case SYSLOG_ERROR:
        FUZZ_HOLDS(tagged);
        FUZZ_HOLDS(request_param(&request, "pid")[0] != '\0');
        FUZZ_HOLDS(request_param(&request, "connection")[0] != '\0');
        check_params(&request, message, len);
        if (event_spool_from_log(&request, "X-Progress-ID", &spool)) {
            check_spool(&spool);
        }
        break;
    case SYSLOG_OTHER:
        break;
    }
    free(message);
    return 0;
}
