/*
 * Sends the log lines of uploads' ends, or the starts of uploads that never
 * end, faster than any nginx would:
 *
 *   flood udp:PORT|unix:PATH|scgi:PATH COUNT [PREFIX [RATE [ID_LENGTH]]]
 *
 * COUNT of them, of IDs PREFIX-0, PREFIX-1, ...; RATE a second, 0 for as fast
 * as can be. IDs are filled up to ID_LENGTH. As nginx's, the socket for lines
 * does not block; a start waits for its answer. Prints
 * "sent N refused N seconds S".
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
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, LINE_SIZE = 1536, ID_SIZE = 256 };

static double
now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
open_socket(const char *target)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd;

    if (strncmp(target, "unix:", 5) == 0) {
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        strncpy(un.sun_path, target + 5, sizeof(un.sun_path) - 1);
        return fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0
                   ? fd
                   : -1;
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    in.sin_port = htons((uint16_t)atoi(target + 4));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0 ? fd
                                                                           : -1;
}

static void
make_id(char id[ID_SIZE], const char *prefix, long number, int id_length)
{
    int len = snprintf(id, ID_SIZE, "%s-%ld", prefix, number);

    while (len < id_length && len < ID_SIZE - 1) {
        id[len++] = 'x';
    }
    id[len] = '\0';
}

/* The line of http.conf's log_format, as nginx sends it. */
static size_t
make_line(char *line, const char *prefix, long number, int id_length)
{
    char id[ID_SIZE];
    struct timespec wall;

    make_id(id, prefix, number, id_length);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (size_t)snprintf(
        line, LINE_SIZE,
        "<190>Jan  5 12:34:56 upload_progress: zone=\"\" host=\"127.0.0.1\" "
        "uri=\"/upload\" id=\"-\" arg=\"%s\" request_id=\"%032lx\" pid=\"1\" "
        "connection=\"%ld\" connection_requests=\"1\" status=\"200\" "
        "content_length=\"10000\" request_length=\"10200\" "
        "header_length=\"200\" transfer_encoding=\"-\" protocol=\"HTTP/1.1\" "
        "https=\"\" msec=\"%ld.%03ld\" request_time=\"0.010\"",
        id, number + 1, number + 1, (long)wall.tv_sec, wall.tv_nsec / 1000000);
}

static long
send_batch(int fd, struct mmsghdr *messages, unsigned count)
{
    unsigned done = 0;
    long refused = 0;

    while (done < count) {
        int sent = sendmmsg(fd, messages + done, count - done, 0);

        if (sent > 0) {
            done += (unsigned)sent;
        } else if (errno == EAGAIN || errno == ENOBUFS ||
                   errno == ECONNREFUSED) {
            done++; /* nginx would not try again */
            refused++;
        } else if (errno != EINTR) {
            perror("sendmmsg");
            exit(1);
        }
    }
    return refused;
}

/* Appends "NAME NUL VALUE NUL". */
static size_t
put_param(char *to, const char *name, const char *value)
{
    size_t name_size = strlen(name) + 1;
    size_t value_size = strlen(value) + 1;

    memcpy(to, name, name_size);
    memcpy(to + name_size, value, value_size);
    return name_size + value_size;
}

/* One start, as event-params.conf has it; returns whether it was answered. */
static bool
send_start(const char *path, const char *prefix, long number, int id_length)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    char params[LINE_SIZE];
    char request[LINE_SIZE + 16];
    char id[ID_SIZE];
    char attempt[33];
    char connection[24];
    char msec[32];
    struct timespec wall;
    size_t len = 0;
    int request_len;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bool answered;

    /* In no order, as IDs are: pages that are filled in order are fuller. */
    make_id(id, prefix, (long)((uint32_t)number * 2654435761U), id_length);
    snprintf(attempt, sizeof(attempt), "%016lx%016lx",
             (unsigned long)number * 0x9e3779b97f4a7c15UL, number + 1);
    clock_gettime(CLOCK_REALTIME, &wall);
    snprintf(msec, sizeof(msec), "%ld.%03ld", (long)wall.tv_sec,
             wall.tv_nsec / 1000000);
    snprintf(connection, sizeof(connection), "%ld", number + 1);
    len += put_param(params + len, "CONTENT_LENGTH", "0");
    len += put_param(params + len, "SCGI", "1");
    len += put_param(params + len, "UPLOAD_PROGRESS_EVENT", "start");
    len += put_param(params + len, "UPLOAD_PROGRESS_ARG", id);
    len += put_param(params + len, "UPLOAD_PROGRESS_REQUEST_ID", attempt);
    len += put_param(params + len, "UPLOAD_PROGRESS_PID", "1");
    len += put_param(params + len, "UPLOAD_PROGRESS_CONNECTION", connection);
    len += put_param(params + len, "UPLOAD_PROGRESS_CONTENT_LENGTH", "10000");
    len += put_param(params + len, "UPLOAD_PROGRESS_MSEC", msec);
    request_len = snprintf(request, sizeof(request), "%zu:", len);
    memcpy(request + request_len, params, len);
    request[(size_t)request_len + len] = ',';
    strncpy(un.sun_path, path, sizeof(un.sun_path) - 1);
    answered = fd >= 0 &&
               connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 &&
               write(fd, request, (size_t)request_len + len + 1) > 0 &&
               read(fd, request, sizeof(request)) > 0;
    if (fd >= 0) {
        close(fd);
    }
    return answered;
}

static int
send_starts(const char *path, long count, const char *prefix, int id_length)
{
    double began = now_s();
    long refused = 0;

    for (long i = 0; i < count; i++) {
        refused += !send_start(path, prefix, i, id_length);
    }
    printf("sent %ld refused %ld seconds %.2f\n", count - refused, refused,
           now_s() - began);
    return 0;
}

int
main(int argc, char **argv)
{
    static char lines[BATCH][LINE_SIZE];
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    long count = argc > 2 ? atol(argv[2]) : 0;
    const char *prefix = argc > 3 ? argv[3] : "flood";
    double rate = argc > 4 ? atof(argv[4]) : 0;
    int id_length = argc > 5 ? atoi(argv[5]) : 0;
    unsigned at_once = rate > 0 ? 4 : BATCH;
    double began = now_s();
    long refused = 0;
    int fd;

    if (argc > 2 && strncmp(argv[1], "scgi:", 5) == 0) {
        return send_starts(argv[1] + 5, count, prefix, id_length);
    }
    fd = argc > 2 ? open_socket(argv[1]) : -1;
    if (fd < 0) {
        fprintf(stderr, "flood: %s: %s\n", argc > 1 ? argv[1] : "no address",
                strerror(errno));
        return 1;
    }
    memset(messages, 0, sizeof(messages));
    for (long at = 0; at < count;) {
        unsigned batch = 0;

        while (rate > 0 && (double)at > (now_s() - began) * rate) {
            usleep(500);
        }
        for (; batch < at_once && at < count; batch++, at++) {
            vectors[batch].iov_base = lines[batch];
            vectors[batch].iov_len =
                make_line(lines[batch], prefix, at, id_length);
            messages[batch].msg_hdr.msg_iov = &vectors[batch];
            messages[batch].msg_hdr.msg_iovlen = 1;
        }
        refused += send_batch(fd, messages, batch);
    }
    printf("sent %ld refused %ld seconds %.2f\n", count - refused, refused,
           now_s() - began);
    return 0;
}
