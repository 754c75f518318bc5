#!/usr/bin/env bats
# What the daemon relies on is missing: descriptors, disk, /proc, netlink, the
# right time. It is said once, uploads do not care, and all is well again when
# the cause is gone.

load helper
load preload
bats_require_minimum_version 1.5.0

# held_start FILE SOCKET: two uploads that stop in mid-body, see degraded.mjs.
held_start() {
    rm -f "$BATS_TEST_TMPDIR/half" "$BATS_TEST_TMPDIR/go"
    node "$CLIENT/degraded.mjs" held url="$URL" tls="$TLS_URL" \
        folder="$BATS_TEST_TMPDIR" ids="$1,$2" 2> "$SITE/log/client" 3>&- &
    CLIENT_PID=$!
    wait_until test -e "$BATS_TEST_TMPDIR/half"
}

held_end() {
    touch "$BATS_TEST_TMPDIR/go"
    wait "$CLIENT_PID"
}

detail_is() {
    [ "$(probe "$1" detail | field "$2")" = "$3" ]
}

received_at_least() {
    [ "$(probe "$1" detail | field received)" -ge "$2" ]
}

log_lines() {
    grep -c "$1" "$SITE/log/upload-progressd.log" || true
}

# Both gauges at work: the halves are known, and the ends.
all_is_well() {
    held_start "$1-file" "$1-socket"
    wait_until received_at_least "$1-file" 900000
    detail_is "$1-file" gauge spool
    wait_until detail_is "$1-socket" received 1000000
    held_end
    wait_until detail_is "$1-file" status 200
    wait_until detail_is "$1-socket" status 200
}

descriptors() {
    find "/proc/$DAEMON_PID/fd" -mindepth 1 | wc -l
}

@test "out of descriptors: uploads and probes go on, all is well when there are some again" {
    DAEMON_CONF="worker_threads 4;"
    site_start
    probe warm > /dev/null # nginx keeps its connection
    limit=$(prlimit --pid "$DAEMON_PID" --nofile --noheadings --raw --output SOFT)
    # Less than there are: one that is closed leaves no room for another.
    prlimit --pid "$DAEMON_PID" --nofile="$(($(descriptors) - 3)):"
    held_start file socket
    probe file > /dev/null
    wait_until daemon_said 'accept() failed'
    wait_until daemon_said 'the spool gauge does not work.*Too many open files'
    for i in $(seq 1 20); do
        [ "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Expect:' \
            --data-binary "@$(make_file 300000)" "$URL/upload?X-Progress-ID=id$i")" = 200 ]
    done
    wait_until state_is id20 done
    prlimit --pid "$DAEMON_PID" --nofile="$limit:"
    # The file that could not be looked for is looked for again.
    wait_until received_at_least file 900000
    detail_is file gauge spool
    held_end
    wait_until detail_is file status 200
    wait_until detail_is socket status 200
    all_is_well afterwards
    for fault in 'accept() failed' 'spool gauge' 'socket gauge'; do
        echo "# $(log_lines "$fault") lines with \"$fault\"" >&3
    done
    [ "$(log_lines 'accept() failed')" -le 2 ] # one for each listener
    [ "$(log_lines 'spool gauge')" -eq 1 ]
    [ "$(log_lines 'socket gauge')" -le 1 ]
}

daemon_said() {
    grep -q "$1" "$SITE/log/upload-progressd.log"
}

