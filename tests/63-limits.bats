#!/usr/bin/env bats
# A zone that is full, and a million IDs.

load helper
bats_require_minimum_version 1.5.0

flood() {
    "$ROOT/$BUILD/tests/faults/flood" "$@"
}

resident_kilobytes() {
    awk '/^VmRSS:/ { print $2 }' "/proc/$DAEMON_PID/status"
}

log_lines() {
    grep -c "$1" "$SITE/log/upload-progressd.log" || true
}

# What the daemon takes besides its zones: itself (8 MiB), and 16 MiB of lines
# that are not parsed yet. The sanitizers' own memory is not what is measured.
BESIDE_KILOBYTES=24576
memory_is_bounded() {
    echo "# $1: $(resident_kilobytes) kB resident, zone $SITE_ZONE_SIZE" >&3
    [ "$(resident_kilobytes)" -le $((${SITE_ZONE_SIZE%m} * 1024 + BESIDE_KILOBYTES)) ] ||
        nm -D "$ROOT/$BUILD/upload-progressd" | grep -qE '__(asan|tsan)_init'
}

# Uploads through nginx that have sent half of their bodies, and wait.
running_start() {
    node "$CLIENT/faults.mjs" held url="$URL" folder="$BATS_TEST_TMPDIR" \
        > "$BATS_TEST_TMPDIR/figures" 2> "$SITE/log/client" 3>&- &
    CLIENT_PID=$!
    begun() { [ -e "$BATS_TEST_TMPDIR/running" ]; }
    SECONDS_MAX=30 wait_until begun
}

still_running() {
    local i

    for i in $(seq 0 19); do
        state_is "held-$i" uploading
    done
}

@test "a million new IDs: the running uploads keep their rows, memory its bound" {
    SITE_LOG_LEVEL=notice
    SITE_ZONE_SIZE=32m
    site_start
    echo "# at the start: $(resident_kilobytes) kB resident" >&3
    running_start
    still_running
    echo "# ends: $(flood "udp:$EVENT_PORT" 500000 short 40000)" >&3
    memory_is_bounded "500,000 short IDs"
    echo "# ends: $(flood "udp:$EVENT_PORT" 500000 long 40000 255)" >&3
    memory_is_bounded "and 500,000 of 255 bytes"
    still_running
    grep 'were dropped' "$SITE/log/upload-progressd.log" | sed 's/^/# /' >&3 || true
    touch "$BATS_TEST_TMPDIR/go"
    wait "$CLIENT_PID"
}

@test "a zone full of running uploads: those keep their rows, others go on untracked" {
    local length beyond

    for length in 16 255; do
        SITE_LOG_LEVEL=notice
        SITE_ZONE_SIZE=32m
        site_start
        rm -f "$BATS_TEST_TMPDIR/go" "$BATS_TEST_TMPDIR/running"
        running_start
        echo "# starts, IDs of $length bytes: $(flood "scgi:$SITE/run/scgi.sock" 120000 start 0 $length)" >&3
        beyond=$(printf "beyond%*s" $((length + 4)) "" | tr ' ' x)
        beyond=${beyond:0:255} # not shorter: a short one may still have room
        memory_is_bounded "120,000 starts"
        still_running
        [ "$(curl -sS -o /dev/null -w '%{http_code}' --data-binary "@$(make_file 300000)" \
            "$URL/upload?X-Progress-ID=$beyond")" = 200 ]
        state_is "$beyond" starting # nothing is told of it
        [ "$(log_lines 'the zone is full')" -eq 1 ]
        [ "$(wc -l < "$SITE/log/upload-progressd.log")" -lt 50 ]
        kill "$CLIENT_PID"
        wait "$CLIENT_PID" || true
        site_stop
        rm -r "$SITE"
    done
    SITE=
}
