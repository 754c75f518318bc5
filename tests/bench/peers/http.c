/* HTTP with Content-Length: the sink behind nginx, which reads uploads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "peer.h"

static enum taken
http_take(struct peer *p)
{
    char *end = memmem(p->data, p->len, "\r\n\r\n", 4);
    const char *length;

    if (end == NULL) {
        return TAKEN_PART;
    }
    end[2] = '\0';
    length = strcasestr(p->data, "\r\nContent-Length:");
    if (strcasestr(p->data, "\r\nTransfer-Encoding:") != NULL) {
        return TAKEN_BAD; /* nginx sends none where the client has a length */
    }
    p->left = length != NULL ? strtoull(length + 17, NULL, 10) : 0;
    p->keep = strstr(p->data, " HTTP/1.1\r\n") != NULL &&
              strcasestr(p->data, "\r\nConnection: close\r\n") == NULL;
    peer_consume(p, (size_t)(end - p->data) + 4);
    return TAKEN_REQUEST;
}

static size_t
http_put(const struct peer *p, const char *answer, size_t len, char *to)
{
    (void)answer;
    (void)len;
    return (size_t)snprintf(to, ANSWER_MAX,
                            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                            "Content-Length: 3\r\n%s\r\nok\n",
                            p->keep ? "" : "Connection: close\r\n");
}

const struct protocol http_protocol = { "http", http_take, http_put };
