/*
 * The uploads: every ordering of an attempt's events, attempts of one ID, lost
 * ends. The test plays the worker: the temporary file is one of its own.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

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
    MANY = 1000,
};

enum happening { START, SPOOL, BODY_PART, END, HAPPENINGS };

static const char *const names[] = { "start", "spool", "body", "end" };

struct fixture {
    struct store *store;
    struct uploads *uploads;
    char path[64];
    int fd; /* of the temporary file; -1 once closed */
};

static int64_t
still_clock(void)
{
    return 0;
}

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct uploads_options options = {
        .check_interval_ms = CHECK_MS,
        .inactive_timeout_ms = INACTIVE_MS,
        .ttl_ms = { TTL_MS },
        .wall_offset_ms = OFFSET_MS,
        .held_max = 100,
        .clock_ms = still_clock,
    };
    const char *message;

    options.gauges[GAUGE_SPOOL] = true;
    f->store = store_new(&message);
    assert_non_null(f->store);
    assert_int_equal(store_zone_set(f->store, "uploads", 1 << 20), 0);
    f->uploads = uploads_new(f->store, &options);
    strcpy(f->path, "/tmp/upload-progressd-test.XXXXXX");
    assert_non_null(mkdtemp(f->path));
    strcat(f->path, "/0000000001");
    f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(f->fd >= 0);
    unlink(f->path);
    assert_int_equal(ftruncate(f->fd, SPOOLED), 0);
    *state = f;
    return 0;
}

static int
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

static struct event
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
    };

    return event;
}

static struct event
end_event(uint8_t attempt, int status, int64_t at_ms)
{
    struct event event = make_event(EVENT_END, attempt);

    event.status = status;
    event.msec = OFFSET_MS + at_ms;
    event.request_time_ms = at_ms - BEGAN_MS;
    event.request_length_bytes = SIZE + 100;
    return event;
}

