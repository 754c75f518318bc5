# Files that are sent in pieces, by real clients through real nginx. Each run ends
# with the client's file on the server, with all of its bytes seen by the relay in
# between, and with the requests that the client is known for. The progress is asked for
# every 20 ms and compared with what the relay has forwarded.
# See client/pieces-run.mjs.

# Who is asked for the progress: 1: the daemon, through nginx; self: a server that knows
# what the relay knows, so that it is known that true answers pass; 0: nobody.
PROBES=${PROBES:-1}

setup_file() {
    local name

    for name in tus-js-client @tus/server busboy; do
        if [ ! -d "$BATS_TEST_DIRNAME/node_modules/$name" ]; then
            echo "tests/node_modules/$name is missing: packaging/dependencies test installs it" >&2
            return 1
        fi
    done
}

teardown() {
    local status=0

    end_processes "${BACKEND_PID:-}" "${DRIVER_PID:-}"
    site_stop || status=1
    if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        tail -n 40 "$BATS_TEST_TMPDIR"/*.log
    fi
    return $status
}

# What a backend that tells clients where their uploads are needs of nginx.
PIECES_PROXY="proxy_set_header Host \$http_host; proxy_set_header X-Forwarded-Host \$http_host;
    proxy_set_header X-Forwarded-Proto \$scheme; proxy_http_version 1.1;"

# The backend, in place of helper.bash's application.
pieces_backend_start() {
    node "$CLIENT/pieces-backend.mjs" "$APP_PORT" "$BATS_TEST_TMPDIR/backend" \
        > "$BATS_TEST_TMPDIR/backend.log" 2>&1 3>&- &
    BACKEND_PID=$!
    SECONDS_MAX=30 wait_until grep -qx ready "$BATS_TEST_TMPDIR/backend.log"
}

# The site: what is below /upload is buffered by nginx, below /upload-stream not.
pieces_start() {
    site_ports
    RELAY_PORT=$((PORT + 7))
    DRIVER_PORT=$((PORT + 8))
    SITE_LOCATION=$PIECES_PROXY
    SITE_SNIPPET=location-pieces.conf
    SITE_SERVER="location /upload-stream {
            include upload-progress/location-pieces.conf;
            proxy_pass http://127.0.0.1:$APP_PORT;
            client_max_body_size 64m;
            proxy_request_buffering off;
            $PIECES_PROXY
        }
        location / { proxy_pass http://127.0.0.1:$APP_PORT; }"
    site_write
    pieces_backend_start
    daemon_start
    nginx_start
}

# run_client CLIENT SCENARIO [OPTION...]
run_client() {
    local client=$1 scenario=$2

    shift 2
    mkdir -p "$BATS_TEST_TMPDIR/files"
    node "$CLIENT/pieces-run.mjs" --client="$client" --scenario="$scenario" --nginx="$URL" \
        --relay-port="$RELAY_PORT" --backend="http://127.0.0.1:$APP_PORT" \
        --folder="$BATS_TEST_TMPDIR/files" ${DRIVER:+--driver="$DRIVER"} \
        --probes="$PROBES" ${WIRE:+--wire="$WIRE"} "$@"
}

# pieces CLIENT SCENARIO...: each scenario with each way to have an ID, below PREFIX.
pieces() {
    local client=$1 scenario status=0

    shift
    for scenario; do
        run_client "$client" "$scenario" ${PREFIX:+--prefix="$PREFIX"} || status=1
    done
    return $status
}

# The same where nginx does not buffer.
pieces_streamed() {
    PREFIX=/upload-stream pieces "$@"
}
