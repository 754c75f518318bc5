/* What is kept of files that nginx has closed. */
#include "gone_files.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

enum { PID = 10, CONNECTION = 7 };

/* A file of so many bytes, by a descriptor of it. */
static int
make_file(int size)
{
    char path[] = UNIT_FILE;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(ftruncate(fd, size), 0);
    return fd;
}

static int
keep(struct gone_files *files, int64_t connection, int64_t seen_ms, int held_fd)
{
    struct spool spool = { .pid = PID,
                           .connection = connection,
                           .seen_ms = seen_ms };

    return gone_files_put(files, &spool, held_fd, seen_ms + 5);
}

/* The size of the file that a request is given; -1 for none. */
static int
size_for(struct gone_files *files, int64_t pid, int64_t connection,
         int64_t started_ms)
{
    struct upload request = { .pid = pid,
                              .connection = connection,
                              .started_ms = started_ms };
    int fd = gone_files_open(files, &request);
    struct stat st = { .st_size = -1 };

    if (fd >= 0) {
        assert_int_equal(fstat(fd, &st), 0);
        close(fd);
    }
    return (int)st.st_size;
}

static void
the_request_is_given_its_last_one(void **state)
{
    static const struct {
        const char *name;
        int64_t pid;
        int64_t connection;
        int64_t started_ms;
        int size;
    } rows[] = {
        { "the later one", PID, CONNECTION, 100, 2 },
        { "the later one alone", PID, CONNECTION, 101, 2 },
        { "told of as it began", PID, CONNECTION, 200, 2 },
        { "of a request before", PID, CONNECTION, 201, -1 },
        { "another connection", PID, CONNECTION + 1, 100, 3 },
        { "another worker", PID + 1, CONNECTION, 100, -1 },
    };
    struct gone_files *files = gone_files_new();

    (void)state;
    assert_int_equal(keep(files, CONNECTION, 200, make_file(2)), -1);
    assert_int_equal(keep(files, CONNECTION, 100, make_file(1)), -1);
    assert_int_equal(keep(files, CONNECTION + 1, 300, make_file(3)), -1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_INT(rows[i].name,
                   size_for(files, rows[i].pid, rows[i].connection,
                            rows[i].started_ms),
                   rows[i].size);
    }
    gone_files_free(files);
}

/* All those of its connection, and no others. */
static void
a_request_that_is_over_takes_its_own(void **state)
{
    struct gone_files *files = gone_files_new();

    (void)state;
    keep(files, CONNECTION, 100, 11);
    keep(files, CONNECTION + 1, 100, 12);
    keep(files, CONNECTION, 200, 13);
    assert_int_equal(gone_files_take(files, PID + 1, CONNECTION), -1);
    assert_int_equal(gone_files_take(files, PID, CONNECTION), 11);
    assert_int_equal(gone_files_take(files, PID, CONNECTION), 13);
    assert_int_equal(gone_files_take(files, PID, CONNECTION), -1);
    assert_int_equal(gone_files_take(files, PID, CONNECTION + 1), 12);
    gone_files_free(files);
}

/* By the time at which they went, not at which they were told of. */
static void
old_ones_are_taken_in_turn(void **state)
{
    struct gone_files *files = gone_files_new();

    (void)state;
    keep(files, CONNECTION, 100, 11);
    keep(files, CONNECTION + 1, 100, 12);
    keep(files, CONNECTION, 200, 13);
    assert_int_equal(gone_files_take_old(files, 105), -1);
    assert_int_equal(gone_files_take_old(files, 106), 11);
    assert_int_equal(gone_files_take_old(files, 106), 12);
    assert_int_equal(gone_files_take_old(files, 106), -1);
    assert_int_equal(gone_files_take_old(files, 206), 13);
    assert_int_equal(gone_files_take_old(files, 1000), -1);
    gone_files_free(files);
}

static void
the_oldest_makes_room(void **state)
{
    struct gone_files *files = gone_files_new();

    (void)state;
    for (int i = 0; i < 2 * GONE_FILES_MAX; i++) {
        ASSERT_INT(unit_case("%d", i), keep(files, i, i, 1000 + i),
                   i < GONE_FILES_MAX ? -1 : 1000 + i - GONE_FILES_MAX);
    }
    for (int i = GONE_FILES_MAX; i < 2 * GONE_FILES_MAX; i++) {
        assert_int_equal(gone_files_take_old(files, 1000), 1000 + i);
    }
    gone_files_free(files);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_given_its_last_one),
        cmocka_unit_test(a_request_that_is_over_takes_its_own),
        cmocka_unit_test(old_ones_are_taken_in_turn),
        cmocka_unit_test(the_oldest_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
