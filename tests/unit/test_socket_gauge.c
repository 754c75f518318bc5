/* The socket gauge on real connections: read one by one, and foreseen. */
#include "connection_unit.h"

#include <dlfcn.h>
#include <errno.h>

#include "socket_gauge.h"

enum { MANY = 40, AT_ONCE = 32 };

static int sends;         /* messages that were sent */
static bool send_fails;   /* the next one does */
static int answers_taken; /* at most, by recvmmsg(2); -1: all */

static struct connection connections[MANY];
static struct upload_socket sockets[MANY];

/* These two stand in front of libc's own. */
ssize_t
send(int fd, const void *data, size_t len, int flags)
{
    static ssize_t (*real)(int, const void *, size_t, int);

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "send");
    }
    sends++;
    if (send_fails) {
        send_fails = false;
        errno = ENOBUFS;
        return -1;
    }
    return real(fd, data, len, flags);
}

int
recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
         struct timespec *timeout)
{
    static int (*real)(int, struct mmsghdr *, unsigned, int, struct timespec *);

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "recvmmsg");
    }
    if (answers_taken >= 0 && count > (unsigned)answers_taken) {
        count = (unsigned)answers_taken;
    }
    return real(fd, messages, count, flags, timeout);
}

static int64_t
read_bytes(int i)
{
    int64_t bytes = -1;

    ASSERT_INT("answer", socket_gauge_read(&sockets[i], &bytes), SOCKET_OPEN);
    return bytes;
}

/* So many connections, whose cookies are known. */
static void
open_many(int count)
{
    for (int i = 0; i < count; i++) {
        char client[8];
        char server[8];

        connect_both(&connections[i]);
        snprintf(client, sizeof(client), "%d",
                 ntohs(connections[i].client_address.sin_port));
        snprintf(server, sizeof(server), "%d",
                 ntohs(connections[i].server_address.sin_port));
        assert_int_equal(socket_gauge_address(&sockets[i], "127.0.0.1", client,
                                              "127.0.0.1", server),
                         0);
        ASSERT_INT("header", read_bytes(i), HEADER);
        assert_true(sockets[i].cookie != 0);
    }
    answers_taken = -1;
}

static void
close_many(int count)
{
    for (int i = 0; i < count; i++) {
        close(connections[i].client);
        close(connections[i].server);
    }
}

static void
foresee(int count)
{
    for (int i = 0; i < count; i++) {
        socket_gauge_foresee(&sockets[i]);
    }
    sends = 0;
}

static void
asked_by_one_message(void **state)
{
    static const struct {
        int count;
        int sends;
    } rows[] = {
        { 0, 0 },       { 1, 1 },           { 2, 1 },
        { AT_ONCE, 1 }, { AT_ONCE + 1, 2 }, { MANY, 1 + MANY - AT_ONCE },
    };

    (void)state;
    open_many(MANY);
    for (int i = 0; i < MANY; i++) {
        transfer(&connections[i], 1 + (size_t)i);
    }
    for (size_t row = 0; row < COUNT(rows); row++) {
        foresee(rows[row].count);
        /* In another order than that of the questions. */
        for (int i = rows[row].count - 1; i >= 0; i--) {
            ASSERT_INT("bytes", read_bytes(i), HEADER + 1 + i);
        }
        ASSERT_INT("messages", sends, rows[row].sends);
        socket_gauge_foreseen();
    }
    close_many(MANY);
}

/* An answer is taken once, and none after socket_gauge_foreseen(). */
static void
told_once(void **state)
{
    (void)state;
    open_many(3);
    foresee(2);
    ASSERT_INT("first", read_bytes(0), HEADER);
    for (int i = 0; i < 3; i++) {
        transfer(&connections[i], 10);
    }
    ASSERT_INT("first again", read_bytes(0), HEADER + 10);
    ASSERT_INT("as it was when asked", read_bytes(1), HEADER);
    ASSERT_INT("not foreseen", read_bytes(2), HEADER + 10);
    socket_gauge_foreseen();

    foresee(2);
    ASSERT_INT("first", read_bytes(0), HEADER + 10);
    socket_gauge_foreseen();
    transfer(&connections[1], 5);
    ASSERT_INT("not foreseen any more", read_bytes(1), HEADER + 15);
    close_many(3);
}

static void
gone(void **state)
{
    int64_t bytes;

    (void)state;
    open_many(3);
    close_many(1);
    foresee(3);
    ASSERT_INT("gone", socket_gauge_read(&sockets[0], &bytes), SOCKET_GONE);
    ASSERT_INT("second", read_bytes(1), HEADER);
    ASSERT_INT("third", read_bytes(2), HEADER);
    ASSERT_INT("messages", sends, 2);
    socket_gauge_foreseen();
    /* Another connection with these addresses is none of them. */
    sockets[1].cookie += 1000000;
    foresee(3);
    ASSERT_INT("other", socket_gauge_read(&sockets[1], &bytes), SOCKET_GONE);
    socket_gauge_foreseen();
    close(connections[1].client);
    close(connections[1].server);
    close(connections[2].client);
    close(connections[2].server);
}

/* Each is asked for anew where asking for all has failed. */
static void
failures(void **state)
{
    (void)state;
    open_many(5);
    foresee(5);
    send_fails = true;
    for (int i = 0; i < 5; i++) {
        ASSERT_INT("not sent", read_bytes(i), HEADER);
    }
    socket_gauge_foreseen();
    for (answers_taken = 0; answers_taken < 5; answers_taken++) {
        foresee(5);
        for (int i = 0; i < 5; i++) {
            ASSERT_INT("not answered", read_bytes(i), HEADER);
        }
        ASSERT_INT("messages", sends, 1 + 5 - answers_taken);
        socket_gauge_foreseen();
    }
    close_many(5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_by_one_message),
        cmocka_unit_test(told_once),
        cmocka_unit_test(gone),
        cmocka_unit_test(failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
