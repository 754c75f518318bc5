#!/usr/bin/env bash
# Large uploads: what tracking costs where nginx has bytes to move.
. "$(dirname "$0")/lib.bash"

MEBIBYTES=${MEBIBYTES:-256}
PAIRS=${PAIRS:-4} # of uploads in a round: one takes a fraction of a second
KINDS=(buffered unbuffered tls http2)

locations() {
    sink_location /buffered "${1:-}"
    sink_location /unbuffered "${1:-} proxy_request_buffering off;"
}

start() {
    bench_ports
    SITE_WORKERS=1
    BENCH_HTTP="$(sink_upstream)
        server {
            listen 127.0.0.1:$PLAIN_PORT;
            listen 127.0.0.1:$PLAIN_TLS_PORT ssl http2;
            access_log $WORK/site/log/access.log;
            $(locations)
        }"
    SITE_SERVER=$(locations "include upload-progress/location.conf;")
    bench_site
    sink_start
    head -c $((MEBIBYTES << 20)) /dev/zero > "$WORK/body"
}

# upload KIND tracked|untracked ROUND
upload() {
    local kind=$1 case="$1: $2" round=$3 id=$1-$3 port=$PORT tls=$TLS_PORT url options=()
    local version=1.1
    local pids nginx_ns daemon_ns line

    if [ "$2" = untracked ]; then
        port=$PLAIN_PORT
        tls=$PLAIN_TLS_PORT
    fi
    case $kind in
    buffered | unbuffered) url=http://127.0.0.1:$port/$kind ;;
    tls) url=https://127.0.0.1:$tls/buffered options=(--http1.1) ;;
    http2) url=https://127.0.0.1:$tls/buffered options=(--http2) version=2 ;;
    esac
    mapfile -t pids < <(workers "$SITE")
    nginx_ns=$(cpu_ns "${pids[@]}")
    daemon_ns=$(cpu_ns "$DAEMON_PID")
    client "$WORK/curl" curl -sSk "${options[@]}" -H Expect: -o "$WORK/answer" -T "$WORK/body" \
        -X POST -w 'wall_s=%{time_total} status=%{http_code} sent=%{size_upload} version=%{http_version}' \
        "$url?X-Progress-ID=$id"
    line=$(cat "$WORK/curl")
    nginx_ns=$(($(cpu_ns "${pids[@]}") - nginx_ns))
    daemon_ns=$(($(cpu_ns "$DAEMON_PID") - daemon_ns))
    fields "$case" "$round" "" "$line"
    row "$case" "$round" nginx_cpu "$(calc "$nginx_ns / 1e9")"
    row "$case" "$round" daemon_ms "$(calc "$daemon_ns / 1e6")"
    if [ "${FIELD[status]:-0}" != 200 ] || [ "${FIELD[version]:-0}" != $version ] ||
        [ "${FIELD[sent]:-0}" != $((MEBIBYTES << 20)) ]; then
        row "$case" "$round" errors 1
    elif [ "$2" = tracked ] && ! SECONDS_MAX=5 wait_until state_is "$id" "done"; then
        row "$case" "$round" errors 1
    fi
}

start
for kind in "${KINDS[@]}"; do
    row "$kind: untracked" 0 errors 0
    row "$kind: tracked" 0 errors 0
done
for ((round = 1; round <= ROUNDS * PAIRS; round++)); do
    ((round % PAIRS)) || say "round $((round / PAIRS)) of $ROUNDS"
    for kind in "${KINDS[@]}"; do
        for how in $(alternate "$round" untracked tracked); do
            upload "$kind" "$how" "$round"
        done
    done
done

echo "## Large uploads"
echo
echo "One upload of $MEBIBYTES MiB by curl at a time, nginx with 1 worker, proxied to a sink"
echo "in C; \"untracked\" is in a server without the snippets. \"tls\" and \"http2\" are"
echo "buffered. Medians of $((ROUNDS * PAIRS)) pairs. CPU of nginx in seconds, of the daemon in milliseconds."
echo
table "upload" "wall s=wall_s" "of untracked=wall_s/~untracked" "CPU nginx=nginx_cpu" \
    "of untracked=nginx_cpu/~untracked" "CPU daemon ms=daemon_ms" "errors=errors"
