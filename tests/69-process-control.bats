#!/usr/bin/env bats
# Signals, replacement of the program, the state beyond the process.

load helper
bats_require_minimum_version 1.5.0

# signal NAME: to the daemon; waits until it has said TEXT once more.
signal() {
    local before

    before=$(grep -c "$2" "$SITE/log/upload-progressd.log" || true)
    kill "-$1" "$DAEMON_PID"
    wait_until said_more "$2" "$before"
}

said_more() {
    [ "$(grep -c "$1" "$SITE/log/upload-progressd.log")" -gt "$2" ]
}

# uploads NUMBER OPTION...: so many at once, each probed and each answer checked.
uploads() {
    local number=$1

    shift
    node "$CLIENT/upload.mjs" --url="$URL" --ids="$(seq -s, -f 'id%g' 1 "$number")" \
        --interval=500 --lag=unchecked --expect-response=200 --expect-status=200 "$@" \
        > "$SITE/uploads" 2>&1 3>&- &
    UPLOADS=$!
}

uploads_are_good() {
    if ! wait "$UPLOADS"; then
        grep -v ' probes, ' "$SITE/uploads" | tail -40
        return 1
    fi
}

# Probes as fast as they are answered, until teardown or probes_stop.
probes_start() {
    node "$CLIENT/steady.mjs" "$URL" finished uploading0 > "$SITE/probes" 3>&- &
    PROBES=$!
    wait_until test -s "$SITE/probes"
}

probes_stop() {
    kill -TERM "$PROBES"
    wait "$PROBES" || true
    PROBES=
    tail -1 "$SITE/probes"
    [[ $(tail -1 "$SITE/probes") == *", 0 failed" ]]
}

teardown() {
    [ -z "${PROBES:-}" ] || kill "$PROBES"
    site_stop
}

send() {
    curl -sS -o /dev/null -H 'Expect:' --data-binary "@$(make_file "$2")" \
        "$URL/upload?X-Progress-ID=$1"
    wait_until state_is "$1" done
}

@test "HUP under 100 uploads and a stream of probes: nothing is lost" {
    site_start
    send finished 300000
    probes_start
    uploads 100 --bytes=1500000 --rate=250000
    for _ in 1 2 3 4 5; do
        sleep 1
        signal HUP 'configuration reloaded'
    done
    uploads_are_good
    probes_stop >&3
    state_is finished done
}

@test "USR2 under 100 uploads and a stream of probes: nothing is lost" {
    site_start
    send finished 300000
    probes_start
    uploads 100 --bytes=1500000 --rate=250000
    for _ in 1 2 3; do
        sleep 1.5
        signal USR2 'upload-progressd/.* started'
    done
    uploads_are_good
    probes_stop >&3
    state_is finished done
    # In the same process.
    [ "$(cat "$SITE/run/upload-progressd.pid")" = "$DAEMON_PID" ]
    # The start of each upload before, its end after: both are of one row.
    run -1 grep -E 'is used while another|refused' "$SITE/log/upload-progressd.log"
}

@test "HUP with a bad configuration changes nothing and says why" {
    site_start
    send one 1000
    cp "$SITE/upload-progressd.conf" "$SITE/good.conf"
    printf 'worker_threads 3;\nnonsense on;\n' >> "$SITE/upload-progressd.conf"
    signal HUP 'the configuration stays as it is'
    grep -q "\[emerg\] .* unknown directive \"nonsense\" in $SITE/upload-progressd.conf:" \
        "$SITE/log/upload-progressd.log"
    state_is one done
    # One that cannot be listened on: what was opened for it is closed again.
    cp "$SITE/good.conf" "$SITE/upload-progressd.conf"
    printf 'listen 127.0.0.1:%s fastcgi;\nlisten 127.0.0.1:%s fastcgi;\n' "$DEAD_PORT" "$APP_PORT" \
        >> "$SITE/upload-progressd.conf"
    signal HUP 'the configuration stays as it is'
    grep -q "bind() to 127.0.0.1:$APP_PORT failed (98: Address already in use)" "$SITE/log/upload-progressd.log"
    run ! is_listening "$DEAD_PORT"
    state_is one done
    send two 300000
}

