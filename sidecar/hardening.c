/* Giving up rights: capabilities, new privileges, system calls. */
#include "hardening.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc.h"
#include "call_filter.h"
#include "hash.h"
#include "log.h"

/* Of the program that is replaced: the digest of its filter. */
static const char variable[] = "UPLOAD_PROGRESSD_FILTER";

void
hardening_bound_capabilities(void)
{
    int number = 0;

    while (prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0) {
        /* Where a container has kept CAP_SETPCAP for itself, no new privileges
         * has the same effect. */
        if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) {
            log_write(LOG_NOTICE,
                      "the bounding set of capabilities stays as it is "
                      "(%d: %m)",
                      errno);
            return;
        }
        number++;
    }
}

int
hardening_clear_capabilities(void)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

    memset(none, 0, sizeof(none));
    /* Kernels before 4.3 do not know of ambient capabilities. */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 &&
        errno != EINVAL) {
        return -1;
    }
    return (int)syscall(SYS_capset, &header, none);
}

/* Adds the filter as the kernel gets it. */
static int
add_digest(scmp_filter_ctx filter, uint64_t *digest)
{
    unsigned char bytes[512];
    ssize_t len = -1;
    int fd = memfd_create("filter", MFD_CLOEXEC);

    if (fd >= 0 && seccomp_export_bpf(filter, fd) == 0 &&
        lseek(fd, 0, SEEK_SET) == 0) {
        while ((len = read(fd, bytes, sizeof(bytes))) > 0) {
            *digest = hash_more(*digest, bytes, (size_t)len);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return len == 0 ? 0 : -1;
}

static char *
digest_of(scmp_filter_ctx *filters, size_t count)
{
    uint64_t digest = HASH_OF_NOTHING;

    for (size_t i = 0; i < count; i++) {
        if (filters[i] == NULL || add_digest(filters[i], &digest) < 0) {
            return NULL;
        }
    }
    return alloc_format("%016" PRIx64, digest);
}

/* One more of the same would slow down each call, and there is room for some
 * dozens only. */
static bool
is_in_force(const char *digest, bool replaced)
{
    /* Before there are threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *before = getenv(variable);

    if (!replaced || before == NULL || prctl(PR_GET_SECCOMP) == 0) {
        return false;
    }
    if (strcmp(before, digest) == 0) {
        return true;
    }
    log_write(LOG_NOTICE,
              "the program before had another filter of system calls, which "
              "holds beside this one until the daemon is stopped and started");
    return false;
}

static int
load(scmp_filter_ctx *filters, size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        result = seccomp_load(filters[i]);
    }
    return result;
}

void
hardening_restrict(bool replaced)
{
    scmp_filter_ctx filters[] = { call_filter_clone3(), call_filter_new() };
    const size_t count = sizeof(filters) / sizeof(filters[0]);
    char *digest = digest_of(filters, count);
    int result = 0;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        log_write(LOG_WARNING, "new privileges cannot be given up (%d: %m)",
                  errno);
    }
    if (digest == NULL) {
        log_write(LOG_WARNING, "system calls are not filtered: libseccomp "
                               "cannot make the filter");
    } else if (!is_in_force(digest, replaced)) {
        result = load(filters, count);
        if (result != 0) {
            log_write(LOG_WARNING, "system calls are not filtered (%d: %s)",
                      -result, strerrordesc_np(-result));
        }
    }
    /* Before there are threads. NOLINTBEGIN(concurrency-mt-unsafe) */
    if (digest != NULL && result == 0) {
        setenv(variable, digest, 1);
    } else {
        unsetenv(variable);
    }
    /* NOLINTEND(concurrency-mt-unsafe) */
    for (size_t i = 0; i < count; i++) {
        seccomp_release(filters[i]);
    }
    free(digest);
}
