/*
 * What the signals do, as nginx's:
 *
 *   TERM, INT  stop at once         HUP   the configuration anew
 *   QUIT       stop when idle       USR1  the log anew
 *                                   USR2  the program anew
 *
 * All of them are the main thread's, which sleeps in sigtimedwait(2). The
 * program is replaced by execve(2) in this very process, so its number, and
 * whoever watches over it, stay; sockets and uploads are passed on.
 */
#include "lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "daemon.h"
#include "fatal.h"
#include "hardening.h"
#include "inherited.h"
#include "io.h"
#include "log.h"
#include "paths.h"
#include "state.h"

enum {
    TEST_TIMEOUT_MS = 10000, /* for a new program to test the configuration */
    WAKE_MS = 1000,          /* the main thread looks around this often */
};

struct lifecycle {
    const struct lifecycle_source *source;
    struct daemon *daemon;
    const struct config *config; /* the daemon's */
    sigset_t signals;
    int64_t saved_ms;    /* when the state was saved last */
    int64_t watchdog_ms; /* of systemd; 0: none */
    int64_t watched_ms;  /* when it was told last */
    int ready_fd;        /* of the process that is to be told; -1: none */
    char *pid;           /* the PID file that is ours; NULL: none yet */
};

/* Each upload and each kept connection takes descriptors: all we may have. */
static void
raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/*
 * Whoever wakes us goes on first: nginx then hands several requests over at a
 * time, which costs both far less than one by one. Waiting answers have their
 * share of the cores all the same. Another policy is somebody's wish.
 */
static void
let_nginx_run(void)
{
    static const struct sched_param none = { .sched_priority = 0 };

    if (sched_getscheduler(0) == SCHED_OTHER) {
        /* Refused at worst, as under a filter; then all is as it was. */
        (void)sched_setscheduler(0, SCHED_BATCH, &none);
    }
}

/* Writes the configured file; removes the one of before, if it is another. */
static int
write_pid(struct lifecycle *life, const char *path)
{
    FILE *stream = fopen(path, "we");
    bool written = false;

    if (stream != NULL) {
        written = fprintf(stream, "%d\n", (int)getpid()) > 0;
        written = fclose(stream) == 0 && written;
    }
    if (!written) {
        log_write(LOG_EMERG, "open() \"%s\" failed (%d: %m)", path, errno);
        return -1;
    }
    if (life->pid != NULL && strcmp(life->pid, path) != 0) {
        unlink(life->pid);
    }
    free(life->pid);
    life->pid = alloc_string(path);
    return 0;
}

/* Blocks what we wait for, in this and all later threads. */
static void
block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGQUIT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Whoever waits for the end of our output is not to wait for the daemon's. */
static void
leave_terminal(const struct config *config)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        if (strcmp(config->error_log, "stderr") != 0) {
            dup2(null, STDERR_FILENO);
        }
        close(null);
    }
}

/*
 * Leaves the parent behind, which tells by its status whether the start went
 * well. Before there are threads. Returns 0 in the child.
 */
