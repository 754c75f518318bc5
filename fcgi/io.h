/*
 * One epoll set shared by the I/O threads. Every descriptor in it is one-shot:
 * whoever gets the readiness owns the descriptor until io_rearm().
 */
#ifndef FCGI_IO_H
#define FCGI_IO_H

#include <stdatomic.h>
#include <stdint.h>

struct io;

struct io_source {
    int fd;             /* owned by the user of the source */
    atomic_uint handed; /* orders one owner's work before the next one's */
    /* Called on an I/O thread with epoll(7) events; must not block. */
    void (*ready)(struct io_source *source, uint32_t events);
};

/* Calls tick(context) every interval_ms on an I/O thread, never twice at once.
 */
struct io_timer {
    struct io_source source;
    struct io *io;
    void (*tick)(void *context);
    void *context;
};

/* The application's log; level is one of syslog(3)'s. Thread-safe. */
typedef void (*io_log_fn)(int level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes the set. Returns NULL with errno set. */
struct io *io_new(void);

/*
 * Starts so many threads, after io_new() or io_stop(). Returns 0, or -1 with
 * errno set; some may run then.
 */
int io_start(struct io *io, unsigned thread_count)
    __attribute__((warn_unused_result));

/*
 * Ends and joins the threads, each after the source it is at. What becomes
 * ready meanwhile is called after the next io_start().
 */
void io_stop(struct io *io);

/* Frees the set, after io_stop(); sources stay the caller's. */
void io_free(struct io *io);

/* Adds a source, armed for one notice of events. Thread-safe. */
int io_add(struct io *io, struct io_source *source, uint32_t events)
    __attribute__((warn_unused_result));

/* Arms a source again. Thread-safe. */
int io_rearm(struct io *io, struct io_source *source, uint32_t events)
    __attribute__((warn_unused_result));

/* Starts a timer in caller's memory. Returns 0, or -1 with errno set. */
int io_timer_start(struct io_timer *timer, struct io *io, int interval_ms,
                   void (*tick)(void *context), void *context)
    __attribute__((warn_unused_result));

/* Frees the timer's descriptor, after io_stop(). */
void io_timer_release(struct io_timer *timer);

/* CLOCK_MONOTONIC in milliseconds. Thread-safe. */
int64_t io_now_ms(void);

#endif
