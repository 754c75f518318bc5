#!/usr/bin/env bats
# The complete sites of nginx-snippets/examples, each started as it is but for
# its paths, ports and user, and used.

load helper
load pieces
bats_require_minimum_version 1.5.0

EXAMPLES=$BATS_TEST_DIRNAME/../nginx-snippets/examples

# moved FILE: an example's file with this test's paths, ports and user.
moved() {
    sed -E -e "s#/etc/nginx/modules-enabled/\*\.conf#/dev/null#" \
        -e "s#/etc/nginx/#$SITE/conf/#g" \
        -e "s#/etc/ssl/certs/example\.org\.pem#$BATS_RUN_TMPDIR/site.crt#" \
        -e "s#/etc/ssl/private/example\.org\.key#$BATS_RUN_TMPDIR/site.key#" \
        -e "s#/var/log/nginx#$SITE/log#g" \
        -e "s#(/var)?/run/nginx\.pid#$SITE/nginx.pid#" \
        -e "s#/run/upload-progressd#$SITE/run#g" \
        -e "s#listen (80|443|8080)( |;)#listen 127.0.0.1:@\1@\2#" \
        -e "s#@80@#$PORT#; s#@443@#$TLS_PORT#; s#@8080@#$((PORT + 7))#" \
        -e "s#127\.0\.0\.1:3000\b#127.0.0.1:$APP_PORT#" \
        -e "s#127\.0\.0\.1:4514#127.0.0.1:$EVENT_PORT#g" \
        -e "s#127\.0\.0\.1:4515#127.0.0.1:$((PORT + 8))#g" \
        -e "s#127\.0\.0\.1:4516#127.0.0.1:$((PORT + 9))#g" \
        -e "s#192\.0\.2\.10:4513#127.0.0.1:$((PORT + 10))#" \
        -e "s#192\.0\.2\.1[12]:4513#127.0.0.1:$DEAD_PORT#" \
        -e "s#10\.0\.0\.0/8#127.0.0.0/8#" \
        -e "s#/var/www/html#$SITE/html#" \
        -e "s#^user .*#$([ "$(id -u)" -ne 0 ] || echo 'user root;')#" \
        -e "s#^http \{#http { client_body_temp_path $SITE/temp/body; \
            proxy_temp_path $SITE/temp/proxy; fastcgi_temp_path $SITE/temp/fastcgi; \
            scgi_temp_path $SITE/temp/scgi; uwsgi_temp_path $SITE/temp/uwsgi;#" "$1"
}

# example_start NAME: its nginx, and the daemon as the README has it.
example_start() {
    example_write "$1"
    daemon_start
    nginx_start
}

example_write() {
    local snippet

    site_ports
    site_write
    "${APPLICATION:-app_start}"
    mkdir "$SITE/html"
    cp /etc/nginx/mime.types "$SITE/conf/"
    moved "$EXAMPLES/$1.conf" > "$SITE/conf/nginx.conf"
    for snippet in "$SITE"/conf/several-sidecars/*.conf; do
        moved "$snippet" > "$BATS_TEST_TMPDIR/moved"
        cp "$BATS_TEST_TMPDIR/moved" "$snippet"
    done
}

# The site's own check has nothing to say.
check() {
    run "$ROOT/$BUILD/upload-progressd" -c "${1:-$SITE/upload-progressd.conf}" \
        --check-nginx "$SITE/conf/nginx.conf"
    echo "$output"
    [ "$status" -eq 0 ]
}

follow() {
    check "${CHECKED:-}"
    run node "$CLIENT/upload.mjs" --ids=one,two --bytes=2000000 --rate=600000 \
        --expect-response=200 --expect-status=200 "$@"
    echo "$output"
    [ "$status" -eq 0 ]
}

no_errors() {
    [ ! -s "$SITE/log/error.log" ]
}

@test "one host" {
    example_start one-host
    follow --url="$URL"
    [ "$(grep -c 'POST /upload' "$SITE/log/access.log")" -eq 2 ]
    no_errors
}

@test "TLS and HTTP/2, a WebSocket's handshake beside" {
    example_start tls-http2
    follow --url="$TLS_URL" --http=2 --expect-gauges=spool --probe-url="$TLS_URL"
    run -0 curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' \
        --data-binary "@$(make_file 1000)" "$URL/upload?X-Progress-ID=a"
    [ "$output" = "308 https://127.0.0.1/upload?X-Progress-ID=a" ]
    # This application answers it as a plain request.
    run -0 curl -sSk --http1.1 -o /dev/null -w '%{http_code}' -H 'Upgrade: websocket' \
        -H 'Connection: Upgrade' "$TLS_URL/socket"
    [ "$output" = 200 ]
    no_errors
}

@test "behind a load balancer: PROXY protocol, X-Forwarded-For" {
    example_start load-balancer
    follow --url="http://127.0.0.1:$((PORT + 7))" --expect-gauges=socket
    curl -sS --haproxy-protocol --limit-rate 200k --data-binary "@$(make_file 600000)" \
        -o /dev/null "$URL/upload?X-Progress-ID=proxied" 3>&- &
    wait_until half_way proxied
    wait $!
    wait_until is_over proxied
    curl -sS -o /dev/null -H 'X-Forwarded-For: 192.0.2.7' "http://127.0.0.1:$((PORT + 7))/page"
    grep -q '^192\.0\.2\.7 .*/page' "$SITE/log/access.log"
    run -1 grep '^192\.0\.2\.7 .*/upload' "$SITE/log/access.log"
}

