/* The nginx that is installed: what it says of itself. Not thread-safe. */
#ifndef SIDECAR_NGINX_PROGRAM_H
#define SIDECAR_NGINX_PROGRAM_H

#include <stdbool.h>

#include "buffer.h"

/* How nginx was built, as "nginx -V" tells; texts are to be freed. */
struct nginx_build {
    int version[3]; /* 0.0.0: not told */
    bool realip;    /* has the realip module */
    bool mirror;    /* has the mirror module */
    char *prefix; /* that relative names of files other than ours start from */
    char *pid;    /* the defaults of directives; with the prefix in front */
    char *error_log;
    char *access_log;
};

/* Where nginx is, in PATH or where packages put it; to be freed, or NULL. */
char *nginx_program_find(void);

/*
 * Runs the program with the arguments, which end with NULL and begin with its
 * name, and appends what it writes. Returns its exit status, 128 and the
 * number of the signal that ended it, or -1 with errno set.
 */
int nginx_program_run(const char *program, const char *const *args,
                      struct buffer *out, struct buffer *err)
    __attribute__((warn_unused_result));

/* Reads the output of "nginx -V", of len bytes. */
void nginx_build_read(struct nginx_build *build, const char *text, size_t len);

void nginx_build_release(struct nginx_build *build);

#endif
