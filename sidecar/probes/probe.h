/*
 * The daemon's application: answers probes, takes events in. Its functions are
 * the handler of the FastCGI and SCGI server and the receiver of log lines.
 */
#ifndef SIDECAR_PROBE_H
#define SIDECAR_PROBE_H

#include "config.h"
#include "message.h"
#include "store.h"
#include "uploads.h"

struct sidecar {
    const struct config *config;
    struct store *store;
    struct uploads *uploads;
};

/* handler.respond: a probe's answer, or 204 for an event. */
void sidecar_respond(void *sidecar, const struct request *request,
                     struct response *response);

/* handler.body: a mirrored body has grown; a start is not to wait for one. */
bool sidecar_body(void *sidecar, const struct request *request);

/* A log line of nginx. Other lines than its events are passed over. */
void sidecar_log_line(void *sidecar, char *message);

#endif
