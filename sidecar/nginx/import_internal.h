/* Shared by the parts of import: findings, upload-progressd.conf, edits. */
#ifndef SIDECAR_IMPORT_INTERNAL_H
#define SIDECAR_IMPORT_INTERNAL_H

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

/* Finds what is tracked and reported, and what cannot be moved. */
void import_scan(struct import *import);

/* Tells of the site's log lines that location.conf replaces. */
void import_check_logs(struct import *import,
                       const struct nginx_node *location);

/* Reads what the installed location.conf logs, else takes what ours does. */
void import_read_logs(struct import *import, const char *nginx_conf);

/* Appends upload-progressd.conf. */
void import_print_daemon(struct import *import, struct buffer *out);

/* Works out the changes of nginx's files. */
void import_edit(struct import *import);

/* Appends the changed parts of nginx's files. */
void import_print_nginx(struct import *import, struct buffer *out);

/* Whether it is one of the module's directives. */
bool import_is_module(const struct nginx_node *node);

/* Whether upload-progressd.conf can have such a location. */
bool import_is_movable(const struct nginx_node *location);

/* A block that is a server of http. */
bool import_is_server(const struct import *import,
                      const struct nginx_node *node);

#endif
