/* upload-progressd: the command line, and the life of the daemon. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "daemon.h"
#include "log.h"

#ifndef VERSION
#define VERSION "unknown"
#endif

static const char usage[] =
    "Usage: upload-progressd [-htv] [-c FILE]\n"
    "\n"
    "  -c FILE  read the configuration from FILE; without it the built-in\n"
    "           one is used\n"
    "  -h       show this help\n"
    "  -t       test the configuration and exit\n"
    "  -v       show the version\n";

struct options {
    const char *file; /* NULL: the built-in configuration */
    bool test;
};

/* Returns -1 to go on, else the exit status. */
static int
read_options(int argc, char **argv, struct options *options)
{
    int option;

    /* Before there are threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((option = getopt(argc, argv, "c:htv")) != -1) {
        switch (option) {
        case 'c':
            options->file = optarg;
            break;
        case 't':
            options->test = true;
            break;
        case 'v':
            puts("upload-progressd version: upload-progressd/" VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_FAILURE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "upload-progressd: invalid option: \"%s\"\n",
                argv[optind]);
        return EXIT_FAILURE;
    }
    return -1;
}

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

static int
write_pid(const char *path)
{
    FILE *stream = fopen(path, "we");
    bool written = false;

    if (stream != NULL) {
        written = fprintf(stream, "%d\n", (int)getpid()) > 0;
        written = fclose(stream) == 0 && written;
    }
    if (!written) {
        log_write(LOG_EMERG, "open() \"%s\" failed (%d: %m)", path, errno);
    }
    return written ? 0 : -1;
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

static void
wait_for_stop(const sigset_t *set)
{
    int number = 0;

    while (number != SIGTERM && number != SIGINT && number != SIGQUIT) {
        if (sigwait(set, &number) != 0) {
            break;
        }
    }
    log_write(LOG_NOTICE, "signal %d received, stopping", number);
}

static int
run(const struct config *config)
{
    struct daemon *daemon;
    sigset_t signals;
    int status = EXIT_FAILURE;

    if (log_open(config->error_log, config->error_log_level) < 0) {
        log_write(LOG_EMERG, "open() \"%s\" failed (%d: %m)", config->error_log,
                  errno);
        return EXIT_FAILURE;
    }
    raise_descriptor_limit();
    daemon = daemon_new(config);
    if (daemon == NULL) {
        return EXIT_FAILURE;
    }
    block_signals(&signals); /* after libfcgi, which installs handlers */
    if (daemon_start(daemon) == 0 && write_pid(config->pid) == 0) {
        log_write(LOG_NOTICE, "upload-progressd/" VERSION " started");
        wait_for_stop(&signals);
        status = EXIT_SUCCESS;
    }
    daemon_free(daemon);
    unlink(config->pid);
    return status;
}

int
main(int argc, char **argv)
{
    struct options options = { .file = NULL };
    struct config *config;
    char *message;
    int status = read_options(argc, argv, &options);

    if (status >= 0) {
        return status;
    }
    config = config_load(options.file, &message);
    if (config == NULL) {
        fprintf(stderr, "upload-progressd: [emerg] %s\n", message);
        free(message);
        return EXIT_FAILURE;
    }
    if (options.test) {
        fprintf(stderr,
                "upload-progressd: configuration file %s test is successful\n",
                options.file ? options.file : "(built-in)");
        status = EXIT_SUCCESS;
    } else {
        status = run(config);
    }
    config_free(config);
    return status;
}
