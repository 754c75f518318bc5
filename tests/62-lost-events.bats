#!/usr/bin/env bats
# Log lines that are lost, late, doubled, in another order, or too many at once.

load helper
bats_require_minimum_version 1.5.0

figures() {
    "$@" > "$BATS_TEST_TMPDIR/figures" || {
        cat "$BATS_TEST_TMPDIR/figures"
        return 1
    }
    grep '^# ' "$BATS_TEST_TMPDIR/figures" >&3
}

@test "half of the lines lost, some doubled, all out of order: every ID comes to the truth" {
    site_ports
    SITE_EVENT_PORT=$RELAY_PORT
    SITE_WORKERS=2
    SITE_SERVER="location /limited {
        include upload-progress/location.conf;
        proxy_pass http://127.0.0.1:$APP_PORT;
        client_max_body_size 100k;
    }"
    DAEMON_CONF="upload_progress_check_interval 1s;"
    site_write
    app_start
    daemon_start
    nginx_start
    for seed in 1 2; do
        figures node "$CLIENT/lossy.mjs" lossy url="$URL" relay="$RELAY_PORT" \
            port="$EVENT_PORT" seed=$seed
    done
}

# Nothing listens where nginx sends its log lines.
start_without_lines() {
    site_ports
    SITE_EVENT_PORT=$RELAY_PORT
    DAEMON_CONF="upload_progress_check_interval 1s;"
    site_start
}

@test "no line comes: quick uploads are told by the last count of their connection" {
    start_without_lines
    figures node "$CLIENT/ends.mjs" concluded url="$URL" tls="$TLS_URL"
}

# concluded ID: as done, with all bytes, though nothing has told its end.
concluded() {
    local answer

    answer=$(probe "$1" detail)
    [ "$(field state <<< "$answer"):$(field inferred <<< "$answer"):$(field received <<< "$answer")" = \
        "done:true:$2" ]
}

@test "no line comes, and the daemon reloads or is replaced meanwhile" {
    local signal

    start_without_lines
    for signal in HUP USR2; do
        curl -sS -o /dev/null -H 'Expect:' --limit-rate 400k --data-binary "@$(make_file 1600000)" \
            "$URL/upload?X-Progress-ID=$signal" 3>&- &
        CURL_PID=$!
        wait_until state_is $signal uploading
        : > "$SITE/log/upload-progressd.log"
        kill -$signal "$DAEMON_PID"
        wait_until daemon_log_has 'configuration reloaded\|upload-progressd/.* started'
        state_is $signal uploading
        wait "$CURL_PID"
        wait_until concluded $signal 1600000
    done
}

flood() {
    "$ROOT/$BUILD/tests/faults/flood" "$@"
}

# known PREFIX COUNT [NAME=VALUE...]: how many of flood's uploads are told.
known() {
    local prefix=$1 count=$2

    shift 2
    node "$CLIENT/known.mjs" known url="$URL" prefix="$prefix" count="$count" "$@"
}

# Datagrams that the kernel had no room for, at the daemon's UDP socket.
dropped() {
    awk -v port="$(printf ':%04X' "$EVENT_PORT")" \
        '$2 ~ port "$" { print $NF }' /proc/net/udp
}

daemon_log_has() {
    grep -q "$1" "$SITE/log/upload-progressd.log"
}

# Those that the daemon had no room for, as its log says.
discarded() {
    awk '/syslog: [0-9]+ events were dropped/ { sum += $(NF - 3) }
        END { print sum + 0 }' "$SITE/log/upload-progressd.log"
}

# burst TARGET PREFIX COUNT [RATE]: sends, counts, prints the figures; every
# line that was sent is either known or counted as lost.
burst() {
    local sent told by_kernel by_daemon refused

    by_kernel=$(dropped)
    by_daemon=$(discarded)
    sent=$(flood "$1" "$3" "$2" "${4:-0}")
    told=$(known "$2" "$3")
    by_kernel=$(($(dropped) - by_kernel))
    refused=$(awk '{ print $4 }' <<< "$sent")
    LOST=$(($3 - told))
    accounted() {
        [ $((told + by_kernel + $(discarded) - by_daemon + refused)) -eq "$3" ]
    }
    wait_until accounted "$@"
    echo "# $2: $sent: $told known, lost by the kernel $by_kernel," \
        "by the daemon $(($(discarded) - by_daemon))" >&3
}

