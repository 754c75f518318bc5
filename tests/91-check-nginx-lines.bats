#!/usr/bin/env bats
# --check-nginx: the lines of location.conf and http.conf: each that is missing or
# wrong is named with what to do, and doing that cures it.

load helper
load check
bats_require_minimum_version 1.5.0

@test "mirror: missing, off, from outer levels" {
    site
    edit upload-progress/location.conf '/^mirror/d'
    run -2 check
    finds warn 'no "mirror /upload-progress/start;" in location "/upload"' \
        "$(line_of nginx.conf 'location /upload {')" \
        "add: mirror /upload-progress/start; mirror_request_body off;"
    cured
    site
    edit upload-progress/location.conf 's/^mirror .*/mirror off;/'
    run -2 check
    finds warn '"mirror off"' "$(line_of upload-progress/location.conf 'mirror off')"
    cured
    # One of the site's own that wants the body, on the server's level.
    SITE_SERVER="mirror /shadow; location = /shadow { return 204; }" site
    edit upload-progress/location.conf '/^mirror/d'
    run -2 check
    finds warn 'no "mirror' "$(line_of nginx.conf 'location /upload {')" \
        "add: mirror /upload-progress/body; mirror /shadow;"
    cured
}

@test "mirror_request_body for a start, and for a copy" {
    site
    edit upload-progress/location.conf '/^mirror_request_body/d'
    run -2 check
    finds warn 'is told at the end of their body,' "$(line_of nginx.conf 'location /upload {')" \
        "add: mirror_request_body off;"
    cured
    site
    edit upload-progress/location.conf 's/^mirror_request_body off/mirror_request_body on/'
    run -2 check
    finds warn 'is told at the end' "$(line_of upload-progress/location.conf 'mirror_request_body on')" \
        "change it to: mirror_request_body off;"
    cured
    SITE_SNIPPET=location-body.conf site
    edit upload-progress/location-body.conf 's/^mirror_request_body on/mirror_request_body off/'
    run -2 check
    finds warn 'is not counted'
    cured
}

@test "the length of the header" {
    site
    edit upload-progress/location.conf '/^set/d'
    # The server takes it down, too.
    run -0 check
    edit upload-progress/server.conf '/^set/d'
    run -2 check
    finds warn 'nothing takes the length of the headers down in location "/upload"' \
        "$(line_of nginx.conf 'location /upload {')" \
        'add: set $upload_progress_began $upload_progress_header_length;'
    cured
}

@test "the line of the end: missing, off, other format, other address" {
    site
    edit upload-progress/location.conf '/^access_log syslog/d'
    run -2 check
    finds warn 'no "access_log" line tells the end of uploads in location "/upload"' \
        "$(line_of nginx.conf 'location /upload {')" \
        "add: access_log syslog:server=127.0.0.1:$EVENT_PORT,nohostname,tag=upload_progress upload_progress if=\$upload_progress_tracked;"
    cured
    site
    edit upload-progress/location.conf 's/^access_log syslog.*/access_log off;/'
    run -2 check
    finds warn '"access_log off" silences' "$(line_of upload-progress/location.conf 'access_log off;')"
    cured
    SITE_LOCATION="
        access_log off;" site
    run -2 check
    finds warn '"access_log off" silences' "$(line_of nginx.conf 'access_log off;')" "take it out"
    cured
    site
    edit upload-progress/location.conf '/^access_log syslog/s/ upload_progress if/ combined if/'
    run -2 check
    finds warn 'the format of "access_log"' "$(line_of upload-progress/location.conf 'access_log syslog')"
    apply
    run -0 check
    site
    edit upload-progress/location.conf '/^access_log syslog/s/server=[^,]*/server=127.0.0.1:9/'
    run -2 check
    finds warn "\"access_log\" sends lines to 127.0.0.1:9, upload-progressd takes them at 127.0.0.1:$EVENT_PORT," \
        "$(line_of upload-progress/location.conf 'access_log syslog')"
    cured
}

