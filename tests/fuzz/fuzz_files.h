/*
 * Configuration files out of an input, in memory: what the code under test
 * opens, globs and resolves never leaves the process, whatever names the input
 * holds. The parts of the input between FS bytes (0x1c) are the files /f/0,
 * /f/1 and so on, which may include one another.
 */
#ifndef TESTS_FUZZ_FILES_H
#define TESTS_FUZZ_FILES_H

#include <dlfcn.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <netdb.h>

#include "fuzz.h"

#define FILES_FOLDER "/f/"

enum {
    FILES_MAX = 8,
    FILES_SEPARATOR = 0x1c,
    OPENED_MAX = 200 /* in one run: includes multiply */
};

static struct files {
    struct fuzz_input list[FILES_MAX];
    size_t count;
    int opened;
} files;

static inline void
files_split(const uint8_t *data, size_t size)
{
    files.count = 0;
    files.opened = 0;
    while (files.count < FILES_MAX) {
        const uint8_t *end =
            size > 0 ? memchr(data, FILES_SEPARATOR, size) : NULL;
        size_t len = end != NULL ? (size_t)(end - data) : size;

        files.list[files.count++] = (struct fuzz_input){ data, len };
        if (end == NULL) {
            return;
        }
        data += len + 1;
        size -= len + 1;
    }
}

/* The index of a file, or -1. */
static inline int
files_find(const char *path)
{
    size_t len = strlen(FILES_FOLDER);

    if (strncmp(path, FILES_FOLDER, len) != 0 || path[len] < '0' ||
        path[len] >= '0' + (int)files.count || path[len + 1] != '\0') {
        return -1;
    }
    return path[len] - '0';
}

/* The daemon's own way of opening; libFuzzer's files are let through. */
FILE *
fopen(const char *path, const char *mode)
{
    static FILE *(*real)(const char *, const char *);
    int file = files_find(path);

    if (strcmp(mode, "re") == 0) {
        if (file < 0 || ++files.opened > OPENED_MAX) {
            errno = ENOENT;
            return NULL;
        }
        return fmemopen((void *)(uintptr_t)files.list[file].data,
                        files.list[file].len, "r");
    }
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "fopen");
    }
    return real(path, mode);
}

/* A list of its own for each call: an include in a file that matches globs. */
int
glob(const char *pattern, int flags, int (*failed)(const char *, int),
     glob_t *found)
{
    (void)flags;
    (void)failed;
    memset(found, 0, sizeof(*found));
    found->gl_pathv = calloc(FILES_MAX + 1, sizeof(char *));
    if (found->gl_pathv == NULL) {
        abort();
    }
    for (size_t i = 0; i < files.count; i++) {
        char path[] = FILES_FOLDER "0";

        path[strlen(FILES_FOLDER)] = (char)('0' + i);
        if (fnmatch(pattern, path, FNM_PATHNAME) == 0) {
            found->gl_pathv[found->gl_pathc++] =
                fuzz_string(path, strlen(path));
        }
    }
    return found->gl_pathc > 0 ? 0 : GLOB_NOMATCH;
}

void
globfree(glob_t *found)
{
    for (size_t i = 0; i < found->gl_pathc; i++) {
        free(found->gl_pathv[i]);
    }
    free(found->gl_pathv);
    memset(found, 0, sizeof(*found));
}

#endif
