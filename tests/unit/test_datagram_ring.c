/*
 * The ring of datagrams: order, wrapping, dropping, closing, and two threads
 * at once. Nothing here sleeps; a thread that never wakes fails by a deadline.
 */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "datagram_ring.h"

enum {
    RECORD_OVERHEAD = sizeof(size_t), /* bytes of the ring for each datagram */
    STEPS_RING = 3 * (10 + RECORD_OVERHEAD), /* three datagrams of ten bytes */
    DEADLINE_S = 30,                         /* of one wait */
    ALARM_S = 120,                           /* of the whole program */
    MOVED = 200000,    /* datagrams from thread to thread */
    MOVED_BYTES = 600, /* the largest of them */
    SMALL_RING = 4096,
};

static void
put(const char *name, struct datagram_ring *ring, const char *text, bool fits)
{
    size_t len = strlen(text);
    char *data = unit_copy(text, len);

    ASSERT_INT(name, datagram_ring_put(ring, data, len), fits);
    free(data);
}

static bool more; /* by the last take of the main thread */

static void
take(const char *name, struct datagram_ring *ring, const char *expected)
{
    char data[256];
    int len = datagram_ring_take(ring, data, sizeof(data), &more);

    ASSERT_THAT(name, len >= 0);
    ASSERT_BYTES(name, data, (size_t)len, expected, strlen(expected));
}

/*
 * For a ring of STEPS_RING bytes: '+' and a text puts it, '!' finds no room
 * for it, '-' takes it.
 */
static const struct steps_row {
    const char *name;
    const char *steps[24];
    unsigned dropped;
} steps_rows[] = {
    { "one", { "+a", "-a" }, 0 },
    { "order", { "+a", "+bb", "+ccc", "-a", "-bb", "-ccc" }, 0 },
    { "in turns", { "+a", "+b", "-a", "+c", "-b", "+d", "-c", "-d" }, 0 },
    { "empty", { "+", "+a", "+", "-", "-a", "-" }, 0 },
    { "full to the byte",
      { "+0123456789", "+0123456789", "+abcdefghij", "!", "-0123456789",
        "-0123456789", "-abcdefghij" },
      1 },
    { "one byte too many",
      { "+0123456789", "+0123456789", "!abcdefghijk", "+abcdefghij",
        "-0123456789", "-0123456789", "-abcdefghij" },
      1 },
    { "wrap to the byte",
      { "+0123456789", "+abcdefghij", "+ABCDEFGHIJ", "-0123456789",
        "+1111111111", "!", "-abcdefghij", "+2222222222", "!", "-ABCDEFGHIJ",
        "-1111111111", "-2222222222" },
      2 },
    { "wrap, not all of the room",
      { "+0123456789", "+abcdefghij", "-0123456789", "+ABCDEFGHIJ", "+111111",
        "!222", "-abcdefghij", "+222", "-ABCDEFGHIJ", "-111111", "-222" },
      1 },
    { "wrap with a gap at the end",
      { "+0123456789", "+abcdefghij", "+ABCDE", "-0123456789", "+111111",
        "-abcdefghij", "-ABCDE", "-111111", "+x", "-x" },
      0 },
    { "where the round before had ended",
      { "+aaa", "+bbb", "+0123456789", "-aaa", "-bbb", "+1234567",
        "-0123456789", "-1234567", "+ccc", "+ddd", "+abcdefghij", "+ABCDEF",
        "-ccc", "-ddd", "-abcdefghij", "-ABCDEF" },
      0 },
    { "wrap with a gap, full",
      { "+012", "+0123456789", "+abcdefghij", "-012", "!abcdefgh", "+abc",
        "-0123456789", "-abcdefghij", "-abc" },
      1 },
    { "larger than the ring",
      { "!0123456789012345678901234567890123456789012345678901234567890", "+a",
        "-a" },
      1 },
    { "as large as the ring",
      { "+0123456789012345678901234567890123456789abcdef", "!",
        "-0123456789012345678901234567890123456789abcdef", "+a", "-a" },
      1 },
    { "one byte larger",
      { "!0123456789012345678901234567890123456789abcdefg", "+a", "-a" },
      1 },
    { "usable after drops",
      { "+0123456789", "+0123456789", "+0123456789", "!a", "!b", "!c",
        "-0123456789", "+d", "-0123456789", "-0123456789", "-d", "+e", "-e" },
      3 },
};

