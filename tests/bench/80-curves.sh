#!/usr/bin/env bash
# How probes fare as something grows: threads, known uploads, zones, locations with
# uploads, idle connections. Writes results/curve-NAME.svg, too.
. "$(dirname "$0")/lib.bash"

CONNECTIONS=32
UPLOADS=2000 # see UNSHARED in 10-probes.sh
CURVE_ROUNDS=$(((ROUNDS + 1) / 2))
THREADS_ROUNDS=$((2 * ROUNDS)) # a few percent are what this one is about
CURVES=(threads zones locations idle uploads)
THREADS=(1 2 4 8)
ZONES=(1 4 16 64)
LOCATIONS=(1 10 100 1000)
IDLE=(0 10 100 1000)
read -ra COUNTS <<< "${COUNTS_LIST:-1000 10000 100000 1000000}"
declare -A PID_OF

# point NAME X ROUND: of uploads in flight.
point() {
    state_is held-$((UPLOADS - 1)) uploading || row "$1=$2" "$3" errors 1
    load "$1=$2" "$3" "" "$SITE" "$DAEMON_PID" $CONNECTIONS "$URL/progress" held $UPLOADS
}

# Beside the locations that there are without any.
default_locations() {
    echo "location = /progress { report_uploads uploads; upload_progress_json_output; }"
}

threads() {
    reconfigure "worker_threads $1;"
    point threads "$1" "$2"
}

zones() {
    local i text=

    for ((i = 1; i < $1; i++)); do
        text+="upload_progress zone$i 64k; "
    done
    reconfigure "$text"
    point zones "$1" "$2"
}

# One of them is where the held uploads are.
locations() {
    local i text=

    for ((i = 1; i < $1; i++)); do
        text+="location /elsewhere$i { track_uploads uploads 60s; } "
    done
    reconfigure "$(default_locations) location /upload { track_uploads uploads 60s; } $text"
    point locations "$1" "$2"
}

idle() {
    local idle_pid said=$WORK/idle

    : > "$said"
    background node "$BENCH/clients/idle.mjs" "$SITE/run/fastcgi.sock" "$1" > "$said"
    idle_pid=$STARTED
    wait_until grep -q holding "$said" || fail "the idle connections do not open"
    point idle "$1" "$2"
    if [ "$1" -gt 0 ] && ! kill -0 "$idle_pid" 2>/dev/null; then
        row "idle=$1" "$2" errors "$1"
    fi
    end "$idle_pid"
}

# These have ended: a daemon of its own for each number.
uploads() {
    load "uploads=$1" "$2" "" "$SITE" "${PID_OF[$1]}" $CONNECTIONS "$URL/known$1/progress" \
        filled "$1"
}

start() {
    local count

    bench_ports
    SITE_WORKERS=2
    SITE_LOCATION="client_body_timeout 1h;"
    for count in "${COUNTS[@]}"; do
        BENCH_HTTP+=" $(more_upstream "known$count")"
        SITE_SERVER+=" $(more_location "known$count")"
    done
    bench_site
    for count in "${COUNTS[@]}"; do
        say "$count ends are sent"
        more_daemon "known$count" "$MORE_PORT" \
            "upload_progress uploads 1g; track_uploads uploads 1h;"
        PID_OF[$count]=$STARTED
        fill "$MORE_PORT" filled "$count" "$URL/known$count"
        MORE_PORT=$((MORE_PORT + 1))
    done
    hold_uploads "$PORT" $UPLOADS held 20000 1024 1000
    SECONDS_MAX=10 wait_until state_is held-$((UPLOADS - 1)) uploading ||
        fail "the daemon does not see the uploads"
}

values_of() {
    case $1 in
    threads) echo "${THREADS[@]}" ;;
    zones) echo "${ZONES[@]}" ;;
    locations) echo "${LOCATIONS[@]}" ;;
    idle) echo "${IDLE[@]}" ;;
    uploads) echo "${COUNTS[@]}" ;;
    esac
}

rounds_of() {
    [[ $1 = threads ]] && echo "$THREADS_ROUNDS" || echo "$CURVE_ROUNDS"
}

plot() {
    local data=$WORK/$1.data

    node "$BENCH/clients/curve.mjs" "$ROWS" "$1" > "$data"
    gnuplot <<GNUPLOT || fail "gnuplot has failed"
set terminal svg size 640,400 background "white"
set output "$BENCH/results/curve-$1.svg"
set title "$2"
set key bottom left
set yrange [0:*]
set y2range [0:*]
set ytics nomirror
set y2tics
set ylabel "probes a second"
set y2label "p99, ms"
set xrange [-0.5:$(wc -l < "$data")-0.5]
plot "$data" using 0:2:3:4:xticlabels(1) with yerrorlines title "probes a second, lowest to highest", \
     "" using 0:5 axes x1y2 with linespoints title "p99"
GNUPLOT
}

start
for name in "${CURVES[@]}"; do
    for value in $(values_of "$name"); do
        row "$name=$value" 0 errors 0
    done
    rounds=$(rounds_of "$name")
    for ((round = 1; round <= rounds; round++)); do
        say "$name, round $round of $rounds"
        # shellcheck disable=SC2046 # a list of numbers
        for value in $(alternate "$round" $(values_of "$name")); do
            "$name" "$value" "$round"
        done
    done
    [[ $name = uploads ]] || reconfigure ""
done
[ ! -s "$WORK/hold.log" ] || fail "an upload has ended: $(head -n 3 "$WORK/hold.log")"

echo "## Curves"
echo
echo "wrk -t1 -c$CONNECTIONS -d${SECONDS_EACH}s, nginx with 2 workers, $UPLOADS uploads in flight, but for"
echo "\"uploads\", which have ended; $THREADS_ROUNDS rounds of threads, $CURVE_ROUNDS of the others. CPU in seconds for"
echo "100,000 probes. Two threads for each processor are started at most."
for name in "${CURVES[@]}"; do
    case $name in
    threads) title="worker_threads" ;;
    zones) title="zones" ;;
    locations) title="locations with track_uploads" ;;
    idle) title="idle FastCGI connections beside" ;;
    uploads) title="known uploads" ;;
    esac
    plot "$name" "$title"
    first=$(values_of "$name")
    echo
    table "$title=^$name=" "probes/s=rps" "of the first=rps/$name=${first%% *}" "p50 ms=p50_ms" \
        "p99 ms=p99_ms" "CPU nginx=nginx_cpu" "CPU daemon=cpu" "errors=errors"
    echo "![$title](curve-$name.svg)"
done
