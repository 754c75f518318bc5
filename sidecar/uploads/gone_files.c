/* A list in the order of their going; mostly empty. */
#include "gone_files.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "spool_gauge.h"

struct gone_file {
    int64_t pid;
    int64_t connection;
    int64_t seen_ms; /* when its line came */
    int64_t gone_ms;
    int held_fd;
};

struct gone_files {
    pthread_mutex_t lock;
    int count;
    struct gone_file files[GONE_FILES_MAX];
};

struct gone_files *
gone_files_new(void)
{
    struct gone_files *files = alloc_zeroed(1, sizeof(*files));

    pthread_mutex_init(&files->lock, NULL);
    return files;
}

/* Under the lock. */
static int
take_at(struct gone_files *files, int i)
{
    int held_fd = files->files[i].held_fd;

    files->count--;
    memmove(&files->files[i], &files->files[i + 1],
            (size_t)(files->count - i) * sizeof(files->files[0]));
    return held_fd;
}

void
gone_files_free(struct gone_files *files)
{
    if (files == NULL) {
        return;
    }
    while (files->count > 0) {
        close(take_at(files, 0));
    }
    pthread_mutex_destroy(&files->lock);
    free(files);
}

int
gone_files_put(struct gone_files *files, const struct spool *spool, int held_fd,
               int64_t now_ms)
{
    int oldest_fd = -1;

    pthread_mutex_lock(&files->lock);
    if (files->count == GONE_FILES_MAX) {
        oldest_fd = take_at(files, 0);
    }
    files->files[files->count++] =
        (struct gone_file){ .pid = spool->pid,
                            .connection = spool->connection,
                            .seen_ms = spool->seen_ms,
                            .gone_ms = now_ms,
                            .held_fd = held_fd };
    pthread_mutex_unlock(&files->lock);
    return oldest_fd;
}

int
gone_files_take(struct gone_files *files, int64_t pid, int64_t connection)
{
    int held_fd = -1;

    pthread_mutex_lock(&files->lock);
    for (int i = 0; i < files->count && held_fd < 0; i++) {
        const struct gone_file *file = &files->files[i];

        if (file->pid == pid && file->connection == connection) {
            held_fd = take_at(files, i);
        }
    }
    pthread_mutex_unlock(&files->lock);
    return held_fd;
}

int
gone_files_take_old(struct gone_files *files, int64_t before_ms)
{
    int held_fd = -1;

    pthread_mutex_lock(&files->lock);
    if (files->count > 0 && files->files[0].gone_ms < before_ms) {
        held_fd = take_at(files, 0);
    }
    pthread_mutex_unlock(&files->lock);
    return held_fd;
}

/* Whether the file can be the request's, which is alone on its connection. */
static bool
may_be_of(const struct gone_file *file, const struct upload *request)
{
    return file->pid == request->pid &&
           file->connection == request->connection &&
           file->seen_ms >= request->started_ms;
}

int
gone_files_open(struct gone_files *files, const struct upload *request)
{
    const struct gone_file *last = NULL;
    int fd = -1;

    pthread_mutex_lock(&files->lock);
    for (int i = 0; i < files->count; i++) {
        const struct gone_file *file = &files->files[i];

        if (may_be_of(file, request) &&
            (last == NULL || file->seen_ms >= last->seen_ms)) {
            last = file;
        }
    }
    /* Under the lock, or the number could be another file's by then. */
    if (last != NULL) {
        fd = spool_gauge_open(last->held_fd);
    }
    pthread_mutex_unlock(&files->lock);
    return fd;
}