static void
happen(struct fixture *f, enum happening what, int64_t now_ms)
{
    struct spool spool = {
        .pid = getpid(), .connection = CONNECTION, .id = "one", .fd = -1
    };
    struct event event;

    switch (what) {
    case START:
        event = make_event(EVENT_START, 1);
        uploads_event(f->uploads, &event, now_ms);
        break;
    case SPOOL:
        snprintf(spool.path, sizeof(spool.path), "%s", f->path);
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

static struct progress
ask(struct fixture *f, int64_t now_ms)
{
    struct progress progress;

    uploads_progress(f->uploads, 0, "one", now_ms, &progress);
    return progress;
}

/* What is to be seen depends on what has happened, not on the order. */
static void
check_outcome(const struct progress *p, unsigned happened, const char *order)
{
    int64_t received = 0;

    print_message("    %s\n", order);
    if (happened & 1u << END) {
        assert_int_equal(p->state, UPLOAD_DONE);
        assert_int_equal(p->phase, PHASE_DONE);
        assert_int_equal(p->status, 200);
        assert_int_equal(p->received_bytes, SIZE);
        assert_int_equal(p->size_bytes, SIZE);
        assert_int_equal(p->started_ms, OFFSET_MS + BEGAN_MS);
        assert_int_equal(p->finished_ms, OFFSET_MS + ENDED_MS);
        assert_false(p->inferred);
        return;
    }
    if (happened == 0) {
        assert_int_equal(p->state, UPLOAD_STARTING);
        return;
    }
    if (happened & 1u << BODY_PART) {
        received = BODY;
    }
    if (happened & 1u << SPOOL) {
        received = SPOOLED;
    }
    assert_int_equal(p->state, UPLOAD_UPLOADING);
    assert_int_equal(p->phase, PHASE_RECEIVING);
    assert_int_equal(p->received_bytes, received);
    assert_int_equal(p->size_bytes, happened == 1u << SPOOL ? -1 : SIZE);
    assert_int_equal(p->status, 0);
}

/* Runs one order on fixtures of its own; repeat says every event twice. */
static void
run_order(const enum happening *order, int count, bool repeat)
{
    struct fixture *f;
    struct progress p;
    void *state;
    char text[64] = "";
    unsigned happened = 0;

    set_up(&state);
    f = state;
    for (int i = 0; i < count; i++) {
        for (int times = 0; times <= repeat; times++) {
            happen(f, order[i], ENDED_MS + 10 + i);
        }
        happened |= 1u << order[i];
        strcat(text, names[order[i]]);
        strcat(text, i + 1 < count ? ", " : repeat ? " (all twice)" : "");
    }
    p = ask(f, ENDED_MS + 100);
    check_outcome(&p, happened, text);
    tear_down(&state);
}

static void
permute(enum happening *order, int fixed, int count)
{
    if (fixed == count) {
        run_order(order, count, false);
        run_order(order, count, true);
        return;
    }
    for (int i = fixed; i < count; i++) {
        enum happening swap = order[fixed];

        order[fixed] = order[i];
        order[i] = swap;
        permute(order, fixed + 1, count);
        order[i] = order[fixed];
        order[fixed] = swap;
    }
}

static void
every_subset_in_every_order(void **state)
{
    (void)state;
    for (unsigned subset = 0; subset < 1u << HAPPENINGS; subset++) {
        enum happening order[HAPPENINGS];
        int count = 0;

        for (int i = 0; i < HAPPENINGS; i++) {
            if (subset & 1u << i) {
                order[count++] = (enum happening)i;
            }
        }
        permute(order, 0, count);
    }
}

static void
tick_until(struct fixture *f, int64_t from_ms, int64_t to_ms)
{
    for (int64_t now_ms = from_ms; now_ms <= to_ms; now_ms += 250) {
        uploads_tick(f->uploads, now_ms);
    }
}

static void
lost_end_after_all_bytes(void **state)
{
    struct fixture *f = *state;
    struct progress p;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    /* The rest comes, and nginx closes the file, between two looks. */
    assert_int_equal(ftruncate(f->fd, SIZE), 0);
    close(f->fd);
    f->fd = -1;
    tick_until(f, BEGAN_MS + 10, BEGAN_MS + 2 * CHECK_MS + 1500);
    p = ask(f, BEGAN_MS + 4000);
    assert_int_equal(p.state, UPLOAD_DONE);
    assert_int_equal(p.received_bytes, SIZE);
    assert_true(p.inferred);
    assert_int_equal(p.status, 0);
}

static void
lost_end_before_all_bytes(void **state)
{
    struct fixture *f = *state;
    struct progress p;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    close(f->fd);
    f->fd = -1;
    tick_until(f, BEGAN_MS + 10, BEGAN_MS + 2 * CHECK_MS + 1500);
    p = ask(f, BEGAN_MS + 4000);
    assert_int_equal(p.state, UPLOAD_ERROR);
    assert_int_equal(p.status, 499);
    assert_int_equal(p.received_bytes, SPOOLED);
    assert_true(p.inferred);
}

static void
late_end_overrules_a_conclusion(void **state)
{
    struct fixture *f = *state;
    struct progress p;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    close(f->fd);
    f->fd = -1;
    tick_until(f, BEGAN_MS + 10, BEGAN_MS + 3500);
    assert_int_equal(ask(f, BEGAN_MS + 4000).state, UPLOAD_ERROR);
    happen(f, END, BEGAN_MS + 5000);
    p = ask(f, BEGAN_MS + 5000);
    assert_int_equal(p.state, UPLOAD_DONE);
    assert_int_equal(p.status, 200);
    assert_false(p.inferred);
}

static void
size_of_a_chunked_body(void **state)
{
    static const struct {
        int status;
        int64_t size_bytes;
    } rows[] = {
        { 200, SPOOLED }, { 500, SPOOLED }, { 400, -1 },
        { 408, -1 },      { 413, -1 },      { 499, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct event event = make_event(EVENT_START, 1);
        struct progress p;
        void *own;

        set_up(&own);
        event.chunked = true;
        event.content_length_bytes = -1;
        uploads_event(((struct fixture *)own)->uploads, &event, BEGAN_MS);
        event = end_event(1, rows[i].status, ENDED_MS);
        event.chunked = true;
        event.content_length_bytes = SPOOLED;
        uploads_event(((struct fixture *)own)->uploads, &event, ENDED_MS);
        p = ask(own, ENDED_MS + 1);
        assert_int_equal(p.status, rows[i].status);
        assert_int_equal(p.received_bytes, SPOOLED);
        assert_int_equal(p.size_bytes, rows[i].size_bytes);
        tear_down(&own);
    }
}

static void
without_any_gauge_given_up_in_time(void **state)
{
    struct fixture *f = *state;

    happen(f, START, BEGAN_MS);
    tick_until(f, BEGAN_MS, BEGAN_MS + INACTIVE_MS - 1000);
    assert_int_equal(ask(f, BEGAN_MS + INACTIVE_MS - 1000).state,
                     UPLOAD_UPLOADING);
    tick_until(f, BEGAN_MS + INACTIVE_MS - 1000, BEGAN_MS + INACTIVE_MS + 2000);
    assert_int_equal(ask(f, BEGAN_MS + INACTIVE_MS + 2000).state, UPLOAD_ERROR);
}

/* What a worker that was killed leaves behind: all of it in one look. */
static void
many_lost_ends_at_once(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < MANY; i++) {
        struct event event = make_event(EVENT_START, 1);

        snprintf(event.id, sizeof(event.id), "%d", i);
        event.connection = i + 1;
        uploads_event(f->uploads, &event, BEGAN_MS);
    }
    uploads_tick(f->uploads, BEGAN_MS + INACTIVE_MS);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        struct progress p;

        snprintf(id, sizeof(id), "%d", i);
        uploads_progress(f->uploads, 0, id, BEGAN_MS + INACTIVE_MS, &p);
        assert_int_equal(p.state, UPLOAD_ERROR);
    }
}

static void
swept_after_its_time(void **state)
{
    struct fixture *f = *state;

    happen(f, START, BEGAN_MS);
    happen(f, END, ENDED_MS);
    uploads_tick(f->uploads, ENDED_MS + TTL_MS - 1);
    assert_int_equal(ask(f, ENDED_MS + TTL_MS - 1).state, UPLOAD_DONE);
    uploads_tick(f->uploads, ENDED_MS + TTL_MS);
    assert_int_equal(ask(f, ENDED_MS + TTL_MS).state, UPLOAD_STARTING);
    assert_int_equal(store_upload_count(f->store), 0);
}

/* Two attempts of one ID, their four events in every order. */
static void
two_attempts_in_every_order(void **state)
{
    static const int orders[24][4] = {
        { 0, 1, 2, 3 }, { 0, 1, 3, 2 }, { 0, 2, 1, 3 }, { 0, 2, 3, 1 },
        { 0, 3, 1, 2 }, { 0, 3, 2, 1 }, { 1, 0, 2, 3 }, { 1, 0, 3, 2 },
        { 1, 2, 0, 3 }, { 1, 2, 3, 0 }, { 1, 3, 0, 2 }, { 1, 3, 2, 0 },
        { 2, 0, 1, 3 }, { 2, 0, 3, 1 }, { 2, 1, 0, 3 }, { 2, 1, 3, 0 },
        { 2, 3, 0, 1 }, { 2, 3, 1, 0 }, { 3, 0, 1, 2 }, { 3, 0, 2, 1 },
        { 3, 1, 0, 2 }, { 3, 1, 2, 0 }, { 3, 2, 0, 1 }, { 3, 2, 1, 0 },
    };

    (void)state;
    for (int i = 0; i < 24; i++) {
        struct event events[4] = {
            make_event(EVENT_START, 1),
            end_event(1, 500, ENDED_MS - 1000),
            make_event(EVENT_START, 2),
            end_event(2, 200, ENDED_MS),
        };
        struct progress p;
        void *own;

        set_up(&own);
        for (int k = 0; k < 4; k++) {
            struct fixture *f = own;

            events[orders[i][k]].connection = CONNECTION + orders[i][k] / 2;
            uploads_event(f->uploads, &events[orders[i][k]], ENDED_MS + k);
        }
        p = ask(own, ENDED_MS + 10);
        print_message("    order %d\n", i);
        assert_int_equal(p.state, UPLOAD_DONE);
        assert_int_equal(p.status, 200);
        assert_int_equal(p.finished_ms, OFFSET_MS + ENDED_MS);
        tear_down(&own);
    }
}

static void
the_first_of_two_running_is_shown(void **state)
{
    struct fixture *f = *state;
    struct event first = make_event(EVENT_START, 1);
    struct event second = make_event(EVENT_START, 2);
    struct event end = end_event(1, 500, ENDED_MS);

    second.connection++;
    second.msec += 1000;
    second.content_length_bytes = 2 * SIZE;
    uploads_event(f->uploads, &second, BEGAN_MS + 1100);
    uploads_event(f->uploads, &first, BEGAN_MS + 1200);
    assert_int_equal(ask(f, BEGAN_MS + 1300).size_bytes, SIZE);
    /* Its end leaves the other one to be shown, not an error. */
    uploads_event(f->uploads, &end, ENDED_MS);
    assert_int_equal(ask(f, ENDED_MS).size_bytes, 2 * SIZE);
    assert_int_equal(ask(f, ENDED_MS).state, UPLOAD_UPLOADING);
}

/* On HTTP/2 two uploads of one URI, IDs in headers, cannot be told apart. */
static void
the_lowest_candidate_is_told(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(EVENT_START, 1);
    struct spool spool = { .pid = getpid(),
                           .connection = CONNECTION,
                           .fd = -1 };
    struct progress p;

    event.protocol = 20;
    uploads_event(f->uploads, &event, BEGAN_MS);
    event.attempt[0] = 2;
    strcpy(event.id, "two");
    uploads_event(f->uploads, &event, BEGAN_MS);
    snprintf(spool.path, sizeof(spool.path), "%s", f->path);
    uploads_spool(f->uploads, &spool, BEGAN_MS);
    /* One file for two: the other may be the one without. */
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, 0);
    uploads_progress(f->uploads, 0, "two", BEGAN_MS + 1, &p);
    assert_int_equal(p.received_bytes, 0);
    /* After the end of one, the file may still be that one's for a moment. */
    event = end_event(1, 200, ENDED_MS);
    event.protocol = 20;
    uploads_event(f->uploads, &event, ENDED_MS);
    uploads_progress(f->uploads, 0, "two", ENDED_MS + 1, &p);
    assert_int_equal(p.received_bytes, 0);
    uploads_progress(f->uploads, 0, "two", ENDED_MS + 1001, &p);
    assert_int_equal(p.received_bytes, SPOOLED);
}

