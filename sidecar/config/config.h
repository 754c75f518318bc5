/*
 * The configuration: what upload-progressd.conf says, checked and merged.
 * Built once, read-only afterwards.
 */
#ifndef SIDECAR_CONFIG_H
#define SIDECAR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"
#include "buffer.h"
#include "config_parser.h"
#include "gauge.h"
#include "outputs.h"
#include "template.h"
#include "unix_socket.h"

enum listen_protocol {
    LISTEN_FASTCGI,
    LISTEN_SCGI,
    LISTEN_EITHER, /* of the two */
    LISTEN_SYSLOG,
};

struct listen_config {
    enum listen_protocol protocol;
    struct address address;
    int backlog;
    int64_t rcvbuf_bytes;             /* of a syslog socket */
    struct unix_socket_access access; /* of a Unix-domain socket */
    char *unkeyed; /* what to say where there is no key; NULL: nothing */
    struct listen_config *next;
};

struct zone_config {
    char *name;
    int64_t size_bytes;
    int64_t ttl_ms; /* track_uploads */
    struct zone_config *next;
};

/* A track_uploads directive. */
struct track_config {
    char *zone;
    int64_t ttl_ms;
    struct track_config *next;
};

/* What a probe of an unknown ID is answered. */
enum unknown_answer {
    UNKNOWN_UNSET,
    UNKNOWN_STARTING,
    UNKNOWN_404, /* with the same body */
};

enum config_level {
    LEVEL_MAIN, /* the top level, and http { } */
    LEVEL_SERVER,
    LEVEL_LOCATION,
};

/*
 * What holds on one level, and on those within it where it is not set there.
 * Once the configuration is complete, everything inherited stands here, too.
 */
struct location_config {
    enum config_level level;
    struct location_config *parent; /* NULL for the top level */
    char *uri;                      /* of a location */
    bool exact;                     /* "=" */
    char **names;                   /* server_name; NULL-terminated, or NULL */
    struct track_config *tracks;    /* track_uploads */
    char *zone;                     /* report_uploads; NULL: not reported */
    const struct output *output;    /* NULL: not set */
    char *content_type;
    enum escape escape; /* what it asks for */
    char *header;       /* of the ID */
    char *header_param; /* the parameter that nginx passes it as */
    char *jsonp_parameter;
    char **origins; /* allow_origin; NULL-terminated, NULL: not set */
    enum unknown_answer unknown;
    char *texts[UPLOAD_STATES];                /* NULL: rendered in code */
    struct template *templates[UPLOAD_STATES]; /* the same, compiled */
    struct location_config *next;
};

struct config {
    /* The next three: in the order of the file. */
    struct listen_config *listens;
    struct zone_config *zones;
    struct location_config *locations; /* and servers; each behind its parent */
    struct location_config main;
    struct config_routes *routes; /* to the locations; see config_location() */
    char *error_log;
    int error_log_level;
    char *pid;
    char *state_file; /* NULL: none */
    int64_t state_interval_ms;
    char *user;         /* NULL: stays as it is */
    char *group;        /* of the user; NULL: the user's own */
    bool daemon;        /* to the background */
    char *key;          /* of upload_progress_key; NULL: none */
    bool key_is_public; /* everybody can read the file that it stands in */
    int64_t worker_threads;
    int64_t gather_delay_ms; /* 0: off */
    int64_t worker_connections;
    int64_t client_header_timeout_ms;
    int64_t client_body_timeout_ms;
    int64_t send_timeout_ms;
    int64_t keepalive_timeout_ms;
    int64_t check_interval_ms;
    int64_t piece_timeout_ms;
    int64_t inactive_timeout_ms;
    bool gauges[GAUGES];
    bool gauges_set;
};

/*
 * Reads the file, or the built-in configuration for NULL, and the directives
 * of -g, or NULL. On failure returns NULL and sets *message, which the caller
 * frees, in nginx's form.
 */
struct config *config_load(const char *file, const char *globals,
                           char **message);

/* The same as text, all includes in place; what -T prints. */
struct config *config_load_dump(const char *file, const char *globals,
                                struct buffer *dump, char **message);

void config_free(struct config *config);

/*
 * The location for a request's host and URI, by nginx's rules: the server of
 * that name, an exact one before those with "*", else the first; there the
 * exact location, else the one with the longest prefix. Never NULL.
 */
const struct location_config *config_location(const struct config *config,
                                              const char *host,
                                              const char *uri);

/* The track_uploads that holds for uploads to a location, or NULL. */
const struct track_config *config_track(const struct location_config *location);

/* The zone of that name, or NULL. */
struct zone_config *config_zone(const struct config *config, const char *name);

/*
 * Hands down what is not set, from each level to those within it, and
 * compiles the templates.
 */
void config_inherit(struct config *config);

/* Frees a level but not the structure itself. */
void config_release_location(struct location_config *location);

/*
 * Reads a whole file, named by the directive from or, where that is NULL, by
 * the user; to be freed. On failure returns NULL and sets *message, to be
 * freed, in nginx's form.
 */
char *config_read(const char *file, const struct statement *from,
                  char **message);

/* What to do with a file that is included. NULL, or a message to be freed. */
typedef char *(*config_file_fn)(void *context, const char *file,
                                const struct statement *from);

/*
 * Calls take for the files that an include names, in order, until one returns
 * a message; relative names start from the folder.
 */
char *config_include(const char *folder, const struct statement *statement,
                     config_file_fn take, void *context);

/* The folder that a file, or NULL, is in; to be freed. */
char *config_folder(const char *file);

/* The warning where key_is_public. */
#define CONFIG_PUBLIC_KEY               \
    "everybody can read the file that " \
    "\"upload_progress_key\" stands in"

/* The part of the built-in configuration that is used where a file has none. */
extern const char config_default_listens[];
extern const char config_default_zone[];
extern const char config_default_track[];
extern const char config_default_locations[];

#endif