# A socket that may not have more than net.core.rmem_max, as that of a user.
without_net_admin() {
    if [ "$(id -u)" -eq 0 ]; then
        DAEMON_WRAPPER="setpriv --bounding-set=-net_admin --inh-caps=-net_admin"
    fi
}

@test "a burst of 10,000 ends by UDP: none is lost" {
    SITE_LOG_LEVEL=notice
    site_start
    burst "udp:$EVENT_PORT" burst 10000
    if ! daemon_log_has 'syslog: the receive buffer is'; then
        [ "$LOST" -eq 0 ]
    fi
}

@test "5 s of ends by UDP, 10,000 a second then as fast as can be: no loss untold" {
    SITE_LOG_LEVEL=notice
    SITE_ZONE_SIZE=512m
    SITE_TTL=1h # counting takes a while
    site_start
    burst "udp:$EVENT_PORT" steady 50000 10000
    burst "udp:$EVENT_PORT" flat-out 150000
}

@test "a receive buffer that is not granted is named by its sysctl, and by the value to set" {
    SITE_LOG_LEVEL=notice
    site_ports
    DAEMON_CONF="listen 127.0.0.1:$FASTCGI_PORT syslog rcvbuf=512m;"
    without_net_admin
    site_start
    daemon_log_has '\[warn\].*the receive buffer is [0-9]* bytes instead of 536870912.*net.core.rmem_max to 536870912'
}

@test "a burst into a small receive buffer: what is lost is counted by the kernel" {
    SITE_LOG_LEVEL=notice
    site_ports
    site_write
    sed -i "s/^listen 127.*syslog/& rcvbuf=64k/" "$SITE/upload-progressd.conf"
    app_start
    daemon_start
    nginx_start
    kill -STOP "$DAEMON_PID"
    flood "udp:$EVENT_PORT" 10000 small > /dev/null
    kill -CONT "$DAEMON_PID"
    told=$(known small 10000)
    echo "# rcvbuf=64k: $told of 10000 known, $(dropped) dropped by the kernel" >&3
    [ "$told" -gt 0 ]
    [ "$(dropped)" -gt 0 ]
    [ $((told + $(dropped))) -eq 10000 ]
}

# A daemon in a network namespace of its own, whose queues are as long as told.
# A socket with a path is reached from everywhere.
with_queue_of() {
    cat > "$BATS_TEST_TMPDIR/wrapper" <<WRAPPER
#!/bin/sh
echo $1 > /proc/sys/net/unix/max_dgram_qlen &&
    echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind &&
    exec "\$@"
WRAPPER
    chmod +x "$BATS_TEST_TMPDIR/wrapper"
    DAEMON_WRAPPER="unshare -n $BATS_TEST_TMPDIR/wrapper"
}

@test "bursts of 10,000 ends by a Unix datagram socket: what it holds, and its warning" {
    local qlen

    [ "$(id -u)" -eq 0 ] || skip "needs a network namespace"
    SITE_LOG_LEVEL=notice
    DAEMON_CONF="listen unix:$BATS_TEST_TMPDIR/site/run/events.sock syslog;"
    for qlen in 10 512 16384; do
        with_queue_of $qlen
        site_start
        burst "unix:$SITE/run/events.sock" "queue-$qlen" 10000
        burst "unix:$SITE/run/events.sock" "queue-$qlen-steady" 20000 10000
        # What one sender may have under way: its own send buffer counts, too.
        kill -STOP "$DAEMON_PID"
        echo "# queue-$qlen, daemon stopped: $(flood "unix:$SITE/run/events.sock" 1000 stopped)" >&3
        kill -CONT "$DAEMON_PID"
        if [ $qlen -lt 512 ]; then
            daemon_log_has '\[warn\].*the queue holds 11 messages.*net.unix.max_dgram_qlen to 512'
        else
            ! daemon_log_has 'max_dgram_qlen'
        fi
        site_stop
        rm -rf "$SITE"
    done
    SITE=
}
