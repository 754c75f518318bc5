/*
 * Giving up rights: capabilities, new privileges, system calls.
 *
 * A filter cannot be taken off again, and execve(2) keeps it: it holds for the
 * program of a later version that SIGUSR2 starts, too. So what is allowed are
 * whole groups of calls that any daemon of this kind may come to need, for its
 * start as well, and not the calls of this version alone. Refused calls fail
 * and end nothing, as one that was overlooked is to cost a function and not
 * the service. The kernel logs each, where it has an audit log.
 */
#include "hardening.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc.h"
#include "log.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum {
    CALLS_MAX = 1024,  /* no system call has a higher number */
    FUTURE_CALLS = 64, /* so many are taken for calls of later kernels */
};

#define VALUE_MASK 0xffffffffu /* the kernel takes these arguments as int */
#define NAMESPACES                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Of the program that is replaced: the digest of its filter. */
static const char variable[] = "UPLOAD_PROGRESSD_FILTER";

/* Names that the architecture, or libseccomp, does not know are passed over.
 * clang-format off */
static const char *const allowed[] = {
    /* The process and its threads, the program anew. */
    "arch_prctl",
    "brk",
    "clone3",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "fork",
    "futex",
    "futex_time64",
    "futex_waitv",
    "get_robust_list",
    "get_thread_area",
    "getcpu",
    "membarrier",
    "prctl",
    "restart_syscall",
    "riscv_flush_icache",
    "rseq",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_yield",
    "seccomp",
    "set_robust_list",
    "set_thread_area",
    "set_tid_address",
    "set_tls",
    "vfork",
    "wait4",
    "waitid",
    "waitpid",
    /* Memory. */
    "cacheflush",
    "madvise",
    "mincore",
    "mlock",
    "mlock2",
    "mlockall",
    "mmap",
    "mmap2",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munlockall",
    "munmap",
    /* Who and where we are; the limits. */
    "capget",
    "getegid",
    "getegid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getgroups",
    "getgroups32",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresgid32",
    "getresuid",
    "getresuid32",
    "getrlimit",
    "getrusage",
    "getsid",
    "gettid",
    "getuid",
    "getuid32",
    "prlimit64",
    "setpgid",
    "setrlimit",
    "setsid",
    "sysinfo",
    "times",
    "ugetrlimit",
    "umask",
    "uname",
    /* Signals. */
    "kill",
    "pause",
    "pidfd_open",
    "pidfd_send_signal",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "rt_tgsigqueueinfo",
    "sigaction",
    "sigaltstack",
    "signalfd",
    "signalfd4",
    "sigpending",
    "sigprocmask",
    "sigreturn",
    "sigsuspend",
    "tgkill",
    "tkill",
    /* Time. */
    "alarm",
    "clock_getres",
    "clock_getres_time64",
    "clock_gettime",
    "clock_gettime64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "getitimer",
    "gettimeofday",
    "nanosleep",
    "setitimer",
    "time",
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_gettime64",
    "timer_settime",
    "timer_settime64",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_gettime64",
    "timerfd_settime",
    "timerfd_settime64",
    /* Descriptors. */
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_ctl_old",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "epoll_wait_old",
    "eventfd",
    "eventfd2",
    "fcntl",
    "fcntl64",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "memfd_create",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "ppoll_time64",
    "pselect6",
    "pselect6_time64",
    "select",
    "_newselect",
    "splice",
    "tee",
    "vmsplice",
    /* Reading and writing. */
    "copy_file_range",
    "fadvise64",
    "fadvise64_64",
    "arm_fadvise64_64",
    "fallocate",
    "fdatasync",
    "flock",
    "fsync",
    "ftruncate",
    "ftruncate64",
    "lseek",
    "_llseek",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readv",
    "sendfile",
    "sendfile64",
    "sync",
    "sync_file_range",
    "sync_file_range2",
    "syncfs",
    "write",
    "writev",
    /* Files. */
    "access",
    "chdir",
    "chmod",
    "chown",
    "chown32",
    "creat",
    "faccessat",
    "faccessat2",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchown32",
    "fchownat",
    "fgetxattr",
    "flistxattr",
    "fstat",
    "fstat64",
    "fstatat64",
    "fstatfs",
    "fstatfs64",
    "futimesat",
    "getcwd",
    "getdents",
    "getdents64",
    "getxattr",
    "lchown",
    "lchown32",
    "lgetxattr",
    "link",
    "linkat",
    "listxattr",
    "llistxattr",
    "lstat",
    "lstat64",
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "readlink",
    "readlinkat",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "stat",
    "stat64",
    "statfs",
    "statfs64",
    "statx",
    "symlink",
    "symlinkat",
    "truncate",
    "truncate64",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimensat_time64",
    "utimes",
    /* Sockets; socket(2) itself is looked at below. */
    "accept",
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "recv",
    "recvfrom",
    "recvmmsg",
    "recvmmsg_time64",
    "recvmsg",
    "send",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socketpair",
#if SANITIZED
    /* ThreadSanitizer starts its program anew without random addresses,
     * LeakSanitizer looks at the threads from another process. */
    "personality",
    "ptrace",
#endif
};
/* clang-format on */

