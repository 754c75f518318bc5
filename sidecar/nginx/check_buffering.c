/* Uploads that have no live count, whatever the configuration tells of them. */
#include <stdlib.h>
#include <string.h>

#include "check_internal.h"

/* Whether some listen of the server speaks HTTP/2. */
static bool
has_http2(const struct nginx_node *server)
{
    if (nginx_says(nginx_holding(server, "http2"), "on")) {
        return true;
    }
    for (const struct nginx_node *c = server->children; c; c = c->next) {
        for (int i = 2; nginx_is(c, "listen") && i < c->count; i++) {
            if (strcmp(c->args[i], "http2") == 0) {
                return true;
            }
        }
    }
    return false;
}

void
check_buffering(struct check *check, const struct nginx_node *location)
{
    static const char *const names[][2] = {
        { "proxy_pass", "proxy_request_buffering" },
        { "fastcgi_pass", "fastcgi_request_buffering" },
        { "uwsgi_pass", "uwsgi_request_buffering" },
        { "scgi_pass", "scgi_request_buffering" },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct nginx_node *buffering =
            nginx_holding(location, names[i][1]);

        if (nginx_child(location, names[i][0]) != NULL &&
            nginx_says(buffering, "off") && has_http2(nginx_server(location))) {
            char *name = check_name(location);

            check_report(check, FINDING_INFO, buffering, NULL,
                         "\"%s off\": no live count of uploads by HTTP/2 to %s",
                         names[i][1], name);
            free(name);
        }
    }
}
