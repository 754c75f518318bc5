/* The shared epoll set and its I/O threads. */
#include "io.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_PER_WAIT = 4 /* few, so that one thread cannot hoard the work */
};

struct io {
    int epoll_fd;
    int stop_fd; /* eventfd: readable once the threads must end */
    atomic_bool stopping;
    unsigned thread_running;
    pthread_t *threads;
};

struct io *
io_new(void)
{
    struct io *io = calloc(1, sizeof(*io));
    struct epoll_event event = { .events = EPOLLIN };

    if (io == NULL) {
        return NULL;
    }
    io->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    io->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (io->epoll_fd < 0 || io->stop_fd < 0 ||
        epoll_ctl(io->epoll_fd, EPOLL_CTL_ADD, io->stop_fd, &event) < 0) {
        io_free(io);
        return NULL;
    }
    return io;
}

static void *
run(void *argument)
{
    struct io *io = argument;
    struct epoll_event events[EVENTS_PER_WAIT];

    while (!atomic_load(&io->stopping)) {
        int count = epoll_wait(io->epoll_fd, events, EVENTS_PER_WAIT, -1);

        for (int i = 0; i < count; i++) {
            struct io_source *source = events[i].data.ptr;

            if (source != NULL) {
                atomic_load_explicit(&source->handed, memory_order_acquire);
                source->ready(source, events[i].events);
            }
        }
    }
    return NULL;
}

int
io_start(struct io *io, unsigned thread_count)
{
    pthread_t *threads =
        reallocarray(io->threads, thread_count, sizeof(*threads));
    uint64_t stops;

    if (threads == NULL) {
        return -1;
    }
    io->threads = threads;
    /* What the last stop has left. */
    if (read(io->stop_fd, &stops, sizeof(stops)) < 0 && errno != EAGAIN) {
        return -1;
    }
    atomic_store(&io->stopping, false);
    while (io->thread_running < thread_count) {
        int error =
            pthread_create(&io->threads[io->thread_running], NULL, run, io);

        if (error != 0) {
            errno = error;
            return -1;
        }
        io->thread_running++;
    }
    return 0;
}

void
io_stop(struct io *io)
{
    uint64_t one = 1;

    atomic_store(&io->stopping, true);
    if (write(io->stop_fd, &one, sizeof(one)) < 0) {
        abort(); /* an eventfd below its maximum always takes a write */
    }
    while (io->thread_running > 0) {
        pthread_join(io->threads[--io->thread_running], NULL);
    }
}

void
io_free(struct io *io)
{
    if (io == NULL) {
        return;
    }
    if (io->epoll_fd >= 0) {
        close(io->epoll_fd);
    }
    if (io->stop_fd >= 0) {
        close(io->stop_fd);
    }
    free(io->threads);
    free(io);
}

/*
 * Hands the source over to whichever thread is told of it. The kernel orders
 * what this thread did before what that one does; "handed" says it in C's
 * terms. After this the source may be gone.
 */
static int
hand_over(struct io *io, int operation, struct io_source *source,
          uint32_t events)
{
    struct epoll_event event = { .events = events | EPOLLONESHOT,
                                 .data.ptr = source };

    atomic_store_explicit(&source->handed, 1, memory_order_release);
    return epoll_ctl(io->epoll_fd, operation, source->fd, &event);
}

int
io_add(struct io *io, struct io_source *source, uint32_t events)
{
    return hand_over(io, EPOLL_CTL_ADD, source, events);
}

int
io_rearm(struct io *io, struct io_source *source, uint32_t events)
{
    return hand_over(io, EPOLL_CTL_MOD, source, events);
}

static void
timer_ready(struct io_source *source, uint32_t events)
{
    struct io_timer *timer = (struct io_timer *)source;
    uint64_t expirations;

    (void)events;
    if (read(source->fd, &expirations, sizeof(expirations)) > 0) {
        timer->tick(timer->context);
    }
    if (io_rearm(timer->io, source, EPOLLIN) < 0) {
        abort(); /* the descriptor is ours and in the set */
    }
}

int
io_timer_start(struct io_timer *timer, struct io *io, int interval_ms,
               void (*tick)(void *context), void *context)
{
    struct timespec interval = { .tv_sec = interval_ms / 1000,
                                 .tv_nsec = interval_ms % 1000 * 1000000L };
    struct itimerspec spec = { .it_interval = interval, .it_value = interval };

    timer->io = io;
    timer->tick = tick;
    timer->context = context;
    timer->source.ready = timer_ready;
    timer->source.fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer->source.fd < 0 ||
        timerfd_settime(timer->source.fd, 0, &spec, NULL) < 0) {
        return -1;
    }
    return io_add(io, &timer->source, EPOLLIN);
}

void
io_timer_release(struct io_timer *timer)
{
    if (timer->source.fd > 0) {
        close(timer->source.fd);
    }
    timer->source.fd = -1;
}

int64_t
io_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
