/* Whether the running daemon and the running nginx can see each other. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "alloc.h"
#include "check_internal.h"
#include "process.h"

/* The two, and what the second is called: it may be us in its place. */
struct pair {
    struct process worker; /* of nginx */
    struct process daemon;
    const char *daemon_name;
    bool daemon_runs;
};

/* nginx's pid file; to be freed, or NULL. */
static char *
pid_file(const struct check *check)
{
    const struct nginx_node *pid = nginx_holding(&check->tree->root, "pid");
    const char *name = pid != NULL ? pid->args[1] : NULL;

    if (name == NULL || strcmp(name, "off") == 0) {
        return name == NULL ? alloc_string(check->build->pid) : NULL;
    }
    return name[0] == '/' ? alloc_string(name)
                          : alloc_format("%s/%s", check->build->prefix, name);
}

static int
find_worker(struct check *check, struct process *worker)
{
    char *file = pid_file(check);
    struct process master;
    int result = -1;

    if (file != NULL && process_find(&master, file, "nginx") == 0) {
        result = process_child(worker, master.pid, "nginx: worker process");
        if (result < 0) { /* "master_process off" */
            *worker = master;
            result = 0;
        }
    } else {
        check_report(check, FINDING_NOTICE, NULL, NULL,
                     "not checked: the users and namespaces of nginx and "
                     "upload-progressd, for no nginx runs by %s",
                     file != NULL ? file : "a pid file");
    }
    free(file);
    return result;
}

static int
find_daemon(struct check *check, struct pair *pair)
{
    pair->daemon_name = "upload-progressd";
    pair->daemon_runs =
        process_find(&pair->daemon, check->config->pid, "upload-progress") == 0;
    if (pair->daemon_runs) {
        return 0;
    }
    check_report(check, FINDING_NOTICE, NULL, NULL,
                 "not checked: the user and namespaces of upload-progressd, "
                 "for none runs by %s: those of this check stand for them",
                 check->config->pid);
    pair->daemon_name = "this check";
    return process_read(&pair->daemon, getpid());
}

/* The name of a user, or the number; to be freed. */
static char *
user_name(unsigned user)
{
    char memory[4096];
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwuid_r((uid_t)user, &entry, memory, sizeof(memory), &found) != 0 ||
        found == NULL) {
        return alloc_format("%u", user);
    }
    return alloc_string(found->pw_name);
}

static void
check_user(struct check *check, const struct pair *pair)
{
    char *worker;
    char *daemon;

    if (process_sees_files(&pair->daemon, &pair->worker)) {
        return;
    }
    worker = user_name(pair->worker.users[1]);
    daemon = user_name(pair->daemon.users[1]);
    check_report(
        check, FINDING_WARN, NULL,
        alloc_format("run it so: runuser -u %s -- upload-progressd", worker),
        "%s runs as user %s, group %u, the workers of nginx as %s, "
        "group %u: their temporary files cannot be seen",
        pair->daemon_name, daemon, pair->daemon.groups[1], worker,
        pair->worker.groups[1]);
    free(worker);
    free(daemon);
}

static bool
has_loopback_syslog(const struct config *config)
{
    for (const struct listen_config *l = config->listens; l; l = l->next) {
        if (l->protocol == LISTEN_SYSLOG && address_path(&l->address) == NULL) {
            return true;
        }
    }
    return false;
}

static void
check_namespaces(struct check *check, const struct pair *pair)
{
    pid_t worker = pair->worker.pid;
    pid_t daemon = pair->daemon.pid;
    int net = process_shares(worker, daemon, "net");
    int pid = process_shares(worker, daemon, "pid");

    if (net < 0 || pid < 0) {
        check_report(check, FINDING_NOTICE, NULL,
                     alloc_string("run this check as root"),
                     "not checked: whether nginx and %s share their namespaces",
                     pair->daemon_name);
    }
    if (net == 0) {
        check_report(
            check, FINDING_WARN, NULL,
            alloc_string(has_loopback_syslog(check->config)
                             ? "join them, or have log lines come by a socket "
                               "file: listen unix:FILE syslog"
                             : "join them"),
            "nginx and %s have different network namespaces: the counts of the "
            "clients' sockets are missing%s",
            pair->daemon_name,
            has_loopback_syslog(check->config)
                ? ", and log lines to 127.0.0.1 do not arrive"
                : "");
    }
    if (pid == 0) {
        check_report(check, FINDING_WARN, NULL, alloc_string("join them"),
                     "nginx and %s have different PID namespaces: temporary "
                     "files cannot be seen",
                     pair->daemon_name);
    }
}

static void
check_socket(struct check *check, const struct pair *pair, const char *path)
{
    int len = 0;
    int error = 0;
    char *worker;

    if (process_may_connect(&pair->worker, path, &len) < 0) {
        error = errno;
    }
    worker = user_name(pair->worker.users[1]);
    if (error == ENOENT) {
        check_report(check, FINDING_EMERG, NULL,
                     alloc_string("make the folder one that both have"),
                     "nginx does not see %.*s, where upload-progressd listens",
                     len, path);
    } else if (error == EACCES) {
        check_report(check, FINDING_EMERG, NULL,
                     alloc_format(path[len] != '\0'
                                      ? "give it to that user: chown %s: %.*s"
                                      : "run upload-progressd as %s, which "
                                        "then owns %.*s",
                                  worker, len, path),
                     "the user of nginx's workers, %s, may not %s %.*s", worker,
                     path[len] != '\0' ? "search" : "connect to", len, path);
    }
    free(worker);
}

static void
check_sockets(struct check *check, const struct pair *pair)
{
    if (!pair->daemon_runs) {
        return;
    }
    for (const struct listen_config *l = check->config->listens; l;
         l = l->next) {
        const char *path = address_path(&l->address);

        if (path != NULL && path[0] == '/') {
            check_socket(check, pair, path);
        }
    }
}

void
check_processes(struct check *check)
{
    struct pair pair = { .daemon_runs = false };

    if (check->build == NULL) {
        check_report(check, FINDING_NOTICE, NULL, NULL,
                     "not checked: nginx's version, modules, users and "
                     "namespaces, for its configuration came by standard "
                     "input");
        return;
    }
    if (find_worker(check, &pair.worker) == 0 &&
        find_daemon(check, &pair) == 0) {
        check_user(check, &pair);
        check_namespaces(check, &pair);
        check_sockets(check, &pair);
    }
}
