/* What the tests of the socket gauge share: a real connection, both ends of it.
 */
#ifndef TESTS_CONNECTION_UNIT_H
#define TESTS_CONNECTION_UNIT_H

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

static inline int64_t
still_clock(void)
{
    return 0;
}

static inline void
transfer(const struct connection *c, size_t len)
{
    char bytes[HEADER + BODY] = { 0 };

    ASSERT_INT("sent", send(c->client, bytes, len, 0), (long)len);
    ASSERT_INT("received", recv(c->server, bytes, len, MSG_WAITALL), (long)len);
}

static inline void
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

static inline struct event
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

#endif
