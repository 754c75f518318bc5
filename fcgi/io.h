/*
 * The I/O threads. Each has an epoll set of its own, in which a source stays
 * until it is removed: what became of a source is called on that thread only,
 * so a source needs no lock and is not armed anew after each notice. Timers
 * have a thread for themselves, so that no connection waits for what they do.
 */
#ifndef FCGI_IO_H
#define FCGI_IO_H

#include <stdatomic.h>
#include <stdint.h>

struct io;
struct io_loop;

struct io_source {
    int fd;               /* owned by the user of the source */
    struct io_loop *loop; /* io's own */
    atomic_uint handed; /* orders the adding thread's work before the loop's */
    /*
     * Called with epoll(7) events for as long as they are there; must not
     * block.
     */
    void (*ready)(struct io_source *source, uint32_t events);
};

/* Calls tick(context) every interval_ms on the timers' thread. */
struct io_timer {
    struct io_source source;
    void (*tick)(void *context);
    void *context;
};

/* The application's log; level is one of syslog(3)'s. Thread-safe. */
typedef void (*io_log_fn)(int level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes the sets. Returns NULL with errno set. */
struct io *io_new(void);

/*
 * Starts so many threads and that of the timers, after io_new() or io_stop();
 * it may be another number than before. Returns 0, or -1 with errno set; some
 * may run then.
 */
int io_start(struct io *io, unsigned thread_count)
    __attribute__((warn_unused_result));

/*
 * Ends and joins the threads, each after the sources it is at. What becomes
 * ready meanwhile is called after the next io_start().
 */
void io_stop(struct io *io);

/* Frees the sets, after io_stop(); sources stay the caller's. */
void io_free(struct io *io);

/*
 * Where notices come one by one, thousands a second, the threads look what is
 * ready every delay_ms only; 0, as from the start: never. See gather.h. To be
 * called while no thread of io runs.
 */
void io_gather(struct io *io, int delay_ms);

/*
 * Has end() called on each thread when it has called all that was ready at
 * once. To be called while no thread of io runs.
 */
void io_end_rounds(struct io *io, void (*end)(void));

/*
 * Adds a source to the thread that has the fewest, the calling one if it is as
 * good; from now on the source is that thread's. Thread-safe. Returns 0, or -1
 * with errno set.
 */
int io_add(struct io *io, struct io_source *source, uint32_t events)
    __attribute__((warn_unused_result));

/*
 * Adds a source to the timers' thread: one that takes time, and that no request
 * waits for. Thread-safe. Returns 0, or -1 with errno set.
 */
int io_add_aside(struct io *io, struct io_source *source, uint32_t events)
    __attribute__((warn_unused_result));

/* Waits for other events from now on. On the source's thread. */
int io_modify(struct io_source *source, uint32_t events)
    __attribute__((warn_unused_result));

/*
 * Takes a source out, if it is in a set, before its descriptor is closed. On
 * its thread, or while none runs.
 */
void io_remove(struct io_source *source);

/*
 * Adds a source to the sets of all threads, also of those that start later: one
 * or more of them are called when it becomes readable. io_unshare() takes it
 * out; both are for the time when no thread runs.
 */
int io_share(struct io *io, struct io_source *source)
    __attribute__((warn_unused_result));
void io_unshare(struct io *io, struct io_source *source);

/* A shared source is not looked at until io_resume(). Thread-safe. */
void io_pause(struct io *io, struct io_source *source);
void io_resume(struct io *io, struct io_source *source);

/* Starts a timer in caller's memory. Returns 0, or -1 with errno set. */
int io_timer_start(struct io_timer *timer, struct io *io, int interval_ms,
                   void (*tick)(void *context), void *context)
    __attribute__((warn_unused_result));

/* Frees the timer's descriptor, after io_stop(). */
void io_timer_release(struct io_timer *timer);

/* CLOCK_MONOTONIC in milliseconds. Thread-safe. */
int64_t io_now_ms(void);

/*
 * The same as of the kernel's last tick, some milliseconds ago, which takes a
 * fraction of the time: for deadlines. Thread-safe.
 */
int64_t io_coarse_ms(void);

/* How long the calling thread has run on a processor, in microseconds. */
int64_t io_thread_us(void);

#endif
