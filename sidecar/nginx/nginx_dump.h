/*
 * The output of "nginx -T": all files of a configuration, one behind the
 * other, in the order in which nginx opens them. Not thread-safe.
 */
#ifndef SIDECAR_NGINX_DUMP_H
#define SIDECAR_NGINX_DUMP_H

#include <stddef.h>

#include "nginx_blocks.h"

/*
 * Reads such an output. What stands before the first file is skipped. A line
 * of a file that looks like the start of another is told from one by the
 * includes. On failure returns NULL and sets *message, which the caller frees,
 * in nginx's form.
 */
struct nginx_tree *nginx_dump_load(const char *text, size_t len,
                                   char **message);

#endif
