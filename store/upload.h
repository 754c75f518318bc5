/*
 * The rows of the store: uploads and nginx's temporary body files. All times
 * are monotonic milliseconds; 0 means "not yet" and -1 "unknown" where noted.
 */
#ifndef STORE_UPLOAD_H
#define STORE_UPLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "range_set.h"

enum {
    UPLOAD_ID_MAX = 255,       /* bytes of a progress ID */
    UPLOAD_ATTEMPT_BYTES = 16, /* nginx's $request_id, 32 digits, in binary */
    SPOOL_PATH_MAX = 1023      /* bytes of a temporary file's path */
};

/* check_ms of an attempt that is looked at in turn with the others: no time. */
#define UPLOAD_IN_TURN (INT64_MAX / 4 - 1)

/* No file in pieces is taken to be longer: two such numbers can be added. */
#define UPLOAD_PIECES_BYTES_MAX (INT64_MAX / 4)

enum upload_state {
    UPLOAD_STARTING, /* nothing is known of it: never stored */
    UPLOAD_UPLOADING,
    UPLOAD_DONE,
    UPLOAD_ERROR,
};

/* The client's connection as the kernel knows it. */
struct upload_socket {
    uint8_t family; /* AF_INET, AF_INET6, or 0 when there is none */
    uint16_t local_port;
    uint16_t remote_port;
    uint8_t local[16]; /* network byte order; 4 bytes for AF_INET */
    uint8_t remote[16];
    uint64_t cookie; /* of the kernel's socket; 0 until it was seen */
};

/* One attempt at one upload: a request of that progress ID. */
struct upload {
    /* The key. */
    int zone; /* index of the zone; its ID is at the end */
    uint8_t attempt[UPLOAD_ATTEMPT_BYTES]; /* $request_id */

    /* As nginx told. */
    enum upload_state state;
    bool inferred; /* the end was not told but concluded */
    bool tls;
    bool chunked;         /* Transfer-Encoding: chunked, or no length told */
    int protocol;         /* HTTP version: 10, 11, 20, 30; 0 if unknown */
    int status;           /* response status; 0 until the end */
    int64_t size_bytes;   /* of the body; -1 if unknown */
    int64_t header_bytes; /* request line and headers; -1 if unknown */
    int64_t pid;          /* the worker's; 0 if unknown */
    int64_t connection;   /* $connection; 0 if unknown */
    int64_t connection_requests; /* $connection_requests; 0 if unknown */
    uint64_t request_hash;       /* of the request line; 0 if unknown */

    /* As measured. */
    int64_t received_bytes; /* of the body; never falls */
    int64_t spool_row;      /* of a temporary file that is its own; 0: none */
    bool spool_certain;     /* it cannot be another attempt's */
    struct upload_socket socket;
    int64_t socket_base_bytes; /* read from the socket before the body */
    bool socket_exact;         /* the base is exact, not an upper bound */
    bool body_complete;        /* a mirrored body has come to its end */
    bool approximate;          /* received is an estimate, see gauge */
    int gauge;                 /* where received comes from; the caller's */
    /* Not in the table: 0 where the row was read from there. */
    int64_t measured_ms; /* when the gauges were read last */
    int64_t alive_ms;    /* when its connection was last seen, and it on it */

    /* Two marks of the sliding window for the rate. */
    int64_t mark_ms[2];
    int64_t mark_bytes[2];

    int64_t started_ms;
    int64_t updated_ms;  /* received_bytes last changed */
    int64_t finished_ms; /* 0 while it runs */
    int64_t expires_ms;  /* 0 while it runs */
    int64_t ttl_ms;      /* to be kept when finished; 0: the zone's */
    int64_t check_ms;    /* when to look whether it lives, see UPLOAD_IN_TURN;
                            0: never */
    int64_t gone_ms;     /* since when its socket and file are gone; 0: no */

    /*
     * Of a piece of a file. The file's own row has an attempt of zeroes, and
     * an assembly beside it.
     */
    /* Its offset in the file, plus 1; 0: no piece; -1: a form, perhaps one. */
    int64_t piece_at;
    int64_t piece_length; /* bytes of the file in it; -1: as long as the body */
    int64_t piece_body_at; /* where they begin in the body, at the latest */

    char id[UPLOAD_ID_MAX + 1]; /* of the key; last, as most are far shorter */
};

/* What is known of a file that comes in pieces, besides its row. */
struct assembly {
    int zone; /* index; with the ID the key, as that of its row */
    char id[UPLOAD_ID_MAX + 1];
    int protocol;           /* the caller's */
    int64_t pieces;         /* taken so far */
    int64_t resumed_bytes;  /* where it was resumed last; -1: it was not */
    int64_t chunk_bytes;    /* of each piece but the last; 0: unknown */
    int64_t failed_ms;      /* when a piece failed; 0: one has begun since */
    int64_t form_bytes;     /* around the file's in a form; 0: unknown */
    int64_t unplaced_bytes; /* taken, it is not known of which pieces */
    /* A part of another file: which one, and where in it. */
    char whole[UPLOAD_ID_MAX + 1]; /* "": none */
    int64_t base_bytes;
    struct range_set received; /* owned, see range_set.h */
};

/* One temporary body file that nginx has told of. */
struct spool {
    int64_t row; /* the store's own key */
    int64_t pid;
    int64_t connection;
    uint64_t request_hash;      /* of the request line; 0 if unknown */
    char id[UPLOAD_ID_MAX + 1]; /* from the request line; "" if not there */
    char path[SPOOL_PATH_MAX + 1];
    int64_t fd;      /* the worker's descriptor of it; -1 until found */
    int64_t seen_ms; /* when nginx told of it */
    int64_t uncertain_until_ms; /* its upload may be over, see files.c */
    /* The caller's own descriptor of it; -1: none; less: none, its mark. */
    int64_t held_fd;
};

#endif
