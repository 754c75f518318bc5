/* FastCGI requests that arrive whole, round by round. */
#include "fastcgi_round.h"

#include <fastcgi.h>
#include <pthread.h>
#include <stdlib.h>

#include "connection.h"
#include "fastcgi_records.h"
#include "fastcgi_scan.h"
#include "server_internal.h"

enum {
    ROUND_MAX = 16,     /* requests answered together */
    PARAMS_ROOM = 2048, /* enough for what most requests come with */
    ANSWER_ROOM = 1024, /* and for most answers */
};

/* A request that waits to be answered. */
struct taken {
    struct connection *c;
    struct fastcgi_scan scan;
    struct request request;
    struct buffer params;
    struct buffer text;
    char params_room[PARAMS_ROOM];
    char text_room[PARAMS_ROOM];
};

/* Those of one thread, to which their connections belong. */
struct round {
    struct taken taken[ROUND_MAX];
    const struct request *requests[ROUND_MAX];
    size_t count;
};

/* Not thread-local as a whole: that would be memory of every thread. */
static _Thread_local struct round *thread_round;
static pthread_key_t round_key; /* frees it with its thread */
static pthread_once_t round_once = PTHREAD_ONCE_INIT;

static void
make_key(void)
{
    if (pthread_key_create(&round_key, free) != 0) {
        abort();
    }
}

static struct round *
get_round(void)
{
    if (thread_round == NULL) {
        pthread_once(&round_once, make_key);
        thread_round = calloc(1, sizeof(*thread_round));
        if (thread_round == NULL ||
            pthread_setspecific(round_key, thread_round) != 0) {
            abort(); /* out of memory, as in buffer.h */
        }
    }
    return thread_round;
}

void
fastcgi_respond(struct connection *c, const struct fastcgi_scan *scan,
                const struct request *request, struct buffer *out)
{
    static const uint8_t end[sizeof(FCGI_EndRequestBody)] = { 0 };
    char room[ANSWER_ROOM];
    struct buffer text = BUFFER_IN(room);

    connection_respond(c, request, &text);
    fastcgi_put_stream(out, FCGI_STDOUT, scan->request_id, text.data, text.len);
    fastcgi_put_record(out, FCGI_END_REQUEST, scan->request_id, end,
                       sizeof(end));
    buffer_release(&text);
}

bool
fastcgi_keeps(const struct fastcgi_scan *scan)
{
    return (scan->begin_body[2] & FCGI_KEEP_CONN) != 0;
}

/* libfcgi knows of no other. */
static bool
has_role(const struct fastcgi_scan *scan)
{
    return scan->begin_body[0] == 0 && scan->begin_body[1] >= FCGI_RESPONDER &&
           scan->begin_body[1] <= FCGI_FILTER;
}

/* Reads a request that lies in data as a whole; false if there is none. */
static bool
read_whole(struct taken *t, const uint8_t *data, size_t len)
{
    size_t params_len;
    size_t consumed = 0;

    t->scan = (struct fastcgi_scan)FASTCGI_SCAN_INIT;
    t->scan.kept_params = &t->params;
    if (fastcgi_scan(&t->scan, data, len, &params_len) != FASTCGI_PARAMS ||
        fastcgi_scan(&t->scan, data + params_len, len - params_len,
                     &consumed) != FASTCGI_COMPLETE ||
        params_len + consumed != len || !has_role(&t->scan)) {
        return false;
    }
    request_init(&t->request);
    t->request.body_bytes = t->scan.body_bytes;
    t->request.body_complete = true;
    fastcgi_read_params(t->params.data, t->params.len, &t->text, &t->request);
    return true;
}

bool
fastcgi_round_take(struct connection *c, const char *data, size_t len)
{
    struct round *round = get_round();
    struct taken *t;

    if (round->count == ROUND_MAX ||
        (round->count > 0 && round->taken[0].c->server != c->server)) {
        fastcgi_round_end();
    }
    t = &round->taken[round->count];
    t->c = c;
    t->params = (struct buffer)BUFFER_IN(t->params_room);
    t->text = (struct buffer)BUFFER_IN(t->text_room);
    if (!read_whole(t, (const uint8_t *)data, len)) {
        buffer_release(&t->text);
        buffer_release(&t->params);
        return false;
    }
    round->requests[round->count++] = &t->request;
    return true;
}

static void
answer(struct taken *t)
{
    char room[ANSWER_ROOM];
    struct buffer out = BUFFER_IN(room);

    fastcgi_respond(t->c, &t->scan, &t->request, &out);
    connection_send(t->c, out.data, out.len, fastcgi_keeps(&t->scan));
    buffer_release(&out);
    buffer_release(&t->text);
    buffer_release(&t->params);
}

void
fastcgi_round_end(void)
{
    struct round *round = thread_round;
    const struct handler *handler;
    size_t count;
    bool together;

    if (round == NULL || round->count == 0) {
        return;
    }
    count = round->count;
    round->count = 0;
    handler = &round->taken[0].c->server->options.handler;
    together = count > 1 && handler->together != NULL;
    if (together) {
        handler->together(handler->context, round->requests, count);
    }
    for (size_t i = 0; i < count; i++) {
        answer(&round->taken[i]);
    }
    if (together) {
        handler->together(handler->context, NULL, 0);
    }
}
