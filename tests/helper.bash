# Shared by the bats files: a site made of the shipped snippets, started on
# loopback under the test's own temporary folder, and stopped by saved pid.
#
#   site_start            daemon and nginx
#   SITE_HTTP ...         additions to nginx.conf, see site_write
#   probe ID [OUTPUT]     the answer's body
#   wait_until COMMAND    polls until COMMAND succeeds, 10 s at most

ROOT=$(cd "${BATS_TEST_DIRNAME:-tests}/.." && pwd)
BUILD=${BUILD:-build}
CLIENT=$ROOT/tests/client

# Whether nobody has one of 16 ports, for which the kernel knows local and remote
# addresses: a run that was cut off, or another one, may still use them.
ports_are_free() {
    local i pattern=

    for i in {0..15}; do
        pattern+=$(printf '|%04X' $(($1 + i)))
    done
    ! cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 2>/dev/null |
        grep -qE "^ *[0-9]+: [0-9A-F]+:(${pattern:1}) "
}

# next_turn TURNS: each gets another one, as tests that start together would all find
# the same ports free.
next_turn() {
    local file=$ROOT/tests/output/turn turn

    mkdir -p "${file%/*}"
    (
        flock 9
        read -r turn <&9 || turn=$BASHPID
        echo $(((turn + 1) % $1)) > "$file"
        echo $((turn % $1))
    ) 9<> "$file"
}

# Each test gets ports of its own, the same ones whenever it asks again.
site_ports() {
    local base=${SITE_BASE_PORT:-}

    while [ -z "${SITE_BASE_PORT:-}" ]; do
        base=$((20000 + 16 * $(next_turn 750)))
        ! ports_are_free "$base" || break
    done
    SITE_BASE_PORT=$base
    PORT=$base              # plain HTTP/1.1
    TLS_PORT=$((base + 1))  # TLS, HTTP/1.1 and HTTP/2
    APP_PORT=$((base + 2))  # the application behind nginx
    DEAD_PORT=$((base + 3)) # nobody listens here
    EVENT_PORT=$((base + 4))
    FASTCGI_PORT=$((base + 5))
    SCGI_PORT=$((base + 6))
    RELAY_PORT=$((base + 7)) # where nginx logs to instead of EVENT_PORT
    URL=http://127.0.0.1:$PORT
    TLS_URL=https://127.0.0.1:$TLS_PORT
}

# Polls a command, ten times a second or faster, for SECONDS_MAX (10).
wait_until() {
    local end=$((SECONDS + ${SECONDS_MAX:-10}))

    until "$@"; do
        ((SECONDS < end)) || {
            echo "timed out waiting for: $*" >&2
            return 1
        }
        sleep 0.05
    done
}

is_listening() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The certificate of the site; made once per run.
site_certificate() {
    if [ ! -f "$BATS_RUN_TMPDIR/site.crt" ]; then
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
            -keyout "$BATS_RUN_TMPDIR/site.key" \
            -out "$BATS_RUN_TMPDIR/site.crt" 2>/dev/null
    fi
}

# snippets_make DESTDIR SITE ADDRESS: as a site or a packager installs them.
snippets_make() {
    PROGRESS_KEY=${SITE_PROGRESS_KEY:-} make -s -C "$ROOT" install-snippets DESTDIR="$1" \
        SNIPPETDIR="$2/conf/upload-progress" RUNDIR="$2/run" LOGDIR="$2/log" EVENT_ADDRESS="$3" \
        ${SITE_PROGRESS_HEADER:+PROGRESS_HEADER="$SITE_PROGRESS_HEADER"}
}

# Puts the snippets into the site's folder, with its folders and addresses. They
# are made once per run, as that takes longer than many a test.
snippets_install() {
    local made=$BATS_RUN_TMPDIR/snippets address=127.0.0.1:${SITE_EVENT_PORT:-$EVENT_PORT} files

    if [ -n "${SITE_PROGRESS_KEY:-}${SITE_PROGRESS_HEADER:-}" ]; then
        snippets_make "" "$SITE" "$address"
        return
    fi
    [ -d "$made" ] || snippets_make "$made" /SITE ADDRESS
    cp -rp "$made/SITE/conf/." "$SITE/conf/"
    mapfile -t files < <(cd "$made/SITE/conf" && find . -name '*.conf')
    (cd "$SITE/conf" && sed -i -e "s|/SITE/|$SITE/|g" -e "s|\bADDRESS\b|$address|g" "${files[@]}")
}

