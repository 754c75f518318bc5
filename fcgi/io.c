/* The I/O threads and their epoll sets. */
#include "io.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "gather.h"

enum { EVENTS_PER_WAIT = 64 };

struct io_loop {
    struct io_source nested; /* first: this set, as a source of another */
    struct io *io;
    int epoll_fd;
    atomic_uint source_count;
    struct io_loop *host; /* whose thread looks after this set, or NULL */
    struct gather_share gathered;
    pthread_t thread;
};

struct io {
    int stop_fd; /* eventfd: readable once the threads must end */
    atomic_bool stopping;
    void (*end_round)(void);
    int gather_delay_ms; /* 0: never */
    struct gather gather;
    struct io_loop timers;
    bool timers_running;
    struct io_loop **loops; /* one is there from the start; none ever goes */
    unsigned loop_count;
    atomic_uint running; /* the first so many have a thread */
    struct io_source **shared;
    unsigned shared_count;
};

/* Whose thread this is; NULL on others. */
static _Thread_local struct io_loop *current_loop;

/* Returns how much was ready. */
static int
wait_once(int epoll_fd, int timeout_ms)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    int count = epoll_wait(epoll_fd, events, EVENTS_PER_WAIT, timeout_ms);

    for (int i = 0; i < count; i++) {
        struct io_source *source = events[i].data.ptr;

        if (source != NULL) {
            atomic_load_explicit(&source->handed, memory_order_acquire);
            source->ready(source, events[i].events);
        }
    }
    if (current_loop->io->end_round != NULL) {
        current_loop->io->end_round();
    }
    return count > 0 ? count : 0; /* a signal ends the wait, too */
}

/* A set without a thread of its own has something to tell. */
static void
nested_ready(struct io_source *source, uint32_t ready)
{
    (void)ready;
    (void)wait_once(source->fd, 0);
}

static void *
run(void *argument)
{
    struct io_loop *loop = argument;
    int delay_ms = loop == &loop->io->timers ? 0 : loop->io->gather_delay_ms;
    const struct timespec delay = { .tv_sec = delay_ms / 1000,
                                    .tv_nsec = delay_ms % 1000 * 1000000L };

    current_loop = loop;
    while (!atomic_load(&loop->io->stopping)) {
        int count = wait_once(loop->epoll_fd, -1);

        if (delay_ms > 0 && gather_round(&loop->io->gather, &loop->gathered,
                                         count, io_coarse_ms())) {
            nanosleep(&delay, NULL);
        }
    }
    return NULL;
}

/*
 * Hands the source over to the loop's thread. The kernel orders what this
 * thread did before what that one does; "handed" says it in C's terms. After
 * this the source may be gone.
 */
static int
hand_over(const struct io_loop *loop, struct io_source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = source };

    atomic_store_explicit(&source->handed, 1, memory_order_release);
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
}

static int
add_to(struct io_loop *loop, struct io_source *source, uint32_t events)
{
    source->loop = loop;
    atomic_fetch_add_explicit(&loop->source_count, 1, memory_order_relaxed);
    if (hand_over(loop, source, events) < 0) {
        atomic_fetch_sub_explicit(&loop->source_count, 1, memory_order_relaxed);
        source->loop = NULL;
        return -1;
    }
    return 0;
}

static void
share_with(const struct io_loop *loop, struct io_source *source)
{
    /* It may be there already: another thread resumes, too. */
    if (hand_over(loop, source, EPOLLIN | EPOLLEXCLUSIVE) < 0 &&
        errno != EEXIST) {
        abort(); /* the descriptor is ours, and the set has room */
    }
}

static int
open_loop(struct io *io, struct io_loop *loop)
{
    struct epoll_event event = { .events = EPOLLIN };

    loop->io = io;
    loop->nested.ready = nested_ready;
    loop->epoll_fd = loop->nested.fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll_fd < 0
               ? -1
               : epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, io->stop_fd, &event);
}

static int
add_loop(struct io *io)
{
    struct io_loop **loops =
        reallocarray(io->loops, io->loop_count + 1, sizeof(struct io_loop *));
    struct io_loop *loop;

    if (loops == NULL) {
        return -1;
    }
    io->loops = loops;
    loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return -1;
    }
    loops[io->loop_count++] = loop;
    if (open_loop(io, loop) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < io->shared_count; i++) {
        share_with(loop, io->shared[i]);
    }
    return 0;
}

struct io *
io_new(void)
{
    struct io *io = calloc(1, sizeof(*io));

    if (io == NULL) {
        return NULL;
    }
    io->timers.epoll_fd = -1;
    io->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (io->stop_fd < 0 || open_loop(io, &io->timers) < 0 || add_loop(io) < 0) {
        io_free(io);
        return NULL;
    }
    return io;
}

void
io_end_rounds(struct io *io, void (*end)(void))
{
    io->end_round = end;
}

void
io_gather(struct io *io, int delay_ms)
{
    io->gather_delay_ms = delay_ms;
}

