/* The setter of "listen": addresses, protocols, who may connect. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "config_values.h"
#include "setters.h"

/* FastCGI, SCGI, both, or syslog; FastCGI where nothing is said. */
static const char *
set_listen_protocol(struct listen_config *listen,
                    const struct statement *statement)
{
    bool said[] = { false, false, false };
    static const char *const names[] = { "fastcgi", "scgi", "syslog" };

    for (int i = 2; i < statement->count; i++) {
        for (int p = 0; p < 3; p++) {
            said[p] = said[p] || strcmp(statement->args[i], names[p]) == 0;
        }
    }
    if (said[2] && (said[0] || said[1])) {
        return "takes \"syslog\" or protocols of requests, not both";
    }
    listen->protocol = said[2]              ? LISTEN_SYSLOG
                       : said[0] && said[1] ? LISTEN_EITHER
                       : said[1]            ? LISTEN_SCGI
                                            : LISTEN_FASTCGI;
    return NULL;
}

/* A user's or group's number, given as such or by its name. */
static const char *
set_listen_owner(struct listen_config *listen, const char *text, char **detail)
{
    bool is_owner = strncmp(text, "owner=", 6) == 0;
    const char *name = text + 6;
    char *end;
    unsigned long number = 0;
    const struct passwd *user;
    const struct group *group;
    bool is_number;

    errno = 0;
    number = strtoul(name, &end, 10);
    /* The last number means "leave it as it is" to chown(2). */
    is_number = name[0] >= '0' && name[0] <= '9' && *end == '\0' &&
                errno == 0 && number < UINT32_MAX;
    /* Before there are threads. */
    if (is_owner) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
        user = is_number ? NULL : getpwnam(name);
        if (user == NULL && !is_number) {
            return setters_explain(detail, "has the unknown owner", name, "");
        }
        listen->access.uid = is_number ? (uid_t)number : user->pw_uid;
    } else {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
        group = is_number ? NULL : getgrnam(name);
        if (group == NULL && !is_number) {
            return setters_explain(detail, "has the unknown group", name, "");
        }
        listen->access.gid = is_number ? (gid_t)number : group->gr_gid;
    }
    return address_path(&listen->address) != NULL
               ? NULL
               : "takes \"owner=\" and \"group=\" for \"unix:\" only";
}

static const char *
set_listen_parameter(struct listen_config *listen, const char *text,
                     char **detail)
{
    const char *value = strchr(text, '=');
    char *end;
    long number;

    if (strcmp(text, "fastcgi") == 0 || strcmp(text, "scgi") == 0 ||
        strcmp(text, "syslog") == 0) {
        return NULL; /* see set_listen_protocol() */
    }
    if (strncmp(text, "owner=", 6) == 0 || strncmp(text, "group=", 6) == 0) {
        return set_listen_owner(listen, text, detail);
    }
    if (value == NULL) {
        return "has an unknown parameter";
    }
    value++;
    if (strncmp(text, "rcvbuf=", 7) == 0) {
        return parse_size(value, &listen->rcvbuf_bytes) &&
                       listen->rcvbuf_bytes > 0 &&
                       listen->rcvbuf_bytes <= INT_MAX / 2
                   ? NULL
                   : "has an invalid rcvbuf";
    }
    errno = 0;
    number = strtol(value, &end, strncmp(text, "mode=", 5) == 0 ? 8 : 10);
    if (end == value || *end != '\0' || errno != 0 || number <= 0) {
        return "has an invalid parameter";
    }
    if (strncmp(text, "backlog=", 8) == 0 && number <= 65535) {
        listen->backlog = (int)number;
        return NULL;
    }
    if (strncmp(text, "mode=", 5) == 0 && number <= 0777) {
        listen->access.mode = (unsigned)number;
        return NULL;
    }
    return "has an unknown parameter";
}

static bool
same_address(const struct listen_config *a, const struct listen_config *b)
{
    bool datagram_a = a->protocol == LISTEN_SYSLOG;
    bool datagram_b = b->protocol == LISTEN_SYSLOG;

    return a->address.len == b->address.len &&
           memcmp(&a->address.storage, &b->address.storage, a->address.len) ==
               0 &&
           (datagram_a == datagram_b || address_path(&a->address) != NULL);
}

const char *
set_listen(struct config *config, struct location_config *location,
           const struct directive *directive, const struct statement *statement,
           char **detail)
{
    struct listen_config *listen = alloc_zeroed(1, sizeof(*listen));
    struct listen_config **last = &config->listens;
    const char *error = address_parse(statement->args[1], &listen->address);

    (void)location;
    (void)directive;
    listen->backlog = 1024;
    listen->rcvbuf_bytes = 8 << 20;
    listen->access.mode = 0660;
    listen->access.uid = UNIX_SOCKET_SAME_USER;
    listen->access.gid = UNIX_SOCKET_SAME_GROUP;
    if (error == NULL) {
        error = set_listen_protocol(listen, statement);
    }
    for (int i = 2; i < statement->count && error == NULL; i++) {
        error = set_listen_parameter(listen, statement->args[i], detail);
    }
    for (; error == NULL && *last != NULL; last = &(*last)->next) {
        if (same_address(*last, listen)) {
            error = "has the address of another \"listen\"";
            break;
        }
    }
    if (error != NULL) {
        free(listen);
        return error;
    }
    if (listen->protocol == LISTEN_SYSLOG &&
        !address_is_local(&listen->address)) {
        listen->unkeyed = config_message(
            statement,
            "\"listen\" directive takes log lines at \"%s\", where other "
            "hosts can send them, which needs \"upload_progress_key\"",
            statement->args[1]);
    }
    *last = listen;
    return NULL;
}
