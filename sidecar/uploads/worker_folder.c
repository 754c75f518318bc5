/* The folder of a worker's descriptors, one set of them for each thread. */
#include "worker_folder.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc.h"

enum { FOLDERS = 8 };

struct folders {
    struct folder {
        int64_t pid; /* 0: free */
        int fd;
    } folders[FOLDERS];
    unsigned next; /* to be replaced */
};

static pthread_key_t folders_key;
static pthread_once_t folders_once = PTHREAD_ONCE_INIT;

static void
close_folder(struct folder *folder)
{
    if (folder->pid != 0) {
        close(folder->fd);
        folder->pid = 0;
    }
}

static void
free_folders(void *argument)
{
    struct folders *folders = argument;

    for (int i = 0; i < FOLDERS; i++) {
        close_folder(&folders->folders[i]);
    }
    free(folders);
}

static void
make_key(void)
{
    if (pthread_key_create(&folders_key, free_folders) != 0) {
        abort();
    }
}

static struct folders *
thread_folders(void)
{
    struct folders *folders;

    pthread_once(&folders_once, make_key);
    folders = pthread_getspecific(folders_key);
    if (folders == NULL) {
        folders = alloc_zeroed(1, sizeof(*folders));
        pthread_setspecific(folders_key, folders);
    }
    return folders;
}

static struct folder *
find(struct folders *folders, int64_t pid)
{
    for (int i = 0; i < FOLDERS; i++) {
        if (folders->folders[i].pid == pid) {
            return &folders->folders[i];
        }
    }
    return NULL;
}

int
worker_folder(int64_t pid)
{
    struct folders *folders = thread_folders();
    struct folder *folder = find(folders, pid);
    char name[32];
    int fd;

    if (folder != NULL) {
        return folder->fd;
    }
    snprintf(name, sizeof(name), "/proc/%" PRId64 "/fd", pid);
    fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        folder = &folders->folders[folders->next++ % FOLDERS];
        close_folder(folder);
        *folder = (struct folder){ .pid = pid, .fd = fd };
    }
    return fd;
}

void
worker_folder_drop(int64_t pid)
{
    struct folder *folder = find(thread_folders(), pid);

    if (folder != NULL) {
        close_folder(folder);
    }
}
