/* Reading the beginning of a form, from the log line or its temporary file. */
#include "form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "gone_files.h"
#include "log.h"
#include "multipart.h"
#include "piece.h"
#include "spool_gauge.h"
#include "uploads_internal.h"

enum {
    HEAD_BYTES = 16384,   /* of a body, that are looked at */
    CLOCKS_APART_MS = 50, /* of a file that was told before the request began */
    EARLIER_MAX = 4       /* requests of one connection looked at */
};

/* Closes the file. */
static ssize_t
read_head(int fd, char *head, size_t size)
{
    ssize_t len = fd >= 0 ? pread(fd, head, size, 0) : -1;

    if (fd >= 0) {
        close(fd);
    }
    return len;
}

static int
open_held(const struct spool *spool)
{
    return spool->held_fd >= 0 ? spool_gauge_open((int)spool->held_fd) : -1;
}

bool
is_form(const struct event *event)
{
    static const char form[] = "multipart/form-data";

    return event->sends && event->request.content_type != NULL &&
           strncasecmp(event->request.content_type, form, sizeof(form) - 1) ==
               0;
}

bool
begins_as_form(const struct spool *spool)
{
    char head[2];

    return read_head(open_held(spool), head, sizeof(head)) ==
               (ssize_t)sizeof(head) &&
           memcmp(head, "--", sizeof(head)) == 0;
}

/*
 * Opens the file that was told of last; -1 without one. If files were let go of
 * meanwhile its number may have been another one's by then.
 */
static int
open_file_of(struct uploads *uploads, const struct upload *request)
{
    for (;;) {
        unsigned releases = atomic_load(&uploads->held_releases);
        struct spool spools[FILES_MAX];
        int count = files_of(uploads, request, spools, FILES_MAX);
        int fd = count > 0 ? open_held(&spools[count - 1]) : -1;

        if (fd < 0) {
            return gone_files_open(uploads->gone_files, request);
        }
        if (atomic_load(&uploads->held_releases) == releases) {
            return fd;
        }
        close(fd);
    }
}

/*
 * Whether the end of a request before it on its connection is yet to be told:
 * its file may be all that we know of.
 */
static bool
comes_after_another(struct uploads *uploads, const struct upload *request)
{
    struct upload rows[EARLIER_MAX];
    int count = store_upload_on_connection(
        uploads->store, request->pid, request->connection, rows, EARLIER_MAX);

    for (int i = 0; i < count; i++) {
        if (rows[i].connection_requests < request->connection_requests) {
            return true;
        }
    }
    return false;
}

/* The beginning of the request's file; -1 without one. */
static ssize_t
head_of(struct uploads *uploads, const struct upload *request,
        char head[HEAD_BYTES], int64_t now_ms)
{
    if (!is_alone(request) || comes_after_another(uploads, request)) {
        return -1;
    }
    resolve_files(uploads, request->pid, now_ms);
    return read_head(open_file_of(uploads, request), head, HEAD_BYTES);
}

/* A form begins with its boundary, behind two hyphens, on a line. */
static bool
content_type_of(const char *head, size_t len, char *type, size_t size)
{
    const char *end = memchr(head, '\r', len);

    if (len < 3 || end == NULL || memcmp(head, "--", 2) != 0 ||
        end - head - 2 > MULTIPART_BOUNDARY_MAX ||
        memchr(head, '"', (size_t)(end - head)) != NULL) {
        return false;
    }
    snprintf(type, size, "multipart/form-data; boundary=\"%.*s\"",
             (int)(end - head - 2), head + 2);
    return true;
}

enum form_answer
read_form_of(struct uploads *uploads, const struct upload *request,
             struct piece *piece, int64_t now_ms)
{
    char type[MULTIPART_BOUNDARY_MAX + 64];
    struct piece_request facts = PIECE_REQUEST_INIT;
    struct piece_fault fault;
    char head[HEAD_BYTES];
    ssize_t len = head_of(uploads, request, head, now_ms);

    if (len <= 0) {
        return FORM_UNKNOWN;
    }
    if (!content_type_of(head, (size_t)len, type, sizeof(type))) {
        return FORM_ORDINARY;
    }
    facts.method = "POST";
    facts.uri = "/";
    facts.content_type = type;
    facts.content_length_bytes = request->size_bytes;
    (void)piece_from_request(&facts, piece, &fault);
    if (piece_from_body(&facts, head, (size_t)len, piece, &fault)) {
        return piece->body_at_bytes >= 0 || len == HEAD_BYTES ? FORM_PIECE
                                                              : FORM_UNKNOWN;
    }
    return fault.field == NULL && len < HEAD_BYTES ? FORM_UNKNOWN
                                                   : FORM_ORDINARY;
}

/* Whether the form has nothing to add to the request's headers and URI. */
static bool
is_known(const struct piece *piece)
{
    return piece->protocol != PIECE_NONE && piece->protocol != PIECE_DRAFT &&
           piece->length_bytes >= 0;
}

/* Of a body that has had no file nginx tells itself how it begins. */
static ssize_t
head_at_end(struct uploads *uploads, const struct event *event,
            char head[HEAD_BYTES], int64_t now_ms)
{
    struct upload request = { .pid = event->pid,
                              .connection = event->connection,
                              .connection_requests = event->connection_requests,
                              .protocol = event->protocol,
                              .started_ms = event_began_ms(event, now_ms) -
                                            CLOCKS_APART_MS,
                              .request_hash = event->request_hash };
    size_t told = strnlen(event->form, HEAD_BYTES);

    if (told > 0) {
        memcpy(head, event->form, told);
        return (ssize_t)told;
    }
    return head_of(uploads, &request, head, now_ms);
}

void
read_form(struct uploads *uploads, struct event *event, int64_t now_ms)
{
    struct piece_fault fault = { NULL, NULL };
    char head[HEAD_BYTES];
    ssize_t len;

    if (!is_form(event) || is_known(&event->piece)) {
        return;
    }
    len = head_at_end(uploads, event, head, now_ms);
    event->unread = len <= 0 && event->piece.protocol == PIECE_NONE;
    if (len > 0 &&
        !piece_from_body(&event->request, head, (size_t)len, &event->piece,
                         &fault) &&
        fault.field != NULL) {
        log_write(LOG_INFO,
                  "upload %s: %s: %s, so the form is no piece of a file",
                  event->id, fault.field, fault.why);
    }
}
