/*
 * What one measurement costs:
 *
 *   gauges COUNT FOLDER
 *
 * A child holds COUNT accepted connections, another as many removed files of
 * FOLDER, as a worker of nginx does. Each is measured once by the daemon's own
 * gauge, and once by the least that could do: the same question to sock_diag(7)
 * on an open socket, fstat(2) on a descriptor of one's own. Prints
 * NAME=microseconds for one, and wrong=N of measurements that had another
 * result than expected.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "socket_gauge.h"
#include "spool_gauge.h"

enum {
    SENT = 1000, /* bytes of each connection, which nobody reads */
    FILE_SIZE = 20000,
    FIRST = 1000000000, /* temporary files are numbers of ten digits */
    FINDS = 20,
    OWN_FILES = 100,
    HELD = 1000,
    TOGETHER = 16,
    STEP = 7919 /* through all, in no order; a prime */
};

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
};

static long count;
static const char *folder;
static pid_t children[2]; /* of connections, of files */
static uint16_t port;
static struct upload_socket *sockets;
static struct spool *spools;
static int own_files[OWN_FILES];
static long wrong;

static double
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void
die(const char *what)
{
    perror(what);
    exit(1); /* the children end with it */
}

static void
file_name(char *name, size_t size, long number)
{
    snprintf(name, size, "%s/%ld", folder, FIRST + number);
}

static int
listen_any(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) < 0 ||
        listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&in, &len) < 0) {
        die("listen");
    }
    port = ntohs(in.sin_port);
    return fd;
}

static void
hold_files(int listener)
{
    char name[512];

    (void)listener;
    prctl(PR_SET_NAME, "nginx"); /* files of others are not looked at */
    for (long i = 0; i < count; i++) {
        int fd;

        file_name(name, sizeof(name), i);
        fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd < 0 || ftruncate(fd, FILE_SIZE) < 0 || unlink(name) < 0) {
            die(name);
        }
    }
}

static void
hold_connections(int listener)
{
    for (long i = 0; i < count; i++) {
        if (accept(listener, NULL, NULL) < 0) {
            die("accept");
        }
    }
}

/* A child, which tells by a byte when it holds all; returns where to read it.
 */
static int
start_child(pid_t *child, void (*hold)(int), int listener)
{
    int ready[2];

    if (pipe(ready) < 0 || (*child = fork()) < 0) {
        die("fork");
    }
    if (*child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        hold(listener);
        (void)!write(ready[1], "1", 1);
        pause();
        _exit(1);
    }
    close(ready[1]);
    return ready[0];
}

static void
open_connection(long number)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t len = sizeof(in);
    char bytes[SENT] = "";
    char remote[8];
    char local[8];
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in.sin_port = htons(port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&in, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&in, &len) < 0 ||
        send(fd, bytes, SENT, 0) != SENT) {
        die("connect");
    }
    snprintf(remote, sizeof(remote), "%u", (unsigned)ntohs(in.sin_port));
    snprintf(local, sizeof(local), "%u", (unsigned)port);
    if (socket_gauge_address(&sockets[number], "127.0.0.1", remote, "127.0.0.1",
                             local) < 0) {
        die("socket_gauge_address");
    }
}

static void
open_own_file(int number)
{
    char name[512];

    snprintf(name, sizeof(name), "%s/own", folder);
    own_files[number] = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (own_files[number] < 0 || ftruncate(own_files[number], FILE_SIZE) < 0 ||
        unlink(name) < 0) {
        die(name);
    }
}

static void
open_all(void)
{
    int listener = listen_any();
    int ready[2] = {
        start_child(&children[0], hold_connections, listener),
        start_child(&children[1], hold_files, listener),
    };
    char byte;

    for (long i = 0; i < count; i++) {
        open_connection(i);
        file_name(spools[i].path, sizeof(spools[i].path), i);
        spools[i].pid = children[1];
        spools[i].fd = spools[i].held_fd = -1;
    }
    for (int i = 0; i < OWN_FILES; i++) {
        open_own_file(i);
    }
    for (int i = 0; i < 2; i++) {
        if (read(ready[i], &byte, 1) != 1) {
            die("a child");
        }
    }
}

static void
read_socket(long i)
{
    int64_t bytes = -1;

    /* Nothing is read of what was sent. */
    wrong +=
        socket_gauge_read(&sockets[i], &bytes) != SOCKET_OPEN || bytes != 0;
}

/* As for probes that are answered together; beginning with i, every STEP. */
static void
read_together(long i)
{
    static int left;

    if (left == 0) {
        socket_gauge_foreseen();
        for (left = 0; left < TOGETHER; left++) {
            socket_gauge_foresee(&sockets[(i + left * STEP) % count]);
        }
    }
    left--;
    read_socket(i);
}

