#!/usr/bin/env bats
# The snippets of nginx-snippets/upstream that choose the server for a request, by
# its ID, its client or the load; those that keep connections, and that log.

load helper
load upstream
bats_require_minimum_version 1.5.0

# request PATH [OPTION]: one of many for one curl, as a part of its config file.
request() {
    printf 'url = "%s"\n%s\nsilent\nshow-error\nfail\nnext\n' "$URL$1" "${2:-}"
}

# The answers to the requests on standard input, one after the other.
ask() {
    sed '$d' | curl -K -
}

@test "one ID, one server: by header and by query, and without an ID all servers" {
    group_ports
    snippets_install
    GROUP_HTTP="include upload-progress/http.conf; access_log off;"
    add one-id-one-server.conf
    group_start
    for i in $(seq 60); do
        request "/app_by_id/upload?X-Progress-ID=id-$i" 'data = x'
        request "/app_by_id/probe?a=1&x-progress-id=id-$i&b=2"
        request "/app_by_id/progress" "header = \"X-Progress-ID: id-$i\""
    done | ask | cut -d ' ' -f 2 | paste -d ' ' - - - > "$SITE/log/servers"
    [ "$(wc -l < "$SITE/log/servers")" -eq 60 ]
    run awk '$1 != $2 || $2 != $3' "$SITE/log/servers"
    [ -z "$output" ]
    # Not all at one, or it would be no choice.
    [ "$(sort -u "$SITE/log/servers" | wc -l)" -eq 3 ]
    control reset
    get 30 /app_by_id > /dev/null
    counts_are requests "10 10 10 0"
}

@test "one ID, one server: of 10000 IDs few move when a fourth server joins three" {
    group_ports
    snippets_install
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
    from() { request "/${2:-app_by_address}" "header = \"X-Forwarded-For: $1\""; }
    for net in $(seq 40); do
        for host in 1 1 99 254; do
            from "203.0.$net.$host"
        done
    done | ask | cut -d ' ' -f 2 | paste -d ' ' - - - - > "$SITE/log/servers"
    [ "$(wc -l < "$SITE/log/servers")" -eq 40 ]
    run awk '$1 != $2 || $2 != $3 || $3 != $4' "$SITE/log/servers"
    [ -z "$output" ]
    [ "$(sort -u "$SITE/log/servers" | wc -l)" -eq 3 ]
    # A server that is "down" takes its own clients along; a deleted one others, too.
    for net in $(seq 60); do
        for group in app_by_address app_down app_less; do
            from "198.51.$net.1" $group
        done
    done | ask | cut -d ' ' -f 2 | paste -d ' ' - - - > "$SITE/log/moves"
    [ "$(wc -l < "$SITE/log/moves")" -eq 60 ]
    [ "$(awk '$1 != 2 && $1 != $2' "$SITE/log/moves" | wc -l)" -eq 0 ]
    [ "$(awk '$1 != 2 && $1 != $3' "$SITE/log/moves" | wc -l)" -gt 10 ]
    # Of IPv6 the last group counts, too.
    for host in $(seq 40); do
        from "2001:db8::$host"
        from "2001:db8::$host"
    done | ask | cut -d ' ' -f 2 | paste -d ' ' - - > "$SITE/log/servers"
    [ "$(wc -l < "$SITE/log/servers")" -eq 40 ]
    run awk '$1 != $2' "$SITE/log/servers"
    [ -z "$output" ]
    [ "$(sort -u "$SITE/log/servers" | wc -l)" -eq 3 ]
}

@test "client affinity: by real source addresses" {
    group_ports
    add client-affinity.conf
    group_start
    for net in $(seq 30); do
        for host in 1 2 254; do
            request /app_by_address "interface = 127.0.$net.$host"
        done
    done | ask | cut -d ' ' -f 2 | paste -d ' ' - - - > "$SITE/log/servers"
    [ "$(wc -l < "$SITE/log/servers")" -eq 30 ]
    run awk '$1 != $2 || $2 != $3' "$SITE/log/servers"
    [ -z "$output" ]
    [ "$(sort -u "$SITE/log/servers" | wc -l)" -eq 3 ]
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
