/*
 * Sockets that are gone: real connections on loopback, whose last byte counts
 * the kernel tells. The test plays client and server.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "destroyed_sockets.h"
#include "socket_gauge.h"

enum {
    BODY = 10000,
    UNREAD = 3000,
    ANSWER = 100,
    LITTLE = DESTROYED_BYTES_MIN - 2, /* the end counts as one */
    LIMIT_MS = 20000,
    FDS = 64,     /* more than the test has */
    MANY = 20000, /* more messages than the kernel keeps for one socket */
};

struct connection {
    int listener;
    int client;
    int server;
    struct upload upload; /* its socket and attempt are set */
};

static int
set_up(void **state)
{
    struct destroyed_sockets *sockets = destroyed_sockets_new();

    if (destroyed_sockets_start(sockets, NULL) < 0) {
        print_message("the groups of sock_diag cannot be joined\n");
        destroyed_sockets_free(sockets);
        skip();
    }
    *state = sockets;
    return 0;
}

static int
tear_down(void **state)
{
    destroyed_sockets_free(*state);
    return 0;
}

static void
set_any(struct sockaddr_storage *address, int family)
{
    memset(address, 0, sizeof(*address));
    address->ss_family = (sa_family_t)family;
    if (family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_addr = in6addr_loopback;
    } else {
        ((struct sockaddr_in *)address)->sin_addr.s_addr =
            htonl(INADDR_LOOPBACK);
    }
}

static uint16_t
port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)address)->sin6_port
                     : ((const struct sockaddr_in *)address)->sin_port);
}

static void
set_upload(struct connection *c, int family, uint8_t attempt)
{
    const char *host = family == AF_INET6 ? "::1" : "127.0.0.1";
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char remote[8];
    char local[8];

    getpeername(c->server, (struct sockaddr *)&address, &len);
    snprintf(remote, sizeof(remote), "%u", port_of(&address));
    len = sizeof(address);
    getsockname(c->server, (struct sockaddr *)&address, &len);
    snprintf(local, sizeof(local), "%u", port_of(&address));
    memset(&c->upload, 0, sizeof(c->upload));
    c->upload.attempt[0] = attempt;
    assert_int_equal(
        socket_gauge_address(&c->upload.socket, host, remote, host, local), 0);
}

static struct connection
open_connection(int family, uint8_t attempt)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    struct connection c;
    int64_t read_bytes;

    set_any(&address, family);
    c.listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(c.listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(c.listener, 1), 0);
    getsockname(c.listener, (struct sockaddr *)&address, &len);
    c.client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c.client, (struct sockaddr *)&address, len), 0);
    c.server = accept(c.listener, NULL, NULL);
    assert_true(c.server >= 0);
    close(c.listener);
    set_upload(&c, family, attempt);
    assert_int_equal(socket_gauge_read(&c.upload.socket, &read_bytes),
                     SOCKET_OPEN);
    return c;
}

/* Sends bytes from one end and has the other read so many of them. */
static void
pass(int from, int to, size_t bytes, size_t read_bytes)
{
    static char buffer[BODY];

    assert_int_equal(send(from, buffer, bytes, MSG_NOSIGNAL), bytes);
    if (read_bytes > 0) {
        assert_int_equal(recv(to, buffer, read_bytes, MSG_WAITALL), read_bytes);
    }
}

