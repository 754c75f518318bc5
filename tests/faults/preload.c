/*
 * Faults from within the process, for LD_PRELOAD:
 *
 *   FAULT_CLOCK=FILE    the wall clock is off by as many seconds as FILE says;
 *                       CLOCK_MONOTONIC is left alone, as by settimeofday(2)
 *   FAULT_NETLINK=FILE  while FILE exists there are no netlink sockets: EPERM
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long
offset_s(void)
{
    char text[32] = "";
    const char *path = getenv("FAULT_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    if (fd >= 0) {
        close(fd);
    }
    return len > 0 ? atol(text) : 0;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    int result;

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    result = real(clock, now);
    if (clock == CLOCK_REALTIME && result == 0) {
        now->tv_sec += offset_s();
    }
    return result;
}

time_t
time(time_t *to)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (to != NULL) {
        *to = now.tv_sec;
    }
    return now.tv_sec;
}

int
socket(int domain, int type, int protocol)
{
    static int (*real)(int, int, int);
    const char *path = getenv("FAULT_NETLINK");

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "socket");
    }
    if (domain == AF_NETLINK && path != NULL && access(path, F_OK) == 0) {
        errno = EPERM;
        return -1;
    }
    return real(domain, type, protocol);
}
