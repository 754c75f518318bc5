#!/usr/bin/env bats
# --check-nginx: a good site has no finding; a place that is broken is named with
# what to do, and doing that cures it.

load helper
load check
bats_require_minimum_version 1.5.0

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
        "add: access_log syslog:server=127.0.0.1:$EVENT_PORT,nohostname,tag=upload_progress upload_progress_pieces if=\$upload_progress_redirected;"
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
    sed -i -e 's/ upload_progress\(_pieces\)\{0,1\} if/ mine\1 if/' "$SITE/conf/upload-progress/http.conf" \
        "$SITE/conf/nginx.conf"
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
