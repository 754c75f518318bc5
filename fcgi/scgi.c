/* SCGI connections: one request each, read without ever blocking. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "scgi_reader.h"

enum {
    BODY_CHUNK = 65536,     /* bytes thrown away per read */
    CHUNKS_PER_NOTICE = 16, /* then others get their turn */
    ANSWER_ROOM = 1024      /* enough for most */
};

struct scgi_connection {
    struct connection base;
    uint64_t content_length_bytes;
};
static_assert(sizeof(struct scgi_connection) <= CONNECTION_SIZE_MAX,
              "room where the protocol is not known yet");

static void
scgi_release(struct connection *c)
{
    (void)c;
}

static void
answer(struct connection *c, const struct request *request)
{
    char room[ANSWER_ROOM];
    struct buffer out = BUFFER_IN(room);

    connection_respond(c, request, &out);
    connection_send(c, out.data, out.len, false);
    buffer_release(&out);
}

static void
read_body(struct connection *c)
{
    struct scgi_connection *s = (struct scgi_connection *)c;
    char scratch[BODY_CHUNK];
    uint64_t before = c->request->body_bytes;

    for (int i = 0; i < CHUNKS_PER_NOTICE; i++) {
        uint64_t left = s->content_length_bytes - c->request->body_bytes;
        size_t want = left < sizeof(scratch) ? (size_t)left : sizeof(scratch);
        ssize_t got = recv(c->source.fd, scratch, want, 0);

        if (got < 0 && errno == EAGAIN) {
            break;
        }
        if (got <= 0) {
            connection_close(c);
            return;
        }
        c->request->body_bytes += (uint64_t)got;
        if (c->request->body_bytes == s->content_length_bytes) {
            c->request->body_complete = true;
            answer(c, c->request);
            return;
        }
    }
    if (c->request->body_bytes != before) {
        (void)connection_body(c, c->request);
    }
    connection_wait(c, WAIT_BODY);
}

static void
begin_request(struct connection *c, size_t header_len)
{
    struct scgi_connection *s = (struct scgi_connection *)c;
    struct request request;

    request_init(&request);
    if (scgi_parse(c->input.data, header_len, &request,
                   &s->content_length_bytes) < 0) {
        connection_close(c);
        return;
    }
    request.body_bytes = c->input.len - header_len;
    if (request.body_bytes >= s->content_length_bytes) {
        request.body_bytes = s->content_length_bytes;
        request.body_complete = true;
        answer(c, &request);
        return;
    }
    c->request = malloc(sizeof(request));
    if (c->request == NULL) {
        connection_close(c);
        return;
    }
    *c->request = request;
    if (connection_body(c, c->request)) {
        answer(c, c->request);
        return;
    }
    read_body(c);
}

static void
scgi_ready(struct connection *c)
{
    size_t header_len = 0;
    ssize_t got;

    if (c->request != NULL) {
        read_body(c);
        return;
    }
    buffer_reserve(&c->input, 4096);
    got = recv(c->source.fd, c->input.data + c->input.len,
               c->input.capacity - c->input.len, 0);
    if (got < 0 && errno == EAGAIN) {
        connection_wait(c, WAIT_HEADER);
        return;
    }
    if (got <= 0) {
        connection_close(c);
        return;
    }
    c->input.len += (size_t)got;
    switch (scgi_scan(c->input.data, c->input.len, &header_len)) {
    case SCGI_MORE:
        connection_wait(c, WAIT_HEADER);
        return;
    case SCGI_GARBAGE:
        connection_close(c);
        return;
    case SCGI_COMPLETE:
        begin_request(c, header_len);
        return;
    }
}

const struct protocol scgi_protocol = {
    .name = "scgi",
    .connection_size = sizeof(struct scgi_connection),
    .ready = scgi_ready,
    .release = scgi_release,
};
