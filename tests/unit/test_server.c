/*
 * The server on its I/O threads: answers larger than any socket's buffer, peers
 * that are slow to take them, another number of threads in mid-connection.
 */
#include "unit.h"

#include <fastcgi.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "io.h"
#include "server.h"

enum {
    LARGE = 3000000,
    SEND_TIMEOUT_MS = 600,
    PATIENCE_MS = 20000,
    LONG_MS = 10 * PATIENCE_MS,
    READ_BYTES = 16384, /* what the server reads at once */
};

struct fixture {
    char path[64];
    struct io *io;
    struct server *server;
};

enum { PEERS = 40, SAID_MAX = 2 * PEERS };

static size_t answer_bytes;

/* What the handler has been told, by one thread. */
static struct {
    bool wanted;
    const struct request *together[PEERS];
    size_t count;
    size_t next; /* to be responded to */
    size_t counts[SAID_MAX];
    int said;
    atomic_size_t largest;
} told;

static void
together(void *context, const struct request *const *requests, size_t count)
{
    (void)context;
    if (count > atomic_load(&told.largest)) {
        atomic_store(&told.largest, count);
    }
    if (!told.wanted) {
        return;
    }
    assert_int_equal(told.next, told.count);
    assert_true(count == 0 ? told.count > 0 : told.count == 0);
    for (size_t i = 0; i < count; i++) {
        told.together[i] = requests[i];
    }
    told.count = count;
    told.next = 0;
    assert_true(told.said < SAID_MAX);
    told.counts[told.said++] = count;
}

static void
respond(void *context, const struct request *request, struct response *response)
{
    (void)context;
    if (told.wanted) {
        if (told.count > 0) {
            assert_ptr_equal(request, told.together[told.next++]);
        }
        /* Which of the peers has asked. */
        buffer_append_string(&response->body, request_param(request, "A"));
        return;
    }
    for (size_t i = 0; i < answer_bytes; i++) {
        buffer_append(&response->body, &"abcdefghij"[i % 10], 1);
    }
}

__attribute__((format(printf, 2, 3))) static void
log_nothing(int level, const char *format, ...)
{
    (void)level;
    (void)format;
}

static void
setup(struct fixture *f, unsigned threads)
{
    struct server_options options = {
        .handler = { .respond = respond, .together = together },
        .log = log_nothing,
        .header_timeout_ms = PATIENCE_MS,
        .body_timeout_ms = PATIENCE_MS,
        .send_timeout_ms = SEND_TIMEOUT_MS,
        .keepalive_timeout_ms = LONG_MS,
        .connections_max = 100,
    };
    struct server_listen listen = { .protocol = &either_protocol,
                                    .backlog = 100,
                                    .access = { .mode = 0600,
                                                .uid = UNIX_SOCKET_SAME_USER,
                                                .gid = UNIX_SOCKET_SAME_GROUP },
                                    .fd = -1 };

    snprintf(f->path, sizeof(f->path), "unix:/tmp/test_server.%d.sock",
             (int)getpid());
    assert_null(address_parse(f->path, &listen.address));
    f->io = io_new();
    assert_non_null(f->io);
    f->server = server_new(f->io, &options);
    assert_non_null(f->server);
    assert_int_equal(server_listen(f->server, &listen), 0);
    assert_int_equal(server_start(f->server), 0);
    assert_int_equal(io_start(f->io, threads), 0);
}

static void
teardown(struct fixture *f)
{
    io_stop(f->io);
    server_free(f->server);
    io_free(f->io);
}

static int
open_peer(const struct fixture *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, f->path + strlen("unix:"));
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    return fd;
}

/* clang-format off */
#define SCGI_REQUEST "24:CONTENT_LENGTH\0" "0\0SCGI\0" "1\0,"
#define FASTCGI_REQUEST                        \
    "\1\1\0\1\0\10\0\0" "\0\1\1\0\0\0\0\0"     \
    "\1\4\0\1\0\23\0\0" "\16\3REQUEST_METHODGET" \
    "\1\4\0\1\0\0\0\0" "\1\5\0\1\0\0\0\0"
