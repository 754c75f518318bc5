/* The spool gauge, over /proc. */
#include "spool_gauge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "io.h"
#include "log.h"
#include "log_pace.h"
#include "worker_folder.h"

static const char deleted[] = " (deleted)";

enum {
    LINK_MAX_BYTES = SPOOL_PATH_MAX + sizeof(deleted),
    TEMPORARY_DIGITS = 10, /* nginx's numbers, at least */
    NUMBER_BYTES = 24,     /* a descriptor's number as text */
};

static struct log_pace pace;
static atomic_bool found_any; /* worker, in /proc */

static bool
is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* What errno says of a folder of descriptors that cannot be opened. */
static enum spool_answer
refused(int64_t pid)
{
    bool shortage = is_shortage(errno);

    if (log_pace_fault(&pace, io_now_ms())) {
        log_write(LOG_WARNING,
                  "the spool gauge does not work: /proc/%" PRId64 "/fd: %m%s",
                  pid,
                  shortage ? ""
                           : " (it needs the user of nginx's workers, or "
                             "root)");
    }
    return shortage ? SPOOL_LATER : SPOOL_UNKNOWN;
}

/*
 * A worker that tells of a file and is not to be found: it has just ended, or,
 * where none was ever found, /proc does not show it to us.
 */
static void
not_there(int64_t pid)
{
    if (!atomic_load(&found_any) && log_pace_fault(&pace, io_now_ms())) {
        log_write(LOG_WARNING,
                  "the spool gauge does not work: no /proc/%" PRId64
                  " (it needs the PID namespace of nginx's workers, and a "
                  "/proc that shows them)",
                  pid);
    }
}

/* Whether a descriptor's link names path, as it is or after its deletion. */
static bool
names(const char *text, ssize_t len, const char *path)
{
    size_t path_len = strlen(path);

    if (len < (ssize_t)path_len || memcmp(text, path, path_len) != 0) {
        return false;
    }
    len -= (ssize_t)path_len;
    return len == 0 || (len == (ssize_t)sizeof(deleted) - 1 &&
                        memcmp(text + path_len, deleted, (size_t)len) == 0);
}

bool
spool_gauge_is_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? strspn(slash + 1, "0123456789") : 0;

    return path[0] == '/' && len >= TEMPORARY_DIGITS && slash[1 + len] == '\0';
}

/*
 * A line may name the process of somebody else, and a file that this one has
 * open. comm(5) is what the kernel has of the program's name. Where it cannot
 * be read errno says why, else that is 0.
 */
static bool
is_nginx(int64_t pid)
{
    static const char *const names_of_nginx[] = { "nginx", "openresty",
                                                  "angie" };
    static atomic_bool logged;
    char text[32] = "";
    ssize_t len;
    int fd;

    snprintf(text, sizeof(text), "/proc/%" PRId64 "/comm", pid);
    fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    len = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    for (size_t i = 0; i < sizeof(names_of_nginx) / sizeof(char *); i++) {
        if (strncmp(text, names_of_nginx[i], strlen(names_of_nginx[i])) == 0) {
            return true;
        }
    }
    if (!atomic_exchange(&logged, true)) {
        log_write(LOG_WARNING,
                  "a line tells of a file of process %" PRId64 ", which is "
                  "%s: files of nginx alone are looked at",
                  pid, text);
    }
    errno = 0;
    return false;
}

/* Whether the worker's descriptors can be listed; else errno says why not. */
static bool
can_look(int64_t pid)
{
    char name[32];
    int fd;

    snprintf(name, sizeof(name), "/proc/%" PRId64 "/fd", pid);
    fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
}

/*
 * A file that has not been found among the worker's. The name alone is taken
 * only where nobody can look, and then of what the worker itself has made.
 */
