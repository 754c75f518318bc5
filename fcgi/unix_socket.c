/* Binding Unix-domain sockets to paths that may be left over. */
#include "unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether somebody answers on the path; the type must match to connect. */
static bool
is_alive(int fd, const struct address *address)
{
    int type = SOCK_STREAM;
    socklen_t len = sizeof(type);
    int probe;
    bool alive;

    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
    probe = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return true;
    }
    alive = connect(probe, (const struct sockaddr *)&address->storage,
                    address->len) == 0 ||
            errno == EAGAIN;
    close(probe);
    return alive;
}

/* Through a descriptor, so that it is this one whatever becomes of the path. */
int
unix_socket_set_access(const char *path,
                       const struct unix_socket_access *access)
{
    char name[32];
    struct stat st;
    int result = -1;
    int error;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        return -1;
    }
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    if (fstat(fd, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        errno = ENOTSOCK;
    } else if (fchownat(fd, "", access->uid, access->gid, AT_EMPTY_PATH) == 0) {
        result = chmod(name, access->mode);
    }
    error = errno;
    close(fd);
    errno = error;
    return result;
}

int
unix_socket_bind(int fd, const struct address *address,
                 const struct unix_socket_access *access)
{
    const char *path = address_path(address);
    bool same = access->uid == UNIX_SOCKET_SAME_USER &&
                access->gid == UNIX_SOCKET_SAME_GROUP;
    struct stat st;
    mode_t mask;
    int result;
    int error;

    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode)) {
            errno = ENOTSOCK;
            return -1;
        }
        if (is_alive(fd, address)) {
            errno = EADDRINUSE;
            return -1;
        }
        unlink(path);
    }
    /* Never wider than asked, not for a moment. */
    mask = umask(same ? 0777 & ~access->mode : 0777);
    result = bind(fd, (const struct sockaddr *)&address->storage, address->len);
    umask(mask);
    if (result == 0 && !same && unix_socket_set_access(path, access) < 0) {
        error = errno;
        unlink(path);
        errno = error;
        result = -1;
    }
    return result;
}