static void
reset(int fd)
{
    struct linger linger = { 1, 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

/* nginx's way: the client is gone, or has its answer, before nginx closes. */
static void
hang_up(struct connection *c)
{
    close(c->client);
    close(c->server);
}

static void
rest(void)
{
    struct timespec pause = { .tv_nsec = 1000000 };

    nanosleep(&pause, NULL);
}

/* Reads until the attempt's socket is told to be gone. */
static struct destroyed_socket
wait_last(struct destroyed_sockets *sockets, const struct upload *upload)
{
    struct destroyed_socket last = { .read_bytes = -1 };

    for (int i = 0; i < LIMIT_MS; i++) {
        destroyed_sockets_read(sockets);
        if (destroyed_sockets_last(sockets, upload, &last)) {
            return last;
        }
        rest();
    }
    fail_msg("the kernel has not told of the socket");
    return last;
}

/* How a connection ends, and what is told of it. */
struct ending {
    const char *name;
    size_t unread_bytes;
    bool answered;
    bool client_first; /* closes first */
    bool resets;       /* the client, instead of an orderly end */
    bool reads_end;    /* the server reads the client's end */
    int64_t read_bytes;
    int may_count_end; /* -1: as it happens */
};

static const struct ending endings[] = {
    { "the server closes", 0, true, false, false, false, BODY, -1 },
    { "without an answer", 0, false, false, false, false, BODY, -1 },
    { "the client closes, which is read", 0, false, true, false, true, BODY + 1,
      true },
    { "the client closes, unread", 0, false, true, false, false, BODY, false },
    { "the client resets", 0, false, true, true, false, BODY, true },
    { "not all was read", UNREAD, false, false, false, false, BODY - UNREAD,
      false },
};

/* The end has come when there is something to read, or an error. */
static void
wait_end(int fd)
{
    char byte;

    (void)!recv(fd, &byte, 1, MSG_PEEK);
}

static struct destroyed_socket
end_so(struct destroyed_sockets *sockets, struct connection *c,
       const struct ending *ending)
{
    char byte;

    pass(c->client, c->server, BODY, BODY - ending->unread_bytes);
    if (ending->answered) {
        pass(c->server, c->client, ANSWER, ANSWER);
    }
    if (ending->client_first && ending->resets) {
        reset(c->client);
    } else if (ending->client_first) {
        close(c->client);
    }
    if (ending->client_first && !ending->resets) {
        wait_end(c->server);
    }
    if (ending->reads_end) {
        assert_int_equal(recv(c->server, &byte, 1, 0), 0);
    }
    close(c->server);
    if (!ending->client_first) {
        close(c->client);
    }
    return wait_last(sockets, &c->upload);
}

static void
every_ending(void **state)
{
    static const int families[] = { AF_INET, AF_INET6 };

    for (int f = 0; f < 2; f++) {
        for (size_t i = 0; i < COUNT(endings); i++) {
            const struct ending *ending = &endings[i];
            struct connection c = open_connection(families[f], 1);
            struct destroyed_socket last;

            destroyed_sockets_follow(*state, &c.upload);
            last = end_so(*state, &c, ending);
            ASSERT_INT(ending->name, last.read_bytes, ending->read_bytes);
            ASSERT_INT(ending->name, last.answered, ending->answered);
            if (ending->may_count_end >= 0) {
                ASSERT_INT(ending->name, last.may_count_end,
                           ending->may_count_end);
            }
            destroyed_sockets_forget(*state, &c.upload);
        }
    }
    assert_int_equal(destroyed_sockets_count(*state), 0);
}

/* An answer to an earlier request is none to the next one. */
static void
answered_before(void **state)
{
    struct connection c = open_connection(AF_INET, 1);
    struct destroyed_socket last;

    pass(c.client, c.server, BODY, BODY);
    pass(c.server, c.client, ANSWER, ANSWER);
    for (int i = 0; i < 50; i++) { /* some ticks of the kernel's clock */
        rest();
    }
    pass(c.client, c.server, BODY, BODY);
    destroyed_sockets_follow(*state, &c.upload);
    close(c.client);
    close(c.server);
    last = wait_last(*state, &c.upload);
    assert_int_equal(last.read_bytes, 2 * BODY);
    assert_false(last.answered);
}

/* The last one is told, and none that nobody follows. */
static void
followed_alone(void **state)
{
    struct connection one = open_connection(AF_INET, 1);
    struct connection other = open_connection(AF_INET, 2);
    struct connection little = open_connection(AF_INET, 3);
    struct destroyed_socket last;

    destroyed_sockets_follow(*state, &one.upload);
    destroyed_sockets_follow(*state, &little.upload);
    pass(one.client, one.server, BODY, BODY);
    pass(other.client, other.server, BODY, BODY);
    pass(little.client, little.server, LITTLE, LITTLE);
    hang_up(&little);
    hang_up(&other);
    destroyed_sockets_read(*state);
    assert_false(destroyed_sockets_last(*state, &one.upload, &last));
    hang_up(&one);
    assert_int_equal(wait_last(*state, &one.upload).read_bytes, BODY);
    assert_false(destroyed_sockets_last(*state, &other.upload, &last));
    assert_false(destroyed_sockets_last(*state, &little.upload, &last));
}

/* Two attempts on one connection; forgetting one leaves the other. */
static void
two_attempts(void **state)
{
    struct connection c = open_connection(AF_INET, 1);
    struct upload second = c.upload;
    struct destroyed_socket last;

    second.attempt[0] = 2;
    destroyed_sockets_follow(*state, &c.upload);
    destroyed_sockets_follow(*state, &second);
    destroyed_sockets_follow(*state, &second);
    assert_int_equal(destroyed_sockets_count(*state), 2);
    pass(c.client, c.server, BODY, BODY);
    destroyed_sockets_forget(*state, &c.upload);
    hang_up(&c);
    assert_int_equal(wait_last(*state, &second).read_bytes, BODY);
    assert_false(destroyed_sockets_last(*state, &c.upload, &last));
}

/* Another socket with the same addresses is not the one that is followed. */
static void
other_cookie(void **state)
{
    struct connection c = open_connection(AF_INET, 1);
    struct upload before = c.upload;
    struct destroyed_socket last;

    before.attempt[0] = 2;
    before.socket.cookie++;
    destroyed_sockets_follow(*state, &before);
    destroyed_sockets_follow(*state, &c.upload);
    pass(c.client, c.server, BODY, BODY);
    hang_up(&c);
    wait_last(*state, &c.upload);
    assert_false(destroyed_sockets_last(*state, &before, &last));
}

/* Without a cookie the addresses count, before and after the end. */
static void
no_cookie(void **state)
{
    struct connection c = open_connection(AF_INET6, 1);
    struct upload early = c.upload;
    struct upload late = c.upload;

    early.attempt[0] = 2;
    early.socket.cookie = 0;
    late.attempt[0] = 3;
    late.socket.cookie = 0;
    destroyed_sockets_follow(*state, &early);
    pass(c.client, c.server, BODY, BODY);
    hang_up(&c);
    assert_int_equal(wait_last(*state, &early).read_bytes, BODY);
    destroyed_sockets_follow(*state, &late);
    assert_int_equal(wait_last(*state, &late).read_bytes, BODY);
}

static void
forget_others(void **state)
{
    struct connection one = open_connection(AF_INET, 1);
    struct connection other = open_connection(AF_INET, 2);

    destroyed_sockets_follow(*state, &one.upload);
    destroyed_sockets_follow(*state, &other.upload);
    destroyed_sockets_forget_others(*state); /* begins anew */
    assert_int_equal(destroyed_sockets_count(*state), 2);
    destroyed_sockets_follow(*state, &other.upload);
    destroyed_sockets_forget_others(*state);
    assert_int_equal(destroyed_sockets_count(*state), 1);
    pass(other.client, other.server, BODY, BODY);
    hang_up(&other);
    hang_up(&one);
    assert_int_equal(wait_last(*state, &other.upload).read_bytes, BODY);
}

static void
memory_is_bounded(void **state)
{
    struct upload upload = { .socket = { .family = AF_INET, .cookie = 1 } };

    for (int i = 0; i < DESTROYED_FOLLOWED_MAX + 10; i++) {
        upload.socket.remote_port = (uint16_t)i;
        upload.socket.cookie = (uint64_t)i + 1;
        destroyed_sockets_follow(*state, &upload);
    }
    assert_int_equal(destroyed_sockets_count(*state), DESTROYED_FOLLOWED_MAX);
}

static bool
is_own_socket(unsigned long inode)
{
    struct stat status;

    for (int fd = 3; fd < FDS; fd++) {
        if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
            status.st_ino == inode) {
            return true;
        }
    }
    return false;
}

/* How many messages the kernel had no room for, at this process' sockets. */
static unsigned long
drops(void)
{
    FILE *stream = fopen("/proc/net/netlink", "re");
    char line[256];
    unsigned long sum = 0;

    assert_non_null(stream);
    while (fgets(line, sizeof(line), stream) != NULL) {
        unsigned long count;
        unsigned long inode;

        if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &count,
                   &inode) == 2 &&
            is_own_socket(inode)) {
            sum += count;
        }
    }
    fclose(stream);
    return sum;
}

