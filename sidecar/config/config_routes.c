/* Which server a host names, and which location of it a URI is in. */
#include "config_routes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

enum { HOST_MAX = 256 };

/* A text, and what it leads to; texts are not NUL-terminated. */
struct route {
    const char *text;
    size_t len;
    size_t order; /* of the file */
    const struct location_config *level;
    long parent; /* the route whose text is the longest that this begins with */
};

/* Sorted by text; of equal texts the first of the file is there. */
struct table {
    struct route *routes;
    size_t count;
};

/* Of one server, or of what is in none: NULL. */
struct uris {
    const struct location_config *server;
    struct table exact;
    struct table prefixes;
};

struct config_routes {
    struct table names;    /* in lower case, from here on, too */
    struct table leading;  /* ".rest" of "*.rest" and ".rest" */
    struct table trailing; /* "first." of "first.*" */
    const struct location_config *main;
    const struct location_config *first_server; /* NULL: there is none */
    struct uris *servers; /* in the order of their addresses; NULL first */
    size_t server_count;
    char **texts; /* lower-case names, owned */
    size_t text_count;
};

static int
compare_texts(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int
compare_routes(const void *a, const void *b)
{
    const struct route *one = a;
    const struct route *other = b;
    int order = compare_texts(one->text, one->len, other->text, other->len);

    return order != 0
               ? order
               : (one->order > other->order) - (one->order < other->order);
}

static void
add(struct table *table, const char *text, size_t len, size_t order,
    const struct location_config *level)
{
    /* Room is made at each power of two. */
    if ((table->count & (table->count - 1)) == 0) {
        size_t room = table->count > 0 ? 2 * table->count : 1;
        struct route *routes = alloc_zeroed(room, sizeof(*routes));

        if (table->count > 0) {
            memcpy(routes, table->routes, table->count * sizeof(*routes));
        }
        free(table->routes);
        table->routes = routes;
    }
    table->routes[table->count++] = (struct route){
        .text = text, .len = len, .order = order, .level = level, .parent = -1
    };
}

static bool
begins_with(const char *text, size_t len, const struct route *route)
{
    return route->len <= len && memcmp(text, route->text, route->len) == 0;
}

/* Sorts, keeps the first of equal texts, and finds the parents. */
static void
finish(struct table *table)
{
    size_t kept = 0;

    if (table->count == 0) {
        return;
    }
    qsort(table->routes, table->count, sizeof(struct route), compare_routes);
    for (size_t i = 0; i < table->count; i++) {
        struct route route = table->routes[i];
        long parent = (long)kept - 1;

        if (kept > 0 && compare_texts(table->routes[kept - 1].text,
                                      table->routes[kept - 1].len, route.text,
                                      route.len) == 0) {
            continue;
        }
        while (parent >= 0 &&
               !begins_with(route.text, route.len, &table->routes[parent])) {
            parent = table->routes[parent].parent;
        }
        route.parent = parent;
        table->routes[kept++] = route;
    }
    table->count = kept;
}

/* The last route that is not behind the text in order; NULL if all are. */
static const struct route *
last_not_behind(const struct table *table, const char *text, size_t len)
{
    size_t low = 0;
    size_t high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct route *route = &table->routes[middle];

        if (compare_texts(route->text, route->len, text, len) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? &table->routes[low - 1] : NULL;
}

static const struct route *
find(const struct table *table, const char *text, size_t len)
{
    const struct route *route = last_not_behind(table, text, len);

    return route != NULL && route->len == len &&
                   memcmp(route->text, text, len) == 0
               ? route
               : NULL;
}

/*
 * Whatever lies between the longest prefix and the text in order begins with
 * that prefix, too, so that it is among the parents of the last of them.
 */
static const struct route *
find_prefix(const struct table *table, const char *text, size_t len)
{
    const struct route *route = last_not_behind(table, text, len);

    while (route != NULL && !begins_with(text, len, route)) {
        route = route->parent >= 0 ? &table->routes[route->parent] : NULL;
    }
    return route;
}

/* The server that a location is in, or NULL. */
static const struct location_config *
server_of(const struct location_config *location)
{
    const struct location_config *level = location;

    while (level->level == LEVEL_LOCATION) {
        level = level->parent;
    }
    return level->level == LEVEL_SERVER ? level : NULL;
}

static int
compare_servers(const void *a, const void *b)
{
    const struct uris *one = a;
    const struct uris *other = b;

    return (one->server > other->server) - (one->server < other->server);
}

static struct uris *
uris_of(const struct config_routes *routes,
        const struct location_config *server)
{
    struct uris key = { .server = server };

    return bsearch(&key, routes->servers, routes->server_count,
                   sizeof(struct uris), compare_servers);
}

/* nginx's names: exact, "*.rest" or ".rest", "first.*"; without case. */
static void
add_name(struct config_routes *routes, const char *name, size_t order,
         const struct location_config *server)
{
    char *text = alloc_string(name);
    size_t len = strlen(text);

    for (char *p = text; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    routes->texts[routes->text_count++] = text;
    if (text[0] == '.') {
        add(&routes->names, text + 1, len - 1, order, server);
        add(&routes->leading, text, len, order, server);
    } else if (strncmp(text, "*.", 2) == 0) {
        add(&routes->leading, text + 1, len - 1, order, server);
    } else if (len > 2 && strcmp(text + len - 2, ".*") == 0) {
        add(&routes->trailing, text, len - 1, order, server);
    } else {
        add(&routes->names, text, len, order, server);
    }
}

static size_t
count_names(const struct config *config, size_t *servers)
{
    size_t count = 0;

    *servers = 0;
    for (const struct location_config *l = config->locations; l; l = l->next) {
        *servers += l->level == LEVEL_SERVER;
        for (char **name = l->names; name != NULL && *name != NULL; name++) {
            count++;
        }
    }
    return count;
}

static void
add_servers(struct config_routes *routes, const struct config *config)
{
    size_t order = 0;

    routes->server_count = 1; /* what is in none */
    for (const struct location_config *l = config->locations; l; l = l->next) {
        if (l->level != LEVEL_SERVER) {
            continue;
        }
        if (routes->first_server == NULL) {
            routes->first_server = l;
        }
        routes->servers[routes->server_count++].server = l;
        for (char **name = l->names; name != NULL && *name != NULL; name++) {
            add_name(routes, *name, order++, l);
        }
    }
    qsort(routes->servers, routes->server_count, sizeof(struct uris),
          compare_servers);
}

static void
add_locations(struct config_routes *routes, const struct config *config)
{
    size_t order = 0;

    for (const struct location_config *l = config->locations; l; l = l->next) {
        struct uris *uris;

        if (l->level != LEVEL_LOCATION) {
            continue;
        }
        uris = uris_of(routes, server_of(l));
        add(l->exact ? &uris->exact : &uris->prefixes, l->uri, strlen(l->uri),
            order++, l);
    }
}

static void
finish_uris(struct uris *uris)
{
    finish(&uris->exact);
    finish(&uris->prefixes);
}

struct config_routes *
config_routes_new(const struct config *config)
{
    struct config_routes *routes = alloc_zeroed(1, sizeof(*routes));
    size_t servers;
    size_t names = count_names(config, &servers);

    routes->main = &config->main;
    routes->texts = alloc_zeroed(names + 1, sizeof(char *));
    routes->servers = alloc_zeroed(servers + 1, sizeof(struct uris));
    add_servers(routes, config);
    add_locations(routes, config);
    finish(&routes->names);
    finish(&routes->leading);
    finish(&routes->trailing);
    for (size_t i = 0; i < routes->server_count; i++) {
        finish_uris(&routes->servers[i]);
    }
    return routes;
}

static void
free_uris(struct uris *uris)
{
    free(uris->exact.routes);
    free(uris->prefixes.routes);
}

void
config_routes_free(struct config_routes *routes)
{
    if (routes == NULL) {
        return;
    }
    for (size_t i = 0; i < routes->server_count; i++) {
        free_uris(&routes->servers[i]);
    }
    for (size_t i = 0; i < routes->text_count; i++) {
        free(routes->texts[i]);
    }
    free(routes->servers);
    free(routes->texts);
    free(routes->names.routes);
    free(routes->leading.routes);
    free(routes->trailing.routes);
    free(routes);
}

/* The name in lower case, without a port. Returns its length. */
static size_t
read_host(const char *host, char name[HOST_MAX])
{
    size_t len = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");

    len = len < HOST_MAX ? len : 0;
    name[0] = '\0';
    for (size_t i = 0; i < len; i++) {
        name[i] = (char)tolower((unsigned char)host[i]);
    }
    return len;
}

/* As nginx: the exact name, the longest "*.rest", the longest "first.*". */
static const struct location_config *
find_server(const struct config_routes *routes, const char *host)
{
    char name[HOST_MAX];
    const struct route *route;
    size_t len;

    if (routes->text_count == 0) {
        return routes->first_server; /* none has a name */
    }
    len = read_host(host, name);
    route = find(&routes->names, name, len);
    for (size_t i = 1; route == NULL && i < len; i++) {
        if (name[i] == '.') {
            route = find(&routes->leading, name + i, len - i);
        }
    }
    for (size_t i = len; route == NULL && i > 1; i--) {
        if (name[i - 1] == '.' && i < len) {
            route = find(&routes->trailing, name, i);
        }
    }
    return route != NULL ? route->level : routes->first_server;
}

static const struct route *
first_of(const struct route *a, const struct route *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    return a->order < b->order ? a : b;
}

static const struct route *
longest_of(const struct route *a, const struct route *b)
{
    if (a == NULL || b == NULL || a->len == b->len) {
        return first_of(a, b);
    }
    return a->len > b->len ? a : b;
}

const struct location_config *
config_location(const struct config *config, const char *host, const char *uri)
{
    const struct config_routes *routes = config->routes;
    const struct location_config *server = find_server(routes, host);
    const struct uris *others = &routes->servers[0];
    const struct uris *own = server != NULL ? uris_of(routes, server) : others;
    size_t len = strlen(uri);
    const struct route *route = find(&own->exact, uri, len);

    if (own != others) {
        route = first_of(route, find(&others->exact, uri, len));
    }
    if (route == NULL) {
        route = find_prefix(&own->prefixes, uri, len);
        if (own != others) {
            route = longest_of(route, find_prefix(&others->prefixes, uri, len));
        }
    }
    if (route != NULL) {
        return route->level;
    }
    return server != NULL ? server : routes->main;
}
