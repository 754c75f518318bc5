#!/usr/bin/env bash
# What the daemon has to do where very many uploads are in flight at once, and each
# is asked for once a second.
. "$(dirname "$0")/lib.bash"

# Each takes a descriptor of the client and two of nginx, where four workers share
# them, but not evenly.
limit=$(($(ulimit -n) - 1000))
UPLOADS=${UPLOADS:-$((limit < 10000 ? limit : 10000))}
PROBE_S=${PROBE_S:-5}
PROBE_CONNECTIONS=256

in_flight() {
    state_is crowd-$((UPLOADS - 1)) uploading && state_is crowd-0 uploading
}

# percent NANOSECONDS MILLISECONDS: of one core
percent() {
    calc "$1 / 1e4 / $2"
}

# watch CASE ROUND COMMAND...: CPU time while it runs.
watch() {
    local case=$1 round=$2 pids nginx_ns daemon_ns began_ms

    shift 2
    mapfile -t pids < <(workers "$SITE")
    nginx_ns=$(cpu_ns "${pids[@]}")
    daemon_ns=$(cpu_ns "$DAEMON_PID")
    began_ms=$(date +%s%3N)
    client "$WORK/watch" "$@"
    began_ms=$(($(date +%s%3N) - began_ms))
    row "$case" "$round" daemon "$(percent $(($(cpu_ns "$DAEMON_PID") - daemon_ns)) $began_ms)"
    row "$case" "$round" nginx "$(percent $(($(cpu_ns "${pids[@]}") - nginx_ns)) $began_ms)"
}

SITE_WORKERS=4
SITE_LOCATION="client_body_timeout 1h;"
bench_site
say "$UPLOADS uploads begin"
# Larger than nginx's buffer, so that each has a file; each moves once a second.
hold_uploads "$PORT" "$UPLOADS" crowd 20000 1024 1000
wait_until in_flight || fail "the daemon does not see the uploads"
for ((round = 1; round <= ROUNDS; round++)); do
    say "round $round of $ROUNDS"
    watch "not probed" "$round" sleep "$PROBE_S"
    row "not probed" "$round" errors 0
    watch "probed" "$round" "$TOOLS/pace" "$PORT" /progress crowd "$UPLOADS" "$UPLOADS" \
        "$PROBE_S" $PROBE_CONNECTIONS uploading
    fields "probed" "$round" "" "$(cat "$WORK/watch")"
    row "probed" "$round" per_second "$(calc "${FIELD[right]:-0} / $PROBE_S")"
    row "probed" "$round" errors $((FIELD[wrong] + FIELD[missing]))
done
row "probed" "$ROUNDS" errors "$(wc -l < "$WORK/hold.log")"
row "not probed" 1 rss_mb "$(calc "$(resident_kilobytes "$DAEMON_PID") / 1024")"

echo "## Many uploads in flight"
echo
echo "$UPLOADS uploads in flight, each sends 1 KiB a second; clients/pace.c probes each once a"
echo "second for $PROBE_S s, over $PROBE_CONNECTIONS kept connections, nginx with 4 workers. CPU in percent"
echo "of one core. Latencies count from when a probe was due. A failure is an answer other"
echo "than \"uploading\", none, or an upload that was closed."
echo
table "uploads are" "CPU daemon %=daemon" "CPU nginx %=nginx" "probes/s=per_second" \
    "p50 ms=p50_ms" "p99 ms=p99_ms" "daemon MiB=rss_mb" "errors=errors"