/*
 * These are served by no kernel for a descriptor or as a flag that the daemon
 * has use for: putting input into a terminal, above all.
 */
static const unsigned ioctls[] = { TCGETS,  TIOCGWINSZ, FIONREAD,
                                   FIONBIO, FIOCLEX,    FIONCLEX };
static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
/* The kernel's word on sockets, and on addresses, for getaddrinfo(3). */
static const int netlinks[] = { NETLINK_SOCK_DIAG, NETLINK_ROUTE };

void
hardening_bound_capabilities(void)
{
    int number = 0;

    while (prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0) {
        /* Where a container has kept CAP_SETPCAP for itself, no new privileges
         * has the same effect. */
        if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) {
            log_write(LOG_NOTICE,
                      "the bounding set of capabilities stays as it is "
                      "(%d: %m)",
                      errno);
            return;
        }
        number++;
    }
}

int
hardening_clear_capabilities(void)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

    memset(none, 0, sizeof(none));
    /* Kernels before 4.3 do not know of ambient capabilities. */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 &&
        errno != EINVAL) {
        return -1;
    }
    return (int)syscall(SYS_capset, &header, none);
}

/* Allows a system call by its name, under conditions on its arguments. */
static int
allow(scmp_filter_ctx filter, const char *name, unsigned count,
      const struct scmp_arg_cmp *conditions)
{
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR
               ? 0
               : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count,
                                        conditions);
}

static struct scmp_arg_cmp
argument_is(unsigned argument, unsigned value)
{
    return (struct scmp_arg_cmp){ argument, SCMP_CMP_MASKED_EQ, VALUE_MASK,
                                  value };
}

/* What is allowed with some arguments only. */
static int
allow_conditions(scmp_filter_ctx filter)
{
#ifdef __s390__
    const unsigned clone_flags = 1;
#else
    const unsigned clone_flags = 0;
#endif
    struct scmp_arg_cmp conditions[2] = {
        { clone_flags, SCMP_CMP_MASKED_EQ, NAMESPACES, 0 },
    };
    int result = allow(filter, "clone", 1, conditions);

    for (size_t i = 0;
         result == 0 && i < sizeof(families) / sizeof(families[0]); i++) {
        conditions[0] = argument_is(0, (unsigned)families[i]);
        result = allow(filter, "socket", 1, conditions);
    }
    for (size_t i = 0;
         result == 0 && i < sizeof(netlinks) / sizeof(netlinks[0]); i++) {
        conditions[0] = argument_is(0, AF_NETLINK);
        conditions[1] = argument_is(2, (unsigned)netlinks[i]);
        result = allow(filter, "socket", 2, conditions);
    }
    for (size_t i = 0; result == 0 && i < sizeof(ioctls) / sizeof(ioctls[0]);
         i++) {
        conditions[0] = argument_is(1, ioctls[i]);
        result = allow(filter, "ioctl", 1, conditions);
    }
    return result;
}

/*
 * A C library that is newer than libseccomp tries calls that this does not
 * know, and does without them for ENOSYS, but not for EPERM.
 */
static int
miss_future_calls(scmp_filter_ctx filter)
{
    int last = 0;
    int result = 0;

    for (int number = 0; number < CALLS_MAX; number++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

        last = name != NULL ? number : last;
        free(name);
    }
    for (int number = last + 1;
         result == 0 && last > 0 && number <= last + FUTURE_CALLS; number++) {
        result = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), number,
                                        0, NULL);
    }
    return result;
}

