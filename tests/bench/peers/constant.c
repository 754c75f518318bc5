/*
 * The least that a responder can do, to measure others by:
 *
 *   constant fastcgi|scgi unix:PATH FILE [MS]  answers every request with FILE,
 *                                              the headers and body of a CGI
 *                                              program; each thread looks for
 *                                              requests every so often only
 *   constant http PORT                         reads bodies, and answers "ok"
 *
 * Two threads, each with an epoll set of its own. A request costs epoll_wait(),
 * read() and write(), and where connections are not kept accept() and close().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

enum {
    THREADS = 2,
    EVENTS = 64,
    BACKLOG = 1024,
    THROW_AWAY = 1 << 20, /* bytes of a body at a time */
    FRAMING = 64,         /* room for what put() adds */
};

static const struct protocol *protocol;
static char answer[ANSWER_MAX - FRAMING];
static size_t answer_len;
static int listener;
static struct timespec delay; /* before each look */

void
peer_consume(struct peer *p, size_t len)
{
    p->len -= len;
    memmove(p->data, p->data + len, p->len);
}

/* The socket is empty and far larger than an answer, so a part is a fault. */
static bool
respond(const struct peer *p)
{
    char out[ANSWER_MAX];
    size_t len = protocol->put(p, answer, answer_len, out);

    return write(p->fd, out, len) == (ssize_t)len;
}

/* Answers what is complete; returns whether the connection stays. */
static bool
advance(struct peer *p)
{
    for (;;) {
        size_t body;

        if (!p->answering) {
            enum taken taken = protocol->take(p);

            if (taken != TAKEN_REQUEST) {
                return taken == TAKEN_PART;
            }
            p->answering = true;
        }
        body = p->left < p->len ? (size_t)p->left : p->len;
        peer_consume(p, body);
        p->left -= body;
        if (p->left > 0) {
            return true;
        }
        p->answering = false;
        if (!respond(p) || !p->keep) {
            return false;
        }
        if (p->len == 0) {
            return true;
        }
    }
}

static bool
serve(struct peer *p)
{
    ssize_t got;

    if (p->left > 0 && protocol == &http_protocol) {
        /* TCP throws away without copying. */
        got = recv(p->fd, NULL, p->left < THROW_AWAY ? p->left : THROW_AWAY,
                   MSG_TRUNC);
    } else if (p->left > 0) {
        got = read(p->fd, p->data,
                   p->left < PEER_BUFFER ? (size_t)p->left : PEER_BUFFER);
    } else {
        got = read(p->fd, p->data + p->len, sizeof(p->data) - p->len);
    }
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    if (p->left > 0) {
        p->left -= (uint64_t)got;
        return p->left > 0 || advance(p);
    }
    p->len += (size_t)got;
    return advance(p);
}

static void
take_connection(int set)
{
    struct epoll_event event = { .events = EPOLLIN };
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *p;

    if (fd < 0) {
        return;
    }
    if (protocol == &http_protocol) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    }
    p = malloc(sizeof(*p)); /* data is not touched before it is filled */
    if (p == NULL) {
        abort();
    }
    memset(p, 0, offsetof(struct peer, data));
    p->fd = fd;
    event.data.ptr = p;
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static void *
run(void *unused)
{
    struct epoll_event events[EVENTS] = { { .events =
                                                EPOLLIN | EPOLLEXCLUSIVE } };
    int set = epoll_create1(EPOLL_CLOEXEC);

    epoll_ctl(set, EPOLL_CTL_ADD, listener, &events[0]);
    for (;;) {
        int count;

        if (delay.tv_nsec > 0) {
            nanosleep(&delay, NULL);
        }
        count = epoll_wait(set, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
            struct peer *p = events[i].data.ptr;

            if (p == NULL) {
                take_connection(set);
            } else if (!serve(p)) {
                close(p->fd);
                free(p);
            }
        }
    }
    return unused;
}

static int
listen_on(const char *text)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr_in in = { .sin_family = AF_INET };
    bool is_unix = strncmp(text, "unix:", 5) == 0;
    int fd =
        socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (is_unix) {
        strncpy(un.sun_path, text + 5, sizeof(un.sun_path) - 1);
        unlink(un.sun_path);
    }
    in.sin_port = htons((uint16_t)atoi(text));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(fd, is_unix ? (struct sockaddr *)&un : (struct sockaddr *)&in,
             is_unix ? sizeof(un) : sizeof(in)) < 0 ||
        listen(fd, BACKLOG) < 0) {
        perror(text);
        exit(1);
    }
    return fd;
}

static void
read_answer(const char *name)
{
    FILE *file = fopen(name, "r");

    if (file == NULL) {
        perror(name);
        exit(1);
    }
    answer_len = fread(answer, 1, sizeof(answer), file);
    fclose(file);
    if (answer_len == 0 || answer_len == sizeof(answer)) {
        fprintf(stderr, "%s: empty, or too long\n", name);
        exit(1);
    }
}

int
main(int argc, char **argv)
{
    static const struct protocol *const protocols[] = { &fastcgi_protocol,
                                                        &scgi_protocol,
                                                        &http_protocol };
    pthread_t thread;

    for (size_t i = 0; argc > 2 && i < 3; i++) {
        if (strcmp(protocols[i]->name, argv[1]) == 0) {
            protocol = protocols[i];
        }
    }
    if (protocol == NULL || (argc < 4 && protocol != &http_protocol)) {
        fprintf(stderr, "usage: constant fastcgi|scgi unix:PATH FILE [MS]\n"
                        "       constant http PORT\n");
        return 2;
    }
    if (argc > 3) {
        read_answer(argv[3]);
    }
    if (argc > 4) {
        delay.tv_nsec = atol(argv[4]) * 1000000;
    }
    signal(SIGPIPE, SIG_IGN);
    listener = listen_on(argv[2]);
    for (int i = 1; i < THREADS; i++) {
        if (pthread_create(&thread, NULL, run, NULL) != 0) {
            return 1;
        }
    }
    run(NULL);
    return 0;
}
