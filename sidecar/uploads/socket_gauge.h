/*
 * The socket gauge: bytes that nginx has read from a client's connection, from
 * the kernel's sock_diag(7). Thread-safe; each thread has a netlink socket.
 */
#ifndef SIDECAR_SOCKET_GAUGE_H
#define SIDECAR_SOCKET_GAUGE_H

#include <stdint.h>

#include "upload.h"

enum socket_answer {
    SOCKET_OPEN,    /* read_bytes and the cookie are set */
    SOCKET_GONE,    /* no such connection, or another one by now */
    SOCKET_UNKNOWN, /* the kernel does not tell; see log_pace.h */
};

/*
 * Sets the addresses from nginx's $realip_remote_addr, $realip_remote_port,
 * $server_addr and $server_port. Returns -1 where they are no TCP addresses.
 */
int socket_gauge_address(struct upload_socket *socket, const char *remote_addr,
                         const char *remote_port, const char *server_addr,
                         const char *server_port)
    __attribute__((warn_unused_result));

/*
 * Asks for one connection: bytes received less bytes not yet read. Sets the
 * cookie where it was 0, else compares it.
 */
enum socket_answer socket_gauge_read(struct upload_socket *socket,
                                     int64_t *read_bytes);

/*
 * This thread reads this connection next, which has a cookie, and others,
 * before socket_gauge_foreseen(): the kernel is asked for all of them by one
 * message when the first is read, and for each of them anew if that fails.
 */
void socket_gauge_foresee(const struct upload_socket *socket);
void socket_gauge_foreseen(void);

#endif