/*
 * Nobody reads until the kernel's queue is full. What comes once it was read is
 * told again.
 */
static void
overrun(void **state)
{
    struct destroyed_socket last = { .read_bytes = -1 };
    struct connection c;

    for (int i = 0; i < MANY; i++) {
        c = open_connection(AF_INET, 1);
        pass(c.client, c.server, BODY, BODY);
        reset(c.client); /* leaves no port in TIME_WAIT */
        close(c.server);
    }
    for (int i = 0; i < LIMIT_MS && drops() == 0; i++) {
        rest(); /* the kernel tells in the background */
    }
    assert_true(drops() > 0);
    destroyed_sockets_read(*state);
    assert_true(destroyed_sockets_overruns(*state) > 0);
    /* Until the queue was empty once the kernel goes on dropping. */
    for (int i = 0; i < LIMIT_MS && last.read_bytes != BODY; i++) {
        c = open_connection(AF_INET, 1);
        destroyed_sockets_follow(*state, &c.upload);
        pass(c.client, c.server, BODY, BODY);
        reset(c.client);
        close(c.server);
        rest();
        destroyed_sockets_read(*state);
        destroyed_sockets_last(*state, &c.upload, &last);
        destroyed_sockets_forget(*state, &c.upload);
    }
    assert_int_equal(last.read_bytes, BODY);
}

/* Without a table nothing is known, and nothing breaks. */
static void
no_table(void **state)
{
    struct upload upload = { .socket = { .family = AF_INET, .cookie = 1 } };
    struct destroyed_socket last;

    (void)state;
    destroyed_sockets_follow(NULL, &upload);
    destroyed_sockets_forget(NULL, &upload);
    assert_false(destroyed_sockets_last(NULL, &upload, &last));
    assert_false(destroyed_sockets_are_told(NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_ending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answered_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(followed_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_attempts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_cookie, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_cookie, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forget_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overrun, set_up, tear_down),
        cmocka_unit_test(no_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
