#!/usr/bin/env bats
# --check-nginx: a good site has no finding; whatever is broken is named with
# its place and with what to do, and doing that cures it.

load helper
bats_require_minimum_version 1.5.0

# check [FILE]: of the site, by nginx itself.
check() {
    "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" \
        --check-nginx "${1:-$SITE/conf/nginx.conf}"
}

# Of its dump, as from a container.
check_dump() {
    nginx_dump | "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" --check-nginx -
}

nginx_dump() {
    "${NGINX:-/usr/sbin/nginx}" -T -c "$SITE/conf/nginx.conf" 2> "$BATS_TEST_TMPDIR/nginx-said"
}

site() {
    site_ports
    site_write
}

# edit FILE SED...: of the site's configuration.
edit() {
    local file=$SITE/conf/$1

    shift
    cp "$file" "$BATS_TEST_TMPDIR/before"
    sed -i "$@" "$file"
    ! cmp -s "$file" "$BATS_TEST_TMPDIR/before"
}

# line_of FILE TEXT: FILE:LINE of the first line with it, as findings name it.
line_of() {
    echo "$SITE/conf/$1:$(grep -nF -m 1 -- "$2" "$SITE/conf/$1" | cut -d: -f1)"
}

# finds LEVEL TEXT [PLACE [ADVICE]]: there is such a finding.
finds() {
    local line

    while read -r line; do
        [[ $line == "upload-progressd: [$1] "*"$2"* ]] || continue
        [ -z "${3:-}" ] || [[ $line == *" in $3; "* ]] || continue
        [ -z "${4:-}" ] || [[ $line == *"; $4" ]] || continue
        return 0
    done <<< "$output"
    printf 'no finding [%s] %s in %s; %s in:\n%s\n' "$1" "$2" "${3:-}" "${4:-}" "$output"
    return 1
}

# Does what the first finding with a line says.
apply() {
    local pattern=' in ([^ ]+):([0-9]+)(, *|); (add|change it to|take it out):? ?(.*)$' line

    while read -r line; do
        [[ $line == "upload-progressd: ["* && $line =~ $pattern ]] || continue
        echo "applying: $line"
        ADVICE=${BASH_REMATCH[5]} awk -v at="${BASH_REMATCH[2]}" -v how="${BASH_REMATCH[4]}" '
            NR != at { print; next }
            how == "add" { i = index($0, "{"); print substr($0, 1, i) " " ENVIRON["ADVICE"] substr($0, i + 1) }
            how == "change it to" { print ENVIRON["ADVICE"] }
        ' "${BASH_REMATCH[1]}" > "$BATS_TEST_TMPDIR/applied"
        cp "$BATS_TEST_TMPDIR/applied" "${BASH_REMATCH[1]}"
        return 0
    done <<< "$output"
    echo "nothing to apply in: $output"
    return 1
}

# cured [TIMES]: the advice is followed until there is no more, TIMES (1) it.
cured() {
    local i

    for ((i = 0; i < ${1:-1}; i++)); do
        apply
        run check
        echo "$output"
    done
    [ "$status" -eq 0 ]
}

# is_state ID STATE, after an upload of BYTES.
upload() {
    curl -sS --max-time 60 -o /dev/null -H 'Expect:' --data-binary "@$(make_file "$2")" "$URL/upload?X-Progress-ID=$1"
}

@test "the shipped snippets, running: no finding" {
    site_start
    run -0 check
    [ "$output" = "upload-progressd: 1 location with tracking; findings: 0 emerg, 0 warn, 0 notice, 0 info" ]
    run -0 check_dump
    [[ $output == *"not checked: nginx's version"*"0 warn, 1 notice"* ]]
    [ "$(grep -c '' <<< "$output")" -eq 2 ]
}

@test "location-body.conf, and the option with =" {
    SITE_SNIPPET=location-body.conf
    site_start
    run -0 check
    run -0 "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" --check-nginx="$SITE/conf/nginx.conf"
}

@test "nginx's default configuration is checked without a file" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    site
    cat > "$BATS_TEST_TMPDIR/bin/nginx" <<SCRIPT
#!/bin/sh
echo "\$@" >> "$BATS_TEST_TMPDIR/args"
exec /usr/sbin/nginx -c "$SITE/conf/nginx.conf" "\$@"
SCRIPT
    chmod +x "$BATS_TEST_TMPDIR/bin/nginx"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -0 "$ROOT/$BUILD/upload-progressd" \
        -c "$SITE/upload-progressd.conf" --check-nginx
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/args")" = "-T" ]
}

