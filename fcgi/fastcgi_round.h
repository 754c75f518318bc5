/*
 * FastCGI requests that arrive whole. Those of all connections that a thread is
 * told of at once are read first, then answered one after the other, so that
 * the handler can do for all of them what costs less together.
 */
#ifndef FCGI_FASTCGI_ROUND_H
#define FCGI_FASTCGI_ROUND_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "message.h"

struct connection;
struct fastcgi_scan;

/*
 * Takes a request that lies in data as a whole, and nothing behind it, to be
 * answered by fastcgi_round_end(), or earlier where there are many; until then
 * nothing may happen to the connection. Returns whether there was one.
 */
bool fastcgi_round_take(struct connection *c, const char *data, size_t len);

/* Answers what this thread has taken. */
void fastcgi_round_end(void);

/* Has the handler answer; the records of that are appended to out. */
void fastcgi_respond(struct connection *c, const struct fastcgi_scan *scan,
                     const struct request *request, struct buffer *out);

/* Whether the peer wants the connection to stay open after the answer. */
bool fastcgi_keeps(const struct fastcgi_scan *scan);

#endif
