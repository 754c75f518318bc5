/* The socket gauge on real connections: read one by one, and foreseen. */
#include "connection_unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>

#include "io.h"
#include "probe.h"
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

/* A client that goes away: the end of its stream is none of its bytes. */
static void
the_end_of_the_stream_is_no_byte(void **state)
{
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    const struct sock_fprog deaf = { 1, &drop };
    char data[100] = "";
    int64_t before;

    (void)state;
    open_many(1);
    before = read_bytes(0);
    assert_int_equal(send(connections[0].client, data, sizeof(data), 0),
                     sizeof(data));
    shutdown(connections[0].client, SHUT_WR);
    ASSERT_INT("none read", read_bytes(0), before);
    assert_int_equal(recv(connections[0].server, data, 60, 0), 60);
    ASSERT_INT("a part read", read_bytes(0), before + 60);
    assert_int_equal(recv(connections[0].server, data, 40, 0), 40);
    ASSERT_INT("all read", read_bytes(0), before + 100);
    assert_int_equal(recv(connections[0].server, data, 1, 0), 0);
    ASSERT_INT("and the end", read_bytes(0), before + 100);
    if (setsockopt(connections[0].client, SOL_SOCKET, SO_ATTACH_FILTER, &deaf,
                   sizeof(deaf)) < 0) {
        assert_int_equal(errno, EPERM); /* some kernels want root for it */
        close_many(1);
        return;
    }
    close(connections[0].server);
    connections[0].server = -1;
    ASSERT_INT("closed, and not acknowledged", read_bytes(0), before + 100);
    close_many(1);
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

static struct request
probe_of(const char *query)
{
    struct request request;

    request_init(&request);
    assert_int_equal(request_add(&request, "DOCUMENT_URI", "/progress"), 0);
    assert_int_equal(request_add(&request, "QUERY_STRING", query), 0);
    return request;
}

/* Probes that are answered together have the kernel asked once. */
static void
probes(void **state)
{
    static const char *const queries[] = { "X-Progress-ID=a", "X-Progress-ID=b",
                                           "X-Progress-ID=nobody",
                                           "X-Progress-ID=c" };
    struct uploads_options options = { .check_interval_ms = 1000,
                                       .inactive_timeout_ms = 1000,
                                       .gauges[GAUGE_SOCKET] = true,
                                       .ttl_ms = { 1000 },
                                       .wall_offset_ms = 1,
                                       .clock_ms = still_clock,
                                       .thread_us = still_clock };
    char *message = NULL;
    const char *wrong = NULL;
    struct config *config = config_load(NULL, NULL, &message);
    struct sidecar sidecar = { .config = config, .store = store_new(&wrong) };
    struct request requests[COUNT(queries)];
    const struct request *all[COUNT(queries)];

    (void)state;
    assert_non_null(sidecar.config);
    assert_non_null(sidecar.store);
    assert_int_equal(store_zone_set(sidecar.store, "uploads", 1 << 20), 0);
    sidecar.uploads = uploads_new(sidecar.store, &options);
    for (int i = 0; i < 3; i++) {
        struct event event;

        connect_both(&connections[i]);
        event = start_of(&connections[i], HEADER, false);
        event.id[0] = (char)('a' + i);
        event.id[1] = '\0';
        event.attempt[0] = (uint8_t)(i + 1);
        uploads_event(sidecar.uploads, &event, io_now_ms() - 1000);
        transfer(&connections[i], 10);
    }
    for (size_t i = 0; i < COUNT(queries); i++) {
        requests[i] = probe_of(queries[i]);
        all[i] = &requests[i];
    }
    sidecar_together(&sidecar, all, COUNT(queries));
    sends = 0;
    for (size_t i = 0; i < COUNT(queries); i++) {
        struct response response = { .status = 200 };

        sidecar_respond(&sidecar, all[i], &response);
        ASSERT_INT(queries[i],
                   memmem(response.body.data, response.body.len,
                          "\"received\" : 10,", 16) != NULL,
                   i != 2);
        buffer_release(&response.header);
        buffer_release(&response.body);
    }
    ASSERT_INT("messages", sends, 1);
    sidecar_together(&sidecar, NULL, 0);
    close_many(3);
    uploads_free(sidecar.uploads);
    store_free(sidecar.store);
    config_free(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_by_one_message),
        cmocka_unit_test(told_once),
        cmocka_unit_test(the_end_of_the_stream_is_no_byte),
        cmocka_unit_test(gone),
        cmocka_unit_test(failures),
        cmocka_unit_test(probes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