@test "nginx refuses its configuration" {
    site
    echo nonsense >> "$SITE/conf/nginx.conf"
    run -1 check
    echo "$output"
    [[ $output == *"unexpected end of file, expecting "*"ended with status 1"* ]]
    site
    edit nginx.conf '/include upload-progress.http.conf/d'
    run -1 check
    echo "$output"
    [[ $output == *" unknown log format \"upload_progress\""*"add: include upload-progress/http.conf; in http { }"* ]]
    run -1 check "$SITE/nonexistent.conf"
    [[ $output == *"No such file or directory"* ]]
}

@test "input that is no dump, our configuration wrong, no nginx" {
    site
    run -1 "$ROOT/$BUILD/upload-progressd" --check-nginx - < /dev/null
    [[ $output == *"[emerg] no output of nginx -T"* ]]
    run -1 "$ROOT/$BUILD/upload-progressd" --check-nginx - < /bin/true
    [[ $output == *"[emerg] the output of nginx -T is not text"* ]]
    run -1 "$ROOT/$BUILD/upload-progressd" --check-nginx - < "$SITE"
    [[ $output == *"standard input cannot be read (21: Is a directory)"* ]]
    echo nonsense > "$SITE/upload-progressd.conf"
    run -1 check
    [[ $output == *"[emerg] "*" in $SITE/upload-progressd.conf:"* ]]
    run -1 "$ROOT/$BUILD/upload-progressd" --check-nginx one two
}

