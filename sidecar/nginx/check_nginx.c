/* upload-progressd --check-nginx: what is missing in a site's nginx. */
#include "check_nginx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "check_internal.h"
#include "nginx_dump.h"

enum { INPUT_BYTES_MAX = 64 << 20 };

/* Returns 0, or -1 with errno set. */
static int
read_input(struct buffer *text)
{
    for (;;) {
        ssize_t len;

        buffer_reserve(text, 65536);
        len = read(STDIN_FILENO, text->data + text->len, 65536);
        if (len < 0 && errno != EINTR) {
            return -1;
        }
        if (len == 0) {
            return 0;
        }
        text->len += len > 0 ? (size_t)len : 0;
        if (text->len > INPUT_BYTES_MAX) {
            errno = EFBIG;
            return -1;
        }
    }
}

static int
fail(const char *what)
{
    fprintf(stderr, "upload-progressd: [emerg] %s (%d: %s)\n", what, errno,
            strerrordesc_np(errno));
    return -1;
}

/* nginx's own words tell best what is wrong. */
static int
run_dump(const char *program, const char *file, struct buffer *text)
{
    static const char twice[] =
        "\"mirror_request_body\" directive is duplicate";
    const char *const args[] = { program, "-T", file ? "-c" : NULL, file,
                                 NULL };
    struct buffer said = BUFFER_INIT;
    int status = nginx_program_run(program, args, text, &said);

    if (status < 0) {
        fail("nginx -T cannot be run");
    } else if (status > 0) {
        if (said.len > 0) {
            fwrite(said.data, 1, said.len, stderr);
        }
        fprintf(stderr,
                "upload-progressd: [emerg] \"%s -T\" ended with status %d\n",
                program, status);
        if (said.len > 0 && memmem(said.data, said.len, "unknown", 7) != NULL &&
            memmem(said.data, said.len, "\"upload_progress", 16) != NULL) {
            fputs("upload-progressd: [emerg] add: include "
                  "upload-progress/http.conf; in http { }\n",
                  stderr);
        }
        if (said.len > 0 &&
            memmem(said.data, said.len, twice, sizeof(twice) - 1) != NULL) {
            fputs("upload-progressd: [emerg] a location takes one of "
                  "location.conf, location-pieces.conf and location-body.conf, "
                  "and no mirror_request_body of its own\n",
                  stderr);
        }
    }
    buffer_release(&said);
    return status == 0 ? 0 : -1;
}

static int
run_build(const char *program, struct nginx_build *build)
{
    const char *const args[] = { program, "-V", NULL };
    struct buffer out = BUFFER_INIT;
    struct buffer said = BUFFER_INIT;
    int status = nginx_program_run(program, args, &out, &said);

    nginx_build_read(build, said.data, said.len);
    buffer_release(&said);
    buffer_release(&out);
    return status == 0 ? 0 : fail("nginx -V cannot be run");
}

static void
check_build(struct check *check)
{
    static const int needed[3] = { 1, 13, 4 };
    const int *version = check->build->version;
    int i = 0;

    while (i < 2 && version[i] == needed[i]) {
        i++;
    }
    if (version[i] < needed[i] && version[0] + version[1] + version[2] > 0) {
        check_report(check, FINDING_EMERG, NULL,
                     alloc_string("nginx 1.13.4 is the first that has it"),
                     "nginx %d.%d.%d cannot mirror requests", version[0],
                     version[1], version[2]);
    } else if (!check->build->mirror) {
        check_report(check, FINDING_EMERG, NULL,
                     alloc_string("take one that was not built with "
                                  "--without-http_mirror_module"),
                     "nginx has no mirror module");
    }
    if (!check->build->realip) {
        check_report(check, FINDING_EMERG, NULL,
                     alloc_string("take one that was built with "
                                  "--with-http_realip_module"),
                     "nginx has no realip module, so it has no "
                     "$realip_remote_addr for the snippets");
    }
}

static void
check_tree(struct check *check)
{
    check->http = nginx_child(&check->tree->root, "http");
    if (check->build != NULL) {
        check_build(check);
    }
    if (check->http == NULL) {
        check_report(check, FINDING_EMERG, NULL, NULL,
                     "the configuration has no \"http\"");
        return;
    }
    check_locations(check);
    if (check->tracked == 0) {
        check_report(
            check, FINDING_EMERG, check->http,
            alloc_string("add upload-progress/http.conf here, server.conf in "
                         "the server and location.conf in each location that "
                         "takes uploads, by include"),
            "no location tracks uploads");
    } else {
        check_http_logs(check);
        check_probes(check);
    }
    check_processes(check);
}

static enum check_status
print_count(const struct check *check)
{
    const int *counts = check->counts;

    printf("upload-progressd: %d location%s with tracking; findings: %d emerg, "
           "%d warn, %d notice, %d info\n",
           check->tracked, check->tracked == 1 ? "" : "s",
           counts[FINDING_EMERG], counts[FINDING_WARN], counts[FINDING_NOTICE],
           counts[FINDING_INFO]);
    if (fflush(stdout) != 0) {
        return CHECK_FAILED;
    }
    return counts[FINDING_EMERG] + counts[FINDING_WARN] > 0 ? CHECK_FOUND
                                                            : CHECK_GOOD;
}

static int
read_dump(const char *file, struct buffer *text, struct nginx_build *build)
{
    char *program;
    int result;

    if (file != NULL && strcmp(file, "-") == 0) {
        return read_input(text) < 0 ? fail("standard input cannot be read") : 0;
    }
    program = nginx_program_find();
    if (program == NULL) {
        fputs("upload-progressd: [emerg] no nginx in PATH, /usr/sbin or "
              "/usr/local/sbin\n",
              stderr);
        return -1;
    }
    result = run_build(program, build);
    if (result == 0) {
        result = run_dump(program, file, text);
    }
    free(program);
    return result;
}

enum check_status
check_nginx(const struct config *config, const char *file)
{
    struct nginx_build build = { .prefix = NULL };
    struct check check = { .config = config };
    struct buffer text = BUFFER_INIT;
    enum check_status status = CHECK_FAILED;
    char *message = NULL;

    if (read_dump(file, &text, &build) < 0) {
        if (build.prefix != NULL) {
            check.build = &build; /* may be why nginx refuses it */
            check_build(&check);
        }
        goto out;
    }
    check.tree = nginx_dump_load(text.data, text.len, &message);
    if (check.tree == NULL) {
        fprintf(stderr, "upload-progressd: [emerg] %s\n", message);
        goto out;
    }
    check.build = build.prefix != NULL ? &build : NULL;
    check_tree(&check);
    status = print_count(&check);
out:
    nginx_free(check.tree);
    buffer_release(&check.printed);
    buffer_release(&text);
    nginx_build_release(&build);
    free(message);
    return status;
}