/* Whoever can send a line can name any file, and any process. */
static void
only_files_of_nginx_are_looked_at(void **state)
{
    static const char *const not_numbers[] = { "/etc/passwd",
                                               "/etc/0000000001x",
                                               "/etc/000000001",
                                               "0000000001",
                                               "/0000000001/passwd",
                                               "/etc/-000000001",
                                               "/etc/",
                                               "" };
    struct fixture *f = *state;
    struct spool spool = {
        .pid = getpid(), .connection = CONNECTION, .id = "one", .fd = -1
    };

    for (size_t i = 0; i < COUNT(not_numbers); i++) {
        ASSERT_THAT(not_numbers[i], !spool_gauge_is_name(not_numbers[i]));
        strcpy(spool.path, not_numbers[i]);
        uploads_spool(f->uploads, &spool, BEGAN_MS);
    }
    assert_true(spool_gauge_is_name("/0000000001"));
    assert_true(spool_gauge_is_name("/body/1/23/12345678901"));
    assert_int_equal(ask(f, BEGAN_MS).state, UPLOAD_STARTING);
    /* The descriptor is there, the process is another program. */
    strcpy(spool.path, f->path);
    prctl(PR_SET_NAME, "sshd");
    uploads_spool(f->uploads, &spool, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).state, UPLOAD_STARTING);
    prctl(PR_SET_NAME, "nginx");
    uploads_spool(f->uploads, &spool, BEGAN_MS + 2000);
    assert_int_equal(ask(f, BEGAN_MS + 2001).received_bytes, SPOOLED);
}

