/*
 * What the tests of files in pieces share: requests as nginx tells them, and
 * the progress of a file in a line.
 */
#ifndef TESTS_ASSEMBLY_UNIT_H
#define TESTS_ASSEMBLY_UNIT_H

#include <stdlib.h>

#include "event.h"
#include "uploads_unit.h"

/* Either fields of a line of that attempt, or what is told at that time. */
struct step {
    int64_t at_ms;
    const char *told; /* see describe(), "ID: " in front; NULL: a line */
    uint8_t attempt;
    const char *fields; /* "NAME=VALUE; ..."; a status makes it an end */
};

static inline void
add_field(struct request *request, bool is_end, const char *name,
          const char *value)
{
    const struct event_field *f = event_fields;

    if (strcmp(name, "id") == 0) {
        name = is_end ? "id" : "UPLOAD_PROGRESS_ID";
    } else if (!is_end) {
        while (strcmp(f->log, name) != 0) {
            f++;
        }
        name = f->param;
    }
    assert_int_equal(request_add(request, name, value), 0);
}

/* What stands in every line; the attempt's number is the request's ID. */
static inline void
add_usual(struct request *request, bool is_end, uint8_t attempt, int64_t at_ms)
{
    static char id[33];
    static char msec[32];

    snprintf(id, sizeof(id), "%032d", attempt);
    snprintf(msec, sizeof(msec), "%" PRId64 ".%03d", (OFFSET_MS + at_ms) / 1000,
             (int)((OFFSET_MS + at_ms) % 1000));
    add_field(request, is_end, "zone", "uploads");
    add_field(request, is_end, "request_id", id);
    add_field(request, is_end, "msec", msec);
    add_field(request, is_end, "protocol", "HTTP/1.1");
    if (!is_end) {
        assert_int_equal(request_add(request, "UPLOAD_PROGRESS_EVENT", "start"),
                         0);
    }
}

/* The line, which may come later than nginx has written it. */
static inline void
tell_late(struct fixture *f, const char *name, const struct step *step,
          int64_t now_ms)
{
    char *text = strdup(step->fields);
    bool is_end = strstr(text, "status=") != NULL;
    struct request request;
    struct event event;

    request_init(&request);
    for (char *field = text, *next; field != NULL; field = next) {
        char *equals = strchr(field, '=');

        next = strstr(field, "; "); /* without the space it is a value's */
        if (next != NULL) {
            *next = '\0';
            next += 2;
        }
        *equals = '\0';
        add_field(&request, is_end, field, equals + 1);
    }
    add_usual(&request, is_end, step->attempt, step->at_ms);
    if (is_end && strstr(step->fields, "request_time=") == NULL) {
        add_field(&request, is_end, "request_time", "0.001");
    }
    ASSERT_THAT(name, (is_end ? event_from_log(&request, &event)
                              : event_from_params(&request, &event)) == NULL);
    uploads_event(f->uploads, &event, now_ms);
    free(text);
}

static inline void
tell(struct fixture *f, const char *name, const struct step *step)
{
    tell_late(f, name, step, step->at_ms);
}

static const char *const state_names[] = {
    [UPLOAD_STARTING] = "starting",
    [UPLOAD_UPLOADING] = "uploading",
    [UPLOAD_DONE] = "done",
    [UPLOAD_ERROR] = "error",
};

static inline const char *
describe(const struct progress *p)
{
    static char text[256];
    char size[24] = "?";
    int len;

    if (p->size_bytes >= 0) {
        snprintf(size, sizeof(size), "%" PRId64, p->size_bytes);
    }
    len =
        snprintf(text, sizeof(text), "%s %s %" PRId64 "/%s %" PRId64 " pieces",
                 state_names[p->state], phase_name(p->phase), p->received_bytes,
                 size, p->pieces.count);
    for (int i = 0; i < p->pieces.missing_count; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len,
                        " [%" PRId64 ",%" PRId64 ")", p->pieces.missing[i][0],
                        p->pieces.missing[i][1]);
    }
    if (p->pieces.in_pieces && p->pieces.resumed_bytes >= 0) {
        len += snprintf(text + len, sizeof(text) - (size_t)len,
                        " from %" PRId64, p->pieces.resumed_bytes);
    }
    if (p->state == UPLOAD_ERROR) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, " status %d%s",
                        p->status, p->inferred ? " inferred" : "");
    }
    return text;
}

#endif
