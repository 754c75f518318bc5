/*
 * What nginx puts into its syslog datagrams: error-log lines, and access-log
 * lines in the form name="value" ... with log_format's default escaping.
 * Pure functions that cut the message up in place, thread-safe.
 */
#ifndef FCGI_SYSLOG_LINE_H
#define FCGI_SYSLOG_LINE_H

#include <stddef.h>

#include "message.h"

enum syslog_kind {
    SYSLOG_ACCESS, /* name="value" pairs, now parameters of the request */
    SYSLOG_ERROR,  /* an error-log line, its parts as parameters, see below */
    SYSLOG_OTHER,  /* anything else, truncated or hostile */
};

/*
 * Cuts message up; the parameters of request point into it. An error line
 * yields "pid" and "connection" (decimal), "message" (up to the first named
 * part), and each named part that follows: "client", "server", "request",
 * "host". A part that the line's end cuts short is kept, and "truncated" is
 * "1" when that part is the request.
 */
enum syslog_kind syslog_line_parse(char *message, struct request *request);

/*
 * The tag of a message that has not been cut up yet, and its length; NULL
 * where there is none.
 */
const char *syslog_line_tag(const char *message, size_t *len);

#endif