@test "nginx's disk is full: 500 is told, and the space is not held on to" {
    [ "$(id -u)" -eq 0 ] || skip "needs a file system of its own"
    site_ports
    site_write
    mkdir -p "$SITE/temp/body"
    mount -t tmpfs -o size=4m tmpfs "$SITE/temp/body"
    MOUNTED=$SITE/temp/body
    app_start
    daemon_start
    nginx_start
    for i in 1 2 3; do
        [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Expect:' \
            --data-binary "@$(make_file 8000000)" "$URL/upload?X-Progress-ID=full-$i")" = 500 ]
        wait_until detail_is "full-$i" status 500
        detail_is "full-$i" state error
    done
    [ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Expect:' \
        --data-binary "@$(make_file 3000000)" "$URL/upload?X-Progress-ID=fits")" = 200 ]
    wait_until detail_is fits status 200
    empty() { [ "$(df --output=used "$MOUNTED" | tail -n 1)" -eq 0 ]; }
    wait_until empty
    nginx_stop
    umount "$MOUNTED"
    MOUNTED=
}

teardown() {
    local status=0

    site_stop || status=$?
    [ -z "${MOUNTED:-}" ] || umount "$MOUNTED"
    return $status
}

@test "the clock is set forward and back: nothing ends, nothing expires, ages stay true" {
    local offset

    with_preload FAULT_CLOCK="$BATS_TEST_TMPDIR/offset"
    echo 0 > "$BATS_TEST_TMPDIR/offset"
    DAEMON_CONF="upload_progress_check_interval 1s; upload_progress_inactive_timeout 1m;"
    site_start
    curl -sS -o /dev/null -d x "$URL/upload?X-Progress-ID=before"
    wait_until state_is before done
    held_start file socket
    wait_until received_at_least file 900000
    for offset in 86400 -86400 315360000 -315360000 0; do
        echo $offset > "$BATS_TEST_TMPDIR/offset"
        curl -sS -o /dev/null -d x "$URL/upload?X-Progress-ID=at$offset"
        wait_until state_is "at$offset" done
        state_is before done
        for id in file socket before; do
            probe $id detail > "$BATS_TEST_TMPDIR/answer"
            node -e '
                const [file, offset] = process.argv.slice(1);
                const a = JSON.parse(require("fs").readFileSync(file));
                const now = Date.now() / 1000 + Number(offset);
                const faults = [a.elapsed < 0, a.elapsed > 60, a.rate < 0, a.eta < 0,
                    Math.abs(now - a.started) > 60];
                console.log(JSON.stringify(a), offset, faults);
                process.exit(faults.some(Boolean) ? 1 : 0);
            ' "$BATS_TEST_TMPDIR/answer" $offset
        done
        detail_is file state uploading
        detail_is socket received 1000000
    done
    held_end
    wait_until detail_is file status 200
    wait_until detail_is socket status 200
    [ "$(log_lines 'concluded')" -eq 0 ]
}

@test "no netlink: the socket gauge is missing, said once, and comes back" {
    with_preload FAULT_NETLINK="$BATS_TEST_TMPDIR/refused"
    touch "$BATS_TEST_TMPDIR/refused"
    site_start
    held_start file socket
    wait_until received_at_least file 900000
    wait_until received_at_least socket 900000
    detail_is socket gauge spool # its file is there, too
    held_end
    wait_until detail_is file status 200
    wait_until detail_is socket status 200
    for i in $(seq 1 20); do
        curl -sS -o /dev/null --data-binary "@$(make_file 20000)" "$URL/upload?X-Progress-ID=id$i"
    done
    wait_until state_is id20 done
    [ "$(log_lines 'the socket gauge does not work: sock_diag: Operation not permitted')" -eq 1 ]
    rm "$BATS_TEST_TMPDIR/refused"
    all_is_well afterwards
    [ "$(log_lines 'socket gauge')" -eq 1 ]
}

@test "no word of connections that are gone: said once, ends are concluded all the same" {
    local missing='the last byte counts of connections cannot be had'

    with_preload FAULT_GROUPS="$BATS_TEST_TMPDIR/refused"
    touch "$BATS_TEST_TMPDIR/refused"
    site_ports
    SITE_EVENT_PORT=$RELAY_PORT # nobody listens there
    DAEMON_CONF="upload_progress_check_interval 1s;"
    site_start
    held_start file socket
    wait_until received_at_least socket 1000000
    held_end
    wait_until detail_is socket inferred true
    [ "$(log_lines "$missing: .*Operation not permitted")" -eq 1 ]
    # A reload tries again.
    rm "$BATS_TEST_TMPDIR/refused"
    kill -HUP "$DAEMON_PID"
    wait_until daemon_said 'configuration reloaded'
    for i in $(seq 1 20); do
        curl -sS -o /dev/null -H 'Expect:' --data-binary "@$(make_file 300000)" \
            "$URL/upload?X-Progress-ID=id$i"
    done
    for i in $(seq 1 20); do
        wait_until state_is "id$i" done
        detail_is "id$i" received 300000
        detail_is "id$i" inferred true
    done
    [ "$(log_lines "$missing")" -eq 1 ]
}

# without_spool REASON: the daemon cannot look at the workers' files.
without_spool() {
    site_start
    held_start file socket
    wait_until detail_is socket received 1000000
    detail_is socket gauge socket
    detail_is file state uploading
    detail_is file received 0
    held_end
    wait_until detail_is file status 200
    wait_until detail_is socket status 200
    for i in $(seq 1 20); do
        curl -sS -o /dev/null --data-binary "@$(make_file 300000)" "$URL/upload?X-Progress-ID=id$i"
    done
    wait_until state_is id20 done
    [ "$(log_lines "the spool gauge does not work: .*$1")" -eq 1 ]
    [ "$(log_lines 'concluded')" -eq 0 ]
}

@test "/proc is not there: the spool gauge is missing, said once" {
    [ "$(id -u)" -eq 0 ] || skip "needs a mount namespace"
    ! nm -D "$ROOT/$BUILD/upload-progressd" | grep -qE '__(asan|tsan)_init' ||
        skip "the sanitizer wants /proc, too"
    cat > "$BATS_TEST_TMPDIR/wrapper" <<'WRAPPER'
#!/bin/sh
mount -t tmpfs tmpfs /proc && exec "$@"
WRAPPER
    chmod +x "$BATS_TEST_TMPDIR/wrapper"
    DAEMON_WRAPPER="unshare -m $BATS_TEST_TMPDIR/wrapper"
    without_spool 'no /proc/'
}

@test "another user than the workers': the spool gauge is missing, said once" {
    [ "$(id -u)" -eq 0 ] || skip "needs two users"
    chmod go+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/test "$BATS_TEST_TMPDIR"
    site_ports
    site_write
    # The sockets and files of that user are where nginx, as root, finds them.
    chown -R nobody "$SITE/run" "$SITE/log"
    DAEMON_WRAPPER="setpriv --reuid=nobody --clear-groups"
    without_spool 'Permission denied'
}
