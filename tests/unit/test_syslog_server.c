/* The event sockets: messages in their order, by one thread at a time. */
#include "syslog_server.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

enum {
    MESSAGES = 4000,
    BURST = 100,
    PATIENCE_MS = 20000,
};

/* What the application has been told. */
struct told {
    atomic_int count;
    atomic_int entered; /* threads in it, now */
    atomic_bool disordered;
    atomic_bool together;
    atomic_bool held;            /* the next message waits while this is so */
    pthread_t threads[MESSAGES]; /* that have told of each message */
};

struct fixture {
    char folder[64];
    struct address udp;
    struct syslog_server *server;
    int sender;
    struct told told;
};

static void
log_nothing(int level, const char *format, ...)
{
    (void)level;
    (void)format;
}

static void
sleep_us(long us)
{
    const struct timespec time = { .tv_nsec = us * 1000 };

    nanosleep(&time, NULL);
}

/* The message is its number; some take longer than others. */
static void
message(void *context, char *text)
{
    struct told *told = context;
    int number = (int)strtol(text, NULL, 10);
    int count = atomic_load(&told->count);

    if (atomic_fetch_add(&told->entered, 1) > 0) {
        atomic_store(&told->together, true);
    }
    if (number != count) {
        atomic_store(&told->disordered, true);
    }
    told->threads[count] = pthread_self();
    while (atomic_load(&told->held)) {
        sleep_us(100);
    }
    if (number % 50 == 0) {
        sleep_us(500);
    }
    atomic_fetch_sub(&told->entered, 1);
    atomic_fetch_add(&told->count, 1);
}

static bool
comes_to(atomic_int *value, int wanted)
{
    for (int ms = 0; ms < PATIENCE_MS && atomic_load(value) < wanted; ms++) {
        sleep_us(1000);
    }
    return atomic_load(value) == wanted;
}

static void
listen_on(struct fixture *f, const struct address *address)
{
    const struct syslog_listen options = {
        .address = *address,
        .rcvbuf_bytes = 1 << 20,
        .access = { 0600, UNIX_SOCKET_SAME_USER, UNIX_SOCKET_SAME_GROUP },
        .fd = -1
    };

    assert_int_equal(syslog_server_listen(f->server, &options), 0);
}

/* The port that the kernel has chosen. */
static void
take_port(void *context, int fd, bool keep_path)
{
    struct fixture *f = context;

    (void)keep_path;
    f->udp.len = sizeof(f->udp.storage);
    assert_int_equal(
        getsockname(fd, (struct sockaddr *)&f->udp.storage, &f->udp.len), 0);
}

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct syslog_handler handler = { .message = message,
                                            .context = &f->told };

    strcpy(f->folder, UNIT_FILE);
    assert_non_null(mkdtemp(f->folder));
    f->server = syslog_server_new(log_nothing, &handler);
    assert_non_null(f->server);
    assert_null(address_parse("127.0.0.1:1", &f->udp));
    ((struct sockaddr_in *)&f->udp.storage)->sin_port = 0;
    listen_on(f, &f->udp);
    syslog_server_each_socket(f->server, take_port, f);
    f->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        connect(f->sender, (struct sockaddr *)&f->udp.storage, f->udp.len), 0);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    atomic_store(&f->told.held, false);
    syslog_server_stop(f->server);
    syslog_server_free(f->server);
    close(f->sender);
    rmdir(f->folder);
    free(f);
    return 0;
}

static void
send_numbers(int fd, int from, int count)
{
    char text[16];

    for (int i = from; i < from + count; i++) {
        int len = snprintf(text, sizeof(text), "%d", i);

        assert_int_equal(send(fd, text, (size_t)len, 0), len);
    }
}

/* Whoever has parsed what came before: few, many, few behind many. */
static void
messages_keep_their_order(void **state)
{
    static const struct {
        int count; /* sent at once */
        long pause_us;
    } rhythm[] = { { 1, 2000 }, { 1, 0 },   { 3, 500 }, { 70, 0 },
                   { 2, 300 },  { 90, 50 }, { 1, 100 }, { 1, 20000 } };
    struct fixture *f = *state;
    int sent = 0;

    assert_int_equal(syslog_server_start(f->server), 0);
    for (size_t i = 0; sent < MESSAGES; i = (i + 1) % COUNT(rhythm)) {
        int count = rhythm[i].count < MESSAGES - sent ? rhythm[i].count
                                                      : MESSAGES - sent;

        send_numbers(f->sender, sent, count);
        sent += count;
        sleep_us(rhythm[i].pause_us);
    }
    assert_true(comes_to(&f->told.count, MESSAGES));
    assert_false(atomic_load(&f->told.disordered));
    assert_false(atomic_load(&f->told.together));
}

/* The thread that receives it, or, of many that come at once, another one. */
static void
a_single_one_is_parsed_where_it_is_received(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(syslog_server_start(f->server), 0);
    send_numbers(f->sender, 0, 1);
    assert_true(comes_to(&f->told.count, 1));
    atomic_store(&f->told.held, true);
    send_numbers(f->sender, 1, 1);
    assert_true(comes_to(&f->told.entered, 1));
    send_numbers(f->sender, 2, BURST);
    atomic_store(&f->told.held, false);
    assert_true(comes_to(&f->told.count, 2 + BURST));
    assert_true(pthread_equal(f->told.threads[0], f->told.threads[1]));
    assert_false(pthread_equal(f->told.threads[0], f->told.threads[2]));
    assert_false(atomic_load(&f->told.disordered));
}

/* It is received while a message from elsewhere is parsed. */
static void
a_short_queue_waits_for_nobody(void **state)
{
    struct fixture *f = *state;
    struct address address;
    char text[128];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };

    snprintf(text, sizeof(text), "unix:%s/socket", f->folder);
    assert_null(address_parse(text, &address));
    listen_on(f, &address);
    assert_int_equal(
        connect(fd, (struct sockaddr *)&address.storage, address.len), 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)),
        0);
    assert_int_equal(syslog_server_start(f->server), 0);
    atomic_store(&f->told.held, true);
    send_numbers(f->sender, 0, 1);
    assert_true(comes_to(&f->told.entered, 1));
    send_numbers(fd, 1, MESSAGES - 1); /* fails where nobody receives */
    atomic_store(&f->told.held, false);
    assert_true(comes_to(&f->told.count, MESSAGES));
    assert_false(atomic_load(&f->told.disordered));
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_keep_their_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_single_one_is_parsed_where_it_is_received, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_short_queue_waits_for_nobody, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
