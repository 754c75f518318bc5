#!/usr/bin/env bats
# Several of our daemons behind nginx-snippets/upstream/failover.conf.

load helper
load upstream
bats_require_minimum_version 1.5.0

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
    nginx_reload
    kill -STOP "${SIDECAR_PIDS[1]}"
    uploads a 20
    [ "$(known 2 a 20)" -eq 20 ]
}

@test "sidecars: max_conns keeps probes out of those that hang" {
    sidecars_start
    # The time that a probe may take, for this to be watched at rest.
    sed -i 's|fastcgi_read_timeout .*|fastcgi_read_timeout 60s;|' "$SITE/conf/upload-progress/probe-params.conf"
    nginx_reload
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
