/* Saving the uploads, and taking them over. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "io.h"
#include "log.h"

static struct store_moment
moment(void)
{
    struct store_moment now = { .monotonic_ms = io_now_ms() };
    struct timespec wall;
    FILE *stream = fopen("/proc/sys/kernel/random/boot_id", "re");

    clock_gettime(CLOCK_REALTIME, &wall);
    now.wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
    /* Without it the wall clock decides. */
    if (stream != NULL) {
        if (fgets(now.boot_id, sizeof(now.boot_id), stream) == NULL) {
            now.boot_id[0] = '\0';
        }
        fclose(stream);
    }
    return now;
}

/* Makes sure that the new name is on disk, too. */
static void
sync_folder(const char *file)
{
    const char *slash = strrchr(file, '/');
    size_t len = slash != NULL ? (size_t)(slash - file) + 1 : 0;
    char *folder = len > 0 ? alloc_copy(file, len) : alloc_string(".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

/* Returns what went wrong, to be freed, or NULL. */
static char *
save(struct store *store, const char *file)
{
    struct store_moment now = moment();
    char *beside = alloc_format("%s.new", file);
    char *message = NULL;
    char *fault = NULL;

    if (store_snapshot_save(store, beside, &now, &message) < 0) {
        fault = alloc_format("the state cannot be saved to \"%s\": %s", beside,
                             message);
        unlink(beside);
    } else if (rename(beside, file) < 0) {
        fault = alloc_format("rename() \"%s\" to \"%s\" failed (%d: %s)",
                             beside, file, errno, strerrordesc_np(errno));
    } else {
        sync_folder(file);
    }
    free(message);
    free(beside);
    return fault;
}

void
state_save(struct store *store, const char *file)
{
    static bool failing; /* and said so: the next try comes in seconds */
    char *fault = save(store, file);

    if (fault != NULL && !failing) {
        log_write(LOG_ERR, "%s", fault);
    } else if (fault == NULL && failing) {
        log_write(LOG_NOTICE, "the state is saved to \"%s\" again", file);
    }
    failing = fault != NULL;
    free(fault);
}

static void
log_loaded(const char *name, const struct store_loaded *loaded)
{
    log_write(LOG_NOTICE, "%" PRId64 " uploads taken over from %s",
              loaded->uploads, name);
    if (loaded->without_zone > 0) {
        log_write(LOG_WARNING,
                  "%" PRId64 " uploads in %s are left out: their zone is not "
                  "configured",
                  loaded->without_zone, name);
    }
}

void
state_load(struct store *store, const char *file)
{
    struct store_moment now = moment();
    struct store_loaded loaded;
    char *message = NULL;
    char *aside;

    if (access(file, F_OK) < 0 && errno == ENOENT) {
        return;
    }
    if (store_snapshot_load(store, file, &now, &loaded, &message) == 0) {
        log_loaded(file, &loaded);
        return;
    }
    aside = alloc_format("%s.refused", file);
    log_write(LOG_ERR, "\"%s\" is refused: %s", file, message);
    if (rename(file, aside) == 0) {
        log_write(LOG_NOTICE, "\"%s\" is \"%s\" now", file, aside);
    } else {
        log_write(LOG_ERR, "rename() \"%s\" to \"%s\" failed (%d: %m)", file,
                  aside, errno);
    }
    free(aside);
    free(message);
}

int
state_pass(struct store *store)
{
    struct store_moment now = moment();
    char *message = NULL;
    int fd = memfd_create("upload-progressd", MFD_CLOEXEC);

    if (fd < 0) {
        log_write(LOG_ERR, "memfd_create() failed (%d: %m)", errno);
        return -1;
    }
    if (store_snapshot_write(store, fd, &now, &message) < 0) {
        log_write(LOG_ERR, "the state cannot be passed on: %s", message);
        free(message);
        close(fd);
        return -1;
    }
    return fd;
}

void
state_inherit(struct store *store, int fd)
{
    struct store_moment now = moment();
    struct store_loaded loaded;
    char *message = NULL;

    if (store_snapshot_read(store, fd, &now, &loaded, &message) == 0) {
        log_loaded("the process before", &loaded);
    } else {
        log_write(LOG_ERR, "the state of the process before is refused: %s",
                  message);
        free(message);
    }
    close(fd);
}