static enum spool_answer
read_by_name(const struct spool *spool, int64_t *size_bytes)
{
    char name[32];
    struct stat worker;
    struct stat st;

    if (can_look(spool->pid)) {
        return SPOOL_UNKNOWN; /* it is yet to be looked for */
    }
    if (errno != EACCES && errno != EPERM) {
        return errno == ENOENT ? SPOOL_GONE : SPOOL_UNKNOWN;
    }
    snprintf(name, sizeof(name), "/proc/%" PRId64, spool->pid);
    if (!is_nginx(spool->pid) || stat(name, &worker) < 0) {
        return SPOOL_GONE;
    }
    if (lstat(spool->path, &st) < 0) {
        return errno == ENOENT ? SPOOL_GONE : SPOOL_UNKNOWN;
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != worker.st_uid) {
        return SPOOL_GONE;
    }
    *size_bytes = st.st_size;
    return SPOOL_OPEN;
}

/* statx(2) of a worker's descriptor; sets the folder that it stands in. */
static int
stat_descriptor(const struct spool *spool, char name[NUMBER_BYTES], int *folder,
                struct statx *sx)
{
    const unsigned wanted = STATX_TYPE | STATX_INO | STATX_SIZE | STATX_BTIME;
    int result = -1;

    snprintf(name, NUMBER_BYTES, "%d", (int)spool->fd);
    for (int i = 0; i < 2 && result < 0; i++) {
        *folder = worker_folder(spool->pid);
        if (*folder < 0) {
            return -1;
        }
        result = statx(*folder, name, 0, wanted, sx);
        if (result < 0) {
            /* It may be that of another process with this number. */
            worker_folder_drop(spool->pid);
        }
    }
    return result;
}

/*
 * The number of its inode can be another file's later, but not one's that was
 * made at the same time; -1 where that is not known.
 */
static int64_t
mark_of(const struct statx *sx)
{
    const uint64_t parts[] = {
        sx->stx_ino,
        makedev(sx->stx_dev_major, sx->stx_dev_minor),
        (uint64_t)sx->stx_btime.tv_sec,
        sx->stx_btime.tv_nsec,
    };
    uint64_t hash = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        hash = (hash + parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return (sx->stx_mask & STATX_BTIME) != 0 ? -2 - (int64_t)(hash >> 2) : -1;
}

/* Whether a file that is made from now on will have another time. */
static bool
is_of_an_earlier_tick(const struct statx *sx)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now); /* what a file system asks */
    return sx->stx_btime.tv_sec < now.tv_sec ||
           (sx->stx_btime.tv_sec == now.tv_sec &&
            sx->stx_btime.tv_nsec < now.tv_nsec);
}

static bool
has_name(const struct spool *spool, int folder, const char *name)
{
    char text[LINK_MAX_BYTES];
    ssize_t len = readlinkat(folder, name, text, sizeof(text));

    return names(text, len, spool->path);
}

/* Whether it is our file still that the descriptor's number stands for. */
static bool
is_same(const struct spool *spool, int folder, const char *name,
        const struct statx *sx)
{
    struct stat held;

    if (spool->held_fd >= 0 && fstat((int)spool->held_fd, &held) == 0) {
        return held.st_ino == sx->stx_ino &&
               held.st_dev == makedev(sx->stx_dev_major, sx->stx_dev_minor);
    }
    if (spool->held_fd < -1) {
        return spool->held_fd == mark_of(sx);
    }
    /* Size first: were the number used anew in between, the name tells. */
    return has_name(spool, folder, name);
}

enum spool_answer
spool_gauge_read(const struct spool *spool, int64_t *size_bytes)
{
    char name[NUMBER_BYTES];
    int folder = -1;
    struct statx sx;

    if (spool->fd < 0) {
        return read_by_name(spool, size_bytes);
    }
    if (stat_descriptor(spool, name, &folder, &sx) < 0) {
        bool hidden = errno == EACCES || errno == EPERM;

        return hidden || is_shortage(errno) ? SPOOL_UNKNOWN : SPOOL_GONE;
    }
    if (!S_ISREG(sx.stx_mode) || !is_same(spool, folder, name, &sx)) {
        return SPOOL_GONE;
    }
    *size_bytes = (int64_t)sx.stx_size;
    return SPOOL_OPEN;
}