# fake VERSION ARGUMENTS: an nginx that says so of itself, and else is the real.
fake() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    cat > "$BATS_TEST_TMPDIR/bin/nginx" <<SCRIPT
#!/bin/sh
[ "\$1" != -V ] || { echo "nginx version: nginx/$1
configure arguments: $2" >&2; exit 0; }
exec /usr/sbin/nginx "\$@"
SCRIPT
    chmod +x "$BATS_TEST_TMPDIR/bin/nginx"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "an nginx that is too old, or lacks a module" {
    site
    fake 1.13.3 --with-http_realip_module
    run -2 check
    finds emerg "nginx 1.13.3 cannot mirror requests"
    fake 1.13.4 --with-http_realip_module
    run -0 check
    fake 1.9.15 --with-http_realip_module
    run -2 check
    fake 1.22.1 --without-http_mirror_module
    run -2 check
    finds emerg "no mirror module"
    finds emerg "no realip module"
    # It is also told of where nginx refuses what it does not know.
    echo nonsense >> "$SITE/conf/nginx.conf"
    run -1 check
    finds emerg "no realip module"
}

@test "no tracked location at all" {
    site
    edit nginx.conf '/include upload-progress.location.conf/d'
    run -2 check
    finds emerg "no location tracks uploads" "$(line_of nginx.conf 'http {')"
}

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

@test "blocks inside of a tracked location" {
    SITE_LOCATION="
        if (\$arg_quiet) {
            access_log off;
        }
        if (\$arg_loud) {
            access_log $SITE/log/loud.log;
        }
        location /upload/inner {
            access_log $BATS_TEST_TMPDIR/inner.log;
            error_log $BATS_TEST_TMPDIR/inner.log;
            mirror off;
            proxy_pass http://127.0.0.1:1;
        }
        location /upload/static {
            access_log off;
        }" site
    sed -i "s|access_log /log/loud.log|access_log $SITE/log/loud.log|" "$SITE/conf/nginx.conf"
    run -2 check
    inner=$(line_of nginx.conf 'location /upload/inner {')
    finds warn 'silences the end of uploads in "if"' "$(line_of nginx.conf 'access_log off')"
    finds warn 'no "access_log" line tells the end of uploads in "if"' "$(line_of nginx.conf 'arg_loud')"
    finds warn 'no "access_log" line tells the end of uploads in location "/upload/inner"' "$inner"
    finds warn 'no "error_log" line tells of temporary files in location "/upload/inner"' "$inner"
    finds warn '"mirror off" keeps the start of uploads in location "/upload/inner"' "$(line_of nginx.conf 'mirror off')"
    [[ $output != *'"/upload/static"'* ]]
    [[ $output == *"2 locations with tracking"* ]]
    cured 7
}

@test "tracked from the server on: every location that passes requests on" {
    SITE_SERVER="
        include upload-progress/location.conf;
        location /static {
            access_log off;
        }
        location /more {
            proxy_pass http://127.0.0.1:1;
        }" site
    edit nginx.conf '0,/include upload-progress.location.conf/{/include upload-progress.location.conf/d}'
    run -0 check
    [[ $output == *"2 locations with tracking; findings: 0 emerg, 0 warn"* ]]
    # Of the server all inherit the length of the headers, and of nobody else.
    edit upload-progress/server.conf '/^set/d'
    edit upload-progress/location.conf '/^set/d'
    run -2 check
    finds warn 'nothing takes the length' "$(line_of nginx.conf 'location /upload {')"
    finds warn 'nothing takes the length' "$(line_of nginx.conf 'location /more {')"
    [[ $output == *"2 locations with tracking; findings: 0 emerg, 2 warn"* ]]
    cured 2
}

@test "a nested location needs nothing of its own" {
    SITE_LOCATION="
        location /upload/inner {
            proxy_pass http://127.0.0.1:1;
        }" site
    run -0 check
    [[ $output == *"2 locations with tracking; findings: 0 emerg, 0 warn"* ]]
}

@test "the mirrored location: limit, internal, missing" {
    site
    edit upload-progress/server.conf '0,/client_max_body_size 0;/{/client_max_body_size 0;/d}'
    run -2 check
    finds warn "does not mirror uploads of more than 1048576 bytes, which location \"/upload\" takes," \
        "$(line_of upload-progress/server.conf 'location = /upload-progress/start')" "add: client_max_body_size 0;"
    cured
    site
    edit upload-progress/server.conf 's/client_max_body_size 0;/client_max_body_size 63m;/'
    run -2 check
    cured
    # What the tracked location refuses need not be mirrored.
    site
    edit upload-progress/server.conf 's/client_max_body_size 0;/client_max_body_size 64m;/'
    run -0 check
    site
    edit upload-progress/server.conf '0,/internal;/{/internal;/d}'
    run -2 check
    finds warn 'everybody can make up uploads by location "= /upload-progress/start"' "" "add: internal;"
    cured
    site
    edit nginx.conf '/include upload-progress.server.conf/d'
    run -2 check
    finds emerg '"mirror /upload-progress/start" leads to no location' "$(line_of nginx.conf 'server {')" \
        "add: include upload-progress/server.conf;"
    cured
    site
    edit upload-progress/server.conf '/include upload-progress.event-params/d'
    run -2 check
    finds emerg 'does not pass the ID and the request ID'
    cured
    site
    edit upload-progress/server.conf 's|^location = /upload-progress/start|location /upload-progress/start|'
    sed -i 's|location /other|location ~ ^/upload-.*start { return 404; } &|' "$SITE/conf/nginx.conf"
    run -2 check
    finds warn 'may take the requests'
    cured
}

@test "addresses that are not those we listen on" {
    site
    edit upload-progress/http.conf 's|scgi.sock|other.sock|'
    run -2 check
    finds emerg "\"scgi_pass upload_progress_scgi\" leads to unix:$SITE/run/other.sock, upload-progressd listens at unix:$SITE/run/scgi.sock," \
        "$(line_of upload-progress/server.conf 'scgi_pass upload_progress_scgi')"
    # One of several is enough, also by another name.
    sed -i "s|server unix:$SITE/run/other.sock;|& server unix:$SITE/run/scgi.sock backup;|" \
        "$SITE/conf/upload-progress/http.conf"
    run -0 check
    ln -s "$SITE/run" "$SITE/link"
    site
    edit upload-progress/http.conf "s|server unix:$SITE/run|server unix:$SITE/link|"
    daemon_start
    run -0 check
    daemon_stop
    site
    edit upload-progress/http.conf 's|fastcgi.sock|scgi.sock|'
    run -2 check
    finds emerg "listens at unix:$SITE/run/fastcgi.sock," "$(line_of upload-progress/probe.conf 'fastcgi_pass upload')"
    # By TCP, by a name, and on all addresses.
    DAEMON_CONF="listen localhost:$SCGI_PORT scgi; listen 0.0.0.0:$FASTCGI_PORT fastcgi;" site
    edit upload-progress/http.conf -e "s|unix:.*scgi.sock|localhost:$SCGI_PORT|" -e "s|unix:.*fastcgi.sock|127.0.0.2:$FASTCGI_PORT|"
    run -0 check
    edit upload-progress/http.conf "s|127.0.0.2:$FASTCGI_PORT|127.0.0.2:9|"
    run -2 check
}

@test "the pid file, by which nginx knows whether we run" {
    site
    echo "pid $SITE/run/other.pid;" > "$SITE/pid.conf"
    sed -i "s|^pid .*|pid $SITE/run/other.pid;|" "$SITE/upload-progressd.conf"
    run -2 check
    finds emerg "nginx looks for $SITE/run/upload-progressd.pid, but the \"pid\" of upload-progressd is $SITE/run/other.pid," \
        "$(line_of upload-progress/server.conf 'if (!-f')" "change it to: if (!-f $SITE/run/other.pid) {"
    finds emerg "nginx looks for" "$(line_of upload-progress/probe.conf 'if (!-f')"
    cured 2
}

@test "rewrites of the server" {
    SITE_SERVER="
        rewrite ^/old/(.*)\$ /new/\$1 last;" site
    run -0 check
    # Behind server.conf none does harm.
    SITE_SERVER="
        rewrite ^/(?!x)(.*)\$ /index/\$1 last;" site
    run -0 check
    edit nginx.conf 's|^\( *\)\(include upload-progress/server.conf;\)|\1rewrite ^/(?!x)(.*)$ /index/$1 last;\n\1\2|'
    run -2 check
    finds emerg '"rewrite ^/(?!x)(.*)$" may lead the mirrored requests for /upload-progress/start' \
        "$(line_of nginx.conf 'rewrite ^/')" 'include upload-progress/server.conf before it'
    # Nor does one that leaves them out.
    sed -i 's|rewrite ^/|rewrite ^(?!/upload-progress/)/|' "$SITE/conf/nginx.conf"
    run -0 check
    site
    edit nginx.conf 's|^\( *\)\(include upload-progress/server.conf;\)|\1if ($arg_x) { rewrite ^ /index last; }\n\1\2|'
    run -0 check
    finds notice '"rewrite ^"'
}

@test "error_page and try_files lead to other log lines" {
    SITE_LOCATION="error_page 413 502 /failed.html;"
    SITE_SERVER="
        location = /failed.html {
            return 200 'sorry';
        }"
    site
    run -0 check
    SITE_SERVER="
        location = /failed.html {
            access_log $BATS_TEST_TMPDIR/failed.log;
            return 200 'sorry';
        }"
    site
    run -2 check
    finds warn 'no "access_log" line tells the end of uploads in location "= /failed.html"' \
        "$(line_of nginx.conf 'location = /failed.html')" \
        "add: access_log syslog:server=127.0.0.1:$EVENT_PORT,nohostname,tag=upload_progress upload_progress if=\$upload_progress_redirected;"
    cured
    SITE_LOCATION="error_page 502 /failed.html;"
    SITE_SERVER="
        access_log $BATS_TEST_TMPDIR/own.log;"
    site
    run -2 check
    finds warn 'tells the end of uploads in "server"'
    cured 2
    SITE_LOCATION="try_files /nonexistent @app;"
    SITE_SERVER="
        location @app {
            proxy_pass http://127.0.0.1:1;
        }"
    site
    run -2 check
    finds warn 'no "error_log" line tells of temporary files in location "@app"'
    [[ $output == *"0 emerg, 1 warn"* ]]
    cured
}

@test "HTTP/2 without buffering has no live count: information only" {
    SITE_LOCATION="
        proxy_request_buffering off;" site
    run -0 check
    finds info '"proxy_request_buffering off": no live count of uploads by HTTP/2 to location "/upload"'
}

@test "no location for probes" {
    site
    edit upload-progress/server.conf '/^location.*progress.* {$/,$ { /^location = .progress {/,$d }'
    run -0 check
    finds notice 'no location passes probes on'
}

@test "access rules and limits that the mirrored request inherits do no harm" {
    SITE_HTTP="limit_req_zone \$binary_remote_addr zone=one:1m rate=1r/m; limit_conn_zone \$server_name zone=two:1m;"
    SITE_SERVER="
        auth_basic closed;
        auth_basic_user_file $BATS_TEST_TMPDIR/users;
        satisfy all;
        limit_req zone=one;
        limit_conn two 1;"
    echo 'user:{PLAIN}word' > "$BATS_TEST_TMPDIR/users"
    SITE_LOCATION="allow 127.0.0.1; deny all;"
    site_start
    run -0 check
    curl -sS --max-time 60 -u user:word -H 'Expect:' --limit-rate 1M --data-binary "@$(make_file 3000000)" \
        "$URL/upload?X-Progress-ID=one" > /dev/null 3>&- &
    CURL_PID=$!
    wait_until grep -q start "$SITE/log/upload-progressd.log"
    wait "$CURL_PID"
}

@test "log_subrequest would tell the end at the start" {
    SITE_HTTP="log_subrequest on;"
    site
    app_start
    # The snippets say so already.
    run -0 check
    edit upload-progress/server.conf '/log_subrequest/d'
    daemon_start
    nginx_start
    run -2 check
    finds emerg '"log_subrequest on" tells the end of uploads when they begin' \
        "$(line_of upload-progress/server.conf 'location = /upload-progress/start')" "add: log_subrequest off;"
    # Indeed.
    curl -sS --max-time 60 -H 'Expect:' --limit-rate 200k --data-binary "@$(make_file 3000000)" \
        "$URL/upload?X-Progress-ID=one" > /dev/null 3>&- &
    CURL_PID=$!
    wait_until state_is one done
    kill "$CURL_PID"
    run -2 check
    cured
}

@test "limits of the mirrored location itself" {
    SITE_HTTP="limit_req_zone \$binary_remote_addr zone=one:1m rate=1r/m;" site
    edit upload-progress/server.conf '0,/internal;/s/internal;/internal;\nlimit_req zone=one;/'
    run -2 check
    finds warn '"limit_req" refuses' "$(line_of upload-progress/server.conf 'limit_req zone')" "take it out"
    cured
}

@test "a site of hand-written lines" {
    site
    cp "$SITE/conf/upload-progress/location.conf" "$BATS_TEST_TMPDIR/lines"
    sed -i -e "/include upload-progress.location.conf/{r $BATS_TEST_TMPDIR/lines
d}" "$SITE/conf/nginx.conf"
    rm "$SITE/conf/upload-progress/location.conf"
    sed -i -e 's|/upload-progress/start|/mine|' -e 's/tag=upload_progress/tag=mine/' \
        -e 's/if=$upload_progress_tracked/if=$mine/' "$SITE/conf/nginx.conf"
    sed -i -e 's|/upload-progress/start|/mine|' "$SITE/conf/upload-progress/server.conf"
    sed -i -e 's/^log_format upload_progress/log_format mine/' "$SITE/conf/upload-progress/variables.conf"
    sed -i -e 's/ upload_progress if/ mine if/' "$SITE/conf/upload-progress/http.conf" "$SITE/conf/nginx.conf"
    sed -i -e 's|include upload-progress/http.conf;|& map $request_method $mine { POST 1; }|' "$SITE/conf/nginx.conf"
    run -0 check
    sed -i -e '/^mirror_request_body/d' "$SITE/conf/nginx.conf"
    run -2 check
    cured
}