static int
go_to_background(struct lifecycle *life, const struct config *config)
{
    int ends[2];
    char ready = 0;

    if (pipe(ends) < 0) {
        log_write(LOG_EMERG, "pipe() failed (%d: %m)", errno);
        return -1;
    }
    switch (fork()) {
    case -1:
        log_write(LOG_EMERG, "fork() failed (%d: %m)", errno);
        return -1;
    case 0:
        close(ends[0]);
        life->ready_fd = ends[1];
        setsid();
        leave_terminal(config);
        return 0;
    default:
        close(ends[1]);
        _exit(read(ends[0], &ready, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
}

/* The parent, and systemd, wait for this. */
static void
tell_ready(struct lifecycle *life)
{
    if (life->ready_fd >= 0) {
        if (write(life->ready_fd, "1", 1) < 0) {
            log_write(LOG_ERR, "write() failed (%d: %m)", errno);
        }
        close(life->ready_fd);
        life->ready_fd = -1;
    }
    sd_notify(0, "READY=1\nSTATUS=running");
}

static void
give(const char *path, const struct passwd *user, gid_t gid)
{
    if (chown(path, user->pw_uid, gid) < 0 && errno != ENOENT) {
        log_write(LOG_WARNING, "chown() \"%s\" failed (%d: %m)", path, errno);
    }
}

/* What was made by root, and what the user has to open again. */
static void
give_files(const struct config *config, const struct passwd *user, gid_t gid)
{
    for (const struct listen_config *l = config->listens; l; l = l->next) {
        if (address_path(&l->address) != NULL &&
            l->access.uid == UNIX_SOCKET_SAME_USER &&
            l->access.gid == UNIX_SOCKET_SAME_GROUP) {
            give(address_path(&l->address), user, gid);
        }
    }
    give(config->pid, user, gid);
    if (strcmp(config->error_log, "stderr") != 0) {
        give(config->error_log, user, gid);
    }
    if (config->state_file != NULL) {
        give(config->state_file, user, gid);
    }
}

/* Takes the rights of the configured user, for good. */
static int
drop_privileges(const struct config *config)
{
    /* Before there are threads. NOLINTBEGIN(concurrency-mt-unsafe) */
    const struct passwd *user;
    const struct group *group = NULL;
    gid_t gid;

    if (config->user == NULL) {
        return 0;
    }
    if (geteuid() != 0) {
        log_write(LOG_WARNING,
                  "the \"user\" directive makes sense only if the daemon is "
                  "started by root, ignored");
        return 0;
    }
    user = getpwnam(config->user);
    group = config->group != NULL ? getgrnam(config->group) : NULL;
    /* NOLINTEND(concurrency-mt-unsafe) */
    if (user == NULL || (config->group != NULL && group == NULL)) {
        log_write(LOG_EMERG, "user \"%s\" is not known any more", config->user);
        return -1;
    }
    gid = group != NULL ? group->gr_gid : user->pw_gid;
    give_files(config, user, gid);
    hardening_bound_capabilities();
    if (initgroups(config->user, gid) < 0 || setgid(gid) < 0 ||
        setuid(user->pw_uid) < 0 || hardening_clear_capabilities() < 0) {
        log_write(LOG_EMERG, "the rights of \"%s\" cannot be taken (%d: %m)",
                  config->user, errno);
        return -1;
    }
    return 0;
}

/* Where the configuration says where to log; else all stays as it is. */
static int
open_log(const struct config *config)
{
    if (log_open(config->error_log, config->error_log_level) < 0) {
        log_write(LOG_EMERG, "open() \"%s\" failed (%d: %m)", config->error_log,
                  errno);
        return -1;
    }
    return 0;
}

/* Takes the new configuration over, while all is stopped. */
static int
apply(struct lifecycle *life, struct config *config)
{
    if (open_log(config) < 0 || daemon_configure(life->daemon, config) < 0) {
        (void)open_log(life->config);
        return -1;
    }
    life->config = config;
    /* The daemon serves by the new one; the old file tells its number still. */
    (void)write_pid(life, config->pid);
    return 0;
}

/* HUP. The new configuration holds as a whole, or the old one does. */
static void
reload(struct lifecycle *life)
{
    char *message = NULL;
    struct config *config =
        config_load(life->source->file, life->source->globals, &message);

    if (config == NULL) {
        log_write(LOG_EMERG, "%s; the configuration stays as it is", message);
        free(message);
        return;
    }
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, io_now_ms() * 1000);
    daemon_stop(life->daemon);
    if (apply(life, config) == 0) {
        log_write(LOG_NOTICE, "configuration reloaded");
    } else {
        config_free(config);
        log_write(LOG_EMERG, "the configuration stays as it is");
    }
    if (daemon_start(life->daemon) < 0) {
        abort(); /* threads that ran a moment ago */
    }
    sd_notify(0, "READY=1");
}

/* Waits for a child at most so long. Returns its status, or -1. */
static int
wait_for(pid_t child, int64_t timeout_ms)
{
    int64_t end_ms = io_now_ms() + timeout_ms;
    int status = -1;

    while (waitpid(child, &status, WNOHANG) == 0) {
        if (io_now_ms() > end_ms) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    return status;
}

/* Has the new program test the configuration, with our options. */
static bool
passes_test(const struct lifecycle *life)
{
    size_t count = 0;
    char **argv;
    pid_t child;
    int status;
    sigset_t none;

    while (life->source->argv[count] != NULL) {
        count++;
    }
    argv = alloc_zeroed(count + 2, sizeof(char *));
    memcpy(argv, life->source->argv, count * sizeof(char *));
    argv[count] = alloc_string("-t");
    child = fork();
    if (child == 0) {
        sigemptyset(&none);
        pthread_sigmask(SIG_SETMASK, &none, NULL);
        execvp(argv[0], argv);
        _exit(EXIT_FAILURE);
    }
    status = child < 0 ? -1 : wait_for(child, TEST_TIMEOUT_MS);
    free(argv[count]);
    free(argv);
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static void
pass_socket(void *context, int fd, bool given)
{
    (void)context;
    inherited_pass(fd, given);
}

/*
 * USR2. Returns only if the program could not be replaced; then all goes on.
 * Connections are closed by it: nginx repeats a request that it had just sent
 * on a kept one.
 */
static void
replace(struct lifecycle *life)
{
    sigset_t none;
    int fd;

    if (!passes_test(life)) {
        log_write(LOG_EMERG, "\"%s -t\" fails, the program is not replaced",
                  life->source->argv[0]);
        return;
    }
    daemon_drain(life->daemon);
    daemon_stop(life->daemon);
    fd = state_pass(daemon_store(life->daemon));
    if (fd >= 0) {
        inherited_pass_state(fd);
    }
    daemon_each_socket(life->daemon, pass_socket, NULL);
    log_write(LOG_NOTICE, "replacing the program");
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, io_now_ms() * 1000);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    execvp(life->source->argv[0], life->source->argv);
    pthread_sigmask(SIG_BLOCK, &life->signals, NULL);
    log_write(LOG_EMERG, "execve() \"%s\" failed (%d: %m)",
              life->source->argv[0], errno);
    inherited_pass_none();
    if (fd >= 0) {
        close(fd);
    }
    if (daemon_start(life->daemon) < 0) {
        abort(); /* threads that ran a moment ago */
    }
    sd_notify(0, "READY=1");
}

/* What has to be done now and then. */
static void
look_around(struct lifecycle *life)
{
    int64_t now_ms = io_now_ms();

    if (life->config->state_file != NULL &&
        now_ms - life->saved_ms >= life->config->state_interval_ms) {
        state_save(daemon_store(life->daemon), life->config->state_file);
        life->saved_ms = io_now_ms();
    }
    /* Only while the other threads do their work, too. */
    if (life->watchdog_ms > 0 &&
        now_ms - life->watched_ms >= life->watchdog_ms / 2 &&
        daemon_is_alive(life->daemon, now_ms)) {
        sd_notify(0, "WATCHDOG=1");
        life->watched_ms = now_ms;
    }
}

/* Returns the signal that ends the daemon. */
static int
serve(struct lifecycle *life)
{
    const struct timespec wake = { .tv_sec = WAKE_MS / 1000 };

    for (;;) {
        int number = sigtimedwait(&life->signals, NULL, &wake);

        switch (number) {
        case SIGTERM:
        case SIGINT:
        case SIGQUIT:
            return number;
        case SIGHUP:
            log_write(LOG_NOTICE, "signal %d received, reloading", number);
            reload(life);
            break;
        case SIGUSR1:
            if (log_reopen() < 0) {
                log_write(LOG_ERR, "the log cannot be opened anew: %m");
            }
            break;
        case SIGUSR2:
            log_write(LOG_NOTICE, "signal %d received, testing a new program",
                      number);
            replace(life);
            break;
        default:
            look_around(life);
            break;
        }
    }
}

static void
take_state(struct lifecycle *life)
{
    int fd = inherited_take_state();

    if (fd >= 0) {
        state_inherit(daemon_store(life->daemon), fd);
    } else if (life->config->state_file != NULL) {
        state_load(daemon_store(life->daemon), life->config->state_file);
    }
    inherited_close();
}

static void
stop(struct lifecycle *life, int number)
{
    log_write(LOG_NOTICE, "signal %d received, stopping", number);
    sd_notify(0, "STOPPING=1");
    if (number == SIGQUIT) {
        daemon_drain(life->daemon);
    }
    daemon_stop(life->daemon);
    if (life->config->state_file != NULL) {
        state_save(daemon_store(life->daemon), life->config->state_file);
    }
}

static int
start(struct lifecycle *life, struct config *config)
{
    uint64_t watchdog_us = 0;
    bool replaced = inherited_init();

    raise_descriptor_limit();
    let_nginx_run();
    if (config->key_is_public) {
        log_write(LOG_WARNING, "%s", CONFIG_PUBLIC_KEY);
    }
    if (config->daemon && !replaced && go_to_background(life, config) < 0) {
        config_free(config);
        return -1;
    }
    life->config = config;
    life->daemon = daemon_new(config);
    if (life->daemon == NULL) {
        return -1;
    }
    block_signals(&life->signals); /* after libfcgi, which installs handlers */
    fatal_log_signals();
    take_state(life);
    if (write_pid(life, config->pid) < 0 ||
        (!replaced && drop_privileges(config) < 0)) {
        return -1;
    }
    hardening_restrict(replaced);
    if (daemon_start(life->daemon) < 0) {
        return -1;
    }
    if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
        life->watchdog_ms = (int64_t)(watchdog_us / 1000);
    }
    life->saved_ms = io_now_ms();
    tell_ready(life);
    log_write(LOG_NOTICE, "upload-progressd/" VERSION " started");
    return 0;
}

int
lifecycle_run(struct config *config, const struct lifecycle_source *source)
{
    struct lifecycle life = { .source = source, .ready_fd = -1 };
    int status = EXIT_FAILURE;

    if (open_log(config) < 0) {
        config_free(config);
        return EXIT_FAILURE;
    }
    if (start(&life, config) == 0) {
        stop(&life, serve(&life));
        status = EXIT_SUCCESS;
    }
    daemon_free(life.daemon);
    if (life.pid != NULL) {
        unlink(life.pid);
        free(life.pid);
    }
    return status;
}
