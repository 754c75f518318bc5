/* Binding Unix-domain sockets to paths that may be left over. */
#ifndef FCGI_UNIX_SOCKET_H
#define FCGI_UNIX_SOCKET_H

#include "address.h"

/*
 * Binds fd to the path of address with permission mode. A socket that nobody
 * listens on any more is replaced. Returns 0, or -1 with errno set:
 * EADDRINUSE when another process holds the path, ENOTSOCK when the path is
 * something else, which is left alone.
 */
int unix_socket_bind(int fd, const struct address *address, unsigned mode)
    __attribute__((warn_unused_result));

#endif