/* A name that stays, of a file that the process does not have open. */
static void
a_name_alone_is_not_believed(void **state)
{
    struct fixture *f = *state;
    struct spool spool = {
        .pid = getpid(), .connection = CONNECTION, .id = "one", .fd = -1
    };
    int64_t size_bytes;
    int fd;

    snprintf(spool.path, sizeof(spool.path), "%.*s/0000000002",
             (int)(strrchr(f->path, '/') - f->path), f->path);
    fd = open(spool.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SPOOLED), 0);
    close(fd);
    assert_int_equal(spool_gauge_read(&spool, &size_bytes), SPOOL_UNKNOWN);
    uploads_spool(f->uploads, &spool, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).state, UPLOAD_STARTING);
    unlink(spool.path);
}

/* The file of an upload that is over, closed late, is not the other's. */
static void
a_closed_file_is_not_credited_to_a_neighbour(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(EVENT_START, 1);
    struct spool spool = { .pid = getpid(),
                           .connection = CONNECTION,
                           .fd = -1 };
    struct progress p;

    event.protocol = 20;
    uploads_event(f->uploads, &event, BEGAN_MS);
    event.attempt[0] = 2;
    strcpy(event.id, "two");
    uploads_event(f->uploads, &event, BEGAN_MS);
    snprintf(spool.path, sizeof(spool.path), "%s", f->path);
    uploads_spool(f->uploads, &spool, BEGAN_MS);
    event = end_event(1, 200, ENDED_MS);
    event.protocol = 20;
    uploads_event(f->uploads, &event, ENDED_MS);
    close(f->fd);
    f->fd = -1;
    tick_until(f, ENDED_MS + 1, ENDED_MS + 3000);
    uploads_progress(f->uploads, 0, "two", ENDED_MS + 3001, &p);
    assert_int_equal(p.state, UPLOAD_UPLOADING);
    assert_int_equal(p.received_bytes, 0);
}

