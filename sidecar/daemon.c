/*
 * Putting the parts of the daemon together.
 *
 *   I/O threads (worker_threads)      drainer            parser
 *     listeners, FastCGI, SCGI          event sockets      log lines
 *     timers: deadlines, tick             │ ring ▲           │
 *        │                                └──────┴───────────┤
 *        └──────────▶ uploads (lock) ──▶ store (lock) ◀──────┘
 *                        └─▶ gauges: /proc, a netlink socket per thread
 *
 *   main thread: starts, waits for a signal, stops
 */
#include "daemon.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "alloc.h"
#include "log.h"
#include "probe.h"
#include "server.h"
#include "syslog_server.h"

enum { TICK_MS = 250 };

struct daemon {
    const struct config *config;
    struct sidecar sidecar;
    struct io *io;
    struct server *server;
    struct syslog_server *syslog;
    struct io_timer timer;
    bool started;
};

static void
tick(void *context)
{
    const struct daemon *daemon = context;

    uploads_tick(daemon->sidecar.uploads, io_now_ms());
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

static int
open_store(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    struct uploads_options options = {
        .check_interval_ms = config->check_interval_ms,
        .inactive_timeout_ms = config->inactive_timeout_ms,
        .held_max = held_max(config),
        .clock_ms = io_now_ms,
    };
    const char *message = NULL;

    memcpy(options.gauges, config->gauges, sizeof(options.gauges));
    daemon->sidecar.store = store_new(&message);
    if (daemon->sidecar.store == NULL) {
        log_write(LOG_EMERG, "the store cannot be opened: %s", message);
        return -1;
    }
    for (const struct zone_config *z = config->zones; z; z = z->next) {
        int zone =
            store_zone_add(daemon->sidecar.store, z->name, z->size_bytes);

        if (zone < 0) {
            log_write(LOG_EMERG, "zone \"%s\" cannot be added", z->name);
            return -1;
        }
        options.ttl_ms[zone] = z->ttl_ms;
    }
    daemon->sidecar.uploads = uploads_new(daemon->sidecar.store, &options);
    return 0;
}

static int
open_listen(struct daemon *daemon, const struct listen_config *listen)
{
    char text[ADDRESS_TEXT_MAX];
    int result = -1;

    switch (listen->protocol) {
    case LISTEN_FASTCGI:
        result = server_listen(daemon->server, &fastcgi_protocol,
                               &listen->address, listen->backlog, listen->mode);
        break;
    case LISTEN_SCGI:
        result = server_listen(daemon->server, &scgi_protocol, &listen->address,
                               listen->backlog, listen->mode);
        break;
    case LISTEN_EITHER:
        result = server_listen(daemon->server, &either_protocol,
                               &listen->address, listen->backlog, listen->mode);
        break;
    case LISTEN_SYSLOG:
        result = syslog_server_listen(daemon->syslog, &listen->address,
                                      (int)listen->rcvbuf_bytes, listen->mode);
        break;
    }
    if (result < 0) {
        address_format(&listen->address, text, sizeof(text));
        log_write(LOG_EMERG, "bind() to %s failed (%d: %m)", text, errno);
    }
    return result;
}

static int
open_sockets(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    struct server_options options = {
        .handler = { sidecar_body, sidecar_respond, &daemon->sidecar },
        .log = log_write,
        .header_timeout_ms = config->client_header_timeout_ms,
        .body_timeout_ms = config->client_body_timeout_ms,
        .keepalive_timeout_ms = config->keepalive_timeout_ms,
        .connections_max = (unsigned)config->worker_connections,
    };

    daemon->io = io_new((unsigned)config->worker_threads);
    daemon->syslog =
        syslog_server_new(log_write, sidecar_log_line, &daemon->sidecar);
    if (daemon->io == NULL || daemon->syslog == NULL) {
        log_write(LOG_EMERG, "the event loop cannot be made: %m");
        return -1;
    }
    daemon->server = server_new(daemon->io, &options);
    if (daemon->server == NULL) {
        log_write(LOG_EMERG, "the server cannot be made: %m");
        return -1;
    }
    for (const struct listen_config *l = config->listens; l; l = l->next) {
        if (open_listen(daemon, l) < 0) {
            return -1;
        }
    }
    return 0;
}

struct daemon *
daemon_new(const struct config *config)
{
    struct daemon *daemon = alloc_zeroed(1, sizeof(*daemon));

    daemon->config = config;
    daemon->sidecar.config = config;
    if (open_store(daemon) < 0 || open_sockets(daemon) < 0) {
        daemon_free(daemon);
        return NULL;
    }
    return daemon;
}

int
daemon_start(struct daemon *daemon)
{
    daemon->started = true;
    if (io_timer_start(&daemon->timer, daemon->io, TICK_MS, tick, daemon) < 0 ||
        server_start(daemon->server) < 0 ||
        syslog_server_start(daemon->syslog) < 0 || io_start(daemon->io) < 0) {
        log_write(LOG_EMERG, "the threads cannot be started: %m");
        return -1;
    }
    return 0;
}

void
daemon_free(struct daemon *daemon)
{
    if (daemon == NULL) {
        return;
    }
    if (daemon->started) {
        syslog_server_stop(daemon->syslog);
        io_stop(daemon->io);
        io_timer_release(&daemon->timer);
    }
    syslog_server_free(daemon->syslog);
    server_free(daemon->server);
    io_free(daemon->io);
    uploads_free(daemon->sidecar.uploads);
    store_free(daemon->sidecar.store);
    free(daemon);
}
