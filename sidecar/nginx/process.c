/* Processes of this machine, over /proc. */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CAP_BIT_DAC_OVERRIDE = 1,
    CAP_BIT_DAC_READ_SEARCH = 2,
    CAP_BIT_SYS_PTRACE = 19,
};

static bool
has_capability(const struct process *process, int bit)
{
    return (process->capabilities >> bit & 1) != 0;
}

static void
read_ids(const char *text, unsigned ids[4])
{
    char *end;

    for (int i = 0; i < 4; i++) {
        ids[i] = (unsigned)strtoul(text, &end, 10);
        text = end;
    }
}

static void
read_groups(const char *text, struct process *process)
{
    char *end;

    process->more_group_count = 0;
    while (process->more_group_count < PROCESS_GROUPS_MAX) {
        unsigned long group = strtoul(text, &end, 10);

        if (end == text) {
            return;
        }
        process->more_groups[process->more_group_count++] = (unsigned)group;
        text = end;
    }
}

/* One line of /proc/PID/status. */
static void
read_line(const char *line, struct process *process)
{
    const char *value = strchr(line, '\t');
    const char *last = strrchr(line, '\t');

    if (value == NULL) {
        return;
    }
    if (strncmp(line, "Name:", 5) == 0) {
        snprintf(process->name, sizeof(process->name), "%.*s",
                 (int)strcspn(value + 1, "\n"), value + 1);
    } else if (strncmp(line, "PPid:", 5) == 0) {
        process->parent = (pid_t)strtol(value, NULL, 10);
    } else if (strncmp(line, "NSpid:", 6) == 0) {
        process->inner_pid = strtol(last, NULL, 10);
    } else if (strncmp(line, "Uid:", 4) == 0) {
        read_ids(value, process->users);
    } else if (strncmp(line, "Gid:", 4) == 0) {
        read_ids(value, process->groups);
    } else if (strncmp(line, "Groups:", 7) == 0) {
        read_groups(value, process);
    } else if (strncmp(line, "CapEff:", 7) == 0) {
        process->capabilities = strtoull(value, NULL, 16);
    }
}

int
process_read(struct process *process, pid_t pid)
{
    char line[4096];
    FILE *stream;

    memset(process, 0, sizeof(*process));
    process->pid = pid;
    process->inner_pid = pid;
    snprintf(line, sizeof(line), "/proc/%d/status", (int)pid);
    stream = fopen(line, "re");
    if (stream == NULL) {
        return -1;
    }
    while (fgets(line, sizeof(line), stream) != NULL) {
        read_line(line, process);
    }
    fclose(stream);
    return process->name[0] != '\0' ? 0 : -1;
}

