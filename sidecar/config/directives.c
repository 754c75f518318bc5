/* The table of all configuration directives. */
#include "directives.h"

#include <stddef.h>
#include <string.h>

#include "paths.h"
#include "setters.h"

#define MAIN      CONTEXT_MAIN
#define HTTP      (CONTEXT_MAIN | CONTEXT_HTTP)
#define ANY       (HTTP | CONTEXT_SERVER | CONTEXT_LOCATION)
#define OF(field) offsetof(struct config, field)
#define IN(field) offsetof(struct location_config, field)

/* name, contexts, arguments, block, repeatable, setter, field, default, ... */
const struct directive directives[] = {
    { "error_log", MAIN, 1, 2, BLOCK_NONE, false, set_error_log, 0,
      "stderr notice", "file [level]",
      "where to log, \"stderr\" or a file, and up to which "
      "level: debug, info, notice, warn, error, crit, alert or emerg" },
    { "pid", MAIN, 1, 1, BLOCK_NONE, false, set_string, OF(pid),
      RUNDIR "/upload-progressd.pid", "file",
      "a file that holds the process ID while the daemon runs; the snippets "
      "look whether it is there" },
    { "user", MAIN, 1, 2, BLOCK_NONE, false, set_user, 0, NULL, "name [group]",
      "whose rights to take once sockets, log and PID file are open; nginx's "
      "workers' user, for the temporary files" },
    { "daemon", MAIN, 1, 1, BLOCK_NONE, false, set_flag, OF(daemon), "off",
      "on|off", "whether to go into the background" },
    { "state_file", MAIN, 1, 1, BLOCK_NONE, false, set_string, OF(state_file),
      NULL, "file",
      "where the uploads are saved at the stop and now and then, and read from "
      "at the start" },
    { "state_interval", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(state_interval_ms), "1m", "time",
      "between two savings to the state_file" },
    { "worker_threads", MAIN, 1, 1, BLOCK_NONE, false, set_worker_threads,
      OF(worker_threads), "2", "number", "threads that answer requests" },
    { "gather_delay", MAIN, 1, 1, BLOCK_NONE, false, set_gather_delay,
      OF(gather_delay_ms), "2ms", "time | off",
      "how long a thread waits for further requests where thousands a second "
      "come one by one" },
    { "worker_connections", MAIN, 1, 1, BLOCK_NONE, false, set_number,
      OF(worker_connections), "16384", "number",
      "connections from nginx at the same time; further ones are closed" },
    { "listen", MAIN, 1, 8, BLOCK_NONE, true, set_listen, 0, NULL,
      "address [fastcgi] [scgi] [syslog] [backlog=number] [rcvbuf=size] "
      "[mode=octal] [owner=user] [group=group]",
      "an address for requests (fastcgi, scgi or both) or for nginx's log lines "
      "(syslog): unix:path, host:port, or a port of 127.0.0.1" },
    { "upload_progress_key", MAIN, 1, 1, BLOCK_NONE, false, set_key, 0, NULL,
      "key", "what events have to carry to be believed" },
    { "client_header_timeout", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(client_header_timeout_ms), "5s", "time",
      "how long a peer may take to send the parameters of a request" },
    { "client_body_timeout", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(client_body_timeout_ms), "60s", "time",
      "how long a peer may pause within a mirrored body" },
    { "send_timeout", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(send_timeout_ms), "60s", "time",
      "how long a peer may pause in taking an answer" },
    { "keepalive_timeout", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(keepalive_timeout_ms), "10m", "time",
      "how long an idle FastCGI connection stays open; longer than nginx's "
      "own keepalive_timeout of the upstream group" },
    { "upload_progress", HTTP, 2, 2, BLOCK_NONE, true, set_zone, 0, NULL,
      "zone size", "a zone, and the memory that its uploads may take" },
    { "track_uploads", ANY, 2, 2, BLOCK_NONE, true, set_track, 0, NULL,
      "zone time", "how long a finished upload of the zone is kept" },
    { "upload_progress_gauges", MAIN, 1, 2, BLOCK_NONE, false, set_gauges, 0,
      "spool socket", "spool|socket ... | off",
      "where live byte counts are read" },
    { "upload_progress_check_interval", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(check_interval_ms), "5s", "time",
      "how often to look whether an upload that nobody watches still runs" },
    { "upload_progress_inactive_timeout", MAIN, 1, 1, BLOCK_NONE, false,
      set_time, OF(inactive_timeout_ms), "1h", "time",
      "when an upload that no gauge can see is given up for lost" },
    { "upload_progress_piece_timeout", MAIN, 1, 1, BLOCK_NONE, false, set_time,
      OF(piece_timeout_ms), "5m", "time",
      "how long a file that comes in pieces may wait for its next one" },
    { "include", ANY, 1, 1, BLOCK_NONE, true, set_nothing, 0, NULL, "file",
      "the directives of other files, *, ? and [...] allowed, in its place" },
    { "http", MAIN, 0, 0, BLOCK_HTTP, true, set_nothing, 0, NULL, "{ ... }",
      "what stands here counts as on the top level" },
    { "server", HTTP, 0, 0, BLOCK_LEVEL, true, set_server, 0, NULL, "{ ... }",
      "what holds for the requests of one virtual server" },
    { "server_name", CONTEXT_SERVER, 1, DIRECTIVE_ARGS_MAX - 1, BLOCK_NONE,
      false, set_list, IN(names), NULL, "name ...",
      "the names of the server: exact, *.rest, .rest or first.*" },
    { "location", HTTP | CONTEXT_SERVER | CONTEXT_LOCATION, 1, 2, BLOCK_LEVEL,
      true, set_location, 0, NULL, "[=|^~] uri { ... }",
      "how probes of this URI are answered" },
    { "report_uploads", ANY, 1, 1, BLOCK_NONE, false, set_location_string,
      IN(zone), NULL, "zone", "the zone from which probes are answered" },
    { "upload_progress_header", ANY, 1, 1, BLOCK_NONE, false,
      set_location_string, IN(header), PROGRESS_HEADER, "name",
      "the header, and the query argument, that carry the ID" },
    { "upload_progress_jsonp_parameter", ANY, 1, 1, BLOCK_NONE, false,
      set_location_string, IN(jsonp_parameter), "callback", "name",
      "the query argument that names the callback of a JSONP answer" },
    { "upload_progress_content_type", ANY, 1, 1, BLOCK_NONE, false,
      set_location_string, IN(content_type), NULL, "type",
      "the content type of the answer" },
    { "upload_progress_template", ANY, 2, 2, BLOCK_NONE, true, set_template, 0,
      NULL, "state text",
      "the answer for a state: starting, uploading, done or error" },
    { "upload_progress_unknown", ANY, 1, 1, BLOCK_NONE, false, set_unknown, 0,
      NULL, "starting|404",
      "the status of the answer for an ID that is not known: 404 has "
      "fastcgi_next_upstream ask the next daemon" },
    { "upload_progress_allow_origin", ANY, 1, 15, BLOCK_NONE, false,
      set_origins, IN(origins), NULL, "origin ... | * | off",
      "the origins whose pages may read the answer" },
    { "upload_progress_json_output", ANY, 0, 0, BLOCK_NONE, false, set_output,
      0, NULL, "", "the module's JSON" },
    { "upload_progress_jsonp_output", ANY, 0, 0, BLOCK_NONE, false, set_output,
      0, NULL, "", "the module's JSONP" },
    { "upload_progress_java_output", ANY, 0, 0, BLOCK_NONE, false, set_output,
      0, NULL, "", "the module's JavaScript object" },
    { "upload_progress_xml_output", ANY, 0, 0, BLOCK_NONE, false, set_output, 0,
      NULL, "", "XML" },
    { "upload_progress_lighttpd_output", ANY, 0, 0, BLOCK_NONE, false,
      set_output, 0, NULL, "", "the XML of lighttpd's mod_uploadprogress" },
    { "upload_progress_apache_output", ANY, 0, 0, BLOCK_NONE, false, set_output,
      0, NULL, "", "the JSON of Apache's mod_upload_progress" },
    { "upload_progress_detail_output", ANY, 0, 0, BLOCK_NONE, false, set_output,
      0, NULL, "", "all that is known, as JSON" },
    { NULL, 0, 0, 0, BLOCK_NONE, false, NULL, 0, NULL, NULL, NULL },
};

const struct directive *
directive_find(const char *name)
{
    for (const struct directive *d = directives; d->name != NULL; d++) {
        if (strcmp(d->name, name) == 0) {
            return d;
        }
    }
    return NULL;
}