# nginx's temporary files are the site's, whatever it was built with.
site_temp_paths() {
    local name

    echo "client_body_temp_path $SITE/temp/body;"
    for name in proxy fastcgi scgi uwsgi; do
        echo "${name}_temp_path $SITE/temp/$name;"
    done
}

# Writes upload-progressd.conf and nginx.conf. A test shapes them beforehand by
#   DAEMON_CONF     further directives of the daemon
#   SITE_LOCATION   further directives of the tracked location
#   SITE_BODY_MAX   its client_max_body_size (64m); elsewhere it is nginx's
#   SITE_SERVER     further locations
#   SITE_HTTP       further directives of http { }
#   SITE_SNIPPET    the snippet of the tracked location (location.conf)
#   SITE_FOLDER     where the site is ($BATS_TEST_TMPDIR/site)
#   SITE_MAIN       further directives of the top level
#   SITE_WORKERS    worker processes (1)
#   SITE_CONNECTIONS  worker_connections (2048)
#   SITE_LOG_LEVEL  of the daemon (debug)
#   SITE_ZONE_SIZE  of the zone "uploads" (16m)
#   SITE_EVENT_PORT where nginx sends its log lines (EVENT_PORT)
#   SITE_PROGRESS_HEADER  that the snippets are installed for (X-Progress-ID)
#   SITE_PROGRESS_KEY     that they carry (none)
site_write() {
    SITE=${SITE_FOLDER:-$BATS_TEST_TMPDIR/site}
    mkdir -p "$SITE/run" "$SITE/log" "$SITE/temp" "$SITE/conf"
    snippets_install
    site_certificate
    cat > "$SITE/upload-progressd.conf" <<CONF
error_log $SITE/log/upload-progressd.log ${SITE_LOG_LEVEL:-debug};
pid $SITE/run/upload-progressd.pid;
listen unix:$SITE/run/fastcgi.sock fastcgi;
listen unix:$SITE/run/scgi.sock scgi;
listen 127.0.0.1:$EVENT_PORT syslog;
upload_progress uploads ${SITE_ZONE_SIZE:-16m};
track_uploads uploads ${SITE_TTL:-60s};
${DAEMON_CONF:-}
CONF
    cat > "$SITE/conf/nginx.conf" <<CONF
worker_processes ${SITE_WORKERS:-1};
$([ "$(id -u)" -ne 0 ] || echo "user root;")
pid $SITE/nginx.pid;
error_log $SITE/log/error.log;
${SITE_MAIN:-}
events { worker_connections ${SITE_CONNECTIONS:-2048}; }
http {
    $(site_temp_paths)
    access_log $SITE/log/access.log;
    ssl_certificate $BATS_RUN_TMPDIR/site.crt;
    ssl_certificate_key $BATS_RUN_TMPDIR/site.key;
    include upload-progress/http.conf;
    ${SITE_HTTP:-}
    server {
        listen 127.0.0.1:$PORT;
        listen [::1]:$PORT;
        listen 127.0.0.1:$TLS_PORT ssl http2;
        include upload-progress/server.conf;
        location /upload {
            include upload-progress/${SITE_SNIPPET:-location.conf};
            proxy_pass http://127.0.0.1:$APP_PORT;
            client_max_body_size ${SITE_BODY_MAX:-64m};
            ${SITE_LOCATION:-}
        }
        location /other { return 200 "other\n"; }
        ${SITE_SERVER:-}
    }
}
CONF
}

# The application behind nginx: see client/app.mjs for its URIs.
app_start() {
    node "$CLIENT/app.mjs" "$APP_PORT" 3>&- &
    APP_PID=$!
    wait_until is_listening "$APP_PORT"
}

