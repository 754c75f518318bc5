#!/usr/bin/env bats
# --check-nginx: locations that take files in pieces.

load helper
load check
bats_require_minimum_version 1.5.0

setup() {
    SITE_SNIPPET="location-pieces.conf"
}

# The line of the end, as location-pieces.conf has it.
end_line() {
    echo "access_log syslog:server=127.0.0.1:$EVENT_PORT,nohostname,tag=upload_progress upload_progress_pieces if=\$upload_progress_piece;"
}

@test "location-pieces.conf, running: no finding" {
    site_start
    run -0 check
    [ "$output" = "upload-progressd: 1 location with tracking; findings: 0 emerg, 0 warn, 0 notice, 0 info" ]
}

@test "pieces in one location, plain uploads in another" {
    SITE_SERVER="
        location /plain {
            include upload-progress/location.conf;
            proxy_pass http://127.0.0.1:1;
        }" site
    run -0 check
    [[ $output == *"2 locations with tracking; findings: 0 emerg, 0 warn"* ]]
}

@test "two of the snippets in one location: nginx refuses it, and is explained" {
    local other
    for other in location.conf location-body.conf; do
        site
        edit nginx.conf "s|include upload-progress/location-pieces.conf;|& include upload-progress/$other;|"
        run -1 check
        echo "$output"
        [[ $output == *'"mirror_request_body" directive is duplicate'*"[emerg] a location takes one of location.conf, location-pieces.conf and location-body.conf"* ]]
    done
}

@test "the mirrored location of a piece: missing, or as that of a start" {
    site
    edit upload-progress/server.conf '/^location = .upload-progress.piece/,/^}/d'
    run -2 check
    finds emerg '"mirror /upload-progress/piece" leads to no location' "$(line_of nginx.conf 'server {')" \
        'take "location = /upload-progress/piece" of upload-progress/server.conf over'
    # Of no use is that of server.conf as a whole, where the rest of it is there.
    edit nginx.conf '/include upload-progress.server.conf/d'
    run -2 check
    finds emerg '"mirror /upload-progress/piece" leads to no location' "$(line_of nginx.conf 'server {')" \
        "add: include upload-progress/server.conf;"
    site
    edit upload-progress/server.conf '/piece-params/d'
    run -2 check
    finds warn 'location "/upload-progress/piece" does not pass what pieces of files are known by' \
        "$(line_of upload-progress/server.conf 'location = /upload-progress/piece')" \
        "add: include upload-progress/piece-params.conf;"
    cured
}

@test "the mirror: missing, off, that of a start, both" {
    site
    edit upload-progress/location-pieces.conf '/^mirror/d'
    run -2 check
    finds warn 'no "mirror /upload-progress/piece;" in location "/upload"' "$(line_of nginx.conf 'location /upload {')" \
        "add: mirror /upload-progress/piece; mirror_request_body off;"
    cured
    site
    edit upload-progress/location-pieces.conf 's/^mirror .*/mirror off;/'
    run -2 check
    finds warn '"mirror off"' "" "change it to: mirror /upload-progress/piece;"
    cured
    site
    edit upload-progress/location-pieces.conf 's|^mirror /upload-progress/piece|mirror /upload-progress/start|'
    run -2 check
    finds warn '"mirror /upload-progress/start" does not tell what pieces of files are known by' \
        "$(line_of upload-progress/location-pieces.conf 'mirror /upload')" "change it to: mirror /upload-progress/piece;"
    cured
    site
    edit upload-progress/location-pieces.conf 's|^mirror /upload-progress/piece;|&\nmirror /upload-progress/start;|'
    run -2 check
    finds warn '"mirror /upload-progress/start" tells the start of pieces of files a second time' \
        "$(line_of upload-progress/location-pieces.conf 'mirror /upload-progress/start')" "take it out"
    site
    edit upload-progress/location-pieces.conf '/^mirror_request_body/d'
    run -2 check
    cured
}

