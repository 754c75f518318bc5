/*
 * What holds where in an nginx configuration: which level a directive is
 * inherited from, which location takes a URI. Not thread-safe.
 */
#ifndef SIDECAR_NGINX_LEVELS_H
#define SIDECAR_NGINX_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "nginx_blocks.h"

/* Whether it is the block of a location. */
bool nginx_is_location(const struct nginx_node *node);

/* The modifier and URI of a location; "" without modifier. */
const char *nginx_modifier(const struct nginx_node *location);
const char *nginx_uri(const struct nginx_node *location);

/*
 * The innermost block, from this one outwards, that has such a directive with
 * an argument, or NULL: the lines of that block alone hold here.
 */
const struct nginx_node *nginx_level(const struct nginx_node *block,
                                     const char *name);

/* The first such directive that holds in the block, or NULL. */
const struct nginx_node *nginx_holding(const struct nginx_node *block,
                                       const char *name);

/* The next directive of the same name in the same block, or NULL. */
const struct nginx_node *nginx_again(const struct nginx_node *node);

/* Whether a directive has this first argument; NULL has none. */
bool nginx_says(const struct nginx_node *node, const char *argument);

/* The server that a block is in, or NULL. */
const struct nginx_node *nginx_server(const struct nginx_node *block);

/*
 * The location of a server that takes a URI, or has the name "@...", as if
 * there were none with a regular expression; or NULL.
 */
const struct nginx_node *nginx_find_location(const struct nginx_node *server,
                                             const char *uri);

/*
 * Whether a regular expression of nginx may match; true also where that cannot
 * be told.
 */
bool nginx_may_match(const char *pattern, bool ignore_case, const char *text);

/* The bytes of a size such as 8m, or -1. */
int64_t nginx_size(const char *text);

#endif
