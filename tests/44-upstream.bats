#!/usr/bin/env bats
# The snippets of nginx-snippets/upstream, as shipped but for the addresses, in
# front of real servers (client/backends.mjs): their form, shares, failures and
# limits.

load helper
load upstream
bats_require_minimum_version 1.5.0

# These need a newer nginx than Debian 12's, each the version in its first line.
NEWER=(resolve.conf sticky.conf)

@test "each snippet names its nginx in the first line, and stands in the README" {
    cd "$UPSTREAM"
    for file in *.conf; do
        run -0 needed_version "$file"
        [ -n "$output" ]
        grep -qF "| \`$file\` | $output |" README.md
    done
    # And the README names no other.
    for file in $(grep -oE '^\| `[a-z-]+\.conf`' README.md | tr -d '|` '); do
        [ -f "$file" ]
    done
}

@test "each snippet passes nginx -t on its own" {
    group_ports
    snippets_install
    for file in "$UPSTREAM"/*.conf; do
        has_version "$(needed_version "$file")" || continue
        GROUP_HTTP=
        # The only one that builds on another file, as its comment says.
        [[ $file != */one-id-one-server.conf ]] || GROUP_HTTP="include upload-progress/http.conf;"
        GROUP_HTTP+="include $file;"
        GROUP_SERVER=
        group_write
        run "$NGINX" -t -q -p "$SITE" -c "$SITE/conf/nginx.conf"
        echo "$file: $output"
        [ "$status" -eq 0 ]
        [[ $output != *"[warn]"* ]]
        checked+=("$file")
    done
    [ ${#checked[@]} -ge 10 ]
}

@test "all snippets that this nginx can take go together" {
    group_ports
    snippets_install
    GROUP_HTTP="include upload-progress/http.conf;"
    for file in "$UPSTREAM"/*.conf; do
        if has_version "$(needed_version "$file")"; then
            GROUP_HTTP+="include $file;"
        fi
    done
    group_write
    run -0 "$NGINX" -t -q -p "$SITE" -c "$SITE/conf/nginx.conf"
    [[ $output != *"[warn]"* ]]
}

@test "what needs a newer nginx is refused by an older one, and included by nothing" {
    group_ports
    for file in "${NEWER[@]}"; do
        GROUP_HTTP="include $UPSTREAM/$file;"
        group_write
        run "$NGINX" -t -q -p "$SITE" -c "$SITE/conf/nginx.conf"
        echo "$output"
        if has_version "$(needed_version "$UPSTREAM/$file")"; then
            # Time for tests with real traffic: see "untested" in its first line.
            [ "$status" -eq 0 ]
            echo "# $file passes nginx -t here: test it, and say so in its first line" >&3
        else
            [ "$status" -ne 0 ]
            [[ $output =~ unknown\ directive|invalid\ parameter|not\ allowed\ here ]]
        fi
        head -n 1 "$UPSTREAM/$file" | grep -q untested
        # Directives that include it, or all of the folder.
        run grep -rnE "^[^#]*include +[^;]*upstream/(${file%.conf}|\*|\[)" "$ROOT/nginx-snippets" \
            "$ROOT/packaging" "$ROOT/docs" "$ROOT/README.md" "$ROOT/Makefile"
        echo "$output"
        [ "$status" -eq 1 ]
    done
    # No other one needs more than Debian 12 has.
    for file in "$UPSTREAM"/*.conf; do
        [[ " ${NEWER[*]} " == *" ${file##*/} "* ]] ||
            printf '%s\n' "$(needed_version "$file")" 1.22.1 | sort -C -V
    done
}

