/* What the parts of an import share: the tree and the notes about it. */
#ifndef SIDECAR_IMPORT_MODEL_H
#define SIDECAR_IMPORT_MODEL_H

#include "buffer.h"
#include "nginx_blocks.h"
#include "nginx_levels.h"

struct import {
    struct nginx_tree *tree;
    struct nginx_node *http; /* or the root, where there is none */
    struct buffer notes;     /* lines for the person; empty: all was moved */
    char **log_lines;        /* what location.conf logs; NULL-terminated */
};

/* Tells the person of something; once, where a file is included twice. */
void import_note(struct import *import, const struct nginx_node *node,
                 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether it is one of the module's directives. */
bool import_is_module(const struct nginx_node *node);

/* Whether upload-progressd.conf can have such a location. */
bool import_is_movable(const struct nginx_node *location);

/* A block that is a server of http. */
bool import_is_server(const struct import *import,
                      const struct nginx_node *node);

#endif
