/*
 * The daemon's application: answers probes, takes events in. Its functions are
 * the handler of the FastCGI and SCGI server and the receiver of log lines.
 */
#ifndef SIDECAR_PROBE_H
#define SIDECAR_PROBE_H

#include "config.h"
#include "message.h"
#include "store.h"
#include "trust.h"
#include "uploads.h"

struct sidecar {
    const struct config *config;
    struct store *store;
    struct uploads *uploads;
    struct trust *trust; /* NULL: in everybody who can tell us something */
};

/* handler.respond: a probe's answer; for an event 204, or 403 without key. */
void sidecar_respond(void *sidecar, const struct request *request,
                     struct response *response);

/* handler.together: all that probes ask the kernel for, it is asked at once. */
void sidecar_together(void *sidecar, const struct request *const *requests,
                      size_t count);

/* handler.body: a mirrored body has grown; a start is not to wait for one. */
bool sidecar_body(void *sidecar, const struct request *request);

/* A log line of nginx. Other lines than its events, and those without the key,
 * are passed over. */
void sidecar_log_line(void *sidecar, char *message);

/* Around several lines that come at once: they are stored in one step. */
void sidecar_burst_begin(void *sidecar);
void sidecar_burst_end(void *sidecar);

#endif
