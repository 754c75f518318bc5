/* Whose a temporary file is, and which files are believed. */
#include <time.h>

#include "uploads_internal.h"
#include "uploads_unit.h"

/* Two uploads of one URI on HTTP/2, IDs in headers, and a file of one of them.
 */
static void
start_two_with_a_file(struct fixture *f)
{
    struct event event = make_event(EVENT_START, 1);
    struct spool spool = make_spool(f, "");

    event.protocol = 20;
    uploads_event(f->uploads, &event, BEGAN_MS);
    event.attempt[0] = 2;
    strcpy(event.id, "two");
    uploads_event(f->uploads, &event, BEGAN_MS);
    uploads_spool(f->uploads, &spool, BEGAN_MS);
}

static void
end_first(struct fixture *f)
{
    struct event event = end_event(1, 200, ENDED_MS);

    event.protocol = 20;
    uploads_event(f->uploads, &event, ENDED_MS);
}

/* They cannot be told apart. */
static void
the_lowest_candidate_is_told(void **state)
{
    struct fixture *f = *state;

    start_two_with_a_file(f);
    /* One file for two: the other may be the one without. */
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, 0);
    assert_int_equal(ask_for(f, "two", BEGAN_MS + 1).received_bytes, 0);
    /* After the end of one, the file may still be that one's for a moment. */
    end_first(f);
    assert_int_equal(ask_for(f, "two", ENDED_MS + 1).received_bytes, 0);
    assert_int_equal(ask_for(f, "two", ENDED_MS + 1001).received_bytes,
                     SPOOLED);
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
    struct spool spool = make_spool(f, "one");

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

/* Each look at it makes it later: a scan takes 10 ms. */
static int64_t
slow_clock(void)
{
    static int64_t now_us;

    return now_us += 10000;
}

/* Without anybody who asks: its size is wanted once nginx has closed it. */
static void
the_timer_looks_for_files(void **state)
{
    struct fixture *f = *state;
    struct uploads_options options = usual_options();
    struct spool spool = make_spool(f, "one");
    struct spool unresolved;

    options.thread_us = slow_clock;
    uploads_configure(f->uploads, &options);
    uploads_spool(f->uploads, &spool, BEGAN_MS);
    spool.connection++; /* told right behind, when the worker is let alone */
    uploads_spool(f->uploads, &spool, BEGAN_MS);
    ASSERT_INT("not yet",
               store_spool_unresolved(f->store, spool.pid, &unresolved, 1), 1);
    uploads_tick(f->uploads, BEGAN_MS + 500);
    ASSERT_INT("found",
               store_spool_unresolved(f->store, spool.pid, &unresolved, 1), 0);
}

/* Each scan takes 1 ms of processor time. */
static int64_t
steady_clock(void)
{
    static int64_t now_us;

    return now_us += 1000;
}

/* Quick ones may follow one another; in the long run they take a tenth. */
static void
scans_are_paced_in_the_long_run(void **state)
{
    static const struct {
        const char *name;
        int64_t at_ms;
        int found; /* of files told of one after the other at that time */
    } rows[] = {
        { "five milliseconds ahead", 0, 6 },
        { "none are left", 9, 0 },
        { "one more", 10, 1 },
        { "ten milliseconds for each", 35, 2 },
        { "never further ahead", 10000, 6 },
    };
    struct fixture *f = *state;
    struct uploads_options options = usual_options();
    int64_t connection = CONNECTION;

    options.thread_us = steady_clock;
    uploads_configure(f->uploads, &options);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spool unresolved;
        int found = 0;

        /* Those that had no scan get it by that of the next one. */
        for (; found < FILES_MAX; found++) {
            struct spool spool = make_spool(f, "");

            spool.connection = connection++;
            uploads_spool(f->uploads, &spool, BEGAN_MS + rows[i].at_ms);
            if (store_spool_unresolved(f->store, spool.pid, &unresolved, 1) >
                0) {
                break;
            }
        }
        ASSERT_INT(rows[i].name, found, rows[i].found);
    }
}

static struct fixture *interrupted;

/* Its second call is behind a pass: another thread tells of a file meanwhile.
 */
