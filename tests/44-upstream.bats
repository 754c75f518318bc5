#!/usr/bin/env bats
# The snippets of nginx-snippets/upstream, as shipped but for the addresses, in
# front of real servers: client/backends.mjs, and daemons of ours.

load helper
bats_require_minimum_version 1.5.0

UPSTREAM=$ROOT/nginx-snippets/upstream
NGINX=${NGINX:-/usr/sbin/nginx}

# These need a newer nginx than Debian 12's, each the version in its first line.
NEWER=(resolve.conf sticky.conf)

teardown() {
    local pid

    for pid in ${BACKENDS_PID:-} "${SIDECAR_PIDS[@]}"; do
        kill -CONT "$pid" 2> /dev/null || true
        kill "$pid" 2> /dev/null || true
        # What a sanitizer has to say, it says in the end.
        wait "$pid" 2> /dev/null || true
    done
    site_stop
}

# has_version X.Y.Z: whether the installed nginx is that or newer.
has_version() {
    local installed

    installed=$("$NGINX" -v 2>&1 | sed -n 's|.*nginx/\([0-9.]*\).*|\1|p')
    printf '%s\n' "$1" "$installed" | sort -C -V
}

# needed_version FILE: what its first line says.
needed_version() {
    head -n 1 "$1" | grep -oE 'nginx [0-9]+\.[0-9]+\.[0-9]+' | head -n 1 | cut -d ' ' -f 2
}

# snippet FILE [FIRST [SED...]]: prints it with the addresses of this test:
# 127.0.0.1:3001 and on become the ports from FIRST (BACKEND) on, 3011 the one
# of KEPT. SED is a change that a test makes for comparison.
snippet() {
    local first=${2:-$BACKEND}

    sed -e "s/127\.0\.0\.1:3011\b/127.0.0.1:$KEPT/" \
        -e "s/127\.0\.0\.1:3001\b/127.0.0.1:$first/" \
        -e "s/127\.0\.0\.1:3002\b/127.0.0.1:$((first + 1))/" \
        -e "s/127\.0\.0\.1:3003\b/127.0.0.1:$((first + 2))/" \
        -e "s/127\.0\.0\.1:3004\b/127.0.0.1:$((first + 3))/" "$UPSTREAM/$1" |
        sed "${@:3}" -e ''
}

# The ports of a test: five servers, and their control.
group_ports() {
    site_ports
    BACKEND=$((PORT + 7))
    KEPT=$((PORT + 11))
    CONTROL=http://127.0.0.1:$((PORT + 15))
    SITE=$BATS_TEST_TMPDIR/site
    mkdir -p "$SITE/run" "$SITE/log" "$SITE/temp" "$SITE/conf/upstream"
}

# add FILE [FIRST [SED...]]: into http { }. Each group NAME is at /NAME.
add() {
    local name=$1.$((++ADDED))

    snippet "$@" > "$SITE/conf/upstream/$name"
    GROUP_HTTP+="include upstream/$name;"$'\n'
    while read -r group; do
        case $group in
        fastcgi_*) ;;
        *) GROUP_SERVER+="location /$group { proxy_pass http://$group; ${GROUP_LOCATION:-} }"$'\n' ;;
        esac
    done < <(sed -n 's/^upstream \([a-z_]*\) {/\1/p' "$SITE/conf/upstream/$name")
}

group_write() {
    cat > "$SITE/conf/nginx.conf" <<CONF
worker_processes ${SITE_WORKERS:-1};
$([ "$(id -u)" -ne 0 ] || echo "user root;")
pid $SITE/nginx.pid;
error_log $SITE/log/error.log;
events { worker_connections 2048; }
http {
    client_body_temp_path $SITE/temp/body;
    proxy_temp_path $SITE/temp/proxy;
    fastcgi_temp_path $SITE/temp/fastcgi;
    scgi_temp_path $SITE/temp/scgi;
    uwsgi_temp_path $SITE/temp/uwsgi;
    access_log off;
    keepalive_requests 100000;
    add_header X-Upstream \$upstream_addr always;
    $GROUP_HTTP
    server {
        listen 127.0.0.1:$PORT ${GROUP_LISTEN:-};
        $GROUP_SERVER
    }
}
CONF
}