@test "HUP: listeners, zones, outputs, threads, log and PID file" {
    DAEMON_CONF="upload_progress other 1m;"
    site_start
    send one 1000
    threads=$(thread_count)
    sed -i -e "s|^error_log .*|error_log $SITE/log/second.log info;|" \
        -e "s|^pid .*|pid $SITE/run/second.pid;|" \
        -e 's|^upload_progress uploads 16m|upload_progress uploads 32k|' \
        -e 's|^upload_progress other.*||' "$SITE/upload-progressd.conf"
    cat >> "$SITE/upload-progressd.conf" <<CONF
worker_threads 3;
upload_progress new 1m;
listen 127.0.0.1:$DEAD_PORT fastcgi;
location = /progress { report_uploads uploads; upload_progress_xml_output; }
CONF
    kill -HUP "$DAEMON_PID"
    wait_until grep -q 'configuration reloaded' "$SITE/log/second.log"
    [ "$(cat "$SITE/run/second.pid")" = "$DAEMON_PID" ]
    [ ! -e "$SITE/run/upload-progressd.pid" ]
    is_listening "$DEAD_PORT"
    # Three instead of two, where there are processors for them.
    [ "$(thread_count)" -eq $((threads + ($(nproc) > 1))) ]
    touch "$SITE/run/upload-progressd.pid" # the snippets of this site look for it
    [[ $(probe one) == '<upload><state>done</state>'* ]]
    grep -q 'zone "other" is gone' "$SITE/log/second.log"
    # Back again: the listener goes, the output, too.
    sed -i -e "s|^listen 127.0.0.1:$DEAD_PORT .*||" -e 's|^location = .*||' "$SITE/upload-progressd.conf"
    kill -HUP "$DAEMON_PID"
    wait_until not is_listening "$DEAD_PORT"
    [[ $(probe one) == '{ "state" : "done" }'* ]]
    "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" -s reload
}

not() {
    ! "$@"
}

thread_count() {
    find "/proc/$DAEMON_PID/task" -mindepth 1 -maxdepth 1 | wc -l
}

threads_are() {
    [ "$(thread_count)" -eq "$1" ]
}

@test "two threads for each processor at most" {
    # On the first one that this shell may use.
    processor=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
    DAEMON_WRAPPER="taskset -c $processor ${DAEMON_WRAPPER:-}"
    DAEMON_CONF="worker_threads 1;"
    site_start
    threads=$(thread_count)
    sed -i 's/^worker_threads 1;/worker_threads 2;/' "$SITE/upload-progressd.conf"
    signal HUP 'configuration reloaded'
    wait_until threads_are $((threads + 1))
    run ! grep -q 'worker_threads' "$SITE/log/upload-progressd.log"
    sed -i 's/^worker_threads 2;/worker_threads 200;/' "$SITE/upload-progressd.conf"
    for _ in once again; do
        signal HUP 'configuration reloaded'
        wait_until threads_are $((threads + 1))
    done
    wait_until said_more 'notice.*worker_threads 200: 2 are started, 2 for each processor' 0
    [ "$(grep -c 'worker_threads' "$SITE/log/upload-progressd.log")" -eq 1 ]
    send one 300000
    state_is one done
}

@test "USR2: a program that does not take the configuration replaces nothing" {
    site_start
    send one 1000
    echo 'nonsense;' >> "$SITE/upload-progressd.conf"
    signal USR2 'the program is not replaced'
    state_is one done
    send two 300000
}

