/*
 * The filters of system calls, as libseccomp holds them until they are loaded.
 *
 * A filter cannot be taken off again, and execve(2) keeps it: it holds for the
 * program of a later version that SIGUSR2 starts, too. So what is allowed are
 * whole groups of calls that any daemon of this kind may come to need, for its
 * start as well, and not the calls of this version alone. Refused calls fail
 * and end nothing, as one that was overlooked is to cost a function and not
 * the service. The kernel logs each, where it has an audit log.
 */
#ifndef SIDECAR_CALL_FILTER_H
#define SIDECAR_CALL_FILTER_H

#include <seccomp.h>

/*
 * The list of what is allowed: all else fails with EPERM, or with ENOSYS where
 * libseccomp is too old to know it. The caller releases it. NULL on failure.
 */
scmp_filter_ctx call_filter_new(void);

/*
 * clone3(2) fails with ENOSYS, for which the C library takes clone(2): its
 * flags are in memory, where no filter sees them, and may ask for a namespace.
 * The library tries at each start of a thread; in a filter of its own, to be
 * loaded as well, this is not logged. The caller releases it. NULL on failure.
 */
scmp_filter_ctx call_filter_clone3(void);

#endif