# backends_start N: HTTP servers from BACKEND on; further arguments as they are.
backends_start() {
    local ports=()

    for ((i = 0; i < $1; i++)); do
        ports+=($((BACKEND + i)))
    done
    node "$CLIENT/backends.mjs" "${CONTROL##*:}" "${ports[@]}" "${@:2}" 3>&- &
    BACKENDS_PID=$!
    wait_until is_listening "${CONTROL##*:}"
}

group_start() {
    backends_start "${BACKENDS:-4}"
    group_write
    nginx_start
}

# control PATH: of the servers, see client/backends.mjs.
control() {
    curl -sS --fail "$CONTROL/$1"
}

# get N PATH: that many requests, one after the other, on one connection.
get() {
    curl -sS --fail "$URL$2?[1-$1]"
}

# get_at_once N PATH: the same, all at the same time on connections of their own.
get_at_once() {
    curl -sS -Z --parallel-immediate --parallel-max "$1" "$URL$2?[1-$1]"
}

counts_are() {
    [ "$(control "$1")" = "$2" ]
}

# share OF: how many of the answers on standard input came from that server.
share() {
    grep -c " $1\$" || true
}

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
    make -s -C "$ROOT" install-snippets DESTDIR= SNIPPETDIR="$SITE/conf/upload-progress" \
        RUNDIR="$SITE/run" LOGDIR="$SITE/log" EVENT_ADDRESS="127.0.0.1:$EVENT_PORT"
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
    make -s -C "$ROOT" install-snippets DESTDIR= SNIPPETDIR="$SITE/conf/upload-progress" \
        RUNDIR="$SITE/run" LOGDIR="$SITE/log" EVENT_ADDRESS="127.0.0.1:$EVENT_PORT"
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

@test "one ID, one server: by header and by query, and without an ID all servers" {
    group_ports
    make -s -C "$ROOT" install-snippets DESTDIR= SNIPPETDIR="$SITE/conf/upload-progress" \
        RUNDIR="$SITE/run" LOGDIR="$SITE/log" EVENT_ADDRESS="127.0.0.1:$EVENT_PORT"
    GROUP_HTTP="include upload-progress/http.conf; access_log off;"
    add one-id-one-server.conf
    group_start
    for i in $(seq 60); do
        curl -sS --fail "$URL/app_by_id/upload?X-Progress-ID=id-$i" -d x --next \
            -sS --fail "$URL/app_by_id/probe?a=1&x-progress-id=id-$i&b=2" --next \
            -sS --fail -H "X-Progress-ID: id-$i" "$URL/app_by_id/progress" > "$SITE/log/answers"
        [ "$(wc -l < "$SITE/log/answers")" -eq 3 ]
        [ "$(cut -d ' ' -f 2 "$SITE/log/answers" | sort -u | wc -l)" -eq 1 ]
        cut -d ' ' -f 2 "$SITE/log/answers" | head -n 1
    done | sort > "$SITE/log/servers"
    # Not all at one, or it would be no choice.
    [ "$(uniq "$SITE/log/servers" | wc -l)" -eq 3 ]
    control reset
    get 30 /app_by_id > /dev/null
    counts_are requests "10 10 10 0"
}