# half_way ID: 200000 to 599999 of 600000 bytes.
half_way() {
    [[ $(probe "$1" '' "http://127.0.0.1:$((PORT + 7))") =~ '"received" : '[2-5][0-9]{5}', "size" : 600000' ]]
}

is_over() {
    [ "$(probe "$1" '' "http://127.0.0.1:$((PORT + 7))")" = $'{ "state" : "done" }\r' ]
}

@test "resumable uploads to a tus server" {
    APPLICATION=pieces_backend_start
    example_start resumable
    check
    PREFIX=/files pieces tus plain parallel abort fail resume
    # A file that is one piece, which breaks off: what has come is kept.
    location=$(tus POST 'Upload-Length: 3000000' "$URL/files/tus" | sed -n 's/^location: //Ip' | tr -d '\r')
    run -28 tus_piece 0 --limit-rate 500k --max-time 2
    wait_until has_kept 100000
    offset=$(kept)
    [ "$offset" -lt 3000000 ]
    wait_until tus_piece "$offset"
    wait_until tus_is_done
    no_errors
}

tus() {
    curl -sS --fail -D - -o /dev/null -X "$1" -H 'Tus-Resumable: 1.0.0' -H "$2" "${@:3}"
}

# tus_piece OFFSET [OPTION...]: all from there on.
tus_piece() {
    tail -c +$(($1 + 1)) "$(make_file 3000000)" > "$BATS_TEST_TMPDIR/rest"
    tus PATCH "Upload-Offset: $1" -H 'Content-Type: application/offset+octet-stream' -H 'Expect:' \
        --data-binary "@$BATS_TEST_TMPDIR/rest" "${@:2}" "$location"
}

kept() {
    tus HEAD 'X-None: 1' --head "$location" | sed -n 's/^upload-offset: \([0-9]*\).*/\1/Ip'
}

has_kept() {
    [ "$(kept)" -gt "$1" ]
}

tus_is_done() {
    [ "$(probe "/${location#http://*/}" detail | field received)" = 3000000 ] &&
        state_is "/${location#http://*/}" done
}

@test "a container beside nginx: another mount namespace" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to make a mount namespace"
    DAEMON_CONF="upload_progress_gauges spool;"
    example_write pod
    # The daemon has the sockets' folder and its own files, and nothing of the
    # folder that nginx's temporary files are in.
    unshare -m sh -c "mount -t tmpfs none '$SITE/temp' && exec \
        '$ROOT/$BUILD/upload-progressd' -c '$SITE/upload-progressd.conf'" \
        2> "$SITE/log/stderr" 3>&- &
    DAEMON_PID=$!
    wait_until test -s "$SITE/run/upload-progressd.pid"
    nginx_start
    follow --url="$URL" --expect-gauges=spool
    no_errors
}

@test "three sidecars, with their configurations" {
    local i pids=()

    example_write three-sidecars
    for i in 1 2 3; do
        mkdir "$SITE/run-$i"
        moved "$EXAMPLES/three-sidecars/upload-progressd-$i.conf" > "$SITE/$i.conf"
        "$ROOT/$BUILD/upload-progressd" -c "$SITE/$i.conf" 2>> "$SITE/log/stderr" 3>&- &
        pids+=($!)
        wait_until test -s "$SITE/run-$i/upload-progressd.pid"
    done
    nginx_start
    CHECKED=$SITE/1.conf follow --url="$URL" --ids=one,two,three,four
    kill "${pids[@]}"
    wait "${pids[@]}"
    no_errors
}

@test "one of several hosts, with its configuration" {
    example_write several-hosts
    moved "$EXAMPLES/several-hosts/upload-progressd.conf" > "$SITE/upload-progressd.conf"
    sed -i "1i pid $SITE/run/upload-progressd.pid;" "$SITE/upload-progressd.conf"
    daemon_start
    nginx_start
    # The other hosts are not there: what this one knows needs nobody else.
    follow --url="$URL"
    [ "$(probe nobody)" = $'{ "state" : "starting" }\r' ]
    is_listening $((PORT + 10))
}

@test "every snippet names in its first line the nginx that it needs" {
    local file

    for file in "$EXAMPLES"/*.conf "$EXAMPLES"/../[!e]*/*.conf; do
        echo "$file: $(head -1 "$file")"
        head -1 "$file" | grep -qE 'nginx [0-9]+\.[0-9]+\.[0-9]+'
    done
}

@test "every example is here, and in the snippets' README" {
    local file name

    for file in "$EXAMPLES"/*.conf; do
        name=$(basename "$file" .conf)
        grep -qE "^    example_(start|write) $name\$" "$BATS_TEST_FILENAME"
        grep -qF "(examples/$name.conf)" "$EXAMPLES/../README.md"
    done
}