static scmp_filter_ctx
filter_new(uint32_t action)
{
    scmp_filter_ctx filter = seccomp_init(action);

    if (filter == NULL) {
        return NULL;
    }
    /* What a kernel or libseccomp lacks of these, it does without: threads
     * start later, but for those of a sanitizer; no other program's code runs
     * within this process, so it need not run slower for it. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
                           SCMP_ACT_ERRNO(EPERM));
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
    return filter;
}

/*
 * Its flags are in memory, where no filter sees them, and may ask for a
 * namespace; for ENOSYS the C library takes clone(2). It tries at each start of
 * a thread: in a filter of its own this is not logged.
 */
static scmp_filter_ctx
clone3_filter(void)
{
    scmp_filter_ctx filter = filter_new(SCMP_ACT_ALLOW);
    int number = seccomp_syscall_resolve_name("clone3");

    if (filter != NULL && number != __NR_SCMP_ERROR &&
        seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0,
                               NULL) != 0) {
        seccomp_release(filter);
        filter = NULL;
    }
    return filter;
}

static scmp_filter_ctx
calls_filter(void)
{
    scmp_filter_ctx filter = filter_new(SCMP_ACT_ERRNO(EPERM));
    int result = 0;

    if (filter == NULL) {
        return NULL;
    }
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    for (size_t i = 0; result == 0 && i < sizeof(allowed) / sizeof(allowed[0]);
         i++) {
        result = allow(filter, allowed[i], 0, NULL);
    }
    if (result != 0 || allow_conditions(filter) != 0 ||
        miss_future_calls(filter) != 0) {
        seccomp_release(filter);
        filter = NULL;
    }
    return filter;
}

/* FNV-1a over the filter as the kernel gets it; *digest goes on. */
static int
add_digest(scmp_filter_ctx filter, uint64_t *digest)
{
    unsigned char bytes[512];
    ssize_t len = -1;
    int fd = memfd_create("filter", MFD_CLOEXEC);

    if (fd >= 0 && seccomp_export_bpf(filter, fd) == 0 &&
        lseek(fd, 0, SEEK_SET) == 0) {
        while ((len = read(fd, bytes, sizeof(bytes))) > 0) {
            for (ssize_t i = 0; i < len; i++) {
                *digest = (*digest ^ bytes[i]) * UINT64_C(0x100000001b3);
            }
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return len == 0 ? 0 : -1;
}

static char *
digest_of(scmp_filter_ctx *filters, size_t count)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < count; i++) {
        if (filters[i] == NULL || add_digest(filters[i], &digest) < 0) {
            return NULL;
        }
    }
    return alloc_format("%016" PRIx64, digest);
}

/* One more of the same would slow down each call, and there is room for some
 * dozens only. */
static bool
is_in_force(const char *digest, bool replaced)
{
    /* Before there are threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *before = getenv(variable);

    if (!replaced || before == NULL || prctl(PR_GET_SECCOMP) == 0) {
        return false;
    }
    if (strcmp(before, digest) == 0) {
        return true;
    }
    log_write(LOG_NOTICE,
              "the program before had another filter of system calls, which "
              "holds beside this one until the daemon is stopped and started");
    return false;
}

static int
load(scmp_filter_ctx *filters, size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        result = seccomp_load(filters[i]);
    }
    return result;
}

void
hardening_restrict(bool replaced)
{
    scmp_filter_ctx filters[] = { clone3_filter(), calls_filter() };
    const size_t count = sizeof(filters) / sizeof(filters[0]);
    char *digest = digest_of(filters, count);
    int result = 0;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        log_write(LOG_WARNING, "new privileges cannot be given up (%d: %m)",
                  errno);
    }
    if (digest == NULL) {
        log_write(LOG_WARNING, "system calls are not filtered: libseccomp "
                               "cannot make the filter");
    } else if (!is_in_force(digest, replaced)) {
        result = load(filters, count);
        if (result != 0) {
            log_write(LOG_WARNING, "system calls are not filtered (%d: %s)",
                      -result, strerrordesc_np(-result));
        }
    }
    /* Before there are threads. NOLINTBEGIN(concurrency-mt-unsafe) */
    if (digest != NULL && result == 0) {
        setenv(variable, digest, 1);
    } else {
        unsetenv(variable);
    }
    /* NOLINTEND(concurrency-mt-unsafe) */
    for (size_t i = 0; i < count; i++) {
        seccomp_release(filters[i]);
    }
    free(digest);
}
