/* Whether a location tells us of pieces of files, in its starts and ends alike.
 */
#include <string.h>

#include "alloc.h"
#include "check_lines.h"

/* Whether a mirror that holds in a block tells us of such an event. */
static bool
is_mirrored(const struct nginx_node *block, const char *wanted)
{
    const struct nginx_node *server = nginx_server(block);
    const struct nginx_node *mirror = nginx_holding(block, "mirror");
    const char *event;

    for (; mirror != NULL && server != NULL; mirror = nginx_again(mirror)) {
        event = check_mirror_event(mirror, server);
        if (event != NULL && strcmp(event, wanted) == 0) {
            return true;
        }
    }
    return false;
}

bool
check_takes_pieces(const struct check *check, const struct nginx_node *block)
{
    const struct nginx_node *log = nginx_holding(block, "access_log");

    for (; log != NULL; log = nginx_again(log)) {
        if (line_is_ours(check, log) && !line_is_redirected(log) &&
            (line_has_pieces(check, log) ||
             strcmp(line_option(log, "if="), filter_pieces) == 0)) {
            return true;
        }
    }
    return is_mirrored(block, "piece");
}

/* A start that tells of no piece makes an upload of its own of each. */
static void
check_start(struct check *check, const struct nginx_node *mirror, bool again)
{
    check_report(check, FINDING_WARN, mirror,
                 alloc_string(again ? "take it out"
                                    : "change it to: mirror "
                                      "/upload-progress/piece;"),
                 again ? "\"mirror %s\" tells the start of pieces of files a "
                         "second time"
                       : "\"mirror %s\" does not tell what pieces of files are "
                         "known by",
                 mirror->args[1]);
}

void
check_pieces(struct check *check, const struct nginx_node *location)
{
    const struct nginx_node *server = nginx_server(location);
    const struct nginx_node *mirror = nginx_holding(location, "mirror");
    bool mirrored = is_mirrored(location, "piece");

    if (!check_takes_pieces(check, location)) {
        return;
    }
    for (; mirror != NULL; mirror = nginx_again(mirror)) {
        const char *event = check_mirror_event(mirror, server);
        const struct nginx_node *target =
            nginx_find_location(server, mirror->args[1]);

        if (event != NULL && strcmp(event, "start") == 0) {
            check_start(check, mirror, mirrored);
        } else if (event != NULL && strcmp(event, "piece") == 0 &&
                   target != NULL && check_event(target) != NULL &&
                   !check_tells_pieces(target)) {
            check_report(check, FINDING_WARN, target,
                         alloc_string("add: include "
                                      "upload-progress/piece-params.conf;"),
                         "location \"%s\" does not pass what pieces of files "
                         "are known by",
                         nginx_uri(target));
        }
    }
}
