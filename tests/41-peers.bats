#!/usr/bin/env bats
# Peers that nginx is not: more of them than threads, slow, silent, hostile or
# deaf ones, and log lines in bursts or from anybody. Others are answered
# meanwhile, and nothing stays behind. See client/peers.mjs and client/syslog.mjs.

# shellcheck disable=SC2034 # helper.bash reads what the tests set

load helper

# peers_start DIRECTIVES: a daemon with all four kinds of listeners.
peers_start() {
    site_ports
    DAEMON_CONF="listen 127.0.0.1:$FASTCGI_PORT fastcgi;
        listen 127.0.0.1:$SCGI_PORT scgi;
        $1"
    site_start
    FASTCGI_UNIX=unix:$SITE/run/fastcgi.sock
    FASTCGI_TCP=127.0.0.1:$FASTCGI_PORT
    SCGI_UNIX=unix:$SITE/run/scgi.sock
    SCGI_TCP=127.0.0.1:$SCGI_PORT
}

# peers COMMAND [NAME=VALUE...]
peers() {
    node "$CLIENT/peers.mjs" "$@" url="$URL" pid="$DAEMON_PID"
}

# syslog_lines COMMAND [NAME=VALUE...]
syslog_lines() {
    node "$CLIENT/syslog.mjs" "$@" port="$EVENT_PORT" \
        fastcgi="$FASTCGI_UNIX" pid="$DAEMON_PID"
}

descriptors() {
    local -a open=("/proc/$DAEMON_PID/fd/"*)

    echo "${#open[@]}"
}

descriptors_at_most() {
    [ "$(descriptors)" -le "$1" ]
}

daemon_log_has() {
    grep -q "$1" "$SITE/log/upload-progressd.log"
}

# An upload through nginx: the daemon does all that it is there for.
daemon_works() {
    curl -sS -o "$BATS_TEST_TMPDIR/out" --data-binary "@$(make_file 100000)" \
        "$URL/upload?X-Progress-ID=$1"
    wait_until state_is "$1" "done"
}

# unix_done FIRST LAST: whether the uploads unix-FIRST to unix-LAST are known.
unix_done() {
    curl -sS "$URL/progress?X-Progress-ID=unix-[$1-$2]" \
        > "$BATS_TEST_TMPDIR/answers"
    [ "$(grep -c '"done"' "$BATS_TEST_TMPDIR/answers")" -eq $(($2 - $1 + 1)) ]
}

@test "500 idle connections and two threads: probes are answered at once" {
    peers_start "worker_threads 2;"
    peers idle fastcgi="$FASTCGI_UNIX,$FASTCGI_TCP" count=500 probes=200
    daemon_works afterwards
}

@test "half requests, garbage, silence, trickles, half bodies: closed, nothing left" {
    local before

    peers_start "client_header_timeout 1s; client_body_timeout 1s;"
    probe warm # nginx keeps its connection
    before=$(descriptors)
    peers hostile fastcgi="$FASTCGI_UNIX,$FASTCGI_TCP" \
        scgi="$SCGI_UNIX,$SCGI_TCP" limit=4000
    wait_until descriptors_at_most "$before"
    daemon_works afterwards
}

@test "more than worker_connections: further ones are closed, the others answered" {
    peers_start "worker_connections 25;"
    peers crowd fastcgi="$FASTCGI_UNIX" max=25
    daemon_log_has '\[warn\].* more than 25 connections'
    peers crowd fastcgi="$FASTCGI_TCP" max=25
    daemon_works afterwards
}

@test "a peer that sends and never reads is cut, others are answered" {
    local address long before

    long=$(printf '%60000s' "" | tr ' ' x)
    peers_start "send_timeout 1s; report_uploads uploads;
        location = /progress/detail { upload_progress_detail_output; }
        location = /long { upload_progress_template starting $long; }"
    probe warm # nginx keeps its connection
    before=$(descriptors)
    for address in "$FASTCGI_UNIX" "$FASTCGI_TCP"; do
        peers deaf fastcgi="$address" uri=/progress/detail
        peers deaf fastcgi="$address" uri=/long
        peers deaf fastcgi="$address" uri=/long paced=1
    done
    wait_until descriptors_at_most "$before"
    daemon_works afterwards
}

@test "out of descriptors: neither a busy loop nor a flood of log lines" {
    peers_start ""
    probe warm
    prlimit --pid "$DAEMON_PID" --nofile=$(($(descriptors) + 10))
    peers starve fastcgi="$FASTCGI_UNIX"
    daemon_log_has 'accept'
    [ "$(wc -l < "$SITE/log/upload-progressd.log")" -le 1000 ]
    probe afterwards
}

@test "half requests that are mostly padding take no memory" {
    peers_start ""
    peers bloat fastcgi="$FASTCGI_UNIX"
    daemon_works afterwards
}

@test "malformed FastCGI and SCGI: closed at once, without an answer" {
    peers_start "client_header_timeout 1m;"
    peers malformed fastcgi="$FASTCGI_UNIX" scgi="$SCGI_UNIX"
    peers malformed fastcgi="$FASTCGI_TCP" scgi="$SCGI_TCP"
    daemon_works afterwards
}

@test "2000 ends by UDP in one go: none is lost" {
    local group=2000

    peers_start ""
    # A user who may not have a large buffer is given time to drain it.
    ! daemon_log_has 'syslog: the receive buffer is' || group=200
    syslog_lines burst count=2000 group=$group
    daemon_works afterwards
}

@test "truncated, hostile and foreign datagrams disturb nothing" {
    peers_start ""
    syslog_lines hostile
    daemon_works afterwards
}

@test "ends over a Unix datagram socket" {
    local first format=upload_progress

    SITE_SERVER="location = /unix-events {
        access_log syslog:server=unix:$BATS_TEST_TMPDIR/site/run/events.sock,nohostname,tag=upload_progress $format;
        return 200;
    }"
    peers_start "listen unix:$BATS_TEST_TMPDIR/site/run/events.sock syslog;"
    # Groups that the socket's queue of 11 can hold: none can be lost.
    for ((first = 1; first <= 200; first += 10)); do
        curl -sS -d x "$URL/unix-events?X-Progress-ID=unix-[$first-$((first + 9))]"
        wait_until unix_done $first $((first + 9))
    done
    unix_done 1 200
    daemon_works afterwards
}