@test "one ID, one server: of 10000 IDs few move when a fourth server joins three" {
    group_ports
    make -s -C "$ROOT" install-snippets DESTDIR= SNIPPETDIR="$SITE/conf/upload-progress" \
        RUNDIR="$SITE/run" LOGDIR="$SITE/log" EVENT_ADDRESS="127.0.0.1:$EVENT_PORT"
    GROUP_HTTP="include upload-progress/http.conf; access_log off; proxy_http_version 1.1;
        proxy_set_header Connection '';"
    fourth="/:$((BACKEND + 2));/a server 127.0.0.1:$((BACKEND + 3));"
    keep='/^}/i keepalive 4;'
    add one-id-one-server.conf "$BACKEND" -e "$keep"
    add one-id-one-server.conf "$BACKEND" -e "$keep" -e "$fourth" -e 's/app_by_id/app_by_id_four/'
    add one-id-one-server.conf "$BACKEND" -e "$keep" -e '/hash/s/ consistent//' -e 's/app_by_id/app_modulo/'
    add one-id-one-server.conf "$BACKEND" -e "$keep" -e '/hash/s/ consistent//' -e "$fourth" \
        -e 's/app_by_id/app_modulo_four/'
    # The second one "down", and the first one at the end.
    add one-id-one-server.conf "$BACKEND" -e "$keep" -e "s/:$((BACKEND + 1));/:$((BACKEND + 1)) down;/" \
        -e 's/app_by_id/app_down/'
    add one-id-one-server.conf "$BACKEND" -e "$keep" -e "/:$BACKEND;/d" \
        -e "/:$((BACKEND + 2));/a server 127.0.0.1:$BACKEND;" -e 's/app_by_id/app_order/'
    group_start
    for group in app_by_id app_by_id_four app_modulo app_modulo_four app_down app_order; do
        curl -sS --fail "$URL/$group?X-Progress-ID=[1-10000]" | cut -d ' ' -f 2 > "$SITE/log/$group"
        [ "$(wc -l < "$SITE/log/$group")" -eq 10000 ]
    done
    moved() { paste "$SITE/log/$1" "$SITE/log/$2" | awk '$1 != $2' | wc -l; }
    consistent=$(moved app_by_id app_by_id_four)
    modulo=$(moved app_modulo app_modulo_four)
    echo "# of 10000 IDs moved: $consistent with consistent, $modulo without" >&3
    # Each server has 160 points on the ring: its share varies by some percent.
    [ "$consistent" -gt 1500 ]
    [ "$consistent" -lt 3500 ]
    [ "$modulo" -gt 6500 ]
    # All that moved went to the new server, and nothing else went there.
    run awk '$1 != $2 && $2 != 4' <(paste "$SITE/log/app_by_id" "$SITE/log/app_by_id_four")
    [ -z "$output" ]
    # So it is when one is "down": its own IDs go elsewhere, all others stay.
    run awk '($1 == 2) != ($1 != $2)' <(paste "$SITE/log/app_by_id" "$SITE/log/app_down")
    [ -z "$output" ]
    cmp "$SITE/log/app_by_id" "$SITE/log/app_order"
}

@test "client affinity: an address keeps its server, three octets go together, IPv6 whole" {
    group_ports
    GROUP_HTTP="set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;"
    add client-affinity.conf
    add client-affinity.conf "$BACKEND" -e "s/:$((BACKEND + 1));/:$((BACKEND + 1)) down;/" \
        -e 's/app_by_address/app_down/'
    add client-affinity.conf "$BACKEND" -e "/:$((BACKEND + 1));/d" -e 's/app_by_address/app_less/'
    group_start
    from() { curl -sS --fail -H "X-Forwarded-For: $1" "$URL/app_by_address"; }
    for net in $(seq 40); do
        for host in 1 1 99 254; do
            from "203.0.$net.$host"
        done | sort -u > "$SITE/log/answers"
        [ "$(wc -l < "$SITE/log/answers")" -eq 1 ]
        cat "$SITE/log/answers"
    done | sort -u > "$SITE/log/servers"
    [ "$(wc -l < "$SITE/log/servers")" -eq 3 ]
    # A server that is "down" takes its own clients along; a deleted one others, too.
    for net in $(seq 60); do
        curl -sS --fail -H "X-Forwarded-For: 198.51.$net.1" \
            "$URL/{app_by_address,app_down,app_less}" | cut -d ' ' -f 2 | tr '\n' ' '
        echo
    done > "$SITE/log/moves"
    [ "$(awk '$1 != 2 && $1 != $2' "$SITE/log/moves" | wc -l)" -eq 0 ]
    [ "$(awk '$1 != 2 && $1 != $3' "$SITE/log/moves" | wc -l)" -gt 10 ]
    # Of IPv6 the last group counts, too.
    for host in $(seq 40); do
        [ "$(from "2001:db8::$host")" = "$(from "2001:db8::$host")" ]
        from "2001:db8::$host"
    done | sort -u > "$SITE/log/servers"
    [ "$(wc -l < "$SITE/log/servers")" -eq 3 ]
}