static int64_t
interrupting_clock(void)
{
    static int calls;

    if (++calls == 2) {
        struct spool spool = make_spool(interrupted, "two");

        spool.connection++;
        uploads_spool(interrupted->uploads, &spool, BEGAN_MS);
    }
    return 0;
}

/* It is not left to the timer. */
static void
who_comes_during_a_pass_is_looked_for(void **state)
{
    struct fixture *f = *state;
    struct uploads_options options = usual_options();
    struct spool unresolved;

    interrupted = f;
    options.thread_us = interrupting_clock;
    uploads_configure(f->uploads, &options);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(store_spool_count(f->store), 2);
    assert_int_equal(store_spool_unresolved(f->store, getpid(), &unresolved, 1),
                     0);
}

/* A name that stays, of a file that the process does not have open. */
static void
a_name_alone_is_not_believed(void **state)
{
    struct fixture *f = *state;
    struct spool spool = make_spool(f, "one");
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
    struct progress p;

    start_two_with_a_file(f);
    end_first(f);
    close_file(f);
    tick_until(f, ENDED_MS + 1, ENDED_MS + 3000);
    p = ask_for(f, "two", ENDED_MS + 3001);
    assert_int_equal(p.state, UPLOAD_UPLOADING);
    assert_int_equal(p.received_bytes, 0);
}

/* On a kept connection the file of the request before is not the next one's. */
static void
a_file_seen_before_the_start_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(EVENT_START, 2);
    struct spool spool = make_spool(f, "");

    uploads_spool(f->uploads, &spool, BEGAN_MS - 10);
    event.connection_requests = 2;
    uploads_event(f->uploads, &event, BEGAN_MS + 5);
    assert_int_equal(ask(f, BEGAN_MS + 10).received_bytes, 0);
    close_file(f);
    tick_until(f, BEGAN_MS + 20, BEGAN_MS + 900);
    assert_int_equal(ask(f, BEGAN_MS + 900).received_bytes, 0);
}

/*
 * The line of the file may come before the start: that may yet tell of a piece,
 * of which the form's own bytes are none.
 */
static void
a_form_without_a_start_is_told_of_later(void **state)
{
    static const struct {
        const char *head;
        int64_t at_ms;
        int64_t received_bytes;
    } rows[] = {
        { "--", 0, 0 },
        { "--", 499, 0 },
        { "--", 500, SPOOLED },
        { "-x", 0, SPOOLED },
    };
    struct fixture *f = *state;

    happen(f, SPOOL, BEGAN_MS);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct progress p;

        assert_int_equal(pwrite(f->fd, rows[i].head, 2, 0), 2);
        p = ask(f, BEGAN_MS + rows[i].at_ms);
        ASSERT_INT(rows[i].head, p.state, UPLOAD_UPLOADING);
        ASSERT_INT(unit_case("%s, %d", rows[i].head, (int)rows[i].at_ms),
                   p.received_bytes, rows[i].received_bytes);
    }
}

/* For want of descriptors: it is marked by the next look, and followed. */
static void
a_file_that_is_not_held_is_marked(void **state)
{
    struct fixture *f = *state;
    struct uploads_options options = usual_options();
    const struct timespec tick = { .tv_nsec = 20000000 };
    struct spool known;

    options.held_max = 0;
    uploads_configure(f->uploads, &options);
    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    nanosleep(&tick, NULL); /* for a file system's clock to go on */
    assert_int_equal(ask(f, BEGAN_MS + 100).received_bytes, SPOOLED);
    assert_int_equal(store_spool_scan(f->store, 0, &known, 1), 1);
    assert_true(known.held_fd < -1);
    assert_int_equal(ftruncate(f->fd, SPOOLED + 1), 0);
    assert_int_equal(ask(f, BEGAN_MS + 2 * CHECK_MS + 100).received_bytes,
                     SPOOLED + 1);
    close_file(f);
    uploads_tick(f->uploads, BEGAN_MS + 4 * CHECK_MS);
    assert_int_equal(store_spool_count(f->store), 0);
}

