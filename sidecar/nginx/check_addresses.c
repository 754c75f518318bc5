/* Whether what nginx connects to is what we listen on. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "address.h"
#include "alloc.h"
#include "check_internal.h"

static const char *const protocol_names[] = {
    [LISTEN_FASTCGI] = "fastcgi",
    [LISTEN_SCGI] = "scgi",
    [LISTEN_EITHER] = "fastcgi and scgi",
    [LISTEN_SYSLOG] = "syslog",
};

static bool
takes(const struct listen_config *listen, enum listen_protocol protocol)
{
    return listen->protocol == protocol ||
           (listen->protocol == LISTEN_EITHER && protocol != LISTEN_SYSLOG);
}

/* A path may lead through links. */
static bool
same_file(const char *a, const char *b)
{
    struct stat a_stat;
    struct stat b_stat;

    return strcmp(a, b) == 0 ||
           (stat(a, &a_stat) == 0 && stat(b, &b_stat) == 0 &&
            a_stat.st_dev == b_stat.st_dev && a_stat.st_ino == b_stat.st_ino);
}

static unsigned
port_of(const struct address *address)
{
    const struct sockaddr_storage *storage = &address->storage;

    return ntohs(storage->ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)storage)->sin6_port
                     : ((const struct sockaddr_in *)storage)->sin_port);
}

static bool
is_any(const struct address *address)
{
    const struct sockaddr_storage *storage = &address->storage;

    if (storage->ss_family == AF_INET6) {
        return IN6_IS_ADDR_UNSPECIFIED(
            &((const struct sockaddr_in6 *)storage)->sin6_addr);
    }
    return ((const struct sockaddr_in *)storage)->sin_addr.s_addr == INADDR_ANY;
}

/* A name may have several addresses. */
static bool
has_address(const struct address *ours, const char *text)
{
    char host[256] = "";
    const char *colon = strrchr(text, ':');
    size_t len = (size_t)(colon - text);
    bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
    struct addrinfo hints = { .ai_family = ours->storage.ss_family,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    bool same = false;

    if (len >= sizeof(host)) {
        return false;
    }
    memcpy(host, text + brackets, len - (brackets ? 2 : 0));
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        return false;
    }
    for (const struct addrinfo *i = found; i != NULL && !same; i = i->ai_next) {
        same = i->ai_addrlen == ours->len &&
               memcmp(i->ai_addr, &ours->storage, ours->len) == 0;
    }
    freeaddrinfo(found);
    return same;
}

static bool
same_address(const struct address *ours, const char *text)
{
    const char *colon = strrchr(text, ':');

    if (strncmp(text, "unix:", 5) == 0 || address_path(ours) != NULL) {
        return strncmp(text, "unix:", 5) == 0 && address_path(ours) != NULL &&
               same_file(text + 5, address_path(ours));
    }
    return colon != NULL && strtoul(colon + 1, NULL, 10) == port_of(ours) &&
           (is_any(ours) || has_address(ours, text));
}

bool
check_listens(const struct check *check, const char *address,
              enum listen_protocol protocol)
{
    const struct listen_config *l = check->config->listens;

    while (l != NULL &&
           (!takes(l, protocol) || !same_address(&l->address, address))) {
        l = l->next;
    }
    return l != NULL;
}

char *
check_listen_names(const struct check *check, enum listen_protocol protocol)
{
    struct buffer names = BUFFER_INIT;
    char *text;

    for (const struct listen_config *l = check->config->listens; l != NULL;
         l = l->next) {
        char name[ADDRESS_TEXT_MAX];

        if (takes(l, protocol)) {
            address_format(&l->address, name, sizeof(name));
            buffer_printf(&names, "%s%s", names.len > 0 ? ", " : "", name);
        }
    }
    text = names.len > 0
               ? alloc_copy(names.data, names.len)
               : alloc_format("nowhere for %s", protocol_names[protocol]);
    buffer_release(&names);
    return text;
}

static const struct nginx_node *
find_upstream(const struct check *check, const char *name)
{
    for (const struct nginx_node *c = check->http->children; c; c = c->next) {
        if (c->block && nginx_is(c, "upstream") && nginx_says(c, name)) {
            return c;
        }
    }
    return NULL;
}

bool
check_passes(const struct check *check, const struct nginx_node *pass,
             struct buffer *names)
{
    enum listen_protocol protocol =
        nginx_is(pass, "scgi_pass") ? LISTEN_SCGI : LISTEN_FASTCGI;
    const struct nginx_node *upstream = find_upstream(check, pass->args[1]);
    bool ours = false;

    if (upstream == NULL) {
        if (names != NULL) {
            buffer_append_string(names, pass->args[1]);
        }
        return check_listens(check, pass->args[1], protocol);
    }
    for (const struct nginx_node *c = upstream->children; c; c = c->next) {
        if (nginx_is(c, "server") && c->count > 1) {
            ours = ours || check_listens(check, c->args[1], protocol);
            if (names != NULL) {
                buffer_printf(names, "%s%s", names->len > 0 ? ", " : "",
                              c->args[1]);
            }
        }
    }
    return ours;
}

const struct nginx_node *
check_pass(const struct nginx_node *location)
{
    const struct nginx_node *pass = nginx_child(location, "scgi_pass");

    if (pass == NULL) {
        pass = nginx_child(location, "fastcgi_pass");
    }
    return pass != NULL && pass->count > 1 ? pass : NULL;
}

/* Not deeper than the tree. NOLINTBEGIN(misc-no-recursion) */
bool
check_takes_bodies(const struct nginx_node *location)
{
    static const char *const names[] = {
        "proxy_pass",  "fastcgi_pass",        "uwsgi_pass",
        "scgi_pass",   "grpc_pass",           "upload_pass",
        "js_content",  "content_by_lua",      "content_by_lua_block",
        "dav_methods", "content_by_lua_file",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (nginx_child(location, names[i]) != NULL) {
            return true;
        }
    }
    for (const struct nginx_node *c = location->children; c; c = c->next) {
        if (c->block && (nginx_is(c, "if") || nginx_is(c, "limit_except")) &&
            check_takes_bodies(c)) {
            return true;
        }
    }
    return false;
}
/* NOLINTEND(misc-no-recursion) */