@test "files that are included by patterns, several servers, Lua in a dump" {
    SITE_HTTP="include sites/*.conf;" site
    mkdir "$SITE/conf/sites"
    cat > "$SITE/conf/sites/one.conf" <<CONF
server {
    listen 127.0.0.1:$DEAD_PORT;
    # configuration file $SITE/conf/sites/two.conf:
# configuration file $SITE/conf/sites/three.conf:
    include upload-progress/server.conf;
    location /upload {
        mirror /upload-progress/start;
        include upload-progress/location-own.conf;
    }
}
CONF
    grep -v '^mirror ' "$SITE/conf/upload-progress/location.conf" |
        grep -v '^set ' > "$SITE/conf/upload-progress/location-own.conf"
    run -0 check
    [[ $output == *"2 locations with tracking; findings: 0 emerg, 0 warn"* ]]
    nginx_dump | sed 's|mirror /upload-progress/start;|content_by_lua_block { local s = "}" }|' > "$BATS_TEST_TMPDIR/dump"
    run -2 "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" --check-nginx - < "$BATS_TEST_TMPDIR/dump"
    finds warn 'no "mirror' "$(line_of sites/one.conf 'location /upload {')"
}

@test "nothing runs: said so" {
    site
    run -0 check
    finds notice "not checked: the users and namespaces of nginx and upload-progressd, for no nginx runs by $SITE/nginx.pid"
    nginx_start
    run -0 check
    finds notice "not checked: the user and namespaces of upload-progressd, for none runs by $SITE/run/upload-progressd.pid"
}