static void
test_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(steps_rows); i++) {
        const struct steps_row *row = &steps_rows[i];
        struct datagram_ring *ring = datagram_ring_new(STEPS_RING);

        for (size_t j = 0; row->steps[j] != NULL; j++) {
            const char *step = row->steps[j];
            const char *name = unit_case("%s: %zu. %s", row->name, j, step);

            if (step[0] == '-') {
                take(name, ring, step + 1);
            } else {
                put(name, ring, step + 1, step[0] == '+');
            }
        }
        ASSERT_INT(row->name, datagram_ring_dropped(ring), row->dropped);
        datagram_ring_close(ring);
        ASSERT_INT(row->name, datagram_ring_take(ring, NULL, 0, &more), -1);
        datagram_ring_free(ring);
    }
}

static void
test_truncation(void **state)
{
    static const struct {
        const char *name;
        size_t size;
        const char *expected;
    } rows[] = {
        { "room to spare", 9, "01234567" },
        { "just enough", 8, "01234567" },
        { "one less", 7, "0123456" },
        { "one byte", 1, "0" },
        { "none", 0, "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct datagram_ring *ring = datagram_ring_new(1024);
        char *data = malloc(rows[i].size + 1);

        put(rows[i].name, ring, "01234567", true);
        put(rows[i].name, ring, "the next", true);
        data[rows[i].size] = 'X';
        ASSERT_INT(rows[i].name,
                   datagram_ring_take(ring, data, rows[i].size, &more),
                   strlen(rows[i].expected));
        ASSERT_BYTES(rows[i].name, data, strlen(rows[i].expected),
                     rows[i].expected, strlen(rows[i].expected));
        ASSERT_INT(rows[i].name, data[rows[i].size], 'X');
        take(rows[i].name, ring, "the next");
        free(data);
        datagram_ring_free(ring);
    }
}

/* What was put before the close is still taken. */
static void
test_close_keeps(void **state)
{
    struct datagram_ring *ring = datagram_ring_new(1024);
    char data[8];

    (void)state;
    put("a", ring, "a", true);
    put("b", ring, "b", true);
    datagram_ring_close(ring);
    take("a", ring, "a");
    ASSERT_INT("b is there", more, true);
    take("b", ring, "b");
    ASSERT_INT("nothing else is", more, false);
    ASSERT_INT("empty", datagram_ring_take(ring, data, sizeof(data), &more),
               -1);
    ASSERT_INT("again", datagram_ring_take(ring, data, sizeof(data), &more),
               -1);
    ASSERT_INT("dropped", datagram_ring_dropped(ring), 0);
    datagram_ring_free(ring);
}

static void
test_free_null(void **state)
{
    struct datagram_ring *ring = datagram_ring_new(1024);

    (void)state;
    put("put", ring, "left in it", true); /* the leak sanitizer looks on */
    datagram_ring_free(ring);
    datagram_ring_free(NULL);
}

/* A thread that takes, and what it has seen. */
struct taker {
    struct datagram_ring *ring;
    atomic_long tid; /* 0 until it runs */
    unsigned taken;
    unsigned wrong; /* not what was put, or not in order */
    int last;       /* what the last call returned */
};

static struct timespec
deadline(void)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += DEADLINE_S;
    return at;
}

