#!/usr/bin/env bats
# What the running daemon has given up: new privileges, capabilities, system
# calls that it has no use for.

load helper
load preload
bats_require_minimum_version 1.5.0

LOG=log/upload-progressd.log

# status_of FIELD: of each of the daemon's threads, one value a line.
status_of() {
    sed -n "s/^$1:[[:space:]]*//p" "/proc/$DAEMON_PID"/task/*/status
}

# Each thread has the value, and there are several.
all_have() {
    [ "$(status_of "$1" | wc -l)" -ge 4 ]
    [ "$(status_of "$1" | sort -u)" = "$2" ]
}

restricted() {
    all_have NoNewPrivs 1
    all_have Seccomp 2
}

# How many there are; empty before Linux 5.9, which has no such field.
filters() {
    status_of Seccomp_filters | sort -u
}

said() {
    grep -q "$1" "$SITE/$LOG"
}

said_times() {
    [ "$(grep -c "$1" "$SITE/$LOG")" -eq "$2" ]
}

upload() {
    [ "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Expect:' \
        --data-binary "@$(make_file 300000)" "$URL/upload?X-Progress-ID=$1")" = 200 ]
    wait_until state_is "$1" done
    [ "$(probe "$1" detail | field received)" = 300000 ]
}

# An upload in flight, which the gauge named has a count of.
measured() {
    curl -sS -o /dev/null -H 'Expect:' --limit-rate 150k --data-binary "@$(make_file 600000)" \
        "$URL/upload?X-Progress-ID=$1" 3>&- &
    UPLOAD_PID=$!
    counted() { [ "$(probe "$1" detail | field gauge)" = "$2" ]; }
    wait_until counted "$1" "$2"
    kill "$UPLOAD_PID"
    wait "$UPLOAD_PID" || true
}

@test "every thread is restricted, and serves; so after a reload and replacements" {
    DAEMON_CONF="state_file $BATS_TEST_TMPDIR/state; state_interval 1s;
        upload_progress_gauges spool;"
    site_start
    restricted
    at_first=$(filters)
    upload one
    measured spooled spool
    # New sockets, the log and the file of the number at other places, more threads.
    sed -i -e "s|^error_log .*|error_log $SITE/log/second.log debug;|" \
        -e "s|^pid .*|pid $SITE/run/second.pid;|" "$SITE/upload-progressd.conf"
    cat >> "$SITE/upload-progressd.conf" <<CONF
worker_threads 5;
listen 127.0.0.1:$FASTCGI_PORT fastcgi;
listen [::1]:$FASTCGI_PORT fastcgi mode=0600;
listen unix:$SITE/run/third.sock fastcgi scgi mode=0660;
listen 127.0.0.1:$SCGI_PORT syslog;
CONF
    kill -HUP "$DAEMON_PID"
    LOG=log/second.log
    wait_until said 'configuration reloaded'
    touch "$SITE/run/upload-progressd.pid" # the snippets look for it
    is_listening "$FASTCGI_PORT"
    [ -S "$SITE/run/third.sock" ]
    restricted
    upload two
    mv "$SITE/$LOG" "$SITE/log/moved.log"
    kill -USR1 "$DAEMON_PID"
    wait_until test -e "$SITE/$LOG"
    for i in 1 2 3; do
        kill -USR2 "$DAEMON_PID"
        wait_until said_times 'upload-progressd/.* started' $i
        restricted
        upload "after$i"
    done
    measured again spool
    # Not one more each time: there is room for some dozens only.
    [ "$(filters)" = "$at_first" ]
    saved() { grep -aq after3 "$BATS_TEST_TMPDIR/state"; }
    wait_until saved
    state_is one done
    run -1 grep -hE 'filter|privileges|\((1|38): ' "$SITE"/log/*.log
}

@test "the socket's count is to be had, too" {
    DAEMON_CONF="upload_progress_gauges socket;"
    site_start
    restricted
    measured one socket
}

@test "in the background it is restricted, too" {
    DAEMON_CONF="daemon on;"
    site_ports
    site_write
    app_start
    run -0 "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" 3>&-
    DAEMON_PID=$(cat "$SITE/run/upload-progressd.pid")
    restricted
    kill "$DAEMON_PID"
    wait_until test ! -e "$SITE/run/upload-progressd.pid"
    DAEMON_PID=
}

# tried WHEN CALL: what came of it.
tried() {
    sed -n "s/^$1: $2 //p" "$SITE/log/stderr" | tail -1
}

@test "system calls of no use are refused in each thread, and the daemon goes on" {
    local call before when judged=0

    with_preload FAULT_CALLS="$BATS_TEST_TMPDIR/try"
    site_start
    touch "$BATS_TEST_TMPDIR/try"
    upload one
    both() { [ -n "$(tried main future)" ] && [ -n "$(tried thread future)" ]; }
    wait_until both
    for call in setuid setresuid unshare setns 'clone(NEWUSER)' process_vm_readv pidfd_getfd \
        keyctl io_uring_setup mount_setattr 'socket(ALG)' 'socket(PACKET)' 'socket(NETFILTER)' \
        'ioctl(TIOCSTI)'; do
        before=$(tried before "$call")
        echo "$call: $before before"
        # A container may refuse some, so that nothing is to be seen.
        [ -n "$before" ]
        [ "$before" != EPERM ] || continue
        judged=$((judged + 1))
        for when in main thread; do
            [ "$(tried $when "$call")" = EPERM ]
        done
    done
    [ "$judged" -ge 4 ]
    [[ $(tried before setresuid) == 0 ]]
    for when in main thread; do
        # These have the C library take another way.
        [ "$(tried $when clone3)" = ENOSYS ]
        [ "$(tried $when future)" = ENOSYS ]
        # This is refused by the kernel, for its arguments.
        [ "$(tried $when 'socket(UNIX)')" = EINVAL ]
    done
    upload two
    kill -0 "$DAEMON_PID"
}

@test "a kernel without filters: it is said once, and all else goes on" {
    with_preload FAULT_SECCOMP=1
    site_start
    said_times 'system calls are not filtered (22: Invalid argument)' 1
    said '\[warn\] .* system calls are not filtered'
    all_have NoNewPrivs 1
    [ "$(status_of Seccomp | sort -u)" = "$(sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status)" ]
    upload one
    kill -HUP "$DAEMON_PID"
    wait_until said 'configuration reloaded'
    said_times 'system calls are not filtered' 1
    upload two
}

@test "a replacement with another filter than that of the program before says so" {
    local program

    site_ports
    site_write
    app_start
    # At this path is what USR2 starts: at first the program itself, then one
    # that makes it believe that its filter is another one.
    program=$SITE/run/program
    ln -s "$ROOT/$BUILD/upload-progressd" "$program"
    "$program" -c "$SITE/upload-progressd.conf" 2> "$SITE/log/stderr" 3>&- &
    DAEMON_PID=$!
    wait_until test -s "$SITE/run/upload-progressd.pid"
    nginx_start
    kill -USR2 "$DAEMON_PID"
    wait_until said_times 'upload-progressd/.* started' 2
    run -1 said 'another filter'
    at_first=$(filters)
    cat > "$SITE/run/other" <<PROGRAM
#!/bin/sh
UPLOAD_PROGRESSD_FILTER=0123456789abcdef exec "$ROOT/$BUILD/upload-progressd" "\$@"
PROGRAM
    chmod +x "$SITE/run/other"
    mv "$SITE/run/other" "$program"
    kill -USR2 "$DAEMON_PID"
    wait_until said_times 'upload-progressd/.* started' 3
    said_times '\[notice\] .* the program before had another filter of system calls' 1
    restricted
    # Both hold; the field is there since Linux 5.9.
    [ -z "$at_first" ] || [ "$(filters)" -gt "$at_first" ]
    upload one
}

@test "user: root's capabilities are gone, in all sets, and stay so" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to give up"
    DAEMON_CONF="user nobody nogroup; state_file $BATS_TEST_TMPDIR/site/run/state;
        upload_progress_gauges spool;"
    SITE_MAIN="user nobody nogroup;"
    site_ports
    site_write
    # nginx's workers are to be those of the same user.
    sed -i '/^user root;/d' "$SITE/conf/nginx.conf"
    chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"/*
    chown nobody "$SITE/run"
    app_start
    # Inheritable ones as well, which a change of the user leaves alone.
    command -v setpriv > /dev/null && DAEMON_WRAPPER="setpriv --inh-caps +chown,+net_admin"
    daemon_start
    nginx_start
    powerless() {
        local set

        [ "$(stat -c %U "/proc/$DAEMON_PID")" = nobody ]
        for set in CapInh CapPrm CapEff CapBnd CapAmb; do
            all_have $set 0000000000000000
        done
        restricted
    }
    powerless
    upload one
    # It still sees the workers' files.
    measured two spool
    kill -HUP "$DAEMON_PID"
    wait_until said 'configuration reloaded'
    kill -USR2 "$DAEMON_PID"
    wait_until said_times 'upload-progressd/.* started' 2
    powerless
    upload three
    measured four spool
}
