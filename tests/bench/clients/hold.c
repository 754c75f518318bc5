/*
 * Holds uploads in flight, slow and never complete, until it is killed:
 *
 *   hold PORT COUNT PREFIX BYTES STEP INTERVAL
 *
 * Sends COUNT uploads PREFIX-0, PREFIX-1, ... of SIZE bytes to /upload, each as
 * far as BYTES, says "holding", and from then on sends STEP bytes of each every
 * INTERVAL ms, but never the last. What is closed by the server is told on
 * standard error. Source addresses 127.0.0.2 and up, for more connections than
 * one has ports.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SIZE = 9999999,
    PER_ADDRESS = 8192,
    BLOCK = 1 << 20,
};

struct upload {
    int fd; /* -1 once it was closed */
    long sent_bytes;
};

static char zeros[BLOCK];

static void
closed(struct upload *u, long number)
{
    fprintf(stderr, "hold: upload %ld was closed after %ld bytes: %s\n", number,
            u->sent_bytes, strerror(errno));
    close(u->fd);
    u->fd = -1;
}

static int
connect_from(long number, int port)
{
    struct sockaddr_in from = { .sin_family = AF_INET };
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    from.sin_addr.s_addr =
        htonl(INADDR_LOOPBACK + 1 + (uint32_t)(number / PER_ADDRESS));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 },
               sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("hold: connect");
        exit(1);
    }
    return fd;
}

static void
send_body(struct upload *u, long number, long bytes, int flags)
{
    while (bytes > 0) {
        ssize_t sent =
            send(u->fd, zeros, (size_t)(bytes < BLOCK ? bytes : BLOCK),
                 MSG_NOSIGNAL | flags);

        if (sent < 0) {
            if (errno != EAGAIN) {
                closed(u, number);
            }
            return;
        }
        u->sent_bytes += sent;
        bytes -= sent;
    }
}

static void
begin(struct upload *u, long number, int port, const char *prefix, long bytes)
{
    char head[512];
    int len = snprintf(head, sizeof(head),
                       "POST /upload?X-Progress-ID=%s-%ld HTTP/1.1\r\n"
                       "Host: 127.0.0.1\r\nContent-Length: %d\r\n\r\n",
                       prefix, number, SIZE);

    u->fd = connect_from(number, port);
    if (send(u->fd, head, (size_t)len, MSG_NOSIGNAL) != len) {
        closed(u, number);
        return;
    }
    send_body(u, number, bytes, 0);
}

static void
step(struct upload *u, long number, long bytes)
{
    char answer[256];

    if (u->fd < 0) {
        return;
    }
    if (recv(u->fd, answer, sizeof(answer), MSG_DONTWAIT) >= 0) {
        errno = ECONNRESET; /* whatever it says, it is not in flight */
        closed(u, number);
    } else if (u->sent_bytes + bytes < SIZE) {
        send_body(u, number, bytes, MSG_DONTWAIT);
    }
}

int
main(int argc, char **argv)
{
    long count = argc == 7 ? atol(argv[2]) : 0;
    long step_bytes = argc == 7 ? atol(argv[5]) : 0;
    long interval_ms = argc == 7 ? atol(argv[6]) : 0;
    struct timespec tick = { .tv_nsec = 10000000 };
    long ticks = interval_ms / 10;
    struct upload *uploads;

    if (count <= 0 || ticks <= 0) {
        fprintf(stderr, "usage: hold PORT COUNT PREFIX BYTES STEP INTERVAL\n");
        return 2;
    }
    uploads = calloc((size_t)count, sizeof(*uploads));
    if (uploads == NULL) {
        return 1;
    }
    for (long i = 0; i < count; i++) {
        begin(&uploads[i], i, atoi(argv[1]), argv[3], atol(argv[4]));
    }
    printf("holding\n");
    fflush(stdout);
    /* Every tick has its share of them, so that they do not move all at once.
     */
    for (long at = 0;; at = (at + 1) % ticks) {
        nanosleep(&tick, NULL);
        for (long i = at; i < count; i += ticks) {
            step(&uploads[i], i, step_bytes);
        }
    }
}