@test "the line of the end: missing, off, of another format, for what has an ID alone" {
    local location
    site
    location=$(line_of nginx.conf 'location /upload {')
    edit upload-progress/location-pieces.conf '/^access_log syslog/d'
    run -2 check
    finds warn 'no "access_log" line tells the end of uploads in location "/upload"' "$location" "add: $(end_line)"
    cured
    site
    edit upload-progress/location-pieces.conf 's/^access_log syslog.*/access_log off;/'
    run -2 check
    finds warn '"access_log off" silences' "" "change it to: $(end_line)"
    cured
    for format in 'upload_progress if' 'combined if'; do
        site
        edit upload-progress/location-pieces.conf "/^access_log syslog/s/upload_progress_pieces if/$format/"
        run -2 check
        finds warn 'the format of "access_log" to upload-progressd lacks' \
            "$(line_of upload-progress/location-pieces.conf 'access_log syslog')" "change it to: $(end_line)"
        cured
    done
    site
    edit upload-progress/location-pieces.conf '/^access_log syslog/s/ upload_progress_pieces.*/;/'
    run -2 check
    finds warn 'lacks the ID, the request ID or the status' "" "change it to: $(end_line)"
    cured
    site
    edit upload-progress/location-pieces.conf '/^access_log syslog/s/if=.*;/if=$upload_progress_tracked;/'
    run -2 check
    finds warn 'leaves out pieces of files without a progress ID' "" "change it to: $(end_line)"
    cured
    # The lines of location.conf are told of, too, where the mirror is this one's.
    SITE_SNIPPET=location.conf site
    edit upload-progress/location.conf 's|^mirror .*|mirror /upload-progress/piece;|'
    run -2 check
    finds warn 'lacks what pieces of files are known by' "" "change it to: $(end_line)"
    cured
    # Another choice is the site's.
    SITE_HTTP="map \$request_method \$mine { default 1; }" site
    edit upload-progress/location-pieces.conf '/^access_log syslog/s/if=.*;/if=$mine;/'
    run -0 check
}

@test "the format is not there, or lacks the method" {
    site
    edit upload-progress/variables.conf '/^log_format upload_progress_pieces/,/;$/d'
    run -1 check
    [[ $output == *'unknown log format "upload_progress_pieces"'*"add: include upload-progress/http.conf; in http { }"* ]]
    site
    edit upload-progress/variables.conf "/^    'method=\"/d"
    run -2 check
    finds warn 'lacks what pieces of files are known by' \
        "$(line_of upload-progress/location-pieces.conf 'access_log syslog')" \
        "take the log_format upload_progress_pieces of upload-progress/variables.conf"
}

@test "where error_page leads to: a line that lacks what pieces are known by" {
    local line='access_log syslog:server=127.0.0.1:PORT,nohostname,tag=upload_progress'
    SITE_LOCATION="error_page 413 502 /failed.html;"
    SITE_SERVER="
        location = /failed.html {
            $line FORMAT if=\$upload_progress_redirected;
            return 200 'sorry';
        }"
    site
    edit nginx.conf "s/:PORT,/:$EVENT_PORT,/; s/ FORMAT / upload_progress_pieces /"
    run -0 check
    site
    edit nginx.conf "s/:PORT,/:$EVENT_PORT,/; s/ FORMAT / upload_progress /"
    run -2 check
    finds warn 'lacks what pieces of files are known by' "$(line_of nginx.conf 'upload_progress if=')" \
        "change it to: $(end_line | sed 's/if=.*/if=$upload_progress_redirected;/')"
    cured
    # Of uploads by one request it lacks nothing.
    SITE_SNIPPET=location.conf site
    edit nginx.conf "s/:PORT,/:$EVENT_PORT,/; s/ FORMAT / upload_progress /"
    run -0 check
}

@test "blocks inside of a location that takes pieces" {
    SITE_LOCATION="
        if (\$arg_quiet) {
            access_log off;
        }
        location /upload/inner {
            access_log $BATS_TEST_TMPDIR/inner.log;
            proxy_pass http://127.0.0.1:1;
        }" site
    run -2 check
    finds warn 'silences the end of uploads in "if"' "$(line_of nginx.conf 'access_log off')" "change it to: $(end_line)"
    finds warn 'no "access_log" line tells the end of uploads in location "/upload/inner"' \
        "$(line_of nginx.conf 'location /upload/inner {')" "add: $(end_line)"
    # The third is the site's own log in the inner location.
    cured 3
}

@test "the lines of temporary files, and the site's own" {
    site
    edit upload-progress/location-pieces.conf '/^error_log/d; /^access_log .*combined;/d'
    run -2 check
    finds warn 'no "error_log" line tells of temporary files in location "/upload"'
    finds warn 'the site'"'"'s own "access_log"'
    cured 2
}

@test "several sidecars: location-pieces.conf" {
    site
    sed -i -E 's#upload-progress/(http|server|location-pieces)\.conf#several-sidecars/\1.conf#' \
        "$SITE/conf/nginx.conf"
    DAEMON_CONF="listen unix:$SITE/run-1/requests.sock fastcgi scgi;"
    echo "$DAEMON_CONF" >> "$SITE/upload-progressd.conf"
    run -0 check
    [[ $output == *"1 location with tracking; findings: 0 emerg, 0 warn"* ]]
    edit several-sidecars/location-pieces.conf '/^access_log syslog/s/upload_progress_pieces if=.*/upload_progress if=$upload_progress_tracked;/'
    run -2 check
    finds warn 'lacks what pieces of files are known by' "" "change it to: $(end_line)"
}