/* On a kept connection the file of the request before is not the next one's. */
static void
a_file_seen_before_the_start_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(EVENT_START, 2);
    struct spool spool = { .pid = getpid(),
                           .connection = CONNECTION,
                           .fd = -1 };

    snprintf(spool.path, sizeof(spool.path), "%s", f->path);
    uploads_spool(f->uploads, &spool, BEGAN_MS - 10);
    event.connection_requests = 2;
    uploads_event(f->uploads, &event, BEGAN_MS + 5);
    assert_int_equal(ask(f, BEGAN_MS + 10).received_bytes, 0);
    close(f->fd);
    f->fd = -1;
    tick_until(f, BEGAN_MS + 20, BEGAN_MS + 900);
    assert_int_equal(ask(f, BEGAN_MS + 900).received_bytes, 0);
}

static void
received_never_falls_nor_passes_size(void **state)
{
    struct fixture *f = *state;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    assert_int_equal(ftruncate(f->fd, SPOOLED / 2), 0);
    assert_int_equal(ask(f, BEGAN_MS + 2).received_bytes, SPOOLED);
    happen(f, BODY_PART, BEGAN_MS + 3);
    assert_int_equal(ask(f, BEGAN_MS + 3).received_bytes, SPOOLED);
    assert_int_equal(ftruncate(f->fd, 3 * SIZE), 0);
    assert_int_equal(ask(f, BEGAN_MS + 4).received_bytes, SIZE);
    assert_int_equal(ask(f, BEGAN_MS + 4).phase, PHASE_PROCESSING);
}

