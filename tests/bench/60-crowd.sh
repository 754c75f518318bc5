#!/usr/bin/env bash
# What the daemon has to do where very many uploads are in flight at once, and each
# is asked for once a second. Fewer at the same rate: UPLOADS=100 RATE=10000.
. "$(dirname "$0")/lib.bash"

# Each takes a descriptor of the client and two of nginx, where four workers share
# them, but not evenly.
limit=$(($(ulimit -n) - 1000))
UPLOADS=${UPLOADS:-$((limit < 10000 ? limit : 10000))}
PROBE_S=${PROBE_S:-10}
RATE=${RATE:-$UPLOADS}
PROBE_CONNECTIONS=256

in_flight() {
    state_is crowd-$((UPLOADS - 1)) uploading && state_is crowd-0 uploading
}

# percent NANOSECONDS MILLISECONDS: of one core
percent() {
    calc "$1 / 1e4 / $2"
}

# watch CASE ROUND COMMAND...: CPU time while it runs, of $RESPONDER.
watch() {
    local case=$1 round=$2 pids nginx_ns daemon_ns began_ms

    shift 2
    mapfile -t pids < <(workers "$SITE")
    nginx_ns=$(cpu_ns "${pids[@]}")
    daemon_ns=$(cpu_ns "$RESPONDER")
    began_ms=$(date +%s%3N)
    client "$WORK/watch" "$@"
    began_ms=$(($(date +%s%3N) - began_ms))
    row "$case" "$round" daemon "$(percent $(($(cpu_ns "$RESPONDER") - daemon_ns)) $began_ms)"
    row "$case" "$round" nginx "$(percent $(($(cpu_ns "${pids[@]}") - nginx_ns)) $began_ms)"
}

SITE_WORKERS=4
SITE_LOCATION="client_body_timeout 1h;"
BENCH_HTTP=''
SITE_SERVER=''
for name in constant waiting; do
    BENCH_HTTP+="upstream $name { server unix:$WORK/$name.sock; keepalive 16; }
"
    SITE_SERVER+="location = /$name { access_log off; include upload-progress/probe-params.conf;
    fastcgi_pass $name; }
"
done
bench_site
say "$UPLOADS uploads begin"
# Larger than nginx's buffer, so that each has a file; each moves once a second.
hold_uploads "$PORT" "$UPLOADS" crowd 20000 1024 1000
wait_until in_flight || fail "the daemon does not see the uploads"
# The same probes, answered by the least that can.
curl -sS -i "$URL/progress?X-Progress-ID=crowd-0" |
    sed -e '1,/^\r$/{/^HTTP\|^Server:\|^Date:\|^Connection:/d}' > "$WORK/answer"
background "$TOOLS/constant" fastcgi "unix:$WORK/constant.sock" "$WORK/answer"
constant=$STARTED
background "$TOOLS/constant" fastcgi "unix:$WORK/waiting.sock" "$WORK/answer" 2
waiting=$STARTED
wait_until test -S "$WORK/constant.sock"
wait_until test -S "$WORK/waiting.sock"

# pace CASE ROUND URI RESPONDER
pace() {
    RESPONDER=$4 watch "$1" "$2" "$TOOLS/pace" "$PORT" "$3" crowd "$UPLOADS" "$RATE" \
        "$PROBE_S" $PROBE_CONNECTIONS uploading
    fields "$1" "$2" "" "$(cat "$WORK/watch")"
    row "$1" "$2" per_second "$(calc "${FIELD[right]:-0} / $PROBE_S")"
    row "$1" "$2" errors $((FIELD[wrong] + FIELD[missing]))
}

for ((round = 1; round <= ROUNDS; round++)); do
    say "round $round of $ROUNDS"
    RESPONDER=$DAEMON_PID watch "not probed" "$round" sleep "$PROBE_S"
    row "not probed" "$round" errors 0
    pace "constant answer" "$round" /constant "$constant"
    pace "constant answer every 2 ms" "$round" /waiting "$waiting"
    pace "probed" "$round" /progress "$DAEMON_PID"
    reconfigure "gather_delay off;"
    pace "probed without gather_delay" "$round" /progress "$DAEMON_PID"
    reconfigure ""
done
row "probed" "$ROUNDS" errors "$(wc -l < "$WORK/hold.log")"
row "not probed" 1 rss_mb "$(calc "$(resident_kilobytes "$DAEMON_PID") / 1024")"

echo "## Many uploads in flight"
echo
echo "$UPLOADS uploads in flight, each sends 1 KiB a second; clients/pace.c probes them in turn,"
echo "$RATE a second for $PROBE_S s, over $PROBE_CONNECTIONS kept connections, nginx with 4 workers. CPU in percent"
echo "of one core. Latencies count from when a probe was due. A failure is an answer other"
echo "than \"uploading\", none, or an upload that was closed. \"constant answer\": the same"
echo "probes, answered by fastcgi-epoll of the probes' table instead of the daemon: each at"
echo "once, as the daemon does \"without gather_delay\", or those of 2 ms together, as it does"
echo "otherwise (\"every 2 ms\")."
echo
table "uploads are" "CPU of the responder %=daemon" "CPU nginx %=nginx" "probes/s=per_second" \
    "p50 ms=p50_ms" "p99 ms=p99_ms" "daemon MiB=rss_mb" "errors=errors"
