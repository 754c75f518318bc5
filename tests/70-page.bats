#!/usr/bin/env bats
# What "make run" starts, used in headless Chromium.

load helper
bats_require_minimum_version 1.5.0

teardown() {
    end_processes "${DRIVER_PID:-}" "${TRY_PID:-}"
    if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        cat "$BATS_TEST_TMPDIR"/*.log
    fi
}

start() {
    site_ports
    PORT=$PORT SLOW_PORT=$TLS_PORT BUILD=$BUILD TMPDIR=$BATS_TEST_TMPDIR \
        "$ROOT/packaging/try-out" > "$BATS_TEST_TMPDIR/try-out.log" 2>&1 3>&- &
    TRY_PID=$!
    printed() { grep -q "Ctrl-C" "$BATS_TEST_TMPDIR/try-out.log"; }
    wait_until printed
}

@test "the page: choose files, see the bars move and end at 100 %" {
    start
    driver_start "$APP_PORT"
    # Through the line of 512 KiB/s.
    node "$CLIENT/page.mjs" "$DRIVER" "http://127.0.0.1:$TLS_PORT/" \
        "$BATS_TEST_TMPDIR" "$(make_file 3000000)" "$(make_file 1500000)"
    mkdir -p "$ROOT/tests/output"
    cp "$BATS_TEST_TMPDIR"/page-*.png "$ROOT/tests/output/"
}

@test "try-out stops everything and leaves nothing behind" {
    start
    local children
    mapfile -t children < <(pgrep -P "$TRY_PID")
    [ "${#children[@]}" -eq 2 ] # the daemon and nginx's master
    kill -TERM "$TRY_PID"
    wait "$TRY_PID" || true
    TRY_PID=
    for pid in "${children[@]}"; do
        [ ! -e "/proc/$pid" ]
    done
    run ! is_listening "$PORT"
    run ! ls -d "$BATS_TEST_TMPDIR"/upload-progressd.*
}
