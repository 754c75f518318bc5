/*
 * Which server a host names, and which location of it a URI is in: tables made
 * once of a complete configuration, searched by halving. Read-only afterwards,
 * so thread-safe.
 */
#ifndef SIDECAR_CONFIG_ROUTES_H
#define SIDECAR_CONFIG_ROUTES_H

#include "config.h"

struct config_routes;

/* Makes the tables; the configuration outlives them. Aborts if out of memory.
 */
struct config_routes *config_routes_new(const struct config *config);

void config_routes_free(struct config_routes *routes);

#endif