#define FASTCGI_BEGIN "\1\1\0\1\0\10\0\0" "\0\1\1\0\0\0\0\0"
#define FASTCGI_END   "\1\4\0\1\0\0\0\0" "\1\5\0\1\0\0\0\0"
/* clang-format on */

static void
ask(int fd, const char *request, size_t len)
{
    assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
}

/* Returns the bytes that came, 0 at the end. */
static size_t
receive(int fd, void *data, size_t len)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    ssize_t got;

    assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
    got = recv(fd, data, len, 0);
    assert_true(got >= 0);
    return (size_t)got;
}

static void
receive_all(int fd, void *data, size_t len)
{
    for (size_t at = 0, got; at < len; at += got) {
        got = receive(fd, (char *)data + at, len - at);
        assert_true(got > 0);
    }
}

/* The text of a FastCGI answer; the connection stays. */
static void
receive_fastcgi(int fd, struct buffer *text)
{
    uint8_t header[FCGI_HEADER_LEN];

    do {
        size_t len;

        receive_all(fd, header, sizeof(header));
        len = (size_t)header[4] << 8 | header[5];
        buffer_reserve(text, len);
        receive_all(fd, text->data + text->len, len);
        text->len += header[1] == FCGI_STDOUT ? len : 0;
    } while (header[1] != FCGI_END_REQUEST);
}

static void
receive_scgi(int fd, struct buffer *text)
{
    size_t got;

    do {
        buffer_reserve(text, 65536);
        got = receive(fd, text->data + text->len, 65536);
        text->len += got;
    } while (got > 0);
}

static void
check_answer(const struct buffer *text)
{
    const char *body = memmem(text->data, text->len, "\r\n\r\n", 4);

    assert_non_null(body);
    body += 4;
    assert_int_equal(text->data + text->len - body, answer_bytes);
    for (size_t i = 0; i < answer_bytes; i++) {
        assert_int_equal(body[i], "abcdefghij"[i % 10]);
    }
}

static void
talk_fastcgi(int fd)
{
    struct buffer text = BUFFER_INIT;

    ask(fd, BYTES(FASTCGI_REQUEST));
    receive_fastcgi(fd, &text);
    check_answer(&text);
    buffer_release(&text);
}

/* More than a send buffer holds: what does not fit is sent when it does. */
static void
large_answers(void **state)
{
    struct fixture f;
    struct buffer text = BUFFER_INIT;
    int fd;

    (void)state;
    setup(&f, 2);
    answer_bytes = LARGE;
    fd = open_peer(&f);
    talk_fastcgi(fd);
    answer_bytes = 10; /* and the connection is as good as before */
    talk_fastcgi(fd);
    close(fd);

    answer_bytes = LARGE;
    fd = open_peer(&f);
    ask(fd, BYTES(SCGI_REQUEST));
    receive_scgi(fd, &text);
    check_answer(&text);
    buffer_release(&text);
    close(fd);
    teardown(&f);
}

/* One that takes nothing is not waited for beyond the time-out. */
static void
peer_that_does_not_read(void **state)
{
    struct fixture f;
    struct buffer text = BUFFER_INIT;
    struct pollfd hangup = { .events = 0 };

    (void)state;
    setup(&f, 1);
    answer_bytes = LARGE;
    hangup.fd = open_peer(&f);
    ask(hangup.fd, BYTES(FASTCGI_REQUEST));
    assert_int_equal(poll(&hangup, 1, PATIENCE_MS), 1);
    assert_true(hangup.revents & POLLHUP);
    receive_scgi(hangup.fd, &text); /* what was sent, then the end */
    assert_in_range(text.len, 1, LARGE - 1);
    buffer_release(&text);
    close(hangup.fd);
    teardown(&f);
}

