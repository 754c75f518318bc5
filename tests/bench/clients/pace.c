/*
 * Probes at a given pace, which wrk cannot:
 *
 *   pace PORT PATH PREFIX COUNT RATE SECONDS CONNECTIONS STATE
 *
 * RATE a second, of IDs PREFIX-0 to PREFIX-(COUNT-1) in turn, on kept
 * CONNECTIONS. A latency counts from when the probe was due, so that one that
 * had to wait for a connection is not flattered. An answer is right when it is
 * of status 200 and tells of STATE. Prints NAME=VALUE; times in ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER_SIZE = 4096,
    BUCKETS = 2000000, /* of a microsecond; the last one has all above */
    GRACE_US = 2000000 /* for answers that are out at the end */
};

struct connection {
    int fd;
    int64_t due_us; /* of the probe that is out; -1: none */
    size_t len;
    char answer[ANSWER_SIZE];
    struct connection *next_idle;
};

static uint32_t buckets[BUCKETS];
static struct connection *idle;
static long right_count;
static long wrong_count;
static long closed_count;
static char wanted[64];

static int64_t
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
open_connection(struct connection *c, int set, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    c->due_us = -1;
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("pace: connect");
        exit(1);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    epoll_ctl(set, EPOLL_CTL_ADD, c->fd, &event);
    c->next_idle = idle;
    idle = c;
}

/* Whether the answer is there as a whole. */
static bool
is_complete(const struct connection *c)
{
    const char *body = strstr(c->answer, "\r\n\r\n");
    const char *length = strcasestr(c->answer, "\r\nContent-Length:");

    return body != NULL && length != NULL &&
           c->len >=
               (size_t)(body + 4 - c->answer) + strtoul(length + 17, NULL, 10);
}

static void
take_answer(struct connection *c)
{
    int64_t took_us = now_us() - c->due_us;

    buckets[took_us < BUCKETS ? took_us : BUCKETS - 1]++;
    if (strncmp(c->answer, "HTTP/1.1 200 ", 13) == 0 &&
        strstr(c->answer, wanted) != NULL) {
        right_count++;
    } else {
        wrong_count++;
    }
    c->due_us = -1;
    c->len = 0;
    c->next_idle = idle;
    idle = c;
}

static void
receive(struct connection *c)
{
    ssize_t got =
        recv(c->fd, c->answer + c->len, ANSWER_SIZE - 1 - c->len, MSG_DONTWAIT);

    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0 || c->due_us < 0) {
        closed_count++; /* it is not used any more */
        close(c->fd);
        return;
    }
    c->len += (size_t)got;
    c->answer[c->len] = '\0';
    if (is_complete(c)) {
        take_answer(c);
    }
}

static void
ask(const char *path, const char *prefix, long number, int64_t due_us)
{
    struct connection *c = idle;
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "GET %s?X-Progress-ID=%s-%ld HTTP/1.1\r\n"
                       "Host: 127.0.0.1\r\n\r\n",
                       path, prefix, number);

    idle = c->next_idle;
    c->due_us = due_us;
    /* A connection that was closed meanwhile is counted by receive(). */
    (void)!send(c->fd, text, (size_t)len, MSG_NOSIGNAL);
}

static void
wait_for_answers(int set, int64_t timeout_us)
{
    struct timespec timeout = { .tv_sec = timeout_us / 1000000,
                                .tv_nsec = timeout_us % 1000000 * 1000 };
    struct epoll_event events[256];
    int count = epoll_pwait2(set, events, 256, &timeout, NULL);

    for (int i = 0; i < count; i++) {
        receive(events[i].data.ptr);
    }
}

static double
percentile_ms(double share)
{
    long want = (long)((double)(right_count + wrong_count) * share);
    long seen = 0;
    long i = 0;

    while (i < BUCKETS - 1 && (seen += buckets[i]) <= want) {
        i++;
    }
    return (double)i / 1000;
}

int
main(int argc, char **argv)
{
    long ids = argc == 9 ? atol(argv[4]) : 0;
    double rate = argc == 9 ? atof(argv[5]) : 0;
    long total = argc == 9 ? (long)(rate * atof(argv[6])) : 0;
    long connections = argc == 9 ? atol(argv[7]) : 0;
    int set = epoll_create1(0);
    struct connection *all;
    int64_t began;
    long asked = 0;

    if (ids <= 0 || total <= 0 || connections <= 0) {
        fprintf(stderr, "usage: pace PORT PATH PREFIX COUNT RATE SECONDS "
                        "CONNECTIONS STATE\n");
        return 2;
    }
    snprintf(wanted, sizeof(wanted), "\"state\" : \"%s\"", argv[8]);
    all = calloc((size_t)connections, sizeof(*all));
    if (all == NULL) {
        return 1;
    }
    for (long i = 0; i < connections; i++) {
        open_connection(&all[i], set, atoi(argv[1]));
    }
    /* Each when it is due, or the kernel gathers them into bursts. */
    prctl(PR_SET_TIMERSLACK, 1);
    began = now_us();
    while (right_count + wrong_count + closed_count < total &&
           now_us() <
               began + (int64_t)((double)total / rate * 1e6) + GRACE_US) {
        int64_t now = now_us();
        int64_t next_us;

        while (asked < total && idle != NULL &&
               (double)(now - began) * rate >= (double)asked * 1e6) {
            ask(argv[2], argv[3], asked % ids,
                began + (int64_t)((double)asked * 1e6 / rate));
            asked++;
        }
        next_us = began + (int64_t)((double)asked * 1e6 / rate) - now_us();
        if (asked == total || idle == NULL) {
            next_us = 1000;
        }
        wait_for_answers(set, next_us > 0 ? next_us : 0);
    }
    printf("asked=%ld right=%ld wrong=%ld missing=%ld p50_ms=%.3f "
           "p99_ms=%.3f\n",
           total, right_count, wrong_count, total - right_count - wrong_count,
           percentile_ms(0.5), percentile_ms(0.99));
    return 0;
}
