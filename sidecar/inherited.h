/*
 * Sockets that the process is started with: by the one that it replaces
 * (SIGUSR2), or by systemd (socket activation, sd_listen_fds(3)). To be used
 * by the main thread, before others run or while they are stopped.
 */
#ifndef SIDECAR_INHERITED_H
#define SIDECAR_INHERITED_H

#include <stdbool.h>

#include "address.h"

/*
 * Takes stock. To be called once, before anything is opened. Returns whether
 * this program replaces one of ours.
 */
bool inherited_init(void);

/*
 * The socket bound to that address, of type SOCK_STREAM or SOCK_DGRAM, which is
 * the caller's then; -1 if there is none. given: it is systemd's, and so is the
 * path of a Unix-domain socket.
 */
int inherited_take(const struct address *address, int type, bool *given);

/* The memory file with the state of the replaced process, or -1. */
int inherited_take_state(void);

/* Closes, and logs, what nobody has taken. */
void inherited_close(void);

/*
 * Has the next program of this process inherit a socket, or the state, until
 * inherited_pass_none(). Not more than INHERITED_MAX.
 */
void inherited_pass(int fd, bool given);
void inherited_pass_state(int fd);
void inherited_pass_none(void);

enum { INHERITED_MAX = 256 };

#endif