/* What is held has its size without a look at the worker. */
static void
a_held_file_keeps_its_last_size(void **state)
{
    struct fixture *f = *state;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    assert_int_equal(ftruncate(f->fd, SPOOLED + 1), 0);
    assert_int_equal(ask(f, BEGAN_MS + 100).received_bytes, SPOOLED + 1);
    assert_int_equal(ftruncate(f->fd, SPOOLED + 2), 0);
    close_file(f);
    assert_int_equal(ask(f, BEGAN_MS + 200).received_bytes, SPOOLED + 2);
    assert_int_equal(store_spool_count(f->store), 1);
    uploads_tick(f->uploads, BEGAN_MS + 2 * CHECK_MS);
    assert_int_equal(store_spool_count(f->store), 0);
    assert_int_equal(ask(f, BEGAN_MS + 2 * CHECK_MS + 1).received_bytes,
                     SPOOLED + 2);
}

/* By whatever way it is let go of: who reads meanwhile has to see it. */
static void
each_release_is_counted(void **state)
{
    struct fixture *f = *state;
    const atomic_uint *releases = &f->uploads->held_releases;

    happen(f, START, BEGAN_MS);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(ask(f, BEGAN_MS + 1).received_bytes, SPOOLED);
    assert_int_equal(atomic_load(releases), 0);
    happen(f, END, ENDED_MS);
    assert_int_equal(store_spool_count(f->store), 0);
    assert_int_equal(atomic_load(releases), 1);
    happen(f, SPOOL, ENDED_MS + 1000);
    assert_int_equal(store_spool_count(f->store), 1);
    close_file(f);
    uploads_tick(f->uploads, ENDED_MS + 1000 + 2 * CHECK_MS);
    assert_int_equal(store_spool_count(f->store), 0);
    /* It could be a form's, of which nothing is known. */
    assert_int_equal(atomic_load(releases), 1);
    uploads_tick(f->uploads, ENDED_MS + 1000 + 2 * CHECK_MS + GRACE_MS + 1);
    assert_int_equal(atomic_load(releases), 2);
}

/* Another thread lets go of it while its size is read. */
static void
a_number_that_was_let_go_of_is_not_read(void **state)
{
    static const struct {
        const char *name;
        int64_t row; /* of the upload's file, less that of the file */
        bool certain;
        unsigned releases; /* since the row was read */
        bool held;         /* that is taken for the file */
    } rows[] = {
        { "the upload's own", 0, true, 0, true },
        { "let go of", 0, true, 1, false },
        { "the upload's file is another one", 1, true, 0, false },
        { "perhaps another's", 0, false, 0, false },
    };
    struct fixture *f = *state;
    char folder[] = UNIT_FILE;
    int another = mkstemp(folder);
    struct spool spool;

    assert_true(another >= 0);
    unlink(folder);
    assert_int_equal(ftruncate(another, 2 * SPOOLED), 0);
    happen(f, SPOOL, BEGAN_MS);
    assert_int_equal(store_spool_scan(f->store, 0, &spool, 1), 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct upload upload = { .spool_row = spool.row + rows[i].row,
                                 .spool_certain = rows[i].certain };
        struct spool read = spool;
        int64_t size_bytes = -1;

        /* Its number stands for another file by now. */
        read.held_fd = another;
        (void)own_file_size(f->uploads, &upload, &read,
                            atomic_load(&f->uploads->held_releases) -
                                rows[i].releases,
                            BEGAN_MS, &size_bytes);
        ASSERT_INT(rows[i].name, size_bytes == 2 * SPOOLED, rows[i].held);
    }
    close(another);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOADS_TEST(the_lowest_candidate_is_told),
        UPLOADS_TEST(only_files_of_nginx_are_looked_at),
        UPLOADS_TEST(the_timer_looks_for_files),
        UPLOADS_TEST(scans_are_paced_in_the_long_run),
        UPLOADS_TEST(who_comes_during_a_pass_is_looked_for),
        UPLOADS_TEST(a_name_alone_is_not_believed),
        UPLOADS_TEST(a_closed_file_is_not_credited_to_a_neighbour),
        UPLOADS_TEST(a_file_seen_before_the_start_is_not_taken),
        UPLOADS_TEST(a_form_without_a_start_is_told_of_later),
        UPLOADS_TEST(a_file_that_is_not_held_is_marked),
        UPLOADS_TEST(a_held_file_keeps_its_last_size),
        UPLOADS_TEST(each_release_is_counted),
        UPLOADS_TEST(a_number_that_was_let_go_of_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
