#!/usr/bin/env bats
# Processes that stop, die and are replaced under uploads and probes: each ID
# comes to be told as what has become of it. See client/faults.mjs.

load helper
bats_require_minimum_version 1.5.0

# What a client script prints as its figures is shown.
figures() {
    "$@" > "$BATS_TEST_TMPDIR/figures" || {
        cat "$BATS_TEST_TMPDIR/figures"
        return 1
    }
    grep '^# ' "$BATS_TEST_TMPDIR/figures" >&3
}

faults() {
    node "$CLIENT/faults.mjs" "$@" url="$URL" folder="$BATS_TEST_TMPDIR"
}

# faults_start COMMAND...: in the background; the test goes on when it has said
# that it runs.
faults_start() {
    faults "$@" > "$BATS_TEST_TMPDIR/figures" 2> "$SITE/log/client" 3>&- &
    CLIENT_PID=$!
    SECONDS_MAX=30 wait_until reached running
}

reached() {
    [ -e "$BATS_TEST_TMPDIR/$1" ]
}

tell() {
    touch "$BATS_TEST_TMPDIR/$1"
}

faults_end() {
    wait "$CLIENT_PID" || {
        cat "$SITE/log/client"
        return 1
    }
    grep '^# ' "$BATS_TEST_TMPDIR/figures" >&3
}

# The worker that has the most descriptors open.
busiest_worker() {
    local pid

    for pid in $(nginx_workers); do
        echo "$(find "/proc/$pid/fd" -mindepth 1 | wc -l) $pid"
    done | sort -rn | { read -r _ pid && echo "$pid"; }
}

@test "the daemon is stopped for 10 s: no upload waits for it, all is known when it goes on" {
    site_start
    figures faults stop pid="$DAEMON_PID"
}

@test "the daemon is killed and started again under 100 uploads and probes" {
    site_start
    faults_start restart
    kill -9 "$DAEMON_PID"
    wait "$DAEMON_PID" || true
    tell killed
    SECONDS_MAX=30 wait_until reached without
    daemon_start
    # The file of the one that was killed is there all the time.
    wait_until grep -qx "$DAEMON_PID" "$SITE/run/upload-progressd.pid"
    # The refusal of the last line that was sent in vain fails the next send() of
    # that worker.
    curl -sS -d x -o /dev/null "$URL/upload?X-Progress-ID=first"
    tell restarted
    faults_end
}

@test "a worker of nginx is killed in mid-body" {
    SITE_WORKERS=2
    site_start
    faults_start held cut=any
    kill -9 "$(busiest_worker)"
    tell go
    faults_end
}

@test "nginx is reloaded in mid-body" {
    SITE_WORKERS=2
    site_start
    faults_start held
    before=$(nginx_workers | sort | tr '\n' ' ')
    kill -HUP "$(cat "$SITE/nginx.pid")"
    replaced() { [ "$(nginx_workers | wc -l)" -gt 2 ]; }
    wait_until replaced
    tell go
    faults_end
    gone() { [ "$(nginx_workers | wc -l)" -eq 2 ]; }
    wait_until gone
    [ "$(nginx_workers | sort | tr '\n' ' ')" != "$before" ]
}

@test "nginx's binary is replaced in mid-body: USR2, WINCH, QUIT" {
    SITE_WORKERS=2
    site_start
    faults_start held
    old=$(cat "$SITE/nginx.pid")
    kill -USR2 "$old"
    wait_until test -s "$SITE/nginx.pid.oldbin"
    wait_until test -s "$SITE/nginx.pid"
    kill -WINCH "$old"
    probe_works() { probe nobody > /dev/null; }
    wait_until probe_works
    kill -QUIT "$old"
    tell go
    faults_end
    gone() { ! kill -0 "$old" 2>/dev/null; }
    wait_until gone
    [ "$(cat "$SITE/nginx.pid")" != "$old" ]
}
