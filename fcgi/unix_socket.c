/* Binding Unix-domain sockets to paths that may be left over. */
#include "unix_socket.h"

#include <errno.h>
#include <stdbool.h>
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

int
unix_socket_bind(int fd, const struct address *address, unsigned mode)
{
    const char *path = address_path(address);
    struct stat st;
    mode_t mask;
    int result;

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
    mask = umask(0777 & ~mode); /* never wider than asked, not for a moment */
    result = bind(fd, (const struct sockaddr *)&address->storage, address->len);
    umask(mask);
    return result;
}
