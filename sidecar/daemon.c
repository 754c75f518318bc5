/*
 * Putting the parts of the daemon together.
 *
 *   I/O threads (worker_threads)      drainer            parser
 *     listeners, FastCGI, SCGI          event sockets      log lines
 *     timers: deadlines, tick             │ ring ▲           │
 *        │                                └──────┴───────────┤
 *        └──────────▶ uploads (lock) ──▶ store (lock) ◀──────┘
 *                        └─▶ gauges: /proc, a netlink socket per thread,
 *                            and one that tells of connections that are gone
 *
 *   main thread: starts, waits for signals, reloads, stops. To reload, and to
 *   take a snapshot, it stops all other threads for a moment: what comes in
 *   meanwhile waits in the sockets.
 */
#include "daemon.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "alloc.h"
#include "destroyed_sockets.h"
#include "inherited.h"
#include "log.h"
#include "probe.h"
#include "server.h"
#include "syslog_server.h"

enum {
    TICK_MS = 250,
    DRAIN_MS = 500,   /* for requests that have begun */
    ALIVE_MS = 10000, /* a tick that is so late has not come */
    THREADS_PER_PROCESSOR = 2,
};

struct daemon {
    struct config *config; /* owned */
    struct sidecar sidecar;
    struct destroyed_sockets *destroyed;
    struct io *io;
    struct server *server;
    struct syslog_server *syslog;
    struct io_timer timer;
    bool started;
    bool followed;          /* the sockets of uploads, as configured now */
    unsigned told_threads;  /* of a configuration that wants too many */
    atomic_llong ticked_ms; /* when the timer was served last */
};

static void
tick(void *context)
{
    struct daemon *daemon = context;

    uploads_tick(daemon->sidecar.uploads, io_now_ms());
    atomic_store(&daemon->ticked_ms, io_now_ms());
    trust_report(daemon->sidecar.trust, io_now_ms());
}

/*
 * Descriptors left for holding temporary files once all connections that are
 * allowed have theirs, but a quarter of all at least.
 */
static int
held_max(const struct config *config)
{
    struct rlimit limit = { .rlim_cur = 1024 };
    int64_t all;
    int64_t left;

    getrlimit(RLIMIT_NOFILE, &limit);
    all = limit.rlim_cur > INT_MAX ? INT_MAX : (int64_t)limit.rlim_cur;
    left = all - config->worker_connections - 64;
    return (int)(left > all / 4 ? left : all / 4);
}

static struct uploads_options
uploads_options(const struct daemon *daemon, const struct config *config)
{
    const struct store *store = daemon->sidecar.store;
    struct uploads_options options = {
        .destroyed = daemon->destroyed,
        .check_interval_ms = config->check_interval_ms,
        .inactive_timeout_ms = config->inactive_timeout_ms,
        .piece_timeout_ms = config->piece_timeout_ms,
        .held_max = held_max(config),
        .clock_ms = io_now_ms,
        .thread_us = io_thread_us,
    };

    memcpy(options.gauges, config->gauges, sizeof(options.gauges));
    for (const struct zone_config *z = config->zones; z; z = z->next) {
        options.ttl_ms[store_zone_find(store, z->name)] = z->ttl_ms;
    }
    return options;
}

static struct server_options
server_options(struct daemon *daemon, const struct config *config)
{
    return (struct server_options){
        .handler = { .body = sidecar_body,
                     .respond = sidecar_respond,
                     .together = sidecar_together,
                     .context = &daemon->sidecar },
        .log = log_write,
        .header_timeout_ms = config->client_header_timeout_ms,
        .body_timeout_ms = config->client_body_timeout_ms,
        .send_timeout_ms = config->send_timeout_ms,
        .keepalive_timeout_ms = config->keepalive_timeout_ms,
        .connections_max = (unsigned)config->worker_connections,
    };
}

/* Zones that are not configured any more go first, they make room. */
static int
set_zones(struct store *store, const struct config *config)
{
    for (int i = 0; i < ZONES_MAX; i++) {
        const char *name = store_zone_name(store, i);
        const struct zone_config *z = config->zones;

        while (name != NULL && z != NULL && strcmp(z->name, name) != 0) {
            z = z->next;
        }
        if (name != NULL && z == NULL) {
            log_write(LOG_NOTICE, "zone \"%s\" is gone, with its uploads",
                      name);
            store_zone_remove(store, i);
        }
    }
    for (const struct zone_config *z = config->zones; z; z = z->next) {
        if (store_zone_set(store, z->name, z->size_bytes) < 0) {
            log_write(LOG_EMERG, "zone \"%s\" cannot be added", z->name);
            return -1;
        }
    }
    return 0;
}

