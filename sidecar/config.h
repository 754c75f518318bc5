/*
 * The configuration: what upload-progressd.conf says, checked and merged.
 * Built once, read-only afterwards.
 */
#ifndef SIDECAR_CONFIG_H
#define SIDECAR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"
#include "gauge.h"
#include "outputs.h"
#include "template.h"

enum listen_protocol {
    LISTEN_FASTCGI,
    LISTEN_SCGI,
    LISTEN_SYSLOG,
};

struct listen_config {
    enum listen_protocol protocol;
    struct address address;
    int backlog;
    int64_t rcvbuf_bytes; /* of a syslog socket */
    unsigned mode;        /* permission of a Unix-domain socket */
    struct listen_config *next;
};

struct zone_config {
    char *name;
    int64_t size_bytes;
    int64_t ttl_ms; /* track_uploads */
    struct zone_config *next;
};

/* What holds on the top level and, where not set there, in each location. */
struct location_config {
    char *uri;
    bool exact;                  /* "=" */
    char *zone;                  /* report_uploads; NULL: not set */
    const struct output *output; /* NULL: not set */
    char *content_type;          /* NULL: the output's */
    char *header;                /* of the ID; NULL: not set */
    char *jsonp_parameter;       /* NULL: not set */
    char *texts[UPLOAD_STATES];  /* upload_progress_template; NULL: not set */
    struct template *templates[UPLOAD_STATES]; /* compiled; NULL: in code */
    struct location_config *next;
};

struct config {
    /* The next two: in the order of the file. */
    struct listen_config *listens;
    struct zone_config *zones;
    struct location_config *locations;
    struct location_config main; /* what locations inherit */
    char *error_log;
    int error_log_level;
    char *pid;
    int64_t worker_threads;
    int64_t worker_connections;
    int64_t client_header_timeout_ms;
    int64_t client_body_timeout_ms;
    int64_t keepalive_timeout_ms;
    int64_t check_interval_ms;
    int64_t inactive_timeout_ms;
    bool gauges[GAUGES];
    bool gauges_set;
};

/*
 * Reads the file, or the built-in configuration for NULL. On failure returns
 * NULL and sets *message, which the caller frees, in nginx's form.
 */
struct config *config_load(const char *file, char **message);

void config_free(struct config *config);

/* The location for the URI of a request, by nginx's rules; never NULL. */
const struct location_config *config_location(const struct config *config,
                                              const char *uri);

/* The part of the built-in configuration that is used where a file has none. */
extern const char config_default_listens[];
extern const char config_default_zones[];
extern const char config_default_locations[];

#endif
