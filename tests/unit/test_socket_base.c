/* Where the body begins in a connection's bytes, on a real connection. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#include "store.h"
#include "uploads.h"

enum { HEADER = 100, BODY = 400, NOW_MS = 5000 };

/* Both ends of one connection; nginx's has read the header. */
struct connection {
    int client;
    int server;
    struct sockaddr_in client_address;
    struct sockaddr_in server_address;
};

static int64_t
still_clock(void)
{
    return 0;
}

static void
transfer(const struct connection *c, size_t len)
{
    char bytes[HEADER + BODY] = { 0 };

    ASSERT_INT("sent", send(c->client, bytes, len, 0), (long)len);
    ASSERT_INT("received", recv(c->server, bytes, len, MSG_WAITALL), (long)len);
}

static void
connect_both(struct connection *c)
{
    socklen_t len = sizeof(c->server_address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memset(c, 0, sizeof(*c));
    c->server_address.sin_family = AF_INET;
    c->server_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (void *)&c->server_address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (void *)&c->server_address, &len),
                     0);
    c->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->client, (void *)&c->server_address, len), 0);
    assert_int_equal(getsockname(c->client, (void *)&c->client_address, &len),
                     0);
    c->server = accept(listener, NULL, NULL);
    assert_true(c->server >= 0);
    close(listener);
    transfer(c, HEADER);
}

static struct event
start_of(const struct connection *c, int64_t header_bytes, bool proxied)
{
    struct event event = {
        .kind = EVENT_START,
        .zone = "uploads",
        .id = "one",
        .attempt = { 1 },
        .pid = getpid(),
        .connection = 1,
        .connection_requests = 1,
        .content_length_bytes = BODY,
        .header_length_bytes = header_bytes,
        .request_length_bytes = -1,
        .status = -1,
        .msec = -1,
        .request_time_ms = -1,
        .protocol = 11,
        .proxy_protocol = proxied,
        .remote_addr = "127.0.0.1",
        .server_addr = "127.0.0.1",
    };

    snprintf(event.remote_port, sizeof(event.remote_port), "%d",
             ntohs(c->client_address.sin_port));
    snprintf(event.server_port, sizeof(event.server_port), "%d",
             ntohs(c->server_address.sin_port));
    return event;
}

/* What is told as received once half of the body has come. */
static int64_t
received_with(int64_t header_bytes, bool proxied)
{
    struct uploads_options options = { .check_interval_ms = 1000,
                                       .inactive_timeout_ms = 1000,
                                       .ttl_ms = { 1000 },
                                       .wall_offset_ms = 1,
                                       .clock_ms = still_clock };
    const char *message = NULL;
    struct store *store = store_new(&message);
    struct uploads *uploads;
    struct connection c;
    struct event event;
    struct progress progress;

    assert_non_null(store);
    assert_int_equal(store_zone_set(store, "uploads", 1 << 20), 0);
    options.gauges[GAUGE_SOCKET] = true;
    uploads = uploads_new(store, &options);
    connect_both(&c);
    event = start_of(&c, header_bytes, proxied);
    uploads_event(uploads, &event, NOW_MS);
    transfer(&c, BODY / 2);
    uploads_progress(uploads, 0, "one", NOW_MS + 10, &progress);
    close(c.client);
    close(c.server);
    uploads_free(uploads);
    store_free(store);
    return progress.received_bytes;
}

static void
test_base(void **state)
{
    (void)state;
    ASSERT_INT("behind the header", received_with(HEADER, false), BODY / 2);
    ASSERT_INT("a shorter one", received_with(HEADER - 40, false),
               BODY / 2 + 40);
    /* Longer than what was read: what was read is none of the body. */
    ASSERT_INT("a longer one", received_with(HEADER + 1, false), BODY / 2);
    ASSERT_INT("the longest", received_with(INT64_MAX, false), BODY / 2);
    /* With a PROXY header in front, of a length that nobody knows. */
    ASSERT_INT("proxied", received_with(HEADER - 40, true), BODY / 2);
    ASSERT_INT("the longest, proxied", received_with(INT64_MAX, true),
               BODY / 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_base) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