/* Of a chunked body the size is told at the end, after it was estimated. */
static void
a_size_told_late_has_the_last_word(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(EVENT_START, 1);
    struct progress p;

    event.chunked = true;
    event.content_length_bytes = -1;
    uploads_event(f->uploads, &event, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    event = end_event(1, 200, ENDED_MS);
    event.chunked = true;
    event.content_length_bytes = SPOOLED - 100;
    uploads_event(f->uploads, &event, ENDED_MS);
    p = ask(f, ENDED_MS + 1);
    assert_int_equal(p.state, UPLOAD_DONE);
    assert_int_equal(p.size_bytes, SPOOLED - 100);
    assert_int_equal(p.received_bytes, SPOOLED - 100);
    assert_int_equal(progress_hundredths(&p), 10000);
}

static void
rate_over_a_sliding_window(void **state)
{
    struct fixture *f = *state;
    struct progress p = { .rate = 0 };

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ftruncate(f->fd, 0), 0);
    /* 1,000 bytes a second for 20 s, then 5,000 for 10 s. */
    for (int64_t ms = 500; ms <= 20000; ms += 500) {
        assert_int_equal(ftruncate(f->fd, ms), 0);
        p = ask(f, BEGAN_MS + ms);
        assert_in_range(p.rate, 999, 1001);
        assert_in_range(p.eta_ms, (SIZE - ms) * 0.99, (SIZE - ms) * 1.01);
    }
    for (int64_t ms = 500; ms <= 10000; ms += 500) {
        assert_int_equal(ftruncate(f->fd, 20000 + 5 * ms), 0);
        p = ask(f, BEGAN_MS + 20000 + ms);
    }
    assert_in_range(p.rate, 4990, 5010); /* the slow time is forgotten */
}

static void
too_many_running_attempts_of_one_id(void **state)
{
    struct fixture *f = *state;

    for (uint8_t attempt = 1; attempt <= 20; attempt++) {
        struct event event = make_event(EVENT_START, attempt);

        event.connection += attempt;
        uploads_event(f->uploads, &event, BEGAN_MS + attempt);
    }
    assert_in_range(store_upload_count(f->store), 1, 4);
    assert_int_equal(ask(f, BEGAN_MS + 30).state, UPLOAD_UPLOADING);
}

static void
an_unknown_zone_is_no_upload(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(EVENT_START, 1);

    strcpy(event.zone, "elsewhere");
    uploads_event(f->uploads, &event, BEGAN_MS);
    assert_int_equal(store_upload_count(f->store), 0);
}

#define WITH_FIXTURE(test) \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_subset_in_every_order),
        cmocka_unit_test(two_attempts_in_every_order),
        WITH_FIXTURE(lost_end_after_all_bytes),
        WITH_FIXTURE(lost_end_before_all_bytes),
        WITH_FIXTURE(late_end_overrules_a_conclusion),
        cmocka_unit_test(size_of_a_chunked_body),
        WITH_FIXTURE(without_any_gauge_given_up_in_time),
        WITH_FIXTURE(many_lost_ends_at_once),
        WITH_FIXTURE(swept_after_its_time),
        WITH_FIXTURE(the_first_of_two_running_is_shown),
        WITH_FIXTURE(the_lowest_candidate_is_told),
        WITH_FIXTURE(only_files_of_nginx_are_looked_at),
        WITH_FIXTURE(a_name_alone_is_not_believed),
        WITH_FIXTURE(a_closed_file_is_not_credited_to_a_neighbour),
        WITH_FIXTURE(a_file_seen_before_the_start_is_not_taken),
        WITH_FIXTURE(received_never_falls_nor_passes_size),
        WITH_FIXTURE(a_size_told_late_has_the_last_word),
        WITH_FIXTURE(rate_over_a_sliding_window),
        WITH_FIXTURE(too_many_running_attempts_of_one_id),
        WITH_FIXTURE(an_unknown_zone_is_no_upload),
    };

    prctl(PR_SET_NAME, "nginx"); /* whose files alone are looked at */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