static bool
gives_away(const struct listen_config *listen)
{
    return listen->access.uid != UNIX_SOCKET_SAME_USER ||
           listen->access.gid != UNIX_SOCKET_SAME_GROUP;
}

static int
open_listen(struct daemon *daemon, const struct config *config,
            const struct listen_config *listen)
{
    static const struct protocol *const protocols[] = {
        [LISTEN_FASTCGI] = &fastcgi_protocol,
        [LISTEN_SCGI] = &scgi_protocol,
        [LISTEN_EITHER] = &either_protocol,
    };
    bool is_syslog = listen->protocol == LISTEN_SYSLOG;
    bool given;
    int fd = inherited_take(&listen->address,
                            is_syslog ? SOCK_DGRAM : SOCK_STREAM, &given);
    char text[ADDRESS_TEXT_MAX];
    int result;

    if (is_syslog) {
        struct syslog_listen options = {
            .address = listen->address,
            .rcvbuf_bytes = (int)listen->rcvbuf_bytes,
            .access = listen->access,
            .local_only = config->key == NULL,
            .fd = fd,
            .keep_path = given,
        };

        result = syslog_server_listen(daemon->syslog, &options);
    } else {
        struct server_listen options = {
            .protocol = protocols[listen->protocol],
            .address = listen->address,
            .backlog = listen->backlog,
            .access = listen->access,
            .fd = fd,
            .keep_path = given,
        };

        result = server_listen(daemon->server, &options);
    }
    if (result < 0) {
        address_format(&listen->address, text, sizeof(text));
        log_write(LOG_EMERG, "bind() to %s failed (%d: %m)%s", text, errno,
                  errno == EPERM && gives_away(listen)
                      ? ", which \"owner=\" of another user, or \"group=\" "
                        "that the daemon is not of, needs root for"
                      : "");
    }
    return result;
}

