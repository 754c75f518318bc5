/* The log lines that tell us of uploads: how to know and how to write them. */
#ifndef SIDECAR_CHECK_LINES_H
#define SIDECAR_CHECK_LINES_H

#include "check_internal.h"

/* The variables that select what is told of. */
extern const char filter_tracked[];    /* in tracked locations */
extern const char filter_pieces[];     /* in those that take pieces of files */
extern const char filter_redirected[]; /* where they lead to */

/* Whether a log line is meant for us: by address, tag or format. */
bool line_is_ours(const struct check *check, const struct nginx_node *log);

/* Whether it is sent to an address that we listen on. */
bool line_reaches_us(const struct check *check, const struct nginx_node *log);

/* Whether it has a format that has all that the daemon needs. */
bool line_has_format(const struct check *check, const struct nginx_node *log);

/* Whether the format has what pieces of files are known by. */
bool line_has_pieces(const struct check *check, const struct nginx_node *log);

/* Whether there is a log_format that has. */
bool lines_have_pieces(const struct check *check);

/* Whether it carries the key, if there has to be one. */
bool line_has_key(const struct check *check, const struct nginx_node *log);

/* Whether it is for requests that were led elsewhere. */
bool line_is_redirected(const struct nginx_node *log);

/* The value of an option such as "if=", "" without. */
const char *line_option(const struct nginx_node *log, const char *name);

/* The address of a syslog line, to be freed, or NULL. */
char *line_address(const struct nginx_node *log);

/* The most verbose level of an error_log, as in syslog(3). */
int line_level(const struct nginx_node *log);

/* The lines as they have to be in a block; to be freed. */
char *line_of_end(const struct check *check, const char *filter, bool pieces);
char *line_of_spool(const struct check *check, const char *level);

/* The lines of the site itself that hold in a block. */
void lines_of_site(const struct check *check, const struct nginx_node *block,
                   const char *name, struct node_list *lines);

/*
 * "add: " a line, which is freed, and those of the site that it would replace
 * in the block; to be freed.
 */
char *line_to_add(const struct check *check, const struct nginx_node *block,
                  const char *name, char *line);

#endif
