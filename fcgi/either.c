/* FastCGI or SCGI on one listener: the first byte tells which a peer speaks. */
#include <errno.h>
#include <sys/socket.h>

#include "connection.h"

enum {
    FASTCGI_VERSION = 1, /* of each record; SCGI begins with a digit */
};

static void
either_ready(struct connection *c)
{
    char first;
    ssize_t got = recv(c->source.fd, &first, 1, MSG_PEEK);

    if (got < 0 && errno == EAGAIN) {
        connection_wait(c, WAIT_HEADER);
        return;
    }
    if (got <= 0) {
        connection_close(c);
        return;
    }
    c->protocol = first == FASTCGI_VERSION ? &fastcgi_protocol : &scgi_protocol;
    c->protocol->ready(c);
}

static void
either_release(struct connection *c)
{
    (void)c;
}

const struct protocol either_protocol = {
    .name = "fastcgi or scgi",
    .connection_size = CONNECTION_SIZE_MAX,
    .ready = either_ready,
    .release = either_release,
};