# DAEMON_WRAPPER: a command that becomes the daemon, such as valgrind; its words
# are split at blanks.
daemon_start() {
    # shellcheck disable=SC2086
    ${DAEMON_WRAPPER:-} "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" \
        2> "$SITE/log/stderr" 3>&- &
    DAEMON_PID=$!
    wait_until test -s "$SITE/run/upload-progressd.pid"
}

daemon_stop() {
    [ -n "${DAEMON_PID:-}" ] || return 0
    kill -CONT "$DAEMON_PID" 2>/dev/null
    kill "$DAEMON_PID" 2>/dev/null
    wait "$DAEMON_PID"
    local status=$?
    DAEMON_PID=
    return $status
}

nginx_start() {
    "${NGINX:-/usr/sbin/nginx}" -p "$SITE" -c "$SITE/conf/nginx.conf" \
        2> "$SITE/log/nginx-stderr" 3>&-
    wait_until test -s "$SITE/nginx.pid"
    wait_until is_listening "$PORT"
    wait_until has_workers # the master listens before it has any
}

has_workers() {
    nginx_workers > /dev/null
}

nginx_workers() {
    pgrep -P "$(cat "$SITE/nginx.pid")"
}

# nginx_replaced WORKERS: others are there, and none of these.
nginx_replaced() {
    local now

    now=$(nginx_workers) && ! grep -qxF "$1" <<< "$now"
}

# Until the old workers are gone; none may have a connection for longer.
nginx_reload() {
    local before

    before=$(nginx_workers)
    kill -HUP "$(cat "$SITE/nginx.pid")"
    wait_until nginx_replaced "$before"
}

nginx_stop() {
    [ -s "$SITE/nginx.pid" ] || return 0
    kill "$(cat "$SITE/nginx.pid")"
    wait_until test ! -e "$SITE/nginx.pid"
}

site_start() {
    site_ports
    site_write
    app_start
    daemon_start
    nginx_start
}

# Stops all, shows the logs of a failed test, fails on a sanitizer's report.
site_stop() {
    local status=0

    [ -n "${SITE:-}" ] || return 0
    nginx_stop || status=1
    daemon_stop || {
        echo "upload-progressd ended with status $?" >&2
        status=1
    }
    [ -z "${APP_PID:-}" ] || kill "$APP_PID" 2>/dev/null
    if grep -E 'Sanitizer|runtime error' "$SITE"/log/*; then
        status=1
    fi
    if [ -z "${BATS_TEST_COMPLETED:-}" ] || [ $status -ne 0 ]; then
        tail -n 60 "$SITE"/log/*
    fi
    return $status
}

# end_processes PID...: those that a test has started; one that it has not is "".
end_processes() {
    local pid

    for pid; do
        [ -n "$pid" ] || continue
        kill -CONT "$pid" 2>/dev/null || true
        kill "$pid" 2>/dev/null || true
        # What a sanitizer has to say, it says in the end.
        wait "$pid" 2>/dev/null || true
    done
}

# driver_start PORT: for headless Chromium, at $DRIVER; ended by $DRIVER_PID.
driver_start() {
    DRIVER=http://127.0.0.1:$1
    chromedriver --port="$1" > "$BATS_TEST_TMPDIR/chromedriver.log" 2>&1 3>&- &
    DRIVER_PID=$!
    SECONDS_MAX=30 wait_until is_listening "$1"
}

setup() { :; }

teardown() {
    site_stop
}

# probe ID [OUTPUT [BASE_URL]]: OUTPUT is "", jsonp, java, xml or detail.
probe() {
    curl -sS "${3:-$URL}/progress${2:+/$2}?X-Progress-ID=$1"
}

# field NAME: of the detailed output on standard input.
field() {
    node -e 'let s = ""; process.stdin.on("data", d => s += d).on("end",
        () => console.log(String(JSON.parse(s)[process.argv[1]])))' "$1"
}

# state_is ID STATE, for wait_until.
state_is() {
    [[ $(probe "$1") == *"\"state\" : \"$2\""* ]]
}

# make_file BYTES: prints the name of a file of that size.
make_file() {
    local file=$BATS_TEST_TMPDIR/body-$1

    [ -f "$file" ] || head -c "$1" /dev/zero > "$file"
    echo "$file"
}