@test "nothing that only the commercial nginx knows" {
    run grep -nE '^[^#]*\b(state|queue|ntlm|slow_start|health_check|sync|status_zone)\b' "$UPSTREAM"/*.conf
    [ "$status" -eq 1 ]
    for word in state queue ntlm slow_start health_check; do
        grep -q "\`$word\`" "$UPSTREAM/README.md"
    done
}

@test "weights: 50 of 70 requests to the first server, exactly, and not in blocks" {
    group_ports
    add weighted.conf
    group_start
    [ "$(get 7 /app_weighted | cut -d ' ' -f 2 | tr -d '\n')" = 1121311 ]
    control reset
    get 70 /app_weighted > /dev/null
    counts_are requests "50 10 10 0"
}

@test "weights: exactly so over four workers, which share the zone" {
    SITE_WORKERS=4
    GROUP_LISTEN=reuseport
    group_ports
    add weighted.conf
    GROUP_SERVER="add_header X-Worker \$pid; $GROUP_SERVER"
    group_start
    for _ in $(seq 70); do
        curl -sS -o /dev/null -D - "$URL/app_weighted"
    done > "$SITE/log/headers"
    counts_are requests "50 10 10 0"
    # Of one worker it would be no wonder.
    [ "$(grep -i '^X-Worker' "$SITE/log/headers" | sort -u | wc -l)" -ge 2 ]
}

@test "max_fails, fail_timeout: a dead server costs no request, gets none, and comes back" {
    group_ports
    add failover.conf
    GROUP_SERVER="include $UPSTREAM/failover-location.conf; $GROUP_SERVER"
    group_start
    get 20 /app_failover > /dev/null
    counts_are requests "10 10 0 0"
    control "stop?server=1"
    # Each of these is answered, with two tries the most.
    [ "$(get 20 /app_failover | share 2)" -eq 20 ]
    # Two; one more for each further fail_timeout that a busy machine needs.
    refused=$(grep -c 'Connection refused' "$SITE/log/error.log")
    [ "$refused" -ge 2 ]
    [ "$refused" -le 4 ]
    control "start?server=1"
    control reset
    gets_some() {
        get 2 /app_failover > /dev/null
        read -r first _ < <(control requests)
        [ "$first" -gt 0 ]
    }
    SECONDS_MAX=30 wait_until gets_some
}

@test "backup: gets requests only while all others are down; down: never" {
    group_ports
    add failover.conf
    GROUP_SERVER="include $UPSTREAM/failover-location.conf; $GROUP_SERVER"
    group_start
    control "stop?server=1"
    [ "$(get 10 /app_failover | share 2)" -eq 10 ]
    control "stop?server=2"
    [ "$(get 10 /app_failover | share 3)" -eq 10 ]
    # The server that is marked "down" was not even connected to.
    [[ $(control connections) == *" 0" ]]
    control "stop?server=3"
    run -0 curl -sS -o /dev/null -w '%{http_code}' "$URL/app_failover"
    [ "$output" = 502 ]
    control "start?server=2"
    comes_back() { [ "$(curl -sS "$URL/app_failover")" = "/app_failover 2" ]; }
    SECONDS_MAX=30 wait_until comes_back
    [[ $(control connections) == *" 0" ]]
}

@test "max_conns: with a zone it holds for all workers, without one for each" {
    SITE_WORKERS=4
    GROUP_LISTEN=reuseport
    group_ports
    add failover.conf
    add failover.conf "$BACKEND" -e '/^ *zone /d' -e 's/^upstream app_failover/upstream app_each/'
    group_start
    for i in 1 2 3; do
        control "set?server=$i&hold=1"
    done
    get_at_once 70 /app_failover > "$SITE/log/answers" 3>&- &
    CURL_PID=$!
    # Two servers of 32, and what is left to the backup.
    wait_until counts_are active "32 32 6 0"
    for i in 1 2 3; do
        control "set?server=$i&hold=0"
    done
    wait "$CURL_PID"
    [ "$(grep -c '^/app_failover' "$SITE/log/answers")" -eq 70 ]
    wait_until counts_are active "0 0 0 0"

    for i in 1 2 3; do
        control "set?server=$i&hold=1"
    done
    get_at_once 70 /app_each > "$SITE/log/answers" 3>&- &
    CURL_PID=$!
    all_wait() {
        read -r one two three _ < <(control active)
        [ $((one + two + three)) -eq 70 ]
    }
    wait_until all_wait
    control active
    # More than 32 at one, as no worker has 32 of its own there.
    [ "$one" -gt 32 ] || [ "$two" -gt 32 ]
    for i in 1 2 3; do
        control "set?server=$i&hold=0"
    done
    wait "$CURL_PID"
}

@test "max_conns: when all are full the answer is 502 at once" {
    group_ports
    # The backup has no limit as shipped.
    add failover.conf "$BACKEND" -e 's/ backup;/ down;/'
    group_start
    control "set?server=1&hold=1"
    control "set?server=2&hold=1"
    get_at_once 64 /app_failover > /dev/null 3>&- &
    CURL_PID=$!
    wait_until counts_are active "32 32 0 0"
    run -0 curl -sS -o /dev/null -w '%{http_code}' "$URL/app_failover"
    [ "$output" = 502 ]
    grep -q 'no live upstreams' "$SITE/log/error.log"
    control "set?server=1&hold=0"
    control "set?server=2&hold=0"
    wait "$CURL_PID"
    run -0 curl -sS --fail -o /dev/null "$URL/app_failover"
}

@test "next_upstream: 503 and a hung server go on, 500 does not, a POST that was sent does not" {
    group_ports
    add failover.conf
    # A read timeout that a test can wait for.
    GROUP_SERVER="include $UPSTREAM/failover-location.conf; proxy_read_timeout 2s; $GROUP_SERVER"
    group_start
    status() { curl -sS -o /dev/null -w '%{http_code}' "$URL/app_failover" "$@"; }
    for i in 1 2; do
        control "set?server=$i&status=500"
    done
    run -0 status
    [ "$output" = 500 ]
    for i in 1 2; do
        control "set?server=$i&status=503"
    done
    run -0 status
    [ "$output" = 200 ]
    read -r one two three _ < <(control requests)
    [ "$three" -eq 1 ]
    # Hung: of a GET the client sees a wait, of a POST the failure.
    for i in 1 2 3; do
        control "set?server=$i&status=200"
    done
    control "set?server=1&hold=1"
    control reset
    while [[ $(control requests) == "0 "* ]]; do
        run -0 status
        [ "$output" = 200 ]
    done
    control "set?server=2&hold=1"
    control "set?server=3&hold=1"
    control reset
    run -0 status -d x
    [ "$output" = 504 ]
    read -r one two three _ < <(control requests)
    [ $((one + two + three)) -eq 1 ]
}

@test "next_upstream: the limits of tries and of time" {
    group_ports
    add failover.conf "$BACKEND" -e 's/ max_fails=2/ max_fails=0/'
    location() { sed "$@" "$UPSTREAM/failover-location.conf"; }
    GROUP_SERVER+="proxy_read_timeout 2s;
        location /three { $(location -e '') proxy_pass http://app_failover; }
        location /two { $(location -e 's/_tries 3;/_tries 2;/') proxy_pass http://app_failover; }
        location /short { $(location -e 's/_upstream_timeout 10s;/_upstream_timeout 1s;/')
            proxy_pass http://app_failover; }"
    group_start
    tries() {
        control reset > /dev/null
        curl -sS -o /dev/null "$URL$1"
        control requests | awk '{ print $1 + $2 + $3 }'
    }
    control "set?server=1&status=503"
    control "set?server=2&status=503"
    [ "$(tries /three)" -eq 3 ]
    [ "$(tries /two)" -eq 2 ]
    # Here the first try takes longer than all may take.
    control "set?server=1&hold=1"
    control "set?server=2&hold=1"
    [ "$(tries /three)" -eq 3 ]
    [ "$(tries /short)" -eq 1 ]
}

@test "connect_timeout: a server that does not even refuse is left soon" {
    group_ports
    # Its kernel drops what comes: there is nobody to take connections, and the
    # queue is full.
    node -e 'require("net").createServer().listen({ port: Number(process.argv[1]),
        host: "127.0.0.1", backlog: 1 })' "$BACKEND" 3>&- &
    SIDECAR_PIDS[0]=$!
    wait_until is_listening "$BACKEND"
    kill -STOP "${SIDECAR_PIDS[0]}"
    # Two fill it; those that are left over ask in vain.
    for _ in 1 2 3 4; do
        (exec 3<> "/dev/tcp/127.0.0.1/$BACKEND" && exec sleep 60) 2> /dev/null &
        SIDECAR_PIDS+=($!)
    done
    queue_is_full() {
        awk -v port="$(printf ':%04X$' "$BACKEND")" '$3 ~ port && $4 == "02"' /proc/net/tcp | grep -q .
    }
    wait_until queue_is_full
    add failover.conf
    GROUP_SERVER="include $UPSTREAM/failover-location.conf; $GROUP_SERVER"
    backends_start 0 "$((BACKEND + 1))"
    group_write
    nginx_start
    for _ in 1 2; do
        [ "$(curl -sS --fail --max-time 30 "$URL/app_failover")" = "/app_failover 1" ]
    done
    grep -q 'upstream timed out .* while connecting to upstream' "$SITE/log/error.log"
}