@test "client affinity: by real source addresses" {
    group_ports
    add client-affinity.conf
    group_start
    for net in $(seq 30); do
        for host in 1 2 254; do
            curl -sS --fail --interface "127.0.$net.$host" "$URL/app_by_address"
        done | sort -u > "$SITE/log/answers"
        [ "$(wc -l < "$SITE/log/answers")" -eq 1 ]
        cat "$SITE/log/answers"
    done | sort -u > "$SITE/log/servers"
    [ "$(wc -l < "$SITE/log/servers")" -eq 3 ]
}

# slow_gets_less GROUP: the first server takes a second for each answer.
slow_gets_less() {
    control "set?server=1&delay=1000"
    curl -sS -Z --parallel-immediate --parallel-max 9 "$URL/$1?[1-180]" > "$SITE/log/answers"
    read -r slow two three _ < <(control requests)
    echo "# $1: $slow to the slow server, $two and $three to the others" >&3
    [ $((slow + two + three)) -eq 180 ]
    [ $((slow * 2)) -lt "$two" ]
    [ $((slow * 2)) -lt "$three" ]
}

@test "least_conn: a slow server gets clearly less" {
    group_ports
    add least-conn.conf
    group_start
    slow_gets_less app_least_conn
}

@test "least_conn: one that does not answer gets nothing more while others are free" {
    group_ports
    add least-conn.conf
    group_start
    control "set?server=1&hold=1"
    for _ in 1 2 3; do
        curl -sS "$URL/app_least_conn" > /dev/null 3>&- &
    done
    is_held() { [[ $(control active) == "1 "* ]]; }
    wait_until is_held
    get 30 /app_least_conn > /dev/null
    [[ $(control requests) == "1 "* ]]
    control "set?server=1&hold=0"
    wait_until counts_are active "0 0 0 0"
    control reset
    get 30 /app_least_conn > /dev/null
    # From now on it takes its turns again.
    read -r first _ < <(control requests)
    [ "$first" -ge 5 ]
}

@test "random two least_conn: a slow server gets clearly less" {
    group_ports
    add random.conf
    group_start
    slow_gets_less app_random
}

@test "backup is refused next to hash, ip_hash and random" {
    group_ports
    for file in one-id-one-server.conf client-affinity.conf random.conf; do
        GROUP_HTTP='map $host $upload_progress_id { default ""; }'
        add $file "$BACKEND" -e 's/^\( *server .*:[0-9]*\);/\1 backup;/'
        group_write
        run "$NGINX" -t -q -p "$SITE" -c "$SITE/conf/nginx.conf"
        [ "$status" -ne 0 ]
        [[ $output == *'balancing method does not support parameter "backup"'* ]]
    done
}

# How many connections 30 requests to PATH cost, of all servers together.
connections() {
    control reset > /dev/null
    get 30 "$1" > /dev/null
    control connections | awk '{ print $1 + $2 + $3 }'
}

