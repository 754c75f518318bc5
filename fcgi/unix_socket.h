/* Binding Unix-domain sockets to paths that may be left over. */
#ifndef FCGI_UNIX_SOCKET_H
#define FCGI_UNIX_SOCKET_H

#include <sys/types.h>

#include "address.h"

#define UNIX_SOCKET_SAME_USER  ((uid_t)-1)
#define UNIX_SOCKET_SAME_GROUP ((gid_t)-1)

/* Who may connect, or send. */
struct unix_socket_access {
    unsigned mode;
    uid_t uid; /* of the owner, or UNIX_SOCKET_SAME_USER */
    gid_t gid; /* of the group, or UNIX_SOCKET_SAME_GROUP */
};

/*
 * Binds fd to the path of address. At no moment is it open to others than
 * those of access. A socket that nobody listens on any more is replaced.
 * Returns 0, or -1 with errno set: EADDRINUSE when another process holds the
 * path, ENOTSOCK when the path is something else, which is left alone, EPERM
 * where owner or group cannot be given away.
 */
int unix_socket_bind(int fd, const struct address *address,
                     const struct unix_socket_access *access)
    __attribute__((warn_unused_result));

/*
 * Gives a socket to its owner and group, and opens it to no others. Returns 0,
 * or -1 with errno set.
 */
int unix_socket_set_access(const char *path,
                           const struct unix_socket_access *access)
    __attribute__((warn_unused_result));

#endif