/* A connection goes on, whatever thread it was on. */
static void
other_threads(void **state)
{
    static const unsigned threads[] = { 4, 1, 3, 8, 2, 1 };
    struct fixture f;
    int fds[12];

    (void)state;
    setup(&f, 2);
    answer_bytes = 10;
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = open_peer(&f);
        talk_fastcgi(fds[i]);
    }
    for (size_t n = 0; n < COUNT(threads); n++) {
        io_stop(f.io);
        ask(fds[0], BYTES(FASTCGI_REQUEST)); /* while no thread runs */
        assert_int_equal(io_start(f.io, threads[n]), 0);
        for (size_t i = 0; i < COUNT(fds); i++) {
            struct buffer text = BUFFER_INIT;

            if (i > 0) {
                ask(fds[i], BYTES(FASTCGI_REQUEST));
            }
            receive_fastcgi(fds[i], &text);
            check_answer(&text);
            buffer_release(&text);
        }
        /* A new one, too. */
        close(fds[n]);
        fds[n] = open_peer(&f);
        talk_fastcgi(fds[n]);
    }
    for (size_t i = 0; i < COUNT(fds); i++) {
        close(fds[i]);
    }
    teardown(&f);
}

/* Of such a request, without the value. */
#define OVERHEAD (sizeof(FASTCGI_BEGIN FASTCGI_END) - 1 + 8 + 6)

/* Appends a FastCGI request of len bytes, by one parameter. */
static void
put_request(struct buffer *stream, size_t len)
{
    size_t value_len = len - OVERHEAD;
    size_t params_len = value_len + 6;
    const uint8_t params[] = { 1,
                               FCGI_PARAMS,
                               0,
                               1,
                               (uint8_t)(params_len >> 8),
                               (uint8_t)params_len,
                               0,
                               0,
                               1,
                               0x80,
                               (uint8_t)(value_len >> 16),
                               (uint8_t)(value_len >> 8),
                               (uint8_t)value_len,
                               'A' };

    buffer_append(stream, BYTES(FASTCGI_BEGIN));
    buffer_append(stream, params, sizeof(params));
    for (size_t i = 0; i < value_len; i++) {
        buffer_append(stream, "a", 1);
    }
    buffer_append(stream, BYTES(FASTCGI_END));
}

static void
expect_answers(int fd, int count)
{
    for (int i = 0; i < count; i++) {
        struct buffer text = BUFFER_INIT;

        receive_fastcgi(fd, &text);
        check_answer(&text);
        buffer_release(&text);
    }
}

/* Whatever was left unread of the one before, the next request is seen. */
static void
one_request_behind_the_other(void **state)
{
    static const size_t lengths[] = {
        60, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES, 60000
    };
    struct fixture f;
    int fd;

    (void)state;
    setup(&f, 1);
    answer_bytes = 10;
    fd = open_peer(&f);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct buffer stream = BUFFER_INIT;

        put_request(&stream, lengths[i]);
        assert_int_equal(stream.len, lengths[i]);
        ask(fd, stream.data, stream.len);
        expect_answers(fd, 1);
        talk_fastcgi(fd);
        /* Two at once: what was not read with the first is the second. */
        if (lengths[i] % READ_BYTES == 0) {
            put_request(&stream, lengths[0]);
            io_stop(f.io);
            ask(fd, stream.data, stream.len);
            assert_int_equal(io_start(f.io, 1), 0);
            expect_answers(fd, 2);
        }
        buffer_release(&stream);
    }
    close(fd);
    teardown(&f);
}

/* It is answered, and not kept until a time-out. */
static void
peer_that_ends_with_its_request(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 1);
    answer_bytes = 10;
    for (int kept = 0; kept < 2; kept++) {
        int fd = open_peer(&f);
        char end;

        if (kept) {
            talk_fastcgi(fd);
        }
        io_stop(f.io); /* so that both are noticed at once */
        ask(fd, BYTES(FASTCGI_REQUEST));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        assert_int_equal(io_start(f.io, 1), 0);
        expect_answers(fd, 1);
        ASSERT_INT(kept ? "kept" : "new", receive(fd, &end, 1), 0);
        close(fd);
    }
    teardown(&f);
}

/* With peers that have been answered once. */
static void
setup_peers(struct fixture *f, unsigned threads, int *fds)
{
    setup(f, threads);
    answer_bytes = 10;
    for (int i = 0; i < PEERS; i++) {
        fds[i] = open_peer(f);
        talk_fastcgi(fds[i]);
    }
}

/* The requests that are there at once are known before the first is answered.
 */
