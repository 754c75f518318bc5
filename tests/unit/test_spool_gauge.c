/* How a file is known again that the worker, here the test, has open. */
#include "spool_gauge.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "unit.h"

enum {
    TICK_MS = 20, /* longer than any kernel's */
    TRIES = 1000
};

/* Two files of one name, as where a temporary folder was emptied in between. */
struct fixture {
    char folder[64];
    struct spool spool;
    int fd;
};

static int
make_file(const struct fixture *f, const char *content)
{
    ssize_t len = (ssize_t)strlen(content);
    int fd = open(f->spool.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    unlink(f->spool.path);
    assert_int_equal(write(fd, content, (size_t)len), len);
    return fd;
}

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    strcpy(f->folder, UNIT_FILE);
    assert_non_null(mkdtemp(f->folder));
    f->spool.pid = getpid();
    f->spool.held_fd = -1;
    snprintf(f->spool.path, sizeof(f->spool.path), "%s/0000000001", f->folder);
    f->fd = make_file(f, "four");
    f->spool.fd = f->fd;
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
    rmdir(f->folder);
    free(f);
    return 0;
}

static void
close_file(struct fixture *f)
{
    close(f->fd);
    f->fd = -1; /* the number is another's from now on */
}

static void
pass_a_tick(void)
{
    const struct timespec tick = { .tv_nsec = TICK_MS * 1000000L };

    nanosleep(&tick, NULL);
}

/* The worker has another file under the same number. */
static void
replace_file(const struct fixture *f, const char *content)
{
    int other = make_file(f, content);

    assert_int_equal(dup2(other, f->fd), f->fd);
    close(other);
}

static bool
knows_when_made(int fd)
{
    struct statx sx;

    assert_int_equal(statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &sx), 0);
    return (sx.stx_mask & STATX_BTIME) != 0;
}

static bool
is_older_than_now(int fd)
{
    struct timespec now;
    struct statx sx;

    assert_int_equal(statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &sx), 0);
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return sx.stx_btime.tv_sec * INT64_C(1000000000) + sx.stx_btime.tv_nsec <
           now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void
expect(const char *row, const struct fixture *f, enum spool_answer answer,
       int64_t size_bytes)
{
    int64_t got_bytes = -1;

    ASSERT_INT(row, spool_gauge_read(&f->spool, &got_bytes), answer);
    ASSERT_INT(row, got_bytes, size_bytes);
}

/* Held, marked, or known by its name: the size, as long as it is open. */
static void
is_known_while_it_is_open(void **state)
{
    static const char *const rows[] = { "named", "marked", "held" };
    struct fixture *f = *state;

    pass_a_tick();
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(ftruncate(f->fd, 4), 0);
        f->spool.held_fd = i == 0   ? -1
                           : i == 1 ? spool_gauge_mark(&f->spool)
                                    : spool_gauge_hold(&f->spool);
        expect(rows[i], f, SPOOL_OPEN, 4);
        assert_int_equal(ftruncate(f->fd, 5000), 0);
        expect(rows[i], f, SPOOL_OPEN, 5000);
    }
    close_file(f);
    expect("held and closed", f, SPOOL_GONE, -1);
    ASSERT_INT("last size", spool_gauge_held_bytes((int)f->spool.held_fd),
               5000);
    close((int)f->spool.held_fd);
    f->spool.held_fd = -1;
    expect("named and closed", f, SPOOL_GONE, -1);
    f->spool.held_fd = -2;
    expect("marked and closed", f, SPOOL_GONE, -1);
}

/* Its name cannot tell it from another of that name, its mark does. */
static void
a_mark_is_of_one_file(void **state)
{
    struct fixture *f = *state;
    int64_t mark;

    pass_a_tick();
    mark = spool_gauge_mark(&f->spool);
    if (!knows_when_made(f->fd)) {
        assert_int_equal(mark, -1);
        skip();
    }
    assert_true(mark < -1);
    assert_true(mark == spool_gauge_mark(&f->spool));
    for (int i = 0; i < 100; i++) {
        replace_file(f, "another");
        f->spool.held_fd = -1;
        expect("by its name", f, SPOOL_OPEN, 7);
        f->spool.held_fd = mark;
        expect("by its mark", f, SPOOL_GONE, -1);
    }
    pass_a_tick();
    assert_true(spool_gauge_mark(&f->spool) != mark);
}

/* The next file can have its number, and was made at the same time. */
static void
a_new_file_has_no_mark(void **state)
{
    struct fixture *f = *state;
    int without = 0;

    for (int i = 0; i < TRIES; i++) {
        int64_t mark;

        replace_file(f, "new");
        mark = spool_gauge_mark(&f->spool);
        if (!is_older_than_now(f->fd)) {
            assert_int_equal(mark, -1);
            without++;
        }
    }
    assert_true(without > 0 || !knows_when_made(f->fd));
}

static void
what_is_not_ours_has_no_mark(void **state)
{
    struct fixture *f = *state;

    pass_a_tick();
    strcat(f->spool.path, "1");
    ASSERT_INT("another name", spool_gauge_mark(&f->spool), -1);
    close_file(f);
    ASSERT_INT("closed", spool_gauge_mark(&f->spool), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_known_while_it_is_open, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_mark_is_of_one_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_new_file_has_no_mark, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_ours_has_no_mark, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