@test "a stop and a start with state_file: an upload in flight goes on being measured" {
    DAEMON_CONF="state_file $BATS_TEST_TMPDIR/state;"
    site_start
    send one 300000
    probe one detail > "$SITE/before"
    curl -sS -o /dev/null -H 'Expect:' --limit-rate 150k --data-binary "@$(make_file 1000000)" \
        "$URL/upload?X-Progress-ID=two" 3>&- &
    upload=$!
    wait_until received_more two 100000
    daemon_stop
    [ "$(stat -c %a "$BATS_TEST_TMPDIR/state")" = 600 ]
    daemon_start
    probe one detail > "$SITE/after"
    # The two clocks are read anew, in whole milliseconds each.
    node -e '
        const [before, after] = process.argv.slice(1).map((file) =>
            JSON.parse(require("fs").readFileSync(file)));
        for (const time of ["started", "updated", "finished"]) {
            if (Math.abs(before[time] - after[time]) > 0.0021) { throw new Error(time); }
            after[time] = before[time];
        }
        require("assert").deepStrictEqual(after, before);
    ' "$SITE/before" "$SITE/after"
    wait_until received_more two 200000
    [ "$(probe two detail | field gauge)" = socket ]
    wait "$upload"
    wait_until state_is two done
    [ "$(probe two detail | field received)" = 1000000 ]
}

# received_more ID BYTES
received_more() {
    [[ $(probe "$1") =~ '"received" : '([0-9]+)', "size" : 1000000' ]] && ((BASH_REMATCH[1] >= $2))
}

@test "kill -9 and a start: what was saved is there" {
    DAEMON_CONF="state_file $BATS_TEST_TMPDIR/state; state_interval 1s;"
    site_start
    send one 1000
    wait_until saved_with one
    kill -9 "$DAEMON_PID"
    wait "$DAEMON_PID" || true
    rm "$SITE/run/upload-progressd.pid"
    daemon_start
    state_is one done
}

# saved_with ID: the file holds it; it is a database of SQLite.
saved_with() {
    grep -aq "$1" "$BATS_TEST_TMPDIR/state" 2>/dev/null
}

# As of a fault in the daemon, or in a library.
@test "what ends the daemon is logged, and ends it as ever" {
    local signal status

    [ -z "${SAN:-}" ] && [[ $BUILD != *-* ]] || skip "sanitizers report faults themselves"
    site_start
    for signal in SEGV BUS ILL FPE ABRT; do
        kill -$signal "$DAEMON_PID"
        status=0
        wait "$DAEMON_PID" || status=$?
        [ "$status" -eq $((128 + $(kill -l $signal))) ]
        grep -qx "upload-progressd: \[emerg\] $DAEMON_PID: signal SIG$signal, the daemon ends" \
            "$SITE/log/upload-progressd.log"
        daemon_start
        wait_until grep -qx "$DAEMON_PID" "$SITE/run/upload-progressd.pid"
    done
    probe nobody
}

@test "a state that is damaged, or none of ours, is set aside" {
    local state=$BATS_TEST_TMPDIR/state

    DAEMON_CONF="state_file $state;"
    site_start
    for i in $(seq 1 50); do
        curl -sS -o /dev/null -d x "$URL/upload?X-Progress-ID=id$i"
    done
    wait_until state_is id50 done
    daemon_stop
    cp "$state" "$SITE/good"
    refused() {
        daemon_start
        wait_until grep -q "$1" "$SITE/log/upload-progressd.log"
        cmp "$state.refused" "$SITE/bad"
        state_is id1 starting
        daemon_stop
        : > "$SITE/log/upload-progressd.log"
    }
    echo garbage | tee "$SITE/bad" > "$state"
    refused "\"$state\" is refused: "
    head -c 20000 "$SITE/good" | tee "$SITE/bad" > "$state"
    refused "\"$state\" is refused: "
    # Bytes in the middle, of a row.
    at=$(grep -abo id25 "$SITE/good" | head -1 | cut -d: -f1)
    { head -c "$at" "$SITE/good"; head -c 60 /dev/zero; tail -c +$((at + 61)) "$SITE/good"; } |
        tee "$SITE/bad" > "$state"
    refused "\"$state\" is refused: it is damaged"
    # A number in the header: another version.
    { head -c 60 "$SITE/good"; printf '\0\0\0\7'; tail -c +65 "$SITE/good"; } | tee "$SITE/bad" > "$state"
    refused "\"$state\" is refused: it is a snapshot of another version"
    cp "$SITE/good" "$state"
    daemon_start
    state_is id1 done
    grep -q "50 uploads taken over from $state" "$SITE/log/upload-progressd.log"
}