/* The first thread_count sets get a thread each, the others a host. */
static int
find_hosts(struct io *io, unsigned thread_count)
{
    for (unsigned i = 0; i < io->loop_count; i++) {
        struct io_loop *loop = io->loops[i];

        if (loop->host != NULL) {
            epoll_ctl(loop->host->epoll_fd, EPOLL_CTL_DEL, loop->epoll_fd,
                      NULL);
            loop->host = NULL;
        }
        if (i >= thread_count) {
            loop->host = io->loops[i % thread_count];
            if (hand_over(loop->host, &loop->nested, EPOLLIN) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int
start_thread(struct io_loop *loop)
{
    int error = pthread_create(&loop->thread, NULL, run, loop);

    errno = error;
    return error == 0 ? 0 : -1;
}

int
io_start(struct io *io, unsigned thread_count)
{
    uint64_t stops;

    if (thread_count == 0) {
        errno = EINVAL;
        return -1;
    }
    gather_init(&io->gather, io->gather_delay_ms, thread_count);
    /* What the last stop has left. */
    if (read(io->stop_fd, &stops, sizeof(stops)) < 0 && errno != EAGAIN) {
        return -1;
    }
    atomic_store(&io->stopping, false);
    while (io->loop_count < thread_count) {
        if (add_loop(io) < 0) {
            return -1;
        }
    }
    if (find_hosts(io, thread_count) < 0 || start_thread(&io->timers) < 0) {
        return -1;
    }
    io->timers_running = true;
    while (atomic_load(&io->running) < thread_count) {
        if (start_thread(io->loops[atomic_load(&io->running)]) < 0) {
            return -1;
        }
        atomic_fetch_add(&io->running, 1);
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
    if (io->timers_running) {
        pthread_join(io->timers.thread, NULL);
        io->timers_running = false;
    }
    while (atomic_load(&io->running) > 0) {
        pthread_join(io->loops[atomic_fetch_sub(&io->running, 1) - 1]->thread,
                     NULL);
    }
}

static void
close_loop(struct io_loop *loop)
{
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
}

void
io_free(struct io *io)
{
    if (io == NULL) {
        return;
    }
    for (unsigned i = 0; i < io->loop_count; i++) {
        close_loop(io->loops[i]);
        free(io->loops[i]);
    }
    close_loop(&io->timers);
    if (io->stop_fd >= 0) {
        close(io->stop_fd);
    }
    free(io->shared);
    free(io->loops);
    free(io);
}

static unsigned
load_of(struct io_loop *loop)
{
    return atomic_load_explicit(&loop->source_count, memory_order_relaxed);
}

int
io_add(struct io *io, struct io_source *source, uint32_t events)
{
    bool is_ours = current_loop != NULL && current_loop->io == io &&
                   current_loop != &io->timers;
    struct io_loop *best = is_ours ? current_loop : io->loops[0];
    unsigned running = atomic_load_explicit(&io->running, memory_order_relaxed);

    for (unsigned i = 0; i < running; i++) {
        /* By one is no reason to change threads. */
        if (load_of(io->loops[i]) + 1 < load_of(best)) {
            best = io->loops[i];
        }
    }
    return add_to(best, source, events);
}

int
io_add_aside(struct io *io, struct io_source *source, uint32_t events)
{
    return add_to(&io->timers, source, events);
}

int
io_modify(struct io_source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = source };

    return epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void
io_remove(struct io_source *source)
{
    if (source->loop == NULL) {
        return;
    }
    /* By close() alone it would stay for as long as a child has it, too. */
    epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    atomic_fetch_sub_explicit(&source->loop->source_count, 1,
                              memory_order_relaxed);
    source->loop = NULL;
}

int
io_share(struct io *io, struct io_source *source)
{
    struct io_source **shared = reallocarray(io->shared, io->shared_count + 1,
                                             sizeof(struct io_source *));

    if (shared == NULL) {
        return -1;
    }
    io->shared = shared;
    shared[io->shared_count++] = source;
    io_resume(io, source);
    return 0;
}

void
io_unshare(struct io *io, struct io_source *source)
{
    io_pause(io, source);
    for (unsigned i = 0; i < io->shared_count; i++) {
        if (io->shared[i] == source) {
            io->shared[i] = io->shared[--io->shared_count];
            return;
        }
    }
}

void
io_pause(struct io *io, struct io_source *source)
{
    for (unsigned i = 0; i < io->loop_count; i++) {
        epoll_ctl(io->loops[i]->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    }
}

void
io_resume(struct io *io, struct io_source *source)
{
    for (unsigned i = 0; i < io->loop_count; i++) {
        share_with(io->loops[i], source);
    }
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
}

int
io_timer_start(struct io_timer *timer, struct io *io, int interval_ms,
               void (*tick)(void *context), void *context)
{
    struct timespec interval = { .tv_sec = interval_ms / 1000,
                                 .tv_nsec = interval_ms % 1000 * 1000000L };
    struct itimerspec spec = { .it_interval = interval, .it_value = interval };

    timer->tick = tick;
    timer->context = context;
    timer->source.ready = timer_ready;
    timer->source.fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer->source.fd < 0 ||
        timerfd_settime(timer->source.fd, 0, &spec, NULL) < 0) {
        return -1;
    }
    return io_add_aside(io, &timer->source, EPOLLIN);
}

void
io_timer_release(struct io_timer *timer)
{
    if (timer->source.fd > 0) {
        close(timer->source.fd);
    }
    timer->source.fd = -1;
}

static int64_t
read_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t
read_ms(clockid_t clock)
{
    return read_us(clock) / 1000;
}

int64_t
io_now_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t
io_coarse_ms(void)
{
    return read_ms(CLOCK_MONOTONIC_COARSE);
}

int64_t
io_thread_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}
