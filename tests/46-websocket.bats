#!/usr/bin/env bats
# Plain HTTP and WebSocket through one location, with the shipped snippets:
# client/websocket.mjs is the client, client/websocket-backend.mjs the backend.

load helper
bats_require_minimum_version 1.5.0

setup_file() {
    if [ ! -d "$BATS_TEST_DIRNAME/node_modules/ws" ]; then
        echo "tests/node_modules/ws is missing: packaging/dependencies test installs it" >&2
        return 1
    fi
}

teardown() {
    local status=0

    end_processes "${CLIENT_PIDS[@]}" "${BACKEND_PIDS[@]}" "${DRIVER_PID:-}"
    site_stop || status=1
    if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        tail -n 40 "$BATS_TEST_TMPDIR"/*.log
    fi
    return $status
}

setup() {
    CLIENT_PIDS=()
    BACKEND_PIDS=()
    site_ports
    WS_PORT=$((PORT + 7))
    OTHER_PORT=$((PORT + 8))
    STREAM_PORT=$((PORT + 9))
    WS=ws://127.0.0.1:$PORT
    WSS=wss://127.0.0.1:$TLS_PORT
}

# backend PORT [OPTION...]
backend() {
    local log=$BATS_TEST_TMPDIR/backend-$1.log

    node "$CLIENT/websocket-backend.mjs" "$@" > "$log" 2>&1 3>&- &
    BACKEND_PIDS+=($!)
    SECONDS_MAX=30 wait_until grep -qx ready "$log"
}

# The site as one would have it: an upstream group that keeps connections, and
# the include in a location. A test adds by SITE_HTTP, SITE_SERVER, SITE_MAIN.
ws_write() {
    SITE_HTTP="include websocket/http.conf;
        upstream backend { server 127.0.0.1:$WS_PORT; keepalive 8; }
        ${SITE_HTTP:-}"
    SITE_SERVER="location /ws {
            include websocket/location.conf;
            proxy_pass http://backend;
        }
        ${SITE_SERVER:-}"
    site_write
}

ws_run() {
    backend "$WS_PORT"
    app_start
    daemon_start
    nginx_start
}

ws_start() {
    ws_write
    ws_run
}

# edit FILE SED-EXPRESSION...: of an installed snippet, such as its times.
edit() {
    local file=$SITE/conf/websocket/$1 before expression

    shift
    for expression; do
        before=$(cat "$file")
        sed -i "$expression" "$file"
        [ "$before" != "$(cat "$file")" ] || {
            echo "nothing to edit: $expression" >&2
            return 1
        }
    done
}

client() {
    node "$CLIENT/websocket.mjs" "$@"
}

# hold NAME URL: a client in the background that echoes all the time.
hold() {
    local log=$BATS_TEST_TMPDIR/hold-$1.log

    node "$CLIENT/websocket.mjs" hold --url="$2" "${@:3}" > "$log" 2>&1 3>&- &
    CLIENT_PIDS+=($!)
    SECONDS_MAX=30 wait_until grep -q '^echo' "$log"
}

echoes() {
    grep -c '^echo' "$BATS_TEST_TMPDIR/hold-$1.log"
}

has_echoed() {
    [ "$(echoes "$1")" -ge "$2" ]
}

is_closed() {
    grep -q '^closed' "$BATS_TEST_TMPDIR/hold-$1.log"
}

# raw ARGUMENT...: a handshake made by hand, see client/websocket-raw.mjs.
raw() {
    node "$CLIENT/websocket-raw.mjs" "127.0.0.1:${RAW_PORT:-$PORT}" "$@"
}

# is OUTPUT COMMAND...: what the command prints, and that it succeeds.
is() {
    run -0 "${@:2}"
    if [ "$output" != "$1" ]; then
        printf 'expected: %s\nprinted:  %s\nby: %s\n' "$1" "$output" "${*:2}" >&2
        return 1
    fi
}

# header NAME: of the backend's JSON on standard input, see websocket-backend.mjs.
header() {
    node -e 'let s = ""; process.stdin.on("data", d => s += d).on("end",
        () => console.log(JSON.parse(s).headers[process.argv[1]] ?? "none"))' "$1"
}

# A location as many sites have it, to show what the snippets are for.
USUAL='location /usual {
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_pass http://backend;
}'

has_stream() {
    [[ $(nginx_says) == *--with-stream[=\ ]* ]]
}

nginx_says() {
    "${NGINX:-/usr/sbin/nginx}" -V 2>&1
}

# The stream module is built in or a file to load.
stream_module() {
    local folder

    if [[ $(nginx_says) == *--with-stream=dynamic* ]]; then
        folder=$(nginx_says | grep -o -- '--modules-path=[^ ]*')
        echo "load_module ${folder#*=}/ngx_stream_module.so;"
    fi
}

# The certificate that the backend has for itself.
backend_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=backend.test \
        -keyout "$BATS_TEST_TMPDIR/backend.key" \
        -out "$BATS_TEST_TMPDIR/backend.crt" 2>/dev/null
}

# stream_write [SED-EXPRESSION...]: a site with stream.conf, in front of a backend
# with TLS of its own on OTHER_PORT.
stream_write() {
    has_stream || skip "nginx without the stream module"
    SITE_MAIN="$(stream_module) include websocket/stream.conf; ${SITE_MAIN:-}"
    ws_write
    edit stream.conf "s/listen 8443/listen 127.0.0.1:$STREAM_PORT/" "s/:9443/:$OTHER_PORT/" "$@"
    backend_certificate
}

tls_backend() {
    backend "$OTHER_PORT" --cert="$BATS_TEST_TMPDIR/backend.crt" \
        --key="$BATS_TEST_TMPDIR/backend.key" "$@"
}

# stream_client COMMAND [OPTION...]: who trusts the backend's certificate only.
stream_client() {
    client "$1" --url="wss://127.0.0.1:$STREAM_PORT/" --servername=backend.test \
        --ca="$BATS_TEST_TMPDIR/backend.crt" "${@:2}"
}

is_shutting_down() {
    grep -q 'shutting down' "/proc/$1/cmdline"
}

is_gone() {
    [ ! -e "/proc/$1" ]
}

reload() {
    "${NGINX:-/usr/sbin/nginx}" -p "$SITE" -c "$SITE/conf/nginx.conf" -s reload \
        2>> "$SITE/log/nginx-stderr"
}

@test "text, binary and 1 MiB messages" {
    ws_start
    is echoed client echo --url="$WS/ws"
}

@test "the same include over TLS" {
    ws_start
    is echoed client echo --url="$WSS/ws" --ca="$BATS_RUN_TMPDIR/site.crt" --servername=localhost
}

@test "Chromium: wss from a page that came over HTTP/2" {
    SITE_SERVER="location = /page { default_type text/html; return 200 '<title>page</title>'; }"
    ws_start
    driver_start $((PORT + 10))
    run -0 node "$CLIENT/websocket-browser.mjs" "$DRIVER" \
        "$TLS_URL/page" "$WSS/ws?hello=1" "$BATS_TEST_TMPDIR"
    [[ $output == *'"page":"h2"'* ]]
    # What an application compares to refuse the sockets of other sites' pages.
    said=$output
    is "$TLS_URL" header origin <<< "$said"
    is "127.0.0.1:$TLS_PORT" header host <<< "$said"
}

@test "two hundred sockets at once, each its own" {
    ws_start
    is "200 open at once, all echoed" client many --url="$WS/ws" --count=200
    is "200 open at once, all echoed" client many --url="$WSS/ws" --insecure=1 --count=200
}

@test "an idle socket is closed at proxy_read_timeout, whose value a location sets" {
    SITE_SERVER="include websocket/location.conf;
        location /short {
            proxy_read_timeout 2s;
            proxy_pass http://backend;
            error_log log/info.log info;
        }"
    ws_start
    # No closing handshake: what a client is told is 1006.
    is "closed with 1006" client idle --url="$WS/short" --at-least=1900
    is echoed client echo --url="$WS/short"
    # A level that few sites log at is all that tells of it.
    grep -q '\[info\] .*upstream timed out .*while proxying upgraded connection' "$SITE/log/info.log"
}

@test "the times of the include hold where a higher level has shorter ones" {
    SITE_HTTP="proxy_read_timeout 2s; proxy_send_timeout 2s;"
    SITE_SERVER=$USUAL
    ws_start
    # Silent, and a backend that takes nothing of what comes.
    node "$CLIENT/websocket.mjs" stay --url="$WS/ws" --for=7000 > "$BATS_TEST_TMPDIR/silent.log" 2>&1 3>&- &
    CLIENT_PIDS+=($!)
    is open client stuff --url="$WS/ws?deaf=1" --bytes=134217728 --for=7000
    wait "${CLIENT_PIDS[0]}"
    is "open, not pinged, not ponged" cat "$BATS_TEST_TMPDIR/silent.log"
    # Without the include.
    is "closed with 1006" client idle --url="$WS/usual" --at-least=1900
    is "closed with 1006" client stuff --url="$WS/usual?deaf=1" --bytes=134217728 --for=20000
}

@test "the times cannot be set beside the include" {
    ws_write
    sed -i 's|^\( *include websocket/location.conf;\)|\1 proxy_read_timeout 2s;|' "$SITE/conf/nginx.conf"
    run ! "${NGINX:-/usr/sbin/nginx}" -t -p "$SITE" -c "$SITE/conf/nginx.conf"
    [[ $output == *'"proxy_read_timeout" directive is duplicate'* ]]
}

@test "pings of either side, or messages of one, keep a socket open" {
    SITE_SERVER="include websocket/location.conf;
        location /short { proxy_read_timeout 3s; proxy_pass http://backend; }"
    stay() {
        node "$CLIENT/websocket.mjs" stay --for=10000 --url="$2" "${@:3}" \
            > "$BATS_TEST_TMPDIR/$1-pings.log" 2>&1 3>&- &
        CLIENT_PIDS+=($!)
    }
    ws_start
    stay backend "$WS/short?ping=300"
    stay client "$WS/short" --ping-every=300
    # The backend says nothing, yet nginx starts the time anew: a proxied socket
    # is silent only if both sides are.
    is "open, not pinged, not ponged" client stay --url="$WS/short?mute=1" --say-every=300 --for=10000
    wait "${CLIENT_PIDS[0]}"
    wait "${CLIENT_PIDS[1]}"
    is "open, pinged, not ponged" cat "$BATS_TEST_TMPDIR/backend-pings.log"
    is "open, not pinged, ponged" cat "$BATS_TEST_TMPDIR/client-pings.log"
}

@test "a reader who stops stops the sender, and nothing goes to disk" {
    ws_start
    run -0 client slow --url="$WS/ws?flood=134217728" --bytes=134217728
    echo "$output"
    [[ $output == *"received 134217728" ]]
    run ! grep 'temporary file' "$SITE/log/error.log"
    [ -z "$(find "$SITE/temp" -type f)" ]
}

@test "a backend that insists on HTTP/1.1 and on the capital of Connection: Upgrade" {
    SITE_SERVER=$USUAL
    ws_start
    is echoed client echo --url="$WS/ws?strict=1"
    is "refused with 400" client refused --url="$WS/usual?strict=1" --status=400
    is echoed client echo --url="$WS/usual"
}

@test "plain requests of the same location share one connection to the backend" {
    SITE_SERVER="$USUAL
        location /default { proxy_pass http://backend; }"
    ws_start
    hold one "$WS/ws"
    run -0 client plain --url="$URL/ws" --count=30
    [ "${#lines[@]}" -eq 30 ]
    [ "$(grep -c '"connection":1,"version":"1.1"' <<< "$output")" -eq 30 ]
    run ! grep -iE '"(upgrade|connection)":"' <<< "$output"
    # What the snippets are for: without them the first takes the connection that
    # was kept and ends it, and each further one has its own.
    run -0 client plain --url="$URL/default" --count=3
    [[ ${lines[0]} == *'"connection":1,"version":"1.0"'*'"connection":"close"'* ]]
    [[ ${lines[1]} == *'"connection":2,"version":"1.0"'*'"connection":"close"'* ]]
    [[ ${lines[2]} == *'"connection":3,"version":"1.0"'*'"connection":"close"'* ]]
    run -0 client plain --url="$URL/usual" --count=1
    [[ $output == *'"connection":"upgrade"'* ]]
    [ "$(echoes one)" -gt 1 ]
    run ! is_closed one
}

@test "an upgrade to anything but WebSocket is not passed on" {
    SITE_SERVER=$USUAL
    ws_start
    local none="200 upgrade=none connection=none"

    # The danger: the client's second request reaches the backend unseen by nginx.
    is "101 h2c TUNNEL GET /secret HTTP/1.1" raw /usual http/1.1 h2c
    is "$none" raw /ws http/1.1 h2c
    is "$none" raw /ws http/1.1 H2C
    is "$none" raw /ws http/1.1 TLS/1.0
    is "$none" raw /ws http/1.1 'websocket, h2c'
    is "$none" raw /ws http/1.1 'h2c, websocket'
    is "$none" raw /ws http/1.1 websocketx
    is "$none" raw /ws http/1.1 h2c websocket
    is "$none" raw /ws http/1.1
    is "101 websocket" raw /ws http/1.1 websocket
    is "101 websocket" raw /ws http/1.1 WebSocket
    # Of two headers nginx 1.22 takes the first, newer ones make a list of both.
    run -0 raw /ws http/1.1 websocket h2c
    [[ $output == "101 websocket" || $output == "$none" ]]
}

@test "no upgrade over HTTP/1.0 and HTTP/2, which have none" {
    ws_start
    is "200 upgrade=none connection=none" raw /ws http/1.0 websocket
    # From 1.31.0 on nginx itself refuses the header over HTTP/2.
    RAW_PORT=$TLS_PORT run -0 raw /ws h2 websocket
    [[ $output == "200 upgrade=none connection=none" || $output == "400 "* || $output == "given up"* ]]
    run ! grep -F '[alert]' "$SITE/log/error.log"
}

@test "a handshake that the backend refuses opens no tunnel" {
    ws_start
    is "400 200" raw /ws refused websocket
    grep -q '"GET /other HTTP/1.1" 200' "$SITE/log/access.log"
}

@test "what the backend is told of client and host" {
    SITE_SERVER="proxy_set_header X-Inherited yes;"
    ws_start
    hello() { client hello --from=127.0.0.2 "$@"; }
    said=$(hello --url="$WSS/ws?hello=1" --insecure=1)
    is 127.0.0.2 header x-real-ip <<< "$said"
    is 127.0.0.2 header x-forwarded-for <<< "$said"
    is https header x-forwarded-proto <<< "$said"
    is "127.0.0.1:$TLS_PORT" header host <<< "$said"
    is Upgrade header connection <<< "$said"
    is websocket header upgrade <<< "$said"
    is http header x-forwarded-proto < <(hello --url="$WS/ws?hello=1")
    # A proxy_set_header of a higher level is replaced.
    is none header x-inherited <<< "$said"
    # The client's own entry stays in front.
    is "192.0.2.1, 127.0.0.1" header x-forwarded-for < <(curl -sS -H 'X-Forwarded-For: 192.0.2.1' "$URL/ws")
    # Host has its port, whatever the protocol, but is never another than nginx's.
    is "127.0.0.1:$TLS_PORT" header host < <(curl -sSk --http2 "$TLS_URL/ws")
    is "Example.COM:81" header host < <(curl -sS -H 'Host: Example.COM:81' "$URL/ws")
    is "[::1]:81" header host < <(curl -sS -H 'Host: [::1]:81' "$URL/ws")
    is example.com header host < <(curl -sS -H 'Host: example.com' "$URL/ws")
    is site.example header host < <(curl -sS -H 'Host: other.example:81' --request-target http://site.example/ws "$URL")
    is site.example header host < <(curl -sS -H 'Host: site.example.org:81' --request-target http://site.example/ws "$URL")
}

@test "a socket to a URI whose plain answer is cached" {
    SITE_HTTP="proxy_cache_path cache keys_zone=answers:1m;"
    SITE_SERVER='proxy_cache answers;
        proxy_cache_valid any 1m;
        add_header X-Cache $upstream_cache_status always;
        location /bare {
            proxy_http_version 1.1;
            proxy_set_header Upgrade $websocket_upgrade;
            proxy_set_header Connection $websocket_connection;
            proxy_pass http://backend;
        }'
    cache_says() { curl -sS -o /dev/null -D - "$1" | tr -d '\r' | sed -n 's/^X-Cache: //p'; }
    ws_start
    is MISS cache_says "$URL/ws"
    is HIT cache_says "$URL/ws"
    is echoed client echo --url="$WS/ws"
    is HIT cache_says "$URL/ws"
    # A refused handshake is not kept for plain requests.
    is "400 200" raw /ws/new refused websocket
    is MISS cache_says "$URL/ws/new"
    # Without the snippet's two lines.
    is MISS cache_says "$URL/bare"
    is "refused with 200" client refused --url="$WS/bare" --status=200
    is "400 200" raw /bare/new refused websocket
    is HIT cache_says "$URL/bare/new"
}

@test "a handshake goes to the next server of the group, an open socket does not" {
    SITE_HTTP="upstream group { server 127.0.0.1:$OTHER_PORT max_fails=0; server 127.0.0.1:$WS_PORT backup; }"
    SITE_SERVER="location /group { include websocket/location.conf; proxy_pass http://group; }"
    ws_start
    is echoed client echo --url="$WS/group"
    backend "$OTHER_PORT"
    hold one "$WS/group"
    kill "${BACKEND_PIDS[1]}"
    wait_until is_closed one
    grep -q '^closed 1006' "$BATS_TEST_TMPDIR/hold-one.log"
    is echoed client echo --url="$WS/group"
}

@test "wss passed through: the client sees the backend's certificate" {
    stream_write
    tls_backend
    ws_run
    is echoed stream_client echo
    # Not nginx's: who trusts that one only is not served, though the site is.
    run -1 stream_client echo --ca="$BATS_RUN_TMPDIR/site.crt"
    [[ $output == *"self-signed certificate"* || $output == *"self signed certificate"* ]]
    is echoed client echo --url="$WSS/ws" --ca="$BATS_RUN_TMPDIR/site.crt" --servername=localhost
    # No HTTP on the way: the host is the client's, nothing is added.
    said=$(stream_client hello --url="wss://127.0.0.1:$STREAM_PORT/?hello=1")
    is "127.0.0.1:$STREAM_PORT" header host <<< "$said"
    is none header x-forwarded-for <<< "$said"
}

@test "wss passed through: closed at proxy_timeout when idle" {
    stream_write 's/proxy_timeout 1h/proxy_timeout 2s/'
    tls_backend
    ws_run
    is "closed with 1006" stream_client idle --at-least=1900
    is echoed stream_client echo
}

@test "wss passed through with PROXY protocol: the client's address" {
    stream_write 's/#proxy_protocol on/proxy_protocol on/'
    tls_backend --proxy-protocol=1
    ws_run
    run -0 stream_client hello --url="wss://127.0.0.1:$STREAM_PORT/?hello=1" --from=127.0.0.2
    [[ $output == *'"client":"127.0.0.2"'* ]]
    is echoed stream_client echo
}

@test "HTTP variables do not exist in stream" {
    stream_write 's/proxy_pass websocket_tls/proxy_pass $http_upgrade/'
    run ! "${NGINX:-/usr/sbin/nginx}" -t -p "$SITE" -c "$SITE/conf/nginx.conf"
    [[ $output == *'unknown "http_upgrade" variable'* ]]
}

@test "without worker_shutdown_timeout a socket outlives a reload in its old worker" {
    ws_start
    old=$(nginx_workers)
    hold one "$WS/ws"
    reload
    SECONDS_MAX=30 wait_until is_shutting_down "$old"
    is echoed client echo --url="$WS/ws"
    SECONDS_MAX=60 wait_until has_echoed one $(($(echoes one) + 100))
    run ! is_closed one
    is_shutting_down "$old"
    # It was the socket that kept it.
    kill "${CLIENT_PIDS[0]}"
    SECONDS_MAX=30 wait_until is_gone "$old"
}

@test "with worker_shutdown_timeout the sockets are closed after that time" {
    SITE_MAIN="include websocket/main.conf;"
    stream_write
    edit main.conf 's/worker_shutdown_timeout 5m/worker_shutdown_timeout 4s/'
    tls_backend
    ws_run
    old=$(nginx_workers)
    hold one "$WS/ws"
    hold two "$WSS/ws" --insecure=1
    hold three "wss://127.0.0.1:$STREAM_PORT/" --insecure=1
    start=$(date +%s%3N)
    reload
    for name in one two three; do
        SECONDS_MAX=30 wait_until is_closed "$name"
        read -r _ code end < <(grep '^closed' "$BATS_TEST_TMPDIR/hold-$name.log")
        [ "$code" -eq 1006 ]
        [ $((end - start)) -ge 3900 ]
    done
    SECONDS_MAX=30 wait_until is_gone "$old"
    is echoed client echo --url="$WS/ws"
    is echoed stream_client echo
}

@test "upload progress beside open sockets, and through the include itself" {
    SITE_LOCATION="include websocket/location.conf;"
    ws_start
    hold one "$WS/ws"
    hold two "$WSS/ws" --insecure=1
    before=$(echoes one)
    node "$CLIENT/upload.mjs" --url="$URL" --probe-url="$URL" --ids=one \
        --expect-response=200 --expect-status=200 --lag-bytes=16384
    node "$CLIENT/upload.mjs" --url="$TLS_URL" --http=2 --probe-url="$URL" --ids=two,three \
        --expect-response=200 --expect-status=200 --expect-gauges=spool
    [ "$(echoes one)" -gt "$before" ]
    run ! is_closed one
    run ! is_closed two
}