# Of each thread, the policies that there are.
policies() {
    chrt -a -p "$DAEMON_PID" | sed -n 's/.*scheduling policy: //p' | sort -u
}

@test "it lets nginx run first, in every thread; another policy it is given stays" {
    site_start
    [ "$(policies)" = SCHED_BATCH ]
    send one 1000
    kill -HUP "$DAEMON_PID"
    wait_until grep -q 'configuration reloaded' "$SITE/log/upload-progressd.log"
    [ "$(policies)" = SCHED_BATCH ]
    daemon_stop
    DAEMON_WRAPPER="chrt -i 0" daemon_start
    [ "$(policies)" = SCHED_IDLE ]
}

@test "twenty reloads leave no descriptor behind" {
    local before i

    descriptors() { find "/proc/$DAEMON_PID/fd" -mindepth 1 | wc -l; }
    reloads() { grep -c 'configuration reloaded' "$SITE/log/upload-progressd.log"; }
    # Threads open some of theirs when they need them first.
    at_most() { [ "$(descriptors)" -le $((before + 3)) ]; }
    reloaded() { [ "$(reloads)" -ge "$1" ]; }
    site_start
    before=$(descriptors)
    for ((i = 1; i <= 20; i++)); do
        kill -HUP "$DAEMON_PID"
        wait_until reloaded $i
    done
    wait_until at_most
}

@test "a state_file whose folder goes and comes: said once each, saved when it can be" {
    local folder=$BATS_TEST_TMPDIR/state-folder

    failures() { grep -c 'the state cannot be saved' "$SITE/log/upload-progressd.log"; }
    failed() { [ "$(failures)" -ge "$1" ]; }
    mkdir "$folder"
    DAEMON_CONF="state_file $folder/state; state_interval 1s;"
    site_start
    wait_until test -s "$folder/state"
    for round in 1 2; do
        rm -r "$folder"
        wait_until failed $round
        sleep 3 # further tries, which are not to be told
        [ "$(failures)" -eq $round ]
        probe nobody
        mkdir "$folder"
        wait_until test -s "$folder/state"
        wait_until grep -q "saved to .* again" "$SITE/log/upload-progressd.log"
    done
}

@test "a state_file that cannot be written is told, and nothing else happens" {
    DAEMON_CONF="state_file $BATS_TEST_TMPDIR/none/state;"
    site_start
    send one 1000
    daemon_stop
    grep -q "the state cannot be saved to \"$BATS_TEST_TMPDIR/none/state.new\"" "$SITE/log/upload-progressd.log"
}

@test "daemon on: in the background once it is ready, or an error" {
    DAEMON_CONF="daemon on;"
    site_ports
    site_write
    app_start
    run -0 "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" 3>&-
    # No waiting is needed.
    DAEMON_PID=$(cat "$SITE/run/upload-progressd.pid")
    run -1 "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" 3>&-
    nginx_start
    send one 1000
    signal USR2 'upload-progressd/.* started'
    state_is one done
    "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" -s quit
    wait_until not test -e "$SITE/run/upload-progressd.pid"
    DAEMON_PID=
    grep -q 'signal 3 received' "$SITE/log/upload-progressd.log"
}