/* Calls matches for all processes until it is true. */
static int
search(struct process *process,
       bool (*matches)(const struct process *process, const void *wanted),
       const void *wanted)
{
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    int result = -1;

    if (folder == NULL) {
        return -1;
    }
    /* The stream is this thread's. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (result < 0 && (entry = readdir(folder)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && process_read(process, pid) == 0 &&
            matches(process, wanted)) {
            result = 0;
        }
    }
    closedir(folder);
    return result;
}

struct wanted {
    const char *name;
    long number;
};

/* In our own PID namespace its number is in the file as we know it. */
static bool
is_inner(const struct process *process, const void *wanted)
{
    const struct wanted *w = wanted;

    return process->inner_pid == w->number && process->pid != w->number &&
           strncmp(process->name, w->name, strlen(w->name)) == 0;
}

int
process_find(struct process *process, const char *pid_file, const char *name)
{
    char line[32] = "";
    FILE *stream = fopen(pid_file, "re");
    struct wanted wanted = { .name = name };

    if (stream != NULL) {
        if (fgets(line, sizeof(line), stream) == NULL) {
            line[0] = '\0';
        }
        fclose(stream);
    }
    wanted.number = strtol(line, NULL, 10);
    if (wanted.number <= 0) {
        return -1;
    }
    if (process_read(process, (pid_t)wanted.number) == 0 &&
        strncmp(process->name, name, strlen(name)) == 0) {
        return 0;
    }
    return search(process, is_inner, &wanted);
}

static bool
is_child(const struct process *process, const void *wanted)
{
    const struct wanted *w = wanted;
    char line[64];
    char title[128];
    size_t len;
    FILE *stream;

    if (process->parent != (pid_t)w->number) {
        return false;
    }
    snprintf(line, sizeof(line), "/proc/%d/cmdline", (int)process->pid);
    stream = fopen(line, "re");
    if (stream == NULL) {
        return false;
    }
    len = fread(title, 1, sizeof(title) - 1, stream);
    fclose(stream);
    title[len] = '\0';
    return strncmp(title, w->name, strlen(w->name)) == 0;
}

int
process_child(struct process *process, pid_t parent, const char *title)
{
    struct wanted wanted = { .name = title, .number = parent };

    return search(process, is_child, &wanted);
}

int
process_shares(pid_t a, pid_t b, const char *name)
{
    char file[64];
    struct stat a_stat;
    struct stat b_stat;

    snprintf(file, sizeof(file), "/proc/%d/ns/%s", (int)a, name);
    if (stat(file, &a_stat) < 0) {
        return -1;
    }
    snprintf(file, sizeof(file), "/proc/%d/ns/%s", (int)b, name);
    if (stat(file, &b_stat) < 0) {
        return -1;
    }
    return a_stat.st_ino == b_stat.st_ino && a_stat.st_dev == b_stat.st_dev;
}

/* As the kernel decides on the links in /proc/PID/fd. */
bool
process_sees_files(const struct process *process, const struct process *other)
{
    bool same = true;

    for (int i = 0; i < 3; i++) {
        same = same && process->users[1] == other->users[i] &&
               process->groups[1] == other->groups[i];
    }
    return same || (has_capability(process, CAP_BIT_SYS_PTRACE) &&
                    (has_capability(process, CAP_BIT_DAC_READ_SEARCH) ||
                     has_capability(process, CAP_BIT_DAC_OVERRIDE)));
}

static bool
in_group(const struct process *process, gid_t group)
{
    for (int i = 0; i < process->more_group_count; i++) {
        if (process->more_groups[i] == group) {
            return true;
        }
    }
    return process->groups[1] == group;
}

/* One of the bits S_IXOTH, S_IWOTH. */
static bool
may(const struct process *process, const struct stat *st, mode_t bit)
{
    if (process->users[1] == st->st_uid) {
        return (st->st_mode & bit << 6) != 0;
    }
    if (in_group(process, st->st_gid)) {
        return (st->st_mode & bit << 3) != 0;
    }
    return (st->st_mode & bit) != 0;
}

/* By the process's own view of the files, where we may have that. */
static int
look(const struct process *process, const char *path, int len, struct stat *st)
{
    char name[4096 + 32];
    int result;

    snprintf(name, sizeof(name), "/proc/%d/root%.*s", (int)process->pid, len,
             path);
    result = stat(name, st);
    if (result < 0 && errno == EACCES) {
        result = stat(name + strcspn(name + 1, "/") + 1, st);
    }
    return result;
}

int
process_may_connect(const struct process *process, const char *path, int *len)
{
    struct stat st;

    for (const char *p = path; p != NULL;) {
        const char *slash = strchr(p + 1, '/');
        mode_t bit = slash != NULL ? S_IXOTH : S_IWOTH;

        *len = slash != NULL ? (int)(slash - path) : (int)strlen(path);
        if (look(process, path, *len, &st) < 0) {
            return -1;
        }
        if (!has_capability(process, CAP_BIT_DAC_OVERRIDE) &&
            !may(process, &st, bit)) {
            errno = EACCES;
            return -1;
        }
        p = slash;
    }
    return 0;
}