int64_t
spool_gauge_mark(const struct spool *spool)
{
    char name[NUMBER_BYTES];
    int folder = -1;
    int64_t mark = -1;
    struct statx sx;

    if (stat_descriptor(spool, name, &folder, &sx) == 0) {
        mark = mark_of(&sx);
    }
    return mark < -1 && is_of_an_earlier_tick(&sx) &&
                   has_name(spool, folder, name)
               ? mark
               : -1;
}

static int
compare_paths(const void *a, const void *b)
{
    return strcmp((*(struct spool *const *)a)->path,
                  (*(struct spool *const *)b)->path);
}

/* Sorts the files by their paths; the list is to be freed. */
static struct spool **
sort_by_path(struct spool *spools, int count)
{
    struct spool **sorted = alloc_zeroed((size_t)count, sizeof(struct spool *));

    for (int i = 0; i < count; i++) {
        sorted[i] = &spools[i];
    }
    qsort(sorted, (size_t)count, sizeof(struct spool *), compare_paths);
    return sorted;
}

/* What a descriptor's link names, also after its deletion. */
static bool
read_link(int folder, const char *name, char path[LINK_MAX_BYTES + 1])
{
    size_t deleted_len = sizeof(deleted) - 1;
    ssize_t len = readlinkat(folder, name, path, LINK_MAX_BYTES);

    if (len <= 0 || path[0] != '/') {
        return false;
    }
    if ((size_t)len > deleted_len &&
        memcmp(path + len - deleted_len, deleted, deleted_len) == 0) {
        len -= (ssize_t)deleted_len;
    }
    path[len] = '\0';
    return true;
}

/* Of several that have the same path each gets a descriptor of its own. */
static void
match(int folder, const char *name, struct spool **sorted, int count, int *left)
{
    char path[LINK_MAX_BYTES + 1];
    int low = 0;
    int high = count;

    if (!read_link(folder, name, path)) {
        return;
    }
    while (low < high) {
        int middle = low + (high - low) / 2;

        if (strcmp(sorted[middle]->path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < count && strcmp(sorted[low]->path, path) == 0; low++) {
        if (sorted[low]->fd < 0) {
            sorted[low]->fd = strtoll(name, NULL, 10);
            (*left)--;
            return;
        }
    }
}

enum spool_answer
spool_gauge_find(int64_t pid, struct spool *spools, int count)
{
    char name[32];
    const struct dirent *entry;
    struct spool **sorted;
    int left = count;
    DIR *folder;

    snprintf(name, sizeof(name), "/proc/%" PRId64 "/fd", pid);
    folder = opendir(name);
    if (folder == NULL) {
        if (errno == ENOENT) {
            not_there(pid);
            return SPOOL_GONE;
        }
        return refused(pid);
    }
    if (!is_nginx(pid)) {
        enum spool_answer answer =
            is_shortage(errno) ? refused(pid) : SPOOL_GONE;

        closedir(folder);
        return answer;
    }
    atomic_store(&found_any, true);
    log_pace_well(&pace, io_now_ms());
    sorted = sort_by_path(spools, count);
    /* The stream is this thread's. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (left > 0 && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            match(dirfd(folder), entry->d_name, sorted, count, &left);
        }
    }
    free(sorted);
    closedir(folder);
    return SPOOL_OPEN;
}

int
spool_gauge_hold(const struct spool *spool)
{
    char name[64];
    char text[LINK_MAX_BYTES];
    int fd;

    snprintf(name, sizeof(name), "/proc/%" PRId64 "/fd/%" PRId64, spool->pid,
             spool->fd);
    fd = open(name, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    /* The worker may have used the number for another file since. */
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    if (!names(text, readlink(name, text, sizeof(text)), spool->path)) {
        close(fd);
        return -1;
    }
    return fd;
}

int64_t
spool_gauge_held_bytes(int held_fd)
{
    struct stat st;

    return fstat(held_fd, &st) == 0 ? st.st_size : -1;
}

int
spool_gauge_open(int held_fd)
{
    char name[64];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", held_fd);
    return open(name, O_RDONLY | O_CLOEXEC);
}