static int
open_listens(struct daemon *daemon, const struct config *config)
{
    for (const struct listen_config *l = config->listens; l; l = l->next) {
        if (open_listen(daemon, config, l) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool
is_listen(const struct config *config, const struct address *address,
          bool is_syslog)
{
    const struct listen_config *l = config->listens;

    while (l != NULL && (!address_is(&l->address, address) ||
                         (l->protocol == LISTEN_SYSLOG) != is_syslog)) {
        l = l->next;
    }
    return l != NULL;
}

static bool
is_request_listen(void *config, const struct address *address)
{
    return is_listen(config, address, false);
}

static bool
is_syslog_listen(void *config, const struct address *address)
{
    return is_listen(config, address, true);
}

static void
close_other_listens(struct daemon *daemon, struct config *config)
{
    server_listen_only(daemon->server, is_request_listen, config);
    syslog_server_listen_only(daemon->syslog, is_syslog_listen, config);
}

static int
open_store(struct daemon *daemon)
{
    struct uploads_options options;
    const char *message = NULL;

    daemon->sidecar.store = store_new(&message);
    if (daemon->sidecar.store == NULL) {
        log_write(LOG_EMERG, "the store cannot be opened: %s", message);
        return -1;
    }
    if (set_zones(daemon->sidecar.store, daemon->config) < 0) {
        return -1;
    }
    options = uploads_options(daemon, daemon->config);
    daemon->sidecar.uploads = uploads_new(daemon->sidecar.store, &options);
    return 0;
}

static int
open_sockets(struct daemon *daemon)
{
    struct server_options options = server_options(daemon, daemon->config);
    const struct syslog_handler lines = {
        .message = sidecar_log_line,
        .burst_begin = sidecar_burst_begin,
        .burst_end = sidecar_burst_end,
        .context = &daemon->sidecar,
    };

    daemon->io = io_new();
    daemon->syslog = syslog_server_new(log_write, &lines);
    if (daemon->io == NULL || daemon->syslog == NULL) {
        log_write(LOG_EMERG, "the event loop cannot be made: %m");
        return -1;
    }
    daemon->server = server_new(daemon->io, &options);
    if (daemon->server == NULL) {
        log_write(LOG_EMERG, "the server cannot be made: %m");
        return -1;
    }
    return open_listens(daemon, daemon->config);
}

struct daemon *
daemon_new(struct config *config)
{
    struct daemon *daemon = alloc_zeroed(1, sizeof(*daemon));

    daemon->config = config;
    daemon->sidecar.config = config;
    daemon->sidecar.trust = trust_new(config->key);
    daemon->destroyed = destroyed_sockets_new();
    if (open_store(daemon) < 0 || open_sockets(daemon) < 0 ||
        io_timer_start(&daemon->timer, daemon->io, TICK_MS, tick, daemon) < 0 ||
        server_start(daemon->server) < 0) {
        daemon_free(daemon);
        return NULL;
    }
    return daemon;
}

/* Only where the socket gauge is read is there anything to be told of. */
static void
follow_sockets(struct daemon *daemon)
{
    if (!daemon->config->gauges[GAUGE_SOCKET]) {
        destroyed_sockets_stop(daemon->destroyed);
    } else if (destroyed_sockets_start(daemon->destroyed, daemon->io) < 0) {
        log_write(LOG_WARNING, "the last byte counts of connections cannot be "
                               "had: joining the groups of sock_diag: %m");
    }
    uploads_follow_sockets(daemon->sidecar.uploads);
    daemon->followed = true;
}

/*
 * Where there are many more threads than processors, hardly two requests come
 * to the same one, and each costs a wake-up of its own.
 */
static unsigned
io_thread_count(const struct config *config)
{
    const unsigned wanted = (unsigned)config->worker_threads;
    unsigned most;
    cpu_set_t processors;

    if (sched_getaffinity(0, sizeof(processors), &processors) < 0) {
        return wanted; /* more than there is room for in the set */
    }
    most = THREADS_PER_PROCESSOR * (unsigned)CPU_COUNT(&processors);
    return wanted < most ? wanted : most;
}

static int
start_io(struct daemon *daemon)
{
    const unsigned wanted = (unsigned)daemon->config->worker_threads;
    const unsigned count = io_thread_count(daemon->config);

    if (count < wanted && wanted != daemon->told_threads) {
        daemon->told_threads = wanted;
        log_write(LOG_NOTICE,
                  "worker_threads %u: %u are started, %d for each processor",
                  wanted, count, THREADS_PER_PROCESSOR);
    }
    return io_start(daemon->io, count);
}

int
daemon_start(struct daemon *daemon)
{
    daemon->started = true;
    if (!daemon->followed) {
        follow_sockets(daemon);
    }
    atomic_store(&daemon->ticked_ms, io_now_ms());
    server_resume(daemon->server);
    io_gather(daemon->io, (int)daemon->config->gather_delay_ms);
    if (syslog_server_start(daemon->syslog) < 0 || start_io(daemon) < 0) {
        log_write(LOG_EMERG, "the threads cannot be started: %m");
        return -1;
    }
    return 0;
}

void
daemon_stop(struct daemon *daemon)
{
    if (daemon->started) {
        syslog_server_stop(daemon->syslog);
        io_stop(daemon->io);
    }
    daemon->started = false;
}

void
daemon_drain(struct daemon *daemon)
{
    server_drain(daemon->server, DRAIN_MS);
}

bool
daemon_is_alive(struct daemon *daemon, int64_t now_ms)
{
    return now_ms - atomic_load(&daemon->ticked_ms) < ALIVE_MS;
}

int
daemon_configure(struct daemon *daemon, struct config *config)
{
    struct server_options server = server_options(daemon, config);
    struct uploads_options uploads;

    if (open_listens(daemon, config) < 0) {
        /* Those that were opened anew go, the others have their old options. */
        close_other_listens(daemon, daemon->config);
        if (open_listens(daemon, daemon->config) < 0) {
            log_write(LOG_ALERT, "listening as before is not possible");
        }
        return -1;
    }
    close_other_listens(daemon, config);
    if (set_zones(daemon->sidecar.store, config) < 0) {
        abort(); /* the configuration has no more zones than the store */
    }
    uploads = uploads_options(daemon, config);
    uploads_configure(daemon->sidecar.uploads, &uploads);
    server_configure(daemon->server, &server);
    daemon->sidecar.config = config;
    trust_free(daemon->sidecar.trust);
    daemon->sidecar.trust = trust_new(config->key);
    config_free(daemon->config);
    daemon->config = config;
    daemon->followed = false;
    return 0;
}

void
daemon_each_socket(struct daemon *daemon, daemon_socket_fn take, void *context)
{
    server_each_socket(daemon->server, take, context);
    syslog_server_each_socket(daemon->syslog, take, context);
}

struct store *
daemon_store(struct daemon *daemon)
{
    return daemon->sidecar.store;
}

void
daemon_free(struct daemon *daemon)
{
    if (daemon == NULL) {
        return;
    }
    daemon_stop(daemon);
    io_timer_release(&daemon->timer);
    syslog_server_free(daemon->syslog);
    server_free(daemon->server);
    uploads_free(daemon->sidecar.uploads);
    destroyed_sockets_free(daemon->destroyed); /* takes it out of the set */
    io_free(daemon->io);
    store_free(daemon->sidecar.store);
    trust_free(daemon->sidecar.trust);
    config_free(daemon->config);
    free(daemon);
}
