/* Socket addresses in nginx's notation. */
#include "address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char *
parse_unix(const char *path, struct address *address)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->storage;

    if (path[0] == '\0') {
        return "has an empty path";
    }
    if (strlen(path) >= sizeof(un->sun_path)) {
        return "has a path of more than 107 bytes";
    }
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path, path);
    address->len = sizeof(*un);
    return NULL;
}

const char *
address_parse(const char *text, struct address *address)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char host[256] = "127.0.0.1";
    const char *colon = strrchr(text, ':');
    const char *port = colon ? colon + 1 : text;
    size_t len = colon ? (size_t)(colon - text) : 0;

    memset(address, 0, sizeof(*address));
    if (strncmp(text, "unix:", 5) == 0) {
        return parse_unix(text + 5, address);
    }
    if (len >= sizeof(host)) {
        return "has too long a host name";
    }
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        memcpy(host, text + 1, len - 2);
        host[len - 2] = '\0';
    } else if (len > 0) {
        memcpy(host, text, len);
        host[len] = '\0';
    }
    if (port[0] == '\0' || strspn(port, "0123456789") != strlen(port) ||
        strlen(port) > 5 || strtol(port, NULL, 10) < 1 ||
        strtol(port, NULL, 10) > 65535) {
        return "has no valid port";
    }
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return "has a host that is not found";
    }
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    address->len = found->ai_addrlen;
    freeaddrinfo(found);
    return NULL;
}

bool
address_is(const struct address *a, const struct address *b)
{
    return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
}

const char *
address_path(const struct address *address)
{
    if (address->storage.ss_family != AF_UNIX) {
        return NULL;
    }
    return ((const struct sockaddr_un *)&address->storage)->sun_path;
}

void
address_format(const struct address *address, char *text, size_t size)
{
    const struct sockaddr *sa = (const struct sockaddr *)&address->storage;
    char host[INET6_ADDRSTRLEN] = "?";
    char port[8] = "?";

    if (address_path(address) != NULL) {
        snprintf(text, size, "unix:%s", address_path(address));
        return;
    }
    getnameinfo(sa, address->len, host, sizeof(host), port, sizeof(port),
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(text, size, sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
             port);
}

static bool
is_loopback_v4(const unsigned char bytes[4])
{
    return bytes[0] == 127;
}

bool
address_is_local(const struct address *address)
{
    const struct sockaddr *sa = (const struct sockaddr *)&address->storage;
    const struct in6_addr *v6;

    if (sa->sa_family == AF_UNIX) {
        return true;
    }
    if (sa->sa_family == AF_INET) {
        return is_loopback_v4(
            (const unsigned char *)&((const struct sockaddr_in *)sa)->sin_addr);
    }
    if (sa->sa_family != AF_INET6) {
        return false;
    }
    v6 = &((const struct sockaddr_in6 *)sa)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) ||
           (IN6_IS_ADDR_V4MAPPED(v6) && is_loopback_v4(v6->s6_addr + 12));
}