static void
rounds(void **state)
{
    static const int counts[] = { 1, 2, 16, 17, 33, PEERS };
    struct fixture f;
    int fds[PEERS];

    (void)state;
    setup_peers(&f, 1, fds);
    for (size_t row = 0; row < COUNT(counts); row++) {
        size_t sum = 0;

        io_stop(f.io);
        memset(&told, 0, sizeof(told));
        told.wanted = true;
        for (int i = 0; i < counts[row]; i++) {
            struct buffer stream = BUFFER_INIT;

            put_request(&stream, (size_t)60 + (size_t)i);
            ask(fds[i], stream.data, stream.len);
            buffer_release(&stream);
        }
        assert_int_equal(io_start(f.io, 1), 0);
        for (int i = 0; i < counts[row]; i++) {
            struct buffer text = BUFFER_INIT;
            const char *body;

            receive_fastcgi(fds[i], &text);
            body = memmem(text.data, text.len, "\r\n\r\n", 4);
            assert_non_null(body);
            body += 4;
            ASSERT_INT("the asker's", text.data + text.len - body,
                       60 + i - (int)OVERHEAD);
            buffer_release(&text);
        }
        io_stop(f.io);
        for (int i = 0; i < told.said; i++) {
            assert_true(i % 2 ? told.counts[i] == 0 : told.counts[i] > 1);
            sum += told.counts[i];
        }
        assert_int_equal(told.said % 2, 0);
        /* The last one by itself is not together with any. */
        ASSERT_INT("together", sum,
                   counts[row] - (counts[row] % 16 == 1 ? 1 : 0));
        ASSERT_INT("times", told.said / 2,
                   counts[row] / 16 + (counts[row] % 16 > 1 ? 1 : 0));
        told.wanted = false;
        assert_int_equal(io_start(f.io, 1), 0);
    }
    for (int i = 0; i < PEERS; i++) {
        close(fds[i]);
    }
    teardown(&f);
}

/* Peers that are gone, or send half a request, are no hindrance to others. */
static void
rounds_with_others(void **state)
{
    struct fixture f;
    int fds[PEERS];

    (void)state;
    setup_peers(&f, 2, fds);
    io_stop(f.io);
    for (int i = 0; i < PEERS; i++) {
        ask(fds[i], FASTCGI_REQUEST,
            sizeof(FASTCGI_REQUEST) - 1 - (i % 4 == 1 ? 10 : 0));
        if (i % 4 == 2) {
            close(fds[i]);
        } else if (i % 4 == 3) {
            assert_int_equal(shutdown(fds[i], SHUT_WR), 0);
        }
    }
    assert_int_equal(io_start(f.io, 2), 0);
    for (int i = 0; i < PEERS; i++) {
        char end;

        if (i % 4 == 1) {
            ask(fds[i], FASTCGI_REQUEST + sizeof(FASTCGI_REQUEST) - 1 - 10, 10);
        }
        if (i % 4 != 2) {
            expect_answers(fds[i], 1);
            if (i % 4 == 3) {
                ASSERT_INT("ended", receive(fds[i], &end, 1), 0);
            } else {
                talk_fastcgi(fds[i]);
            }
            close(fds[i]);
        }
    }
    teardown(&f);
}

/*
 * Peers that ask one after the other, and wait for nobody but themselves, come
 * to be answered together.
 */
static void
gathers(void **state)
{
    struct fixture f;
    int fds[PEERS];

    (void)state;
    setup_peers(&f, 1, fds);
    io_stop(f.io);
    memset(&told, 0, sizeof(told));
    io_gather(f.io, 5);
    assert_int_equal(io_start(f.io, 1), 0);
    for (int i = 0; i < 20000 && atomic_load(&told.largest) < 8; i++) {
        if (i >= PEERS) {
            expect_answers(fds[i % PEERS], 1);
        }
        ask(fds[i % PEERS], BYTES(FASTCGI_REQUEST));
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    }
    assert_true(atomic_load(&told.largest) >= 8);
    for (int i = 0; i < PEERS; i++) {
        close(fds[i]);
    }
    teardown(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_answers),
        cmocka_unit_test(peer_that_does_not_read),
        cmocka_unit_test(other_threads),
        cmocka_unit_test(one_request_behind_the_other),
        cmocka_unit_test(peer_that_ends_with_its_request),
        cmocka_unit_test(rounds),
        cmocka_unit_test(rounds_with_others),
        cmocka_unit_test(gathers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
