/*
 * Faults from within the process, for LD_PRELOAD:
 *
 *   FAULT_CLOCK=FILE    the wall clock is off by as many seconds as FILE says;
 *                       CLOCK_MONOTONIC is left alone, as by settimeofday(2)
 *   FAULT_NETLINK=FILE  while FILE exists there are no netlink sockets: EPERM
 *   FAULT_CALLS=FILE    tries system calls that a daemon has no use for and
 *                       says "WHEN: CALL ERROR" of each on standard error:
 *                       "before" at the start of the program; once FILE exists,
 *                       "main" in the main thread and "thread" in another one
 *   FAULT_SECCOMP=1     no filter of system calls can be loaded: EINVAL
 *   FAULT_GROUPS=FILE   while FILE exists no netlink group can be joined: EPERM
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
    if ((clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) &&
        result == 0) {
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

/*
 * Without a filter each succeeds or fails for its arguments, for root and for
 * others, and has no effect.
 */
static const struct {
    const char *name;
    long number;
    long arguments[3];
} calls[] = {
    { "setuid", SYS_setuid, { -1 } },
    { "setresuid", SYS_setresuid, { -1, -1, -1 } },
    { "unshare", SYS_unshare, { 0 } },
    { "setns", SYS_setns, { -1 } },
    { "clone(NEWUSER)", SYS_clone, { CLONE_NEWUSER | CLONE_THREAD } },
    { "clone3", SYS_clone3, { 0 } },
    { "process_vm_readv", SYS_process_vm_readv, { 0 } },
    { "pidfd_getfd", SYS_pidfd_getfd, { -1 } },
    { "keyctl", SYS_keyctl, { -1 } },
    { "io_uring_setup", SYS_io_uring_setup, { 0 } },
    { "mount_setattr", SYS_mount_setattr, { -1, 0, -1 } },
    { "socket(ALG)", SYS_socket, { AF_ALG, -1 } },
    { "socket(PACKET)", SYS_socket, { AF_PACKET, -1 } },
    { "socket(NETFILTER)", SYS_socket, { AF_NETLINK, -1, NETLINK_NETFILTER } },
    { "socket(UNIX)", SYS_socket, { AF_UNIX, -1 } },
    { "ioctl(TIOCSTI)", SYS_ioctl, { -1, TIOCSTI } },
    { "future", 500, { 0 } },
};

static void
try_calls(const char *when)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        const long *arguments = calls[i].arguments;
        long result = syscall(calls[i].number, arguments[0], arguments[1],
                              arguments[2], 0L, 0L);

        dprintf(STDERR_FILENO, "%s: %s %s\n", when, calls[i].name,
                result < 0 ? strerrorname_np(errno) : "0");
    }
}

static void
try_calls_once(const char *when, atomic_flag *tried)
{
    const char *path = getenv("FAULT_CALLS");
    int error = errno;

    if (path != NULL && access(path, F_OK) == 0 &&
        !atomic_flag_test_and_set(tried)) {
        try_calls(when);
    }
    errno = error;
}

__attribute__((constructor)) static void
try_calls_before(void)
{
    if (getenv("FAULT_CALLS") != NULL) {
        try_calls("before");
    }
}

/* The main thread sleeps in this one, the I/O threads in the next one. */
int
sigtimedwait(const sigset_t *signals, siginfo_t *info,
             const struct timespec *timeout)
{
    static int (*real)(const sigset_t *, siginfo_t *, const struct timespec *);
    static atomic_flag tried = ATOMIC_FLAG_INIT;

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "sigtimedwait");
    }
    try_calls_once("main", &tried);
    return real(signals, info, timeout);
}

int
epoll_wait(int set, struct epoll_event *events, int count, int timeout_ms)
{
    static atomic_flag tried = ATOMIC_FLAG_INIT;

    try_calls_once("thread", &tried);
    return epoll_pwait(set, events, count, timeout_ms, NULL);
}

int
seccomp_load(const scmp_filter_ctx filter)
{
    static int (*real)(const scmp_filter_ctx);

    if (getenv("FAULT_SECCOMP") != NULL) {
        return -EINVAL;
    }
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "seccomp_load");
    }
    return real(filter);
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    static int (*real)(int, int, int, const void *, socklen_t);
    const char *path = getenv("FAULT_GROUPS");

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "setsockopt");
    }
    if (level == SOL_NETLINK && name == NETLINK_ADD_MEMBERSHIP &&
        path != NULL && access(path, F_OK) == 0) {
        errno = EPERM;
        return -1;
    }
    return real(fd, level, name, value, len);
}