# As another user than nginx's workers; of a copy that it can reach.
run_as_nobody() {
    mkdir "$SITE/bin"
    install -m 0755 "$ROOT/$BUILD/upload-progressd" "$SITE/bin/"
    chmod a+rwx "$SITE/run" "$SITE/log"
    setpriv --reuid=nobody --regid=nogroup --clear-groups "$SITE/bin/upload-progressd" \
        -c "$SITE/upload-progressd.conf" 2> "$SITE/log/stderr" 3>&- &
    DAEMON_PID=$!
    wait_until test -s "$SITE/run/upload-progressd.pid"
}

# The master listens before its worker is one.
worker_runs() {
    pgrep -P "$(cat "$SITE/nginx.pid")" -f '^nginx: worker process$' > "$BATS_TEST_TMPDIR/worker"
}

# reachable: whether other users may search all folders down to the site.
reachable() {
    setpriv --reuid=nobody --regid=nogroup --clear-groups test -r "$SITE/upload-progressd.conf" &&
        setpriv --reuid=nobody --regid=nogroup --clear-groups test -x "$SITE/run"
}

# Makes the folders of the test open to all, from the run's own one on.
open_up() {
    local folder=$SITE

    while [ "$folder" != / ] && [ -O "$folder" ]; do
        chmod a+rx "$folder"
        [ "$folder" != "$BATS_RUN_TMPDIR" ] || break
        folder=${folder%/*}
    done
    reachable || skip "the temporary folder is closed to other users"
}

@test "a daemon of another user" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to run as two users"
    site
    open_up
    edit nginx.conf 's/user root;/user www-data www-data;/'
    run_as_nobody
    nginx_start
    wait_until worker_runs
    run -2 check
    finds warn "upload-progressd runs as user nobody, group $(id -g nobody), the workers of nginx as www-data, group $(id -g www-data): their temporary files cannot be seen"
    [[ $output == *"runuser -u www-data -- upload-progressd"* ]]
    # What they may not reach.
    finds emerg "the user of nginx's workers, www-data, may not connect to $SITE/run/scgi.sock"
    chmod 0700 "$SITE/run"
    run -2 check
    finds emerg "the user of nginx's workers, www-data, may not search $SITE/run; give it to that user: chown www-data: $SITE/run"
    chmod 0755 "$SITE/run"
    daemon_stop
    run -0 check
    finds notice "those of this check stand for them"
}

@test "the user and a group of nginx's workers are both needed" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to run as two users"
    site
    open_up
    edit nginx.conf 's/user root;/user nobody games;/'
    run_as_nobody
    nginx_start
    wait_until worker_runs
    run -2 check
    finds warn "upload-progressd runs as user nobody, group $(id -g nobody), the workers of nginx as nobody, group $(getent group games | cut -d: -f3)"
}

@test "nginx in other namespaces" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to make namespaces"
    unshare -n -p -f true || skip "no namespaces can be made here"
    site
    daemon_start
    edit nginx.conf -e '/listen .::1/d; /listen .*ssl/d' -e "s|listen 127.*|listen unix:$SITE/run/web.sock;|"
    unshare -n /usr/sbin/nginx -p "$SITE" -c "$SITE/conf/nginx.conf" 2> "$SITE/log/nginx-stderr" 3>&-
    wait_until test -s "$SITE/nginx.pid"
    wait_until worker_runs
    run -2 check
    finds warn "nginx and upload-progressd have different network namespaces: the counts of the clients' sockets are missing, and log lines to 127.0.0.1 do not arrive"
    nginx_stop
    rm -f "$SITE/run/web.sock"
    unshare -p -f /usr/sbin/nginx -p "$SITE" -c "$SITE/conf/nginx.conf" -g 'daemon off;' \
        2> "$SITE/log/nginx-stderr" 3>&- &
    UNSHARE_PID=$!
    wait_until test -s "$SITE/nginx.pid"
    wait_until test -S "$SITE/run/web.sock"
    run check
    # unshare itself waits for its child, whatever it is sent.
    kill "$(pgrep -P "$UNSHARE_PID")"
    wait "$UNSHARE_PID"
    rm -f "$SITE/nginx.pid"
    [ "$status" -eq 2 ]
    finds warn "nginx and upload-progressd have different PID namespaces: temporary files cannot be seen"
}

@test "a folder for sockets that nginx does not see" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to make namespaces"
    unshare -m true || skip "no namespaces can be made here"
    site
    daemon_start
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m sh -c 'mount -t tmpfs none "$1/run" && exec /usr/sbin/nginx -p "$1" -c "$1/conf/nginx.conf"' \
        sh "$SITE" 2> "$SITE/log/nginx-stderr" 3>&- || skip "nothing can be mounted here"
    wait_until test -s "$SITE/nginx.pid"
    run -2 check
    finds emerg "nginx does not see $SITE/run/fastcgi.sock, where upload-progressd listens"
}
