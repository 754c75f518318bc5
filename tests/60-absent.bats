#!/usr/bin/env bats
# A daemon that hangs, was killed, or was never there: uploads do not care.

load helper
bats_require_minimum_version 1.5.0

# Ten uploads and other requests on one connection; prints their statuses.
# The snippet allows a mirrored request 250 ms.
ten_uploads() {
    local file args=()

    file=$(make_file 300000)
    for i in $(seq 1 10); do
        args+=(-o /dev/null "$URL/upload?X-Progress-ID=id$i")
    done
    # 10 times 250 ms, and time for a busy machine.
    curl -s --max-time 12 -H 'Expect:' -w '%{http_code} ' --data-binary "@$file" \
        "${args[@]}"
}

all_succeed() {
    run ten_uploads
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "200 200 200 200 200 200 200 200 200 200 " ]
}

nothing_to_act_on() {
    run grep -E '\[(crit|alert|emerg)\]' "$SITE/log/error.log"
    [ "$status" -eq 1 ]
}

@test "the daemon works" {
    site_start
    all_succeed
    nothing_to_act_on
    [ ! -s "$SITE/log/error.log" ]
}

@test "the daemon is stopped (SIGSTOP)" {
    site_start
    kill -STOP "$DAEMON_PID"
    all_succeed
    nothing_to_act_on
}

@test "a stopped daemon goes on where it was" {
    site_start
    kill -STOP "$DAEMON_PID"
    all_succeed
    kill -CONT "$DAEMON_PID"
    # All that happened meanwhile lay in the sockets.
    for i in $(seq 1 10); do
        wait_until state_is "id$i" done
    done
}

@test "an upload that began while the daemon was stopped is tracked when it goes on" {
    site_start
    kill -STOP "$DAEMON_PID"
    node "$CLIENT/upload.mjs" --url="$URL" --ids=other --bytes=1000 --lag=unchecked \
        --expect-state=done > "$SITE/log/client" 3>&- &
    CLIENT_PID=$!
    file=$(make_file 2000000)
    curl -s -o /dev/null --limit-rate 500k -H 'Expect:' --data-binary "@$file" \
        "$URL/upload?X-Progress-ID=one" 3>&- &
    CURL_PID=$!
    spooled() { find "/proc/$(nginx_workers | head -n 1)/fd" -lname '*deleted*' | grep -q .; }
    wait_until spooled
    kill -CONT "$DAEMON_PID"
    wait_until state_is one uploading
    wait "$CURL_PID"
    wait_until state_is one "done"
    wait "$CLIENT_PID"
}

@test "the daemon was killed" {
    site_start
    kill -9 "$DAEMON_PID"
    wait "$DAEMON_PID" || true
    DAEMON_PID=
    all_succeed
    nothing_to_act_on
    run curl -s -o /dev/null -w '%{http_code}' "$URL/progress?X-Progress-ID=id1"
    [ "$output" = 502 ]
    # And starts again over what it left behind.
    daemon_start
    all_succeed
    wait_until state_is id10 done
}

@test "the daemon was never there" {
    site_ports
    site_write
    app_start
    nginx_start
    all_succeed
    nothing_to_act_on
    run curl -s -o /dev/null -w '%{http_code}' "$URL/progress?X-Progress-ID=id1"
    [ "$output" = 503 ]
}

@test "the daemon is stopped in an orderly way and started again" {
    site_start
    daemon_stop
    [ ! -e "$SITE/run/fastcgi.sock" ]
    all_succeed
    nothing_to_act_on
    daemon_start
    all_succeed
    wait_until state_is id10 done
}
