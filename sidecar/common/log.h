/* The daemon's own log, one line a call, in nginx's format. Thread-safe. */
#ifndef SIDECAR_LOG_H
#define SIDECAR_LOG_H

#include <syslog.h>

/*
 * Logs to path, which stays in use, or to standard error for "stderr"; lines
 * up to level, one of
 * syslog(3)'s LOG_EMERG to LOG_DEBUG, which are nginx's. Returns 0, or -1 with
 * errno set and the log unchanged. To be called while no other thread runs.
 */
int log_open(const char *path, int level) __attribute__((warn_unused_result));

/*
 * Opens the file anew, after it was moved away. Returns as log_open(). The
 * old one goes on being used if that fails.
 */
int log_reopen(void) __attribute__((warn_unused_result));

/* The level of a name, "emerg" to "debug", or -1. */
int log_level(const char *name);

/*
 * Writes a line if its level is wanted. %m is errno's text, as in syslog(3).
 * Bytes that are not printable ASCII become \xHH, as in nginx's log.
 */
void log_write(int level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Writes a line of printable text, cut at 100 bytes, from within a signal's
 * handler (signal-safety(7)). It has no time.
 */
void log_write_signal_safe(int level, const char *text);

#endif