@test "keepalive: HTTP connections are used again" {
    group_ports
    said="include $UPSTREAM/keepalive-location.conf;"
    GROUP_LOCATION=$said
    add keepalive.conf
    # The method behind "keepalive".
    add keepalive.conf "$BACKEND" -e '/^ *least_conn;/d' -e 's/^ *keepalive 16;/& least_conn;/' \
        -e 's/^upstream app_kept/upstream app_behind/' -e '/^upstream fastcgi/,/^}/d'
    # A location that says nothing of it, and one with a header of its own.
    GROUP_SERVER+="location /unsaid { proxy_pass http://app_kept; }
        location /own { $said location /own/header { proxy_set_header X-Own 1; proxy_pass http://app_kept; } }"
    group_start
    # Before there are kept ones, as those would be used and then closed.
    unsaid=$(connections /unsaid)
    own=$(connections /own/header)
    behind=$(connections /app_behind)
    kept=$(connections /app_kept)
    echo "# connections of 30 requests: $kept; where the location is silent $unsaid," \
        "or has a header of its own $own; method behind keepalive $behind" >&3
    [ "$kept" -le 3 ]
    if ! has_version 1.29.7; then
        [ "$unsaid" -eq 30 ]
        [ "$own" -eq 30 ]
        [ "$behind" -eq 30 ]
        grep -q 'load balancing method redefined' "$SITE"/log/*
    fi
}

@test "keepalive: FastCGI connections to the daemon are used again, SCGI ones are not" {
    group_ports
    site_write
    # The daemon behind relays, which count.
    sed -i -e "s|^listen unix:.* fastcgi;|listen 127.0.0.1:$FASTCGI_PORT fastcgi;|" \
        -e "s|^listen unix:.* scgi;|listen 127.0.0.1:$SCGI_PORT scgi;|" "$SITE/upload-progressd.conf"
    daemon_start
    backends_start 0 "$KEPT=$FASTCGI_PORT" "$((KEPT + 1))=$SCGI_PORT"
    add keepalive.conf
    # The shipped probe.conf and what it includes, with the group's name, from any
    # location, and silent of keeping connections.
    probe=$(sed -e 's|upload_progress_fastcgi|fastcgi_kept|' -e '/fastcgi_keep_conn/d' \
        -e '/include/d' -e 's|\(DOCUMENT_URI\) .*;|\1 /progress;|' \
        "$SITE"/conf/upload-progress/probe{,-params}.conf)
    said="include $UPSTREAM/keepalive-location.conf;"
    GROUP_HTTP+="upstream scgi_kept { server 127.0.0.1:$((KEPT + 1)); keepalive 16; }
        upstream fastcgi_single { server 127.0.0.1:$KEPT; }"
    GROUP_SERVER="
        location = /kept { $said $probe }
        location = /unsaid { $probe }
        location = /single { $said ${probe//fastcgi_kept/fastcgi_single} }
        location = /scgi {
            scgi_param SCGI 1;
            scgi_param REQUEST_METHOD \$request_method;
            scgi_param DOCUMENT_URI /progress;
            scgi_param QUERY_STRING \$query_string;
            scgi_pass scgi_kept;
        }"
    group_write
    nginx_start
    # count PATH RELAY: connections that 50 probes cost, each answered.
    count() {
        control reset > /dev/null
        [ "$(curl -sS "$URL$1?X-Progress-ID=one&[1-50]" | grep -c starting)" -eq 50 ]
        control connections | cut -d ' ' -f "$2"
    }
    # Before there are kept ones, as those would be used and then closed.
    unsaid=$(count /unsaid 1)
    kept=$(count /kept 1)
    single=$(count /single 1)
    scgi=$(count /scgi 2)
    echo "# connections of 50 probes: FastCGI $kept, without fastcgi_keep_conn $unsaid," \
        "without keepalive $single; SCGI $scgi" >&3
    [ "$kept" -eq 1 ]
    [ "$unsaid" -eq 50 ]
    has_version 1.29.7 || [ "$single" -eq 50 ]
    [ "$scgi" -eq 50 ]
}

@test "log: what the servers did is parsed back, tries, redirects, cache and forged lines" {
    group_ports
    add log.conf
    add weighted.conf
    for group in app_two app_three app_none app_again; do
        add failover.conf "$BACKEND" -e "s/app_failover/$group/"
    done
    GROUP_HTTP+="proxy_cache_path $SITE/temp/cache keys_zone=cache:1m;"
    GROUP_SERVER="include $UPSTREAM/failover-location.conf;
        access_log $SITE/log/upstream.log upstream;
        location /redirected { proxy_pass http://app_weighted; proxy_next_upstream off;
            proxy_intercept_errors on; error_page 503 = /app_again; }
        location /cached { proxy_pass http://app_weighted; proxy_cache cache; proxy_cache_valid 1m; }
        location /nobody { return 204; }
        $GROUP_SERVER"
    group_start
    ask() { curl -sS -o /dev/null "$URL$1" "${@:2}"; }
    # Refused by the first; the second is sent a body.
    control "stop?server=1"
    ask "/app_two" -d "$(printf '%0500d' 0)"
    # All the way to the backup.
    control "start?server=1"
    control "set?server=1&status=503"
    control "set?server=2&status=503"
    ask "/app_three"
    # To another location, and tried anew there.
    control "set?server=2&status=200"
    ask "/redirected"
    # In the end there is nobody left to ask.
    for i in 1 2 3; do
        control "stop?server=$i"
    done
    ask "/app_none?1"
    ask "/app_none?2"
    ask "/app_none?3"
    for i in 1 2 3; do
        control "start?server=$i"
        control "set?server=$i&status=200"
    done
    ask "/nobody"
    ask "/cached"
    ask "/cached"
    # A client that would forge an entry, and bytes that are no UTF-8.
    ask "/nobody" --request-target $'/nobody?","upstream_addr":"\\\xff\x07'
    logged() { [ "$(wc -l < "$SITE/log/upstream.log")" -eq 10 ]; }
    wait_until logged
    run -0 node "$CLIENT/upstream-log.mjs" "$SITE/log/upstream.log"
    echo "$output"
    one=127.0.0.1:$BACKEND two=127.0.0.1:$((BACKEND + 1)) three=127.0.0.1:$((BACKEND + 2))
    [ "${lines[0]}" = "/app_two 200 $one=502, $two=200" ]
    [ "${lines[1]}" = "/app_three 200 $one=503, $two=503, $three=200" ]
    [ "${lines[2]}" = "/redirected 200 $one=503 : $one=503, $two=200" ]
    [ "${lines[3]}" = "/app_none?1 502 $one=502, $two=502, $three=502" ]
    [[ ${lines[4]} = "/app_none?2 502 127.0.0.1:"*"=502, 127.0.0.1:"*"=502, app_none=502" ]]
    [ "${lines[5]}" = "/app_none?3 502 app_none=502" ]
    [ "${lines[6]}" = "/nobody 204" ]
    [[ ${lines[7]} = "/cached 200 127.0.0.1:"*"=200 MISS" ]]
    [ "${lines[8]}" = "/cached 200 HIT" ]
    forged=$'/nobody?","upstream_addr":"\\'
    [[ ${lines[9]} = "$forged"*" 400" ]]
    # The second was sent all of the body, and tells so.
    node -e 'const sent = JSON.parse(process.argv[1]).upstream_bytes_sent.split(", ").map(Number);
        process.exit(sent.length === 2 && sent[0] === 0 && sent[1] > 500 ? 0 : 1)' \
        "$(head -n 1 "$SITE/log/upstream.log")"
}

# Three daemons behind two groups that are failover.conf as shipped, one for the
# probes, one for the starts: the first two share the work, the third stands by,
# and of a fourth, which is "down", not even the port is there.
sidecars_start() {
    group_ports
    FASTCGI=$BACKEND
    SCGI=$((BACKEND + 4))
    # Log lines go nowhere, so that a daemon knows of starts alone.
    EVENT_PORT=$DEAD_PORT
    # The snippets look at one file only, which none of these daemons has.
    touch "$SITE/run/upload-progressd.pid"
    snippet failover.conf "$FASTCGI" -e 's/app_failover/upload_progress_fastcgi/' \
        > "$SITE/conf/upstream/fastcgi.conf"
    snippet failover.conf "$SCGI" -e 's/app_failover/upload_progress_scgi/' \
        > "$SITE/conf/upstream/scgi.conf"
    SITE_HTTP="include upstream/fastcgi.conf; include upstream/scgi.conf;
        include $UPSTREAM/failover-location.conf; ${SITE_HTTP:-}
        add_header X-Upstream \$upstream_addr always;"
    # Asks the daemon N itself.
    for n in 1 2 3; do
        SITE_SERVER+="location = /at/$n { fastcgi_param REQUEST_METHOD GET;
            fastcgi_param DOCUMENT_URI /progress; fastcgi_param QUERY_STRING \$query_string;
            fastcgi_pass 127.0.0.1:$((FASTCGI + n - 1)); }"
    done
    site_write
    sed -i '/^upstream upload_progress_/,/^}/d' "$SITE/conf/upload-progress/http.conf"
    app_start
    for n in 1 2 3; do
        sidecar_start $n
    done
    nginx_start
}

sidecar_start() {
    cat > "$SITE/daemon-$1.conf" <<CONF
error_log $SITE/log/daemon-$1.log debug;
pid $SITE/run/daemon-$1.pid;
listen 127.0.0.1:$((FASTCGI + $1 - 1)) fastcgi;
listen 127.0.0.1:$((SCGI + $1 - 1)) scgi;
upload_progress uploads 16m;
track_uploads uploads 10m;
CONF
    rm -f "$SITE/run/daemon-$1.pid"
    "$ROOT/$BUILD/upload-progressd" -c "$SITE/daemon-$1.conf" 2>> "$SITE/log/stderr" 3>&- &
    SIDECAR_PIDS[$1]=$!
    wait_until test -s "$SITE/run/daemon-$1.pid"
}

sidecar_kill() {
    kill -9 "${SIDECAR_PIDS[$1]}"
    wait "${SIDECAR_PIDS[$1]}" || true
    unset "SIDECAR_PIDS[$1]"
}

# uploads PREFIX N [OPTION...]: N uploads, one after the other; all have to succeed.
uploads() {
    local file args=()

    file=$(make_file 12000)
    for i in $(seq "$2"); do
        args+=(-o /dev/null "$URL/upload?X-Progress-ID=$1$i")
    done
    [ "$(curl -sS --max-time 60 -H 'Expect:' -w '%{http_code} ' --data-binary "@$file" "${@:3}" \
        "${args[@]}" | tr ' ' '\n' | grep -c '^200$')" -eq "$2" ]
}

# known N PREFIX COUNT: how many of these uploads the daemon N knows of.
known() {
    local ids

    ids=$(seq -s, -f "$2%g" "$3")
    curl -sS --fail "$URL/at/$1?X-Progress-ID=$ids" | tr '}' '\n' | grep '"state"' | grep -vc starting || true
}

# answered N COUNT: that many probes, all of them answered, none but by daemon N.
answered() {
    local upstream=127.0.0.1:$((FASTCGI + $1 - 1))

    for _ in $(seq "$2"); do
        curl -sS --fail -D - "$URL/progress?X-Progress-ID=any"
    done > "$SITE/log/answers"
    [ "$(grep -c '"state"' "$SITE/log/answers")" -eq "$2" ]
    # The last one that was asked.
    [ "$(sed -n 's/^X-Upstream: \(.*, \)\{0,1\}\([0-9.:]*\).$/\2/p' "$SITE/log/answers" | sort -u)" = "$upstream" ]
}

@test "sidecars: starts and probes are shared by two, the backup gets none" {
    sidecars_start
    uploads a 20
    [ "$(known 1 a 20)" -eq 10 ]
    [ "$(known 2 a 20)" -eq 10 ]
    [ "$(known 3 a 20)" -eq 0 ]
    for _ in $(seq 20); do
        curl -sS --fail -o /dev/null -D - "$URL/progress?X-Progress-ID=any"
    done > "$SITE/log/answers"
    [ "$(grep -c "127.0.0.1:$FASTCGI" "$SITE/log/answers")" -eq 10 ]
    [ "$(grep -c "127.0.0.1:$((FASTCGI + 1))" "$SITE/log/answers")" -eq 10 ]
}

@test "sidecars: one killed, then both, then one restarted: no start and no probe is lost" {
    sidecars_start
    sidecar_kill 1
    uploads a 20
    answered 2 20
    [ "$(known 2 a 20)" -eq 20 ]
    sidecar_kill 2
    uploads b 20
    answered 3 20
    [ "$(known 3 b 20)" -eq 20 ]
    # Restarted, it gets its share again when fail_timeout is over.
    sidecar_start 1
    round=0
    gets_starts() {
        ((++round))
        uploads "c$round-" 2 || failed=$round
        [ "$(known 1 "c$round-" 2)" -gt 0 ]
    }
    failed=
    SECONDS_MAX=30 wait_until gets_starts
    [ -z "$failed" ]
    SECONDS_MAX=30 wait_until answered 1 5
}

@test "sidecars: one that hangs is left out after max_fails starts, and goes on when it can" {
    sidecars_start
    kill -STOP "${SIDECAR_PIDS[1]}"
    # A start that it was sent is not told to another one: an upload is a POST.
    uploads a 20
    there=$(known 2 a 20)
    echo "# of 20 starts $((20 - there)) were sent to the daemon that hangs" >&3
    [ "$there" -lt 20 ]
    # Two; one more for each further fail_timeout that a busy machine needs.
    [ "$there" -ge 14 ]
    # A probe is a GET, and asked again.
    answered 2 10
    # What it was sent lies in its sockets.
    kill -CONT "${SIDECAR_PIDS[1]}"
    all_told() { [ $(($(known 1 a 20) + there)) -eq 20 ]; }
    wait_until all_told
    round=0
    gets_starts() {
        ((++round))
        uploads "b$round-" 2 || failed=$round
        [ "$(known 1 "b$round-" 2)" -gt 0 ]
    }
    failed=
    SECONDS_MAX=30 wait_until gets_starts
    [ -z "$failed" ]
}

@test "sidecars: with non_idempotent, which is safe for starts, one that hangs costs none" {
    sidecars_start
    sed -i 's|^ *scgi_pass upload_progress_scgi;|    scgi_next_upstream error timeout non_idempotent;&|' \
        "$SITE/conf/upload-progress/server.conf"
    kill -HUP "$(cat "$SITE/nginx.pid")"
    reloaded() { curl -sS --fail -o /dev/null "$URL/other" && [ "$(pgrep -c -P "$(cat "$SITE/nginx.pid")")" -eq 1 ]; }
    wait_until reloaded
    kill -STOP "${SIDECAR_PIDS[1]}"
    uploads a 20
    [ "$(known 2 a 20)" -eq 20 ]
}

@test "sidecars: max_conns keeps probes out of those that hang" {
    sidecars_start
    # The time that a probe may take, for this to be watched at rest.
    sed -i 's|fastcgi_read_timeout .*|fastcgi_read_timeout 60s;|' "$SITE/conf/upload-progress/probe-params.conf"
    kill -HUP "$(cat "$SITE/nginx.pid")"
    reloaded() { curl -sS --fail -o /dev/null "$URL/other" && [ "$(pgrep -c -P "$(cat "$SITE/nginx.pid")")" -eq 1 ]; }
    wait_until reloaded
    kill -STOP "${SIDECAR_PIDS[1]}" "${SIDECAR_PIDS[2]}"
    curl -sS -Z --parallel-immediate --parallel-max 70 \
        "$URL/progress?X-Progress-ID=any&[1-70]" > "$SITE/log/answers" 3>&- &
    CURL_PID=$!
    # nginx's ends of the connections to a daemon, those that are established.
    open_to() {
        awk -v port="$(printf ':%04X$' "$1")" '$3 ~ port && $4 == "01"' /proc/net/tcp | wc -l
    }
    full() {
        [ "$(open_to "$FASTCGI")" -eq 32 ] && [ "$(open_to "$((FASTCGI + 1))")" -eq 32 ] &&
            [ "$(grep -c '"state"' "$SITE/log/answers")" -eq 6 ]
    }
    wait_until full
    kill -CONT "${SIDECAR_PIDS[1]}" "${SIDECAR_PIDS[2]}"
    wait "$CURL_PID"
    [ "$(grep -c '"state"' "$SITE/log/answers")" -eq 70 ]
}
