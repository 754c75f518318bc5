#!/usr/bin/env bats
# --import: nginx configurations for the module, and what is made of them.

load helper
bats_require_minimum_version 1.5.0

CONFS=$BATS_TEST_DIRNAME/import

# import_site NAME: a site with that configuration, not yet imported.
import_site() {
    local file

    site_ports
    site_write
    rm "$SITE/conf/nginx.conf"
    cp -r "$CONFS/conf.d" "$SITE/conf/"
    cp "$CONFS/$1.conf" "$SITE/conf/nginx.conf"
    for file in "$SITE/conf/nginx.conf" "$SITE"/conf/conf.d/*; do
        sed -i -e "s|@SITE@|$SITE|g" -e "s|@PORT@|$PORT|g" \
            -e "s|@APP_PORT@|$APP_PORT|g" \
            -e "s|@USER@|$([ "$(id -u)" -ne 0 ] || echo 'user root;')|" "$file"
    done
    cat > "$SITE/upload-progressd.conf" <<CONF
error_log $SITE/log/upload-progressd.log debug;
pid $SITE/run/upload-progressd.pid;
listen unix:$SITE/run/fastcgi.sock fastcgi;
listen unix:$SITE/run/scgi.sock scgi;
listen 127.0.0.1:$EVENT_PORT syslog;
CONF
}

# Imports the site, puts the result in place and starts everything with it.
import_start() {
    "$ROOT/$BUILD/upload-progressd" --import "$SITE/conf/nginx.conf" > "$SITE/printed"
    node "$CLIENT/import.mjs" "$SITE/upload-progressd.conf" < "$SITE/printed"
    app_start
    daemon_start
    nginx_start
}

# import NAME: of a configuration that is not started.
import() {
    "$ROOT/$BUILD/upload-progressd" --import "$CONFS/$1.conf"
}

# upload_to HOST URI: 300000 bytes.
upload_to() {
    run -0 curl -sS -H "Host: $1" --data-binary "@$(make_file 300000)" "$URL$2"
    [ "$output" = 300000 ]
}

# answers HOST URI TEXT, for wait_until.
answers() {
    [[ $(curl -sS -H "Host: $1" "$URL$2") == *"$3"* ]]
}

# is_underway ID BYTES: so many or more of 300000, for wait_until; RECEIVED is
# what the probe said.
is_underway() {
    local answer

    answer=$(curl -sS "$URL/progress?X-Progress-ID=$1")
    [[ $answer =~ ^'{ "state" : "uploading", "received" : '([0-9]+)', "size" : 300000 }' ]] ||
        return 1
    RECEIVED=${BASH_REMATCH[1]}
    ((RECEIVED >= $2 && RECEIVED < 300000))
}

@test "one host: imported, started, uploaded to, probed" {
    local upload

    import_site one-host
    import_start
    curl -sS --limit-rate 150k --data-binary "@$(make_file 300000)" \
        "$URL/upload?X-Progress-ID=live" -o "$SITE/response" 3>&- &
    upload=$!
    # Some of it is told on the way, and then more.
    wait_until is_underway live 1
    wait_until is_underway live "$((RECEIVED + 1))"
    wait "$upload"
    wait_until answers any.example "/progress?X-Progress-ID=live" '{ "state" : "done" }'
    upload_to any.example "/upload?X-Progress-ID=one"
    wait_until answers any.example "/progress?X-Progress-ID=one" '{ "state" : "done" }'
    answers any.example / 'home {}; "quoted"'
    run -1 grep '^load_module' "$SITE/conf/nginx.conf"
}

@test "several hosts with zones and URIs of their own" {
    import_site servers
    import_start
    upload_to www.photos.example "/upload?X-Progress-ID=one"
    upload_to films.example "/send?X-Progress-ID=two"
    wait_until answers photos.example "/progress?X-Progress-ID=one" '"done"'
    wait_until answers films.example "/state/of/upload?X-Progress-ID=two" "new Object({ 'state' : 'done' })"
    answers films.example "/state/of/upload?X-Progress-ID=one" starting
    answers photos.example "/progress?X-Progress-ID=two" starting
    upload_to other.example "/upload?X-Progress-ID=three"
}

@test "all uploads tracked, hosts in files of their own" {
    import_site includes
    import_start
    upload_to site.example "/app?X-Progress-ID=one"
    wait_until answers site.example "/progress?X-Progress-ID=one&cb=f" 'f({ "state" : "done" });'
    # What was imported has nothing left to import.
    run -1 --separate-stderr "$ROOT/$BUILD/upload-progressd" --import "$SITE/conf/nginx.conf"
    [ -z "$output" ]
    [[ $stderr == *"no directive of nginx-upload-progress-module in $SITE/conf/nginx.conf" ]]
}

@test "templates keep their text; what they cannot have is named" {
    run -2 --separate-stderr import templates
    [[ $output == *'upload_progress_template starting "<a b=\"c\">'"'\\\\'"'\r\n\t</a>";'* ]]
    [[ $output == *'upload_progress_template up "{\"r\": \"${uploadprogress_received}\"; }";'* ]]
    [[ $output == *'upload_progress_content_type "text/plain; charset=utf-8";'* ]]
    [[ $output == *'# not moved: upload_progress_template done "$connection done";'* ]]
    [[ $stderr == *"templates.conf:12: "*'$connection'* ]]
    [[ $stderr == *"templates.conf:13: "*'fastcgi_param REMOTE_ADDR $remote_addr;'* ]]
}

@test "regular expressions, named locations, if, Lua and logs are named" {
    run -2 --separate-stderr import regex
    for line in 6 8 9 10 11 13 17; do
        [[ $stderr == *"NOTE: $CONFS/regex.conf:$line: "* ]]
    done
    [ "${#stderr_lines[@]}" -eq 7 ]
    [[ $output == *"# NOTE: $CONFS/regex.conf:6: "* ]]
    [[ $output == *$'proxy_pass http://127.0.0.1; include upload-progress/location.conf;\n'*'set $upload_progress_zone r; }'* ]]
    [[ $output == *$'\ntrack_uploads r 7s;\n'* ]]
    [[ $output == *"server_name r.example;"* ]]
    run -1 grep -E '^ *[^# ].*report_uploads' <<< "$output"
}

@test "PHP: a location of a regular expression that inherits is tracked" {
    run -0 import php
    [[ $output == *$'location ~ \\.php$ {\n            include upload-progress/location.conf;\n            set $upload_progress_zone php;\n            fastcgi_split_path_info'* ]]
    [[ $output == *$'    location / { try_files $uri $uri/ /index.php?$args; }\n'* ]]
    [[ $output == *$'server {\n    server_name php.example;\n    track_uploads php 30s;\n'* ]]
}

@test "what server.conf would take over or clash with is named" {
    printf '%s\n' 'http { upload_progress z 1m;' 'server {' \
        'location /u { track_uploads z 5s; try_files "" @app; }' \
        'location @app { proxy_pass http://127.0.0.1; }' \
        'location = /progress { report_uploads z;' 'allow 127.0.0.1; }' \
        'location ^~ /progress/x { report_uploads z; deny all; }' \
        'location /progress/ { return 404; } } }' > "$BATS_TEST_TMPDIR/clash.conf"
    run -2 --separate-stderr "$ROOT/$BUILD/upload-progressd" --import "$BATS_TEST_TMPDIR/clash.conf"
    [ "${#stderr_lines[@]}" -eq 2 ]
    [[ ${stderr_lines[0]} == *'clash.conf:6: "allow" goes with its location'* ]]
    [[ ${stderr_lines[1]} == *'clash.conf:8: location "/progress/" is in server.conf'* ]]
    [[ $output == *'location ^~ /progress/x { include upload-progress/probe.conf; deny all; }'* ]]
    [[ $output == *$'location @app {\n    include upload-progress/location.conf; proxy_pass'* ]]
    run -1 grep '^location = /progress {' <<< "$output"
}

@test "files that cannot be imported" {
    run -1 import nonexistent
    [ "$output" = "upload-progressd: [emerg] open() \"$CONFS/nonexistent.conf\" failed (2: No such file or directory)" ]
    printf 'http {\n  a "b;\n' > "$BATS_TEST_TMPDIR/bad.conf"
    run -1 "$ROOT/$BUILD/upload-progressd" --import "$BATS_TEST_TMPDIR/bad.conf"
    [[ $output == *"expecting a closing quote in $BATS_TEST_TMPDIR/bad.conf:"* ]]
    echo "include loop.conf;" > "$BATS_TEST_TMPDIR/loop.conf"
    run -1 "$ROOT/$BUILD/upload-progressd" --import "$BATS_TEST_TMPDIR/loop.conf"
    [[ $output == *"nested too deep in $BATS_TEST_TMPDIR/loop.conf:1" ]]
    run -1 "$ROOT/$BUILD/upload-progressd" --import
    run -1 "$ROOT/$BUILD/upload-progressd" --nonsense
}

@test "50,000 lines" {
    node -e 'let s = "http { upload_progress z 1m; server {\n";
        for (let i = 0; i < 12500; i++)
            s += `location /u${i} {\n track_uploads z 5s;\n proxy_pass http://127.0.0.1;\n}\n`;
        console.log(s + "} }");' > "$BATS_TEST_TMPDIR/large.conf"
    run -0 timeout 60 "$ROOT/$BUILD/upload-progressd" --import "$BATS_TEST_TMPDIR/large.conf"
    [ "$(grep -c 'include upload-progress/location.conf' <<< "$output")" -eq 12500 ]
}