@test "user: root gives its rights up, and replaces and reloads without them" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to give up"
    DAEMON_CONF="user nobody; state_file $BATS_TEST_TMPDIR/site/run/state; upload_progress_gauges socket;"
    site_ports
    site_write
    chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"/*
    chown nobody "$SITE/run"
    app_start
    daemon_start
    nginx_start
    [ "$(stat -c %U "/proc/$DAEMON_PID")" = nobody ]
    [[ $(grep ^CapEff: "/proc/$DAEMON_PID/status") == *0000000000000000 ]]
    [ "$(stat -c %U "$SITE/run/fastcgi.sock")" = nobody ]
    send one 1000
    signal HUP 'configuration reloaded'
    signal USR2 'upload-progressd/.* started'
    state_is one done
    kill -USR1 "$DAEMON_PID"
    daemon_stop
    [ "$(stat -c %U "$SITE/run/state")" = nobody ]
    [ ! -e "$SITE/run/fastcgi.sock" ]
}

@test "socket activation: systemd's sockets are taken, and left" {
    command -v systemd-socket-activate > /dev/null || skip "needs systemd-socket-activate"
    site_ports
    site_write
    app_start
    mkdir -p "$SITE/given"
    sed -i "s|unix:$SITE/run/fastcgi.sock|unix:$SITE/given/fastcgi.sock|" "$SITE/upload-progressd.conf" \
        "$SITE/conf/upload-progress/http.conf"
    systemd-socket-activate -l "$SITE/given/fastcgi.sock" \
        "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" 2> "$SITE/log/stderr" 3>&- &
    DAEMON_PID=$!
    wait_until test -S "$SITE/given/fastcgi.sock"
    touch "$SITE/run/upload-progressd.pid"
    nginx_start
    # The first probe has systemd start the daemon.
    wait_until state_is nobody starting
    [ "$(cat "$SITE/run/upload-progressd.pid")" = "$DAEMON_PID" ]
    send one 1000
    signal USR2 'upload-progressd/.* started'
    state_is one done
    daemon_stop
    [ -S "$SITE/given/fastcgi.sock" ]
    [ ! -e "$SITE/run/scgi.sock" ]
}

@test "the unit: systemd takes it; its exposure" {
    command -v systemd-analyze > /dev/null || skip "needs systemd-analyze"
    local unit=$BATS_TEST_TMPDIR/lib/upload-progressd.service

    make -s -C "$ROOT" BUILD="$BUILD" install-service UNITDIR="$BATS_TEST_TMPDIR/lib" \
        SBINDIR="$ROOT/$BUILD" DESTDIR=
    run systemd-analyze verify --man=no "$unit"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    run -0 systemd-analyze security --offline=true --no-pager "$unit"
    echo "# ${lines[-1]}" >&3
    # Of 10, where 10 is no protection at all.
    [[ ${lines[-1]} =~ ': '([0-9])\.[0-9]' ' ]]
    ((BASH_REMATCH[1] < 2))
}

@test "systemd is told: ready, reloading, stopping, and that it lives" {
    command -v socat > /dev/null || skip "needs socat"
    site_ports
    site_write
    socat -u "UNIX-RECV:$BATS_TEST_TMPDIR/notify" "CREATE:$SITE/notified" 3>&- &
    SOCAT=$!
    wait_until test -S "$BATS_TEST_TMPDIR/notify"
    export NOTIFY_SOCKET=$BATS_TEST_TMPDIR/notify WATCHDOG_USEC=2000000
    daemon_start
    unset NOTIFY_SOCKET WATCHDOG_USEC
    wait_until grep -aq READY=1 "$SITE/notified"
    wait_until grep -aq WATCHDOG=1 "$SITE/notified"
    signal HUP 'configuration reloaded'
    wait_until grep -aq RELOADING=1 "$SITE/notified"
    # It goes on after a replacement.
    : > "$SITE/notified"
    signal USR2 'upload-progressd/.* started'
    SECONDS_MAX=20 wait_until grep -aq WATCHDOG=1 "$SITE/notified"
    daemon_stop
    wait_until grep -aq STOPPING=1 "$SITE/notified"
    kill "$SOCAT"
}