@test "without log lines of its own, a location has those of http.conf" {
    site_ports
    site_write
    edit upload-progress/location.conf '/^access_log/d; /^error_log/d'
    edit nginx.conf "s|^error_log.*|&\nerror_log syslog:server=127.0.0.1:$EVENT_PORT,tag=x notice;|"
    app_start
    daemon_start
    nginx_start
    run -0 check
    upload one 300000
    wait_until state_is one done
    run field inferred < <(probe one detail)
    [ "$output" = false ]
    # The server's own line replaces them.
    sed -i "s|include upload-progress/server.conf;|&\naccess_log $SITE/log/own.log;|" "$SITE/conf/nginx.conf"
    run -2 check
    finds warn 'no "access_log" line tells the end' "$(line_of nginx.conf 'location /upload {')"
    [[ $output == *"upload_progress_tracked; access_log $SITE/log/own.log;"* ]]
    cured
}

@test "the line of temporary files: missing, level, address" {
    site
    edit upload-progress/location.conf '/^error_log syslog/d'
    run -2 check
    finds warn 'no "error_log" line tells of temporary files in location "/upload"' \
        "$(line_of nginx.conf 'location /upload {')" \
        "add: error_log syslog:server=127.0.0.1:$EVENT_PORT,nohostname,tag=upload_progress warn;"
    cured
    for level in error crit ''; do
        site
        edit upload-progress/location.conf "/^error_log syslog/s/ warn;/ $level;/"
        run -2 check
        finds warn 'has to be of level warn' "$(line_of upload-progress/location.conf 'error_log syslog')"
        cured
    done
    for level in notice info debug debug_http; do
        site
        edit upload-progress/location.conf "/^error_log syslog/s/ warn;/ $level;/"
        run -0 check
    done
    SITE_LOCATION="client_body_in_file_only clean;" site
    run -2 check
    finds warn 'has to be of level notice' "$(line_of upload-progress/location.conf 'error_log syslog')"
    cured
    site
    edit upload-progress/location.conf '/^error_log syslog/s/server=[^,]*/server=unix:\/nonexistent/'
    run -2 check
    finds warn '"error_log" sends lines to unix:/nonexistent,'
    cured
}

@test "with client_body_in_file_only, the message is of level notice" {
    SITE_LOCATION="client_body_in_file_only clean;"
    DAEMON_CONF="upload_progress_gauges spool;"
    site_ports
    site_write
    app_start
    daemon_start
    run -2 check
    cured
    nginx_start
    node "$CLIENT/upload.mjs" --url="$URL" --ids=one --bytes=4000000 --rate=2000000 --expect-gauges=spool
}

@test "the site's own log lines that a tracked location loses" {
    site
    edit upload-progress/location.conf '/^access_log .*combined;/d'
    run -2 check
    finds warn 'the site'"'"'s own "access_log"' "$(line_of nginx.conf 'location /upload {')" \
        "add: access_log $SITE/log/access.log;"
    cured
    site
    edit upload-progress/location.conf '/^error_log .*error;/d'
    run -2 check
    finds warn 'the site'"'"'s own "error_log"' "$(line_of nginx.conf 'location /upload {')" \
        "add: error_log $SITE/log/error.log;"
    cured
    SITE_SERVER="
        access_log $SITE/log/own.log upload_progress;
        error_log $SITE/log/own-error.log;" site
    run -2 check
    finds warn "of $SITE/conf/nginx.conf:" "$(line_of nginx.conf 'location /upload {')" \
        "add: access_log $SITE/log/own.log upload_progress;"
    cured 2
    # The same log with less in it, or in another format.
    site
    edit nginx.conf "s|^error_log .*|error_log $SITE/log/error.log info;|"
    run -2 check
    finds warn '"error_log" writes less to the log than' \
        "$(line_of upload-progress/location.conf "error_log $SITE")" \
        "change it to: error_log $SITE/log/error.log info;"
    cured
    SITE_HTTP="log_format own '\$request';" site
    edit nginx.conf "s|^ *access_log .*|access_log $SITE/log/access.log own;|"
    # A format is known where it is used.
    edit nginx.conf "/log_format own/d; s|^http {|http {\nlog_format own '\$request';|"
    run -2 check
    finds warn '"access_log" writes other lines than' "" "change it to: access_log $SITE/log/access.log own;"
    cured
}

@test "http.conf's line alone replaces nginx's default log" {
    site
    edit nginx.conf '/^ *access_log/d'
    run -2 check
    finds warn 'nginx'"'"'s default "access_log"' "$(line_of nginx.conf 'http {')" "add: access_log /var/log/nginx/access.log;"
}
