/* What the protocols of constant.c share. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PEER_BUFFER = 66 * 1024, /* the longest FastCGI record, with its padding */
    ANSWER_MAX = 4096,
};

/* One connection. */
struct peer {
    int fd;
    bool keep;         /* it stays open after the answer */
    bool params_ended; /* FastCGI: the empty PARAMS record has come */
    bool answering;    /* the head is complete, the body may not be */
    uint16_t id;       /* FastCGI: of the request */
    uint64_t left;     /* bytes of the body that are yet to come */
    size_t len;        /* bytes in data */
    char data[PEER_BUFFER];
};

enum taken {
    TAKEN_BAD,  /* the connection is to be closed */
    TAKEN_PART, /* more has to come first */
    TAKEN_REQUEST,
};

struct protocol {
    const char *name;
    /* Consumes what is there of a request, but for a body of p->left bytes. */
    enum taken (*take)(struct peer *p);
    /* Puts the answer on the wire's form into to, ANSWER_MAX; its length. */
    size_t (*put)(const struct peer *p, const char *answer, size_t len,
                  char *to);
};

extern const struct protocol fastcgi_protocol;
extern const struct protocol scgi_protocol;
extern const struct protocol http_protocol;

void peer_consume(struct peer *p, size_t len);

#endif