static void
read_diag(long i)
{
    static int netlink = -1;
    struct question question = {
        .header = { .nlmsg_len = sizeof(question),
                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST },
        .request = { .sdiag_family = AF_INET,
                     .sdiag_protocol = IPPROTO_TCP,
                     .idiag_ext = 1 << (INET_DIAG_INFO - 1),
                     .idiag_states = UINT32_MAX },
    };
    char answer[1024] __attribute__((aligned(8)));
    const struct nlmsghdr *header = (const struct nlmsghdr *)answer;

    if (netlink < 0) {
        netlink =
            socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    }
    question.request.id.idiag_sport = htons(sockets[i].local_port);
    question.request.id.idiag_dport = htons(sockets[i].remote_port);
    memcpy(question.request.id.idiag_src, sockets[i].local, 4);
    memcpy(question.request.id.idiag_dst, sockets[i].remote, 4);
    question.request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    question.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    wrong += send(netlink, &question, sizeof(question), 0) < 0 ||
             recv(netlink, answer, sizeof(answer), 0) <
                 (ssize_t)sizeof(struct inet_diag_msg) ||
             header->nlmsg_type != SOCK_DIAG_BY_FAMILY;
}

/* One file among all descriptors of the worker, as when it is new. */
static void
find_spool(long i)
{
    spools[i].fd = -1;
    wrong += spool_gauge_find(children[1], &spools[i], 1) != SPOOL_OPEN ||
             spools[i].fd < 0;
}

static void
read_spool(long i)
{
    int64_t bytes = -1;

    wrong += spool_gauge_read(&spools[i], &bytes) != SPOOL_OPEN ||
             bytes != FILE_SIZE;
}

/* As the daemon does for as many as it has descriptors for. */
static void
hold_some(void)
{
    for (int i = 0; i < HELD && i < count; i++) {
        spools[i].held_fd = spool_gauge_hold(&spools[i]);
        wrong += spools[i].held_fd < 0;
    }
}

/* For a probe. */
static void
read_held(long i)
{
    wrong += spool_gauge_held_bytes((int)spools[i % HELD].held_fd) != FILE_SIZE;
}

/* For the timer. */
static void
look_at_held(long i)
{
    read_spool(i % HELD);
}

/* And for the others. */
static void
mark_all(void)
{
    for (long i = 0; i < count; i++) {
        spools[i].held_fd = spool_gauge_mark(&spools[i]);
        wrong += spools[i].held_fd == -1;
    }
}

static void
read_fstat(long i)
{
    struct stat st = { .st_size = -1 };

    wrong +=
        fstat(own_files[i % OWN_FILES], &st) < 0 || st.st_size != FILE_SIZE;
}

static void
measure(const char *name, void (*read_one)(long), long times)
{
    double began;

    /* Once before, or who comes first pays for what is not in the caches. */
    for (long i = 0; i < times; i++) {
        read_one(i * STEP % count);
    }
    began = now_us();
    for (long i = 0; i < times; i++) {
        read_one(i * STEP % count);
    }
    printf("%s=%.3f ", name, (now_us() - began) / (double)times);
}

static void
find_all(void)
{
    for (long at = 0; at < count; at += 1000) {
        int some = (int)(count - at < 1000 ? count - at : 1000);

        wrong += spool_gauge_find(children[1], spools + at, some) != SPOOL_OPEN;
    }
}

int
main(int argc, char **argv)
{
    count = argc == 3 ? atol(argv[1]) : 0;
    folder = argc == 3 ? argv[2] : "";
    if (count <= 0) {
        fprintf(stderr, "usage: gauges COUNT FOLDER\n");
        return 2;
    }
    sockets = calloc((size_t)count, sizeof(*sockets));
    spools = calloc((size_t)count, sizeof(*spools));
    if (sockets == NULL || spools == NULL) {
        return 1;
    }
    open_all();
    find_all();
    measure("sock_diag", read_diag, count);
    measure("socket_gauge", read_socket, count);
    measure("socket_gauge_together", read_together, count);
    socket_gauge_foreseen();
    measure("fstat", read_fstat, count);
    measure("spool_gauge_named", read_spool, count);
    mark_all();
    measure("spool_gauge_marked", read_spool, count);
    hold_some();
    measure("spool_gauge_held", read_held, count);
    measure("spool_gauge_look", look_at_held, count);
    measure("spool_gauge_find", find_spool, FINDS);
    printf("wrong=%ld\n", wrong);
    return 0;
}
