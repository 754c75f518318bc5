/*
 * The last byte counts of connections that are gone: the kernel tells them to
 * whoever listens when it destroys a socket. Those of followed sockets are
 * kept until they are forgotten, the others are dropped. Thread-safe but for
 * what is said below.
 */
#ifndef SIDECAR_DESTROYED_SOCKETS_H
#define SIDECAR_DESTROYED_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "upload.h"

struct destroyed_sockets;
struct io;

enum {
    DESTROYED_FOLLOWED_MAX = 1 << 18, /* about 20 MB */
    DESTROYED_BYTES_MIN = 4096, /* received; of sockets with less none hears */
};

/* What a socket had seen when it was destroyed. */
struct destroyed_socket {
    int64_t read_bytes; /* received less those never read */
    /*
     * The client's end counts as a byte once it was read, and may be one of
     * read_bytes.
     */
    bool may_count_end;
    /*
     * What was sent last is not older than what was received last, and is more
     * than an interim "100 Continue".
     */
    bool answered;
};

/* Makes a table of followed sockets, which nobody fills yet. */
struct destroyed_sockets *destroyed_sockets_new(void);

/* Stops listening and frees all. */
void destroyed_sockets_free(struct destroyed_sockets *sockets);

/*
 * Listens, on the threads of io from now on or, where io is NULL, when
 * destroyed_sockets_read() is called. Does nothing where it listens already.
 * Returns 0, or -1 with errno set. To be called while no thread of io runs, as
 * is destroyed_sockets_stop().
 */
int destroyed_sockets_start(struct destroyed_sockets *sockets, struct io *io)
    __attribute__((warn_unused_result));

void destroyed_sockets_stop(struct destroyed_sockets *sockets);

/* Takes in what has come. For one thread at a time. */
void destroyed_sockets_read(struct destroyed_sockets *sockets);

/* Whether it listens; not where sockets is NULL. */
bool destroyed_sockets_are_told(const struct destroyed_sockets *sockets);

/*
 * Has the end of an attempt's socket kept. Where its cookie is 0 that is the
 * socket with these addresses that was destroyed last, within the last seconds,
 * or else the next one. Beyond
 * DESTROYED_FOLLOWED_MAX, and where sockets is NULL, it does nothing; following
 * again keeps what is known.
 */
void destroyed_sockets_follow(struct destroyed_sockets *sockets,
                              const struct upload *upload);

/* Gives an attempt up, if it is followed. */
void destroyed_sockets_forget(struct destroyed_sockets *sockets,
                              const struct upload *upload);

/* Gives up all that are not followed again before the next call. */
void destroyed_sockets_forget_others(struct destroyed_sockets *sockets);

/* Whether the socket of a followed attempt is gone; sets *last then. */
bool destroyed_sockets_last(struct destroyed_sockets *sockets,
                            const struct upload *upload,
                            struct destroyed_socket *last);

/* How many attempts are followed. */
int destroyed_sockets_count(struct destroyed_sockets *sockets);

/* How often the kernel's queue had no room for some. */
uint64_t destroyed_sockets_overruns(struct destroyed_sockets *sockets);

#endif
