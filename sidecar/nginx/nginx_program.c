/* Running nginx. */
#include "nginx_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"

enum { OUTPUT_BYTES_MAX = 64 << 20 };

char *
nginx_program_find(void)
{
    /* Before there are threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *path = getenv("PATH");
    char *folders =
        alloc_format("%s:/usr/sbin:/usr/local/sbin:/sbin:/usr/local/nginx/sbin",
                     path ? path : "");
    char *found = NULL;
    char *rest = folders;
    char *folder;

    while (found == NULL && (folder = strsep(&rest, ":")) != NULL) {
        char *file = alloc_format("%s/nginx", folder);

        if (folder[0] == '/' && access(file, X_OK) == 0) {
            found = file;
        } else {
            free(file);
        }
    }
    free(folders);
    return found;
}

/* Returns 0 at the end, -1 on an error. */
static int
take_output(struct pollfd *pipe_end, struct buffer *out)
{
    ssize_t len;

    buffer_reserve(out, 65536);
    len = read(pipe_end->fd, out->data + out->len, 65536);
    if (len < 0) {
        return errno == EINTR ? 1 : -1;
    }
    out->len += (size_t)len;
    if (out->len > OUTPUT_BYTES_MAX) {
        errno = EFBIG;
        return -1;
    }
    return len > 0;
}

/* Both at once, or the program waits for one while we wait for the other. */
static int
take_outputs(int out_fd, int err_fd, struct buffer *out, struct buffer *err)
{
    struct pollfd ends[2] = { { .fd = out_fd, .events = POLLIN },
                              { .fd = err_fd, .events = POLLIN } };
    int open_ends = 2;

    while (open_ends > 0) {
        if (poll(ends, 2, -1) < 0 && errno != EINTR) {
            return -1;
        }
        for (int i = 0; i < 2; i++) {
            int more = ends[i].fd >= 0 && ends[i].revents != 0
                           ? take_output(&ends[i], i == 0 ? out : err)
                           : 1;

            if (more < 0) {
                return -1;
            }
            if (more == 0) {
                ends[i].fd = -1; /* poll() leaves it out */
                open_ends--;
            }
        }
    }
    return 0;
}

static void
run_child(const char *program, const char *const *args, int out_fd, int err_fd)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
        dup2(out_fd, STDOUT_FILENO) >= 0 && dup2(err_fd, STDERR_FILENO) >= 0) {
        union {
            const char *const *constant;
            char *const *given;
        } words = { .constant = args }; /* execv() does not change them */

        execv(program, words.given);
    }
    fprintf(stderr, "execv() \"%s\" failed (%d: %s)\n", program, errno,
            strerrordesc_np(errno));
    _exit(127);
}

static int
wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
nginx_program_run(const char *program, const char *const *args,
                  struct buffer *out, struct buffer *err)
{
    int out_pipe[2] = { -1, -1 };
    int err_pipe[2] = { -1, -1 };
    int status = -1;
    int error;
    pid_t pid = -1;

    if (pipe2(out_pipe, O_CLOEXEC) == 0 && pipe2(err_pipe, O_CLOEXEC) == 0) {
        fflush(NULL);
        pid = fork();
        if (pid == 0) {
            run_child(program, args, out_pipe[1], err_pipe[1]);
        }
    }
    error = errno;
    close(out_pipe[1]); /* or their ends never come */
    close(err_pipe[1]);
    if (pid > 0) {
        status = take_outputs(out_pipe[0], err_pipe[0], out, err);
        error = errno;
    }
    close(out_pipe[0]); /* a program that goes on writing ends by that */
    close(err_pipe[0]);
    if (pid > 0) {
        int ended = wait_for(pid);

        status = status == 0 ? ended : -1;
    }
    errno = error;
    return status;
}

/* The value of an argument of configure, or NULL; to be freed. */
static char *
argument(const char *text, const char *name)
{
    const char *found = strstr(text, name);

    return found != NULL ? alloc_copy(found + strlen(name),
                                      strcspn(found + strlen(name), " '\n"))
                         : NULL;
}

/* A file that was set when nginx was built; to be freed. */
static char *
built_in(const char *text, const char *prefix, const char *name,
         const char *otherwise)
{
    char *value = argument(text, name);
    char *full;

    if (value == NULL) {
        value = alloc_string(otherwise);
    }
    if (value[0] == '/' || strcmp(value, "stderr") == 0) {
        return value;
    }
    full = alloc_format("%s/%s", prefix, value);
    free(value);
    return full;
}

void
nginx_build_read(struct nginx_build *build, const char *text, size_t len)
{
    char *copy = alloc_copy(text ? text : "", len);
    const char *name = strstr(copy, "nginx version: ");
    const char *slash = name != NULL ? strchr(name, '/') : NULL;

    if (slash == NULL || sscanf(slash, "/%d.%d.%d", &build->version[0],
                                &build->version[1], &build->version[2]) != 3) {
        memset(build->version, 0, sizeof(build->version));
    }
    build->realip = strstr(copy, "--with-http_realip_module") != NULL;
    build->mirror = strstr(copy, "--without-http_mirror_module") == NULL;
    build->prefix = argument(copy, "--prefix=");
    if (build->prefix == NULL) {
        build->prefix = alloc_string("/usr/local/nginx");
    }
    build->pid = built_in(copy, build->prefix, "--pid-path=", "logs/nginx.pid");
    build->error_log =
        built_in(copy, build->prefix, "--error-log-path=", "logs/error.log");
    build->access_log =
        built_in(copy, build->prefix, "--http-log-path=", "logs/access.log");
    free(copy);
}

void
nginx_build_release(struct nginx_build *build)
{
    free(build->prefix);
    free(build->pid);
    free(build->error_log);
    free(build->access_log);
    memset(build, 0, sizeof(*build));
}
