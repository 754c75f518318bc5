/*
 * Which server a host names, and which location of it a URI is in: thousands of
 * questions about generated configurations, answered as a plain reading of
 * nginx's rules answers them, one level after the other.
 */
#include <strings.h>

#include "buffer.h"
#include "config_unit.h"

enum { CONFIGURATIONS = 60, QUESTIONS = 300 };

static unsigned seed = 20261122;

static unsigned
draw(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

/* Short texts of few letters, so that they often begin alike. */
static void
put_uri(struct buffer *b)
{
    static const char *const pieces[] = { "/", "/a", "/b", "a", "ab", "/a/b" };
    unsigned count = 1 + draw(4);

    buffer_append_string(b, "/");
    while (count-- > 0) {
        buffer_append_string(b, pieces[draw(COUNT(pieces))]);
    }
}

static void
put_name(struct buffer *b)
{
    static const char *const labels[] = { "a", "b", "www", "x-1" };
    unsigned count = 1 + draw(4);

    for (unsigned i = 0; i < count; i++) {
        buffer_append_string(b, i > 0 ? "." : "");
        buffer_append_string(b, labels[draw(COUNT(labels))]);
    }
}

static void
put_server_name(struct buffer *b)
{
    unsigned kind = draw(6);

    buffer_append_string(b, kind == 0 ? " *." : kind == 1 ? " ." : " ");
    put_name(b);
    buffer_append_string(b, kind == 2 ? ".*" : "");
}

static void
put_locations(struct buffer *b, unsigned count)
{
    while (count-- > 0) {
        buffer_append_string(b, draw(3) == 0 ? "location = " : "location ");
        put_uri(b);
        buffer_append_string(b, " { report_uploads uploads; }\n");
    }
}

static void
put_config(struct buffer *b)
{
    unsigned servers = draw(8);

    put_locations(b, draw(6));
    for (unsigned i = 0; i < servers; i++) {
        buffer_append_string(b, "server { server_name");
        for (unsigned names = 1 + draw(3); names > 0; names--) {
            put_server_name(b);
        }
        buffer_append_string(b, ";\n");
        put_locations(b, draw(8));
        buffer_append_string(b, "}\n");
    }
    put_locations(b, draw(4));
    buffer_append(b, "", 1);
}

/*
 * How well a name fits: a sum of its kind and its length, the more the better;
 * 0: not at all.
 */
static size_t
fit(const char *name, const char *host)
{
    enum { EXACT = 3000, LEADING = 2000, TRAILING = 1000 };
    size_t len = strlen(name);
    size_t host_len = strlen(host);
    const char *rest = name[0] == '*' ? name + 1 : name;
    size_t rest_len = strlen(rest);

    if (strcasecmp(name, host) == 0 ||
        (name[0] == '.' && strcasecmp(name + 1, host) == 0)) {
        return EXACT;
    }
    if (rest[0] == '.' && host_len > rest_len &&
        strcasecmp(host + host_len - rest_len, rest) == 0) {
        return LEADING + rest_len;
    }
    if (len > 2 && strcmp(name + len - 2, ".*") == 0 && host_len > len - 1 &&
        strncasecmp(name, host, len - 1) == 0) {
        return TRAILING + len;
    }
    return 0;
}

static const struct location_config *
plain_server(const struct config *c, const char *host)
{
    const struct location_config *best = NULL;
    size_t best_fit = 0;

    for (const struct location_config *l = c->locations; l; l = l->next) {
        if (l->level != LEVEL_SERVER) {
            continue;
        }
        best = best != NULL ? best : l;
        for (char **name = l->names; name != NULL && *name != NULL; name++) {
            size_t this_fit = fit(*name, host);

            if (this_fit > best_fit) {
                best = l;
                best_fit = this_fit;
            }
        }
    }
    return best;
}

static const struct location_config *
plain_location(const struct config *c, const char *host, const char *uri)
{
    const struct location_config *server = plain_server(c, host);
    const struct location_config *best = server != NULL ? server : &c->main;
    size_t best_len = 0;

    for (const struct location_config *l = c->locations; l; l = l->next) {
        size_t len;

        if (l->level != LEVEL_LOCATION ||
            (l->parent->level == LEVEL_SERVER && l->parent != server)) {
            continue;
        }
        len = strlen(l->uri);
        if (l->exact && strcmp(l->uri, uri) == 0) {
            return l;
        }
        if (!l->exact && len > best_len && strncmp(l->uri, uri, len) == 0) {
            best = l;
            best_len = len;
        }
    }
    return best;
}

static void
ask(const struct config *c)
{
    struct buffer host = BUFFER_INIT;
    struct buffer uri = BUFFER_INIT;

    put_name(&host);
    put_uri(&uri);
    buffer_append(&host, "", 1);
    buffer_append(&uri, "", 1);
    assert_ptr_equal(config_location(c, host.data, uri.data),
                     plain_location(c, host.data, uri.data));
    buffer_release(&host);
    buffer_release(&uri);
}

static void
as_a_plain_reading(void **state)
{
    int loaded = 0;

    (void)state;
    for (int i = 0; i < CONFIGURATIONS; i++) {
        struct buffer text = BUFFER_INIT;
        struct config *c;
        char *message = NULL;

        put_config(&text);
        c = load(text.data, &message);
        if (c == NULL) { /* a location is there twice */
            free(message);
        } else {
            loaded++;
            for (int n = 0; n < QUESTIONS; n++) {
                ask(c);
            }
            config_free(c);
        }
        buffer_release(&text);
    }
    assert_in_range(loaded, CONFIGURATIONS / 4, CONFIGURATIONS);
}

/* nginx takes the exact name, then the longest, in whatever order they stand.
 */
static void
names_by_rank(void **state)
{
    static const struct {
        const char *host;
        const char *zone;
    } rows[] = {
        { "www.a.org", "exact" },  { "WWW.A.ORG:80", "exact" },
        { "x.www.a.org", "www" },  { "x.a.org", "a" },
        { "a.org", "a" },          { "www.a.com", "trailing" },
        { "www.com", "trailing" }, { "a.com", "first" },
        { "", "first" },           { ".", "first" },
        { "[::1]:8080", "first" },
    };
    struct config *c = must_load(
        "upload_progress first 1m; upload_progress a 1m; upload_progress www 1m;"
        "upload_progress trailing 1m; upload_progress exact 1m;"
        "server { server_name none; report_uploads first; }"
        "server { server_name www.*; report_uploads trailing; }"
        "server { server_name .a.org; report_uploads a; }"
        "server { server_name *.www.a.org; report_uploads www; }"
        "server { server_name www.a.org; report_uploads exact; }");

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_TEXT(rows[i].host, config_location(c, rows[i].host, "/")->zone,
                    rows[i].zone);
    }
    config_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_plain_reading),
        cmocka_unit_test(names_by_rank),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
