/* upload-progressd: the command line, and the life of the daemon. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_nginx.h"
#include "config.h"
#include "import.h"
#include "lifecycle.h"
#include "log.h"
#include "paths.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static const char usage[] =
    "Usage: upload-progressd [-?hvVtT] [-s signal] [-c file] [-g directives]\n"
    "       upload-progressd --import nginx.conf\n"
    "       upload-progressd [-c file] [-g directives] --check-nginx "
    "[nginx.conf | -]\n"
    "\n"
    "  -?,-h          this help\n"
    "  -v             show version and exit\n"
    "  -V             show version and build options and exit\n"
    "  -t             test configuration and exit\n"
    "  -T             test configuration, dump it and exit\n"
    "  -s signal      send a signal to the running daemon: stop, quit, reload,\n"
    "                 reopen\n"
    "  -c file        the configuration (default: the built-in one)\n"
    "  -g directives  directives in front of those of the file\n"
    "  --import file  print what the nginx configuration has for the module, "
    "for us\n"
    "  --check-nginx [file]  say what nginx's configuration lacks for uploads "
    "to be\n"
    "                 tracked; \"-\" reads the output of nginx -T\n";

struct options {
    const char *file;    /* NULL: the built-in configuration */
    const char *globals; /* NULL: none */
    const char *signal;  /* NULL: none */
    const char *import;  /* an nginx configuration; NULL: none */
    const char *checked; /* the same; NULL: nginx's default one */
    bool check;
    bool test;
    bool dump;
};

static void
show_version(bool build)
{
    fputs("upload-progressd version: upload-progressd/" VERSION "\n", stderr);
    if (build) {
        fprintf(stderr,
                "built by " COMPILER "\n"
                "built with SQLite " SQLITE_VERSION
                " (running with %s), jansson " JANSSON_VERSION "\n"
                "build options: RUNDIR=" RUNDIR " EVENT_ADDRESS=" EVENT_ADDRESS
                "\n",
                sqlite3_libversion());
    }
}

static int
refuse_option(const char *what, const char *option)
{
    fprintf(stderr, "upload-progressd: invalid %s: \"%s\"\n", what, option);
    return EXIT_FAILURE;
}

enum { OPTION_IMPORT = 256, OPTION_CHECK_NGINX }; /* no letters */

static const struct option long_options[] = {
    { "import", required_argument, NULL, OPTION_IMPORT },
    { "check-nginx", optional_argument, NULL, OPTION_CHECK_NGINX },
    { NULL, 0, NULL, 0 },
};

/* getopt() answers '?' to "-?" as to what it does not know. */
static int
show_usage(const char *word)
{
    bool wanted = (optopt == '?' || optopt == 0) && strncmp(word, "--", 2) != 0;

    fputs(usage, wanted ? stdout : stderr);
    return wanted ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Returns -1 to go on, else the exit status. */
static int
read_options(int argc, char **argv, struct options *options)
{
    int option;

    /* Before there are threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((option = getopt_long(argc, argv, "?hvVtTs:c:g:", long_options,
                                 NULL)) != -1) {
        switch (option) {
        case OPTION_IMPORT:
            options->import = optarg;
            break;
        case OPTION_CHECK_NGINX:
            options->check = true;
            options->checked = optarg;
            break;
        case 'c':
            options->file = optarg;
            break;
        case 'g':
            options->globals = optarg;
            break;
        case 's':
            options->signal = optarg;
            break;
        case 'T':
            options->dump = true;
            options->test = true;
            break;
        case 't':
            options->test = true;
            break;
        case 'v':
        case 'V':
            show_version(option == 'V');
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            return show_usage(argv[optind - 1]);
        }
    }
    if (options->check && options->checked == NULL && optind < argc) {
        options->checked = argv[optind++];
    }
    return optind < argc ? refuse_option("option", argv[optind]) : -1;
}

static int
send_signal(const char *name, const char *pid_file)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = { { "stop", SIGTERM },
                    { "quit", SIGQUIT },
                    { "reopen", SIGUSR1 },
                    { "reload", SIGHUP } };
    FILE *stream;
    char line[32] = "";
    long pid;

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (strcmp(name, signals[i].name) != 0) {
            continue;
        }
        stream = fopen(pid_file, "re");
        if (stream == NULL || fgets(line, sizeof(line), stream) == NULL) {
            line[0] = '\0';
        }
        if (stream != NULL) {
            fclose(stream);
        }
        pid = strtol(line, NULL, 10);
        if (pid <= 1 || kill((pid_t)pid, signals[i].number) < 0) {
            fprintf(stderr,
                    "upload-progressd: [error] no daemon runs by \"%s\"\n",
                    pid_file);
            return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
    }
    return refuse_option("option: \"-s\"", name);
}

/* -t and -T. As with nginx the log is opened, too. */
static int
test(const struct config *config, const struct options *options,
     const struct buffer *dump)
{
    const char *file = options->file ? options->file : "(built-in)";

    if (log_open(config->error_log, config->error_log_level) < 0) {
        fprintf(stderr,
                "upload-progressd: [emerg] open() \"%s\" failed (%d: %s)\n"
                "upload-progressd: configuration file %s test failed\n",
                config->error_log, errno, strerrordesc_np(errno), file);
        return EXIT_FAILURE;
    }
    if (config->key_is_public) {
        fputs("upload-progressd: [warn] " CONFIG_PUBLIC_KEY "\n", stderr);
    }
    fprintf(stderr,
            "upload-progressd: configuration file %s test is successful\n",
            file);
    return options->dump &&
                   fwrite(dump->data, 1, dump->len, stdout) != dump->len
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    struct options options = { .file = NULL };
    struct buffer dump = BUFFER_INIT;
    struct config *config;
    char *message;
    int status = read_options(argc, argv, &options);

    if (status >= 0) {
        return status;
    }
    if (options.import != NULL) {
        return (int)import_run(options.import);
    }
    config = config_load_dump(options.file, options.globals, &dump, &message);
    if (config == NULL) {
        fprintf(stderr, "upload-progressd: [emerg] %s\n", message);
        free(message);
        status = EXIT_FAILURE;
    } else if (options.check) {
        status = (int)check_nginx(config, options.checked);
    } else if (options.signal != NULL) {
        status = send_signal(options.signal, config->pid);
    } else if (options.test) {
        status = test(config, &options, &dump);
    } else {
        struct lifecycle_source source = { options.file, options.globals,
                                           argv };

        status = lifecycle_run(config, &source);
        config = NULL;
    }
    buffer_release(&dump);
    config_free(config);
    return status;
}
