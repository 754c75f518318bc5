/*
 * What the tests of the uploads share. The test plays the worker: the temporary
 * file is one of its own.
 */
#ifndef TESTS_UPLOADS_UNIT_H
#define TESTS_UPLOADS_UNIT_H

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "spool_gauge.h"
#include "store.h"
#include "unit.h"
#include "uploads.h"

enum {
    OFFSET_MS = 1000000, /* wall clock less our clock */
    BEGAN_MS = 5000,
    ENDED_MS = 9000,
    SIZE = 100000,
    SPOOLED = 60000,
    BODY = 40000,
    CONNECTION = 7,
    TTL_MS = 60000,
    CHECK_MS = 1000,
    INACTIVE_MS = 30000,
};

enum happening { START, SPOOL, BODY_PART, END, HAPPENINGS };

struct fixture {
    struct store *store;
    struct uploads *uploads;
    char path[64];
    int fd; /* of the temporary file; -1 once closed */
};

static inline int64_t
still_clock(void)
{
    return 0;
}

/* Those of a test to begin with; it may configure others. */
static inline struct uploads_options
usual_options(void)
{
    const struct uploads_options options = {
        .gauges = { [GAUGE_SPOOL] = true },
        .check_interval_ms = CHECK_MS,
        .inactive_timeout_ms = INACTIVE_MS,
        .piece_timeout_ms = 20000,
        .ttl_ms = { TTL_MS },
        .wall_offset_ms = OFFSET_MS,
        .held_max = 100,
        .clock_ms = still_clock,
        .thread_us = still_clock,
    };

    return options;
}

static inline int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct uploads_options options = usual_options();
    const char *message;

    prctl(PR_SET_NAME, "nginx"); /* whose files alone are looked at */
    f->store = store_new(&message);
    assert_non_null(f->store);
    assert_int_equal(store_zone_set(f->store, "uploads", 1 << 20), 0);
    f->uploads = uploads_new(f->store, &options);
    strcpy(f->path, UNIT_FILE);
    assert_non_null(mkdtemp(f->path));
    strcat(f->path, "/0000000001");
    f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(f->fd >= 0);
    unlink(f->path);
    assert_int_equal(ftruncate(f->fd, SPOOLED), 0);
    *state = f;
    return 0;
}

static inline int
tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->fd >= 0) {
        close(f->fd);
    }
    *strrchr(f->path, '/') = '\0';
    rmdir(f->path);
    uploads_tick(f->uploads, 100); /* lets go of the file */
    uploads_free(f->uploads);
    store_free(f->store);
    free(f);
    return 0;
}

/* nginx closes the file. */
static inline void
close_file(struct fixture *f)
{
    close(f->fd);
    f->fd = -1;
}

static inline struct event
make_event(enum event_kind kind, uint8_t attempt)
{
    struct event event = {
        .kind = kind,
        .zone = "uploads",
        .id = "one",
        .attempt = { attempt },
        .pid = getpid(),
        .connection = CONNECTION,
        .connection_requests = 1,
        .content_length_bytes = SIZE,
        .header_length_bytes = 100,
        .request_length_bytes = -1,
        .status = -1,
        .msec = OFFSET_MS + BEGAN_MS,
        .request_time_ms = -1,
        .protocol = 11,
        .form = "",
    };

    return event;
}

static inline struct event
end_event(uint8_t attempt, int status, int64_t at_ms)
{
    struct event event = make_event(EVENT_END, attempt);

    event.status = status;
    event.msec = OFFSET_MS + at_ms;
    event.request_time_ms = at_ms - BEGAN_MS;
    event.request_length_bytes = SIZE + 100;
    return event;
}

/* A log line of the file; id is "" where it has none. */
static inline struct spool
make_spool(const struct fixture *f, const char *id)
{
    struct spool spool = { .pid = getpid(),
                           .connection = CONNECTION,
                           .fd = -1 };

    snprintf(spool.id, sizeof(spool.id), "%s", id);
    snprintf(spool.path, sizeof(spool.path), "%s", f->path);
    return spool;
}

static inline void
happen(struct fixture *f, enum happening what, int64_t now_ms)
{
    struct spool spool = make_spool(f, "one");
    struct event event;

    switch (what) {
    case START:
        event = make_event(EVENT_START, 1);
        uploads_event(f->uploads, &event, now_ms);
        break;
    case SPOOL:
        uploads_spool(f->uploads, &spool, now_ms);
        break;
    case BODY_PART:
        event = make_event(EVENT_BODY, 1);
        event.body_bytes = BODY;
        uploads_event(f->uploads, &event, now_ms);
        break;
    case END:
        event = end_event(1, 200, ENDED_MS);
        uploads_event(f->uploads, &event, now_ms);
        break;
    case HAPPENINGS:
        fail();
    }
}

static inline struct progress
ask_for(struct fixture *f, const char *id, int64_t now_ms)
{
    struct progress progress;

    uploads_progress(f->uploads, 0, id, now_ms, &progress);
    return progress;
}

static inline struct progress
ask(struct fixture *f, int64_t now_ms)
{
    return ask_for(f, "one", now_ms);
}

static inline void
tick_until(struct fixture *f, int64_t from_ms, int64_t to_ms)
{
    for (int64_t now_ms = from_ms; now_ms <= to_ms; now_ms += 250) {
        uploads_tick(f->uploads, now_ms);
    }
}

/* A test that is given fresh uploads. */
#define UPLOADS_TEST(test) \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