/* Whether the kernel says that a thread of ours is blocked. */
static bool
is_asleep(long tid)
{
    char path[64];
    char text[512] = "";
    const char *end;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", tid);
    file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    end = strrchr(text, ')');
    return end != NULL && strncmp(end, ") S", 3) == 0;
}

static void
wait_until_asleep(const struct taker *taker)
{
    struct timespec until = deadline();
    struct timespec now;

    do {
        sched_yield();
        clock_gettime(CLOCK_REALTIME, &now);
        ASSERT_THAT("the taker waits", now.tv_sec < until.tv_sec);
    } while (taker->tid == 0 || !is_asleep(taker->tid));
}

static void
join(pthread_t thread)
{
    struct timespec until = deadline();

    ASSERT_INT("the thread ends", pthread_timedjoin_np(thread, NULL, &until),
               0);
}

static void *
take_one(void *context)
{
    struct taker *taker = context;
    char data[8];
    bool others;

    taker->tid = syscall(SYS_gettid);
    taker->last = datagram_ring_take(taker->ring, data, sizeof(data), &others);
    return NULL;
}

static void
test_wake(void **state)
{
    static const struct {
        const char *name;
        bool close;
        int result;
    } rows[] = { { "by close", true, -1 }, { "by put", false, 3 } };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct taker taker = { .ring = datagram_ring_new(1024) };
        pthread_t thread;

        ASSERT_INT("create", pthread_create(&thread, NULL, take_one, &taker),
                   0);
        wait_until_asleep(&taker);
        if (rows[i].close) {
            datagram_ring_close(taker.ring);
        } else {
            put(rows[i].name, taker.ring, "abc", true);
        }
        join(thread);
        ASSERT_INT(rows[i].name, taker.last, rows[i].result);
        datagram_ring_free(taker.ring);
    }
}

/* The datagram of a number: the number, then bytes that follow from it. */
static size_t
make_datagram(unsigned number, char *data)
{
    size_t len =
        sizeof(number) + (size_t)number * 7919 % (MOVED_BYTES - sizeof(number));

    memcpy(data, &number, sizeof(number));
    for (size_t i = sizeof(number); i < len; i++) {
        data[i] = (char)(number + i);
    }
    return len;
}

static void *
take_all(void *context)
{
    struct taker *taker = context;
    char data[MOVED_BYTES];
    char expected[MOVED_BYTES];
    bool others;
    int len;

    while ((len = datagram_ring_take(taker->ring, data, sizeof(data),
                                     &others)) >= 0) {
        size_t expected_len = make_datagram(taker->taken++, expected);

        if ((size_t)len != expected_len ||
            memcmp(data, expected, expected_len) != 0) {
            taker->wrong++;
        }
    }
    taker->last = len;
    return NULL;
}

/* The ring is small: it is full, empty and wraps all the time. */
static void
test_two_threads(void **state)
{
    struct taker taker = { .ring = datagram_ring_new(SMALL_RING) };
    char data[MOVED_BYTES];
    uint64_t refused = 0;
    pthread_t thread;

    (void)state;
    ASSERT_INT("create", pthread_create(&thread, NULL, take_all, &taker), 0);
    for (unsigned i = 0; i < MOVED; i++) {
        size_t len = make_datagram(i, data);

        while (!datagram_ring_put(taker.ring, data, len)) {
            refused++;
            sched_yield();
        }
    }
    datagram_ring_close(taker.ring);
    join(thread);
    ASSERT_INT("taken", taker.taken, MOVED);
    ASSERT_INT("wrong", taker.wrong, 0);
    ASSERT_INT("end", taker.last, -1);
    ASSERT_INT("dropped", datagram_ring_dropped(taker.ring), refused);
    datagram_ring_free(taker.ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),       cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_close_keeps), cmocka_unit_test(test_free_null),
        cmocka_unit_test(test_wake),        cmocka_unit_test(test_two_threads),
    };

    alarm(ALARM_S); /* a taker that waits for what never comes */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
