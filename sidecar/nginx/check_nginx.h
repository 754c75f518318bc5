/* Whether a site's nginx tells upload-progressd what it needs to know. */
#ifndef SIDECAR_CHECK_NGINX_H
#define SIDECAR_CHECK_NGINX_H

#include "config.h"

enum check_status {
    CHECK_GOOD = 0,   /* nothing is missing */
    CHECK_FAILED = 1, /* nginx refuses its configuration; it cannot be read */
    CHECK_FOUND = 2,  /* something is missing or wrong, and was named */
};

/*
 * Looks at the output of "nginx -T", with "-c" and the file unless that is
 * NULL, or for "-" at such an output on standard input, and prints what is
 * missing or wrong for a daemon of that configuration. The processes of both
 * are looked at as well, where they run. Returns the exit status.
 */
enum check_status check_nginx(const struct config *config, const char *file);

#endif
