/*
 * The last words: a fault, of ours or of a library's, does not end the daemon
 * without a line in its log.
 */
#ifndef SIDECAR_FATAL_H
#define SIDECAR_FATAL_H

/*
 * Has SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS and SIGABRT logged before they
 * end the process as ever, with a core dump where one is wanted. To be called
 * once the log is open, before threads start. Sanitizers report such faults
 * themselves: nothing is done in their builds.
 */
void fatal_log_signals(void);

#endif
