/* Which system calls the daemon may make. */
#include "call_filter.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

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

/* Names that the architecture, or libseccomp, does not know are passed over. */
/* clang-format off */
static const char *const allowed[] = {
    /* The process and its threads, the program anew. */
    "arch_prctl", "brk", "clone3", "execve", "execveat", "exit", "exit_group",
    "fork", "futex", "futex_time64", "futex_waitv", "get_robust_list",
    "get_thread_area", "getcpu", "membarrier", "prctl", "restart_syscall",
    "riscv_flush_icache", "rseq", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min",
    "sched_yield", "seccomp", "set_robust_list", "set_thread_area",
    "set_tid_address", "set_tls", "vfork", "wait4", "waitid", "waitpid",
    /* Memory. */
    "cacheflush", "madvise", "mincore", "mlock", "mlock2", "mlockall", "mmap",
    "mmap2", "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap",
    /* Who and where we are; the limits. */
    "capget", "getegid", "getegid32", "geteuid", "geteuid32", "getgid",
    "getgid32", "getgroups", "getgroups32", "getpgid", "getpgrp", "getpid",
    "getppid", "getpriority", "getrandom", "getresgid", "getresgid32",
    "getresuid", "getresuid32", "getrlimit", "getrusage", "getsid", "gettid",
    "getuid", "getuid32", "prlimit64", "setpgid", "setrlimit", "setsid",
    "sysinfo", "times", "ugetrlimit", "umask", "uname",
    /* Signals. */
    "kill", "pause", "pidfd_open", "pidfd_send_signal", "rt_sigaction",
    "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
    "rt_tgsigqueueinfo", "sigaction", "sigaltstack", "signalfd", "signalfd4",
    "sigpending", "sigprocmask", "sigreturn", "sigsuspend", "tgkill", "tkill",
    /* Time. */
    "alarm", "clock_getres", "clock_getres_time64", "clock_gettime",
    "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "getitimer",
    "gettimeofday", "nanosleep", "setitimer", "time", "timer_create",
    "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64",
    "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime",
    "timerfd_gettime64", "timerfd_settime", "timerfd_settime64",
    /* Descriptors. */
    "close", "close_range", "dup", "dup2", "dup3", "epoll_create",
    "epoll_create1", "epoll_ctl", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2",
    "fcntl", "fcntl64", "inotify_add_watch", "inotify_init", "inotify_init1",
    "inotify_rm_watch", "memfd_create", "pipe", "pipe2", "poll", "ppoll",
    "ppoll_time64", "pselect6", "pselect6_time64", "select", "_newselect",
    /* Reading and writing. */
    "copy_file_range", "fadvise64", "fadvise64_64", "arm_fadvise64_64",
    "fallocate", "fdatasync", "flock", "fsync", "ftruncate", "ftruncate64",
    "lseek", "_llseek", "pread64", "preadv", "preadv2", "pwrite64", "pwritev",
    "pwritev2", "read", "readahead", "readv", "sendfile", "sendfile64", "sync",
    "sync_file_range", "sync_file_range2", "syncfs", "write", "writev",
    /* Files. */
    "access", "chdir", "chmod", "chown", "chown32", "creat", "faccessat",
    "faccessat2", "fchdir", "fchmod", "fchmodat", "fchown", "fchown32",
    "fchownat", "fgetxattr", "flistxattr", "fstat", "fstat64", "fstatat64",
    "fstatfs", "fstatfs64", "futimesat", "getcwd", "getdents", "getdents64",
    "getxattr", "lchown", "lchown32", "lgetxattr", "link", "linkat",
    "listxattr", "llistxattr", "lstat", "lstat64", "mkdir", "mkdirat",
    "newfstatat", "open", "openat", "openat2", "readlink", "readlinkat",
    "rename", "renameat", "renameat2", "rmdir", "stat", "stat64", "statfs",
    "statfs64", "statx", "symlink", "symlinkat", "truncate", "truncate64",
    "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes",
    /* Sockets; socket(2) itself is looked at below. */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname",
    "getsockopt", "listen", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64",
    "recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt",
    "shutdown", "socketpair",
#if SANITIZED
    /* ThreadSanitizer starts its program anew without random addresses,
     * LeakSanitizer looks at the threads from another process. */
    "personality", "ptrace",
#endif
};
/* clang-format on */

/* None of those that put input into a terminal, or set up a device. */
static const unsigned ioctls[] = { TCGETS,  TIOCGWINSZ, FIONREAD,
                                   FIONBIO, FIOCLEX,    FIONCLEX };
static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
/* The kernel's word on sockets, and on addresses, for getaddrinfo(3). */
static const int netlinks[] = { NETLINK_SOCK_DIAG, NETLINK_ROUTE };

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

scmp_filter_ctx
call_filter_clone3(void)
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

scmp_filter_ctx
call_filter_new(void)
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
