/* Processes of this machine, over /proc. Not thread-safe. */
#ifndef SIDECAR_PROCESS_H
#define SIDECAR_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_GROUPS_MAX = 64 };

struct process {
    pid_t pid;
    pid_t parent;
    long inner_pid;     /* in its own PID namespace */
    char name[32];      /* as in /proc/PID/comm */
    unsigned users[4];  /* real, effective, saved, of files */
    unsigned groups[4]; /* the same */
    unsigned more_groups[PROCESS_GROUPS_MAX];
    int more_group_count;
    uint64_t capabilities; /* effective */
};

/* Returns 0, or -1 if there is none or it cannot be read. */
int process_read(struct process *process, pid_t pid)
    __attribute__((warn_unused_result));

/*
 * The process whose number is in a file, if its name begins so; also one whose
 * number is meant in another PID namespace. Returns as process_read().
 */
int process_find(struct process *process, const char *pid_file,
                 const char *name) __attribute__((warn_unused_result));

/* A child whose command line begins so. Returns as process_read(). */
int process_child(struct process *process, pid_t parent, const char *title)
    __attribute__((warn_unused_result));

/*
 * Whether two processes share a namespace: "net", "pid" or "mnt". Returns -1
 * if that cannot be seen.
 */
int process_shares(pid_t a, pid_t b, const char *name);

/* Whether it can look at the files that another has open. */
bool process_sees_files(const struct process *process,
                        const struct process *other);

/*
 * Whether it may connect to a Unix-domain socket, by modes and owners. If not,
 * returns -1 with errno, and the length of the part of the path that stands in
 * the way.
 */
int process_may_connect(const struct process *process, const char *path,
                        int *len) __attribute__((warn_unused_result));

#endif
