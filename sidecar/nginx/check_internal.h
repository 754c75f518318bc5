/* Shared by the parts of the check: findings, log lines, addresses. */
#ifndef SIDECAR_CHECK_INTERNAL_H
#define SIDECAR_CHECK_INTERNAL_H

#include "check_nginx.h"
#include "nginx_blocks.h"
#include "nginx_levels.h"
#include "nginx_program.h"

enum finding {
    FINDING_INFO,   /* a fact to know */
    FINDING_NOTICE, /* may be wrong, or was not checked */
    FINDING_WARN,   /* makes tracking, or the site's logs, worse */
    FINDING_EMERG,  /* breaks tracking wholly */
    FINDINGS,
};

enum { NODES_MAX = 64 };

/* A few directives or blocks; those beyond its size are left out. */
struct node_list {
    const struct nginx_node *nodes[NODES_MAX];
    int count;
};

struct check {
    const struct config *config; /* ours */
    struct nginx_tree *tree;     /* nginx's */
    const struct nginx_node *http;
    struct nginx_build *build; /* NULL: not known */
    struct buffer printed;     /* the findings, one a line */
    int counts[FINDINGS];
    int tracked; /* locations */
};

/*
 * Prints a finding: what, the place of the directive or block (or NULL), and
 * what to do (or NULL), which is freed. The same is not printed twice.
 */
void check_report(struct check *check, enum finding level,
                  const struct nginx_node *where, char *advice,
                  const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* "location "/uri"", "server" and so on, for a finding; to be freed. */
char *check_name(const struct nginx_node *block);

/* A directive with its ';'; to be freed. */
char *check_print(const struct nginx_node *node);

/* "WHAT: LINE", to be freed; the line is. */
char *check_advice(const char *what, char *line);

/* Adds one that is not there yet; whether it was. */
bool check_add(struct node_list *list, const struct nginx_node *node);

/* Addresses. */

/* Whether we listen on an address of nginx's, for that protocol. */
bool check_listens(const struct check *check, const char *address,
                   enum listen_protocol protocol);

/* Those that we listen on for the protocol, with commas; to be freed. */
char *check_listen_names(const struct check *check,
                         enum listen_protocol protocol);

/*
 * Whether a directive *_pass leads to us, through an upstream or not. The
 * addresses that it leads to instead are appended, unless names is NULL.
 */
bool check_passes(const struct check *check, const struct nginx_node *pass,
                  struct buffer *names);

/* The scgi_pass or fastcgi_pass of a location, or NULL. */
const struct nginx_node *check_pass(const struct nginx_node *location);

/* Whether a location reads bodies itself, also in an "if" of it. */
bool check_takes_bodies(const struct nginx_node *location);

/* Log lines. */

/* The log lines that tell us of requests to a tracked location. */
void check_logs(struct check *check, const struct nginx_node *location,
                bool says_here);

/* Those of a block that the requests to a tracked location are led to, by way
 * of a directive. */
void check_led_logs(struct check *check, const struct nginx_node *location,
                    const struct nginx_node *block,
                    const struct nginx_node *way);

/* Whether the log lines of a block in a tracked location leave ours out. */
void check_inner_logs(struct check *check, const struct nginx_node *block);

/* The site's own log where http.conf stands alone. */
void check_http_logs(struct check *check);

/* Mirrored requests. */

/* Whether a location is one that tells us of uploads: "start", "body". */
const char *check_event(const struct nginx_node *location);

/*
 * Whether a mirror directive is meant for us; the event, "piece" for the start
 * of a piece of a file, or NULL.
 */
const char *check_mirror_event(const struct nginx_node *mirror,
                               const struct nginx_node *server);

/* The location that a tracked one's mirror leads to. */
void check_target(struct check *check, const struct nginx_node *location,
                  const struct nginx_node *mirror);

/* Whether a location of ours passes what pieces of files are known by. */
bool check_tells_pieces(const struct nginx_node *location);

/* Rewrites of a server that mirrored requests go through. */
void check_rewrites(struct check *check, const struct nginx_node *server,
                    const char *uri);

/* Tests like "if (!-f FILE)" of a block for our pid file. */
void check_pid_tests(struct check *check, const struct nginx_node *location);

/* Pieces of files. */

/* Whether a block is meant to take them, by its mirrors or log lines. */
bool check_takes_pieces(const struct check *check,
                        const struct nginx_node *block);

/* The mirrors of a tracked location that takes them. */
void check_pieces(struct check *check, const struct nginx_node *location);

/* Unbuffered uploads by HTTP/2. */
void check_buffering(struct check *check, const struct nginx_node *location);

/* Everything of all locations. */
void check_locations(struct check *check);

/* Where probes go. */
void check_probes(struct check *check);

/* The processes of nginx and the daemon. */
void check_processes(struct check *check);

#endif
