/*
 * Events: what nginx tells of an upload, read from the parameters of a
 * mirrored request or from the fields of a log line. Pure, thread-safe.
 */
#ifndef SIDECAR_EVENT_H
#define SIDECAR_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "piece.h"
#include "upload.h"

enum {
    EVENT_ZONE_MAX = 64 /* bytes of a zone's name, with NUL */
};

enum event_kind {
    EVENT_START, /* mirrored without its body, before it is read */
    EVENT_BODY,  /* mirrored with its body */
    EVENT_END,   /* the access log's line */
    EVENT_KINDS
};

/*
 * Where nginx did not tell them, texts are empty, lengths, times and the
 * status -1, and what identifies worker and connection 0.
 */
struct event {
    enum event_kind kind;
    char zone[EVENT_ZONE_MAX];
    char id[UPLOAD_ID_MAX + 1];
    uint8_t attempt[UPLOAD_ATTEMPT_BYTES];
    int64_t pid;
    int64_t connection;
    int64_t connection_requests;
    int64_t content_length_bytes;
    int64_t header_length_bytes;
    int64_t request_length_bytes;
    int64_t status;
    int64_t msec;            /* nginx's wall clock at the event, ms */
    int64_t request_time_ms; /* since the first byte of the request */
    int protocol;            /* 10, 11, 20, 30; 0 if unknown */
    bool tls;
    bool proxy_protocol; /* a PROXY protocol header came first */
    bool chunked;
    uint64_t request_hash; /* of the request line; 0 if unknown */
    char host[256];        /* of the request; "" if unknown */
    char uri[1024];        /* its beginning, without the query; "" if unknown */
    int64_t ttl_ms; /* how long to keep it when finished; 0: the zone's */
    char remote_addr[64];
    char remote_port[8];
    char server_addr[64];
    char server_port[8];
    uint64_t body_bytes; /* EVENT_BODY: counted so far */
    bool body_complete;  /* EVENT_BODY: the whole body was counted */

    /*
     * Where the location takes pieces of files: what the request says of that,
     * and at its end the response. The texts are the request's own, from which
     * the event was read.
     */
    struct piece_request request;   /* method "": no such location */
    struct piece_response response; /* EVENT_END */
    const char *form; /* EVENT_END: its fields up to the file, if in memory */
    struct piece piece;
    struct piece_fault fault; /* why it is none, though it has marks of one */
    bool sends;               /* the method is one that sends a body */
    bool unread; /* EVENT_END: a form of which nobody could read the fields */
};

/* One field of an event. */
struct event_field {
    const char *param; /* name as a FastCGI or SCGI parameter */
    const char *log;   /* name in the log line */
    /* Reads the value; returns false when it is unusable. */
    bool (*set)(struct event *event, const char *value, size_t offset);
    size_t offset;
    const char *variable; /* nginx's, that the snippets pass */
};

/* All fields but those of the ID; ends with a NULL param. */
extern const struct event_field event_fields[];

/*
 * Reads the event of a mirrored request. Returns NULL, or the name of the
 * parameter that is missing or invalid. The ID may be "" where a piece may tell
 * of it otherwise.
 */
const char *event_from_params(const struct request *request,
                              struct event *event);

/* Reads the event of an access-log line. Returns as above. */
const char *event_from_log(const struct request *request, struct event *event);

/* When a request began that ended at that time, by $request_time. */
int64_t event_began_ms(const struct event *event, int64_t ended_ms);

/*
 * The length of a body as an access-log line has it, with what surrounds the
 * chunks of a chunked one; -1 where it does not tell.
 */
int64_t event_body_bytes(const struct event *event);

/* FNV-1a of a request line, never 0; of "" it is 0. */
uint64_t event_request_hash(const char *line);

/*
 * Reads the temporary file of an error-log line. Returns false when the line
 * is about something else.
 */
bool event_spool_from_log(const struct request *request,
                          const char *argument_name, struct spool *spool);

#endif
