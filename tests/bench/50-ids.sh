#!/usr/bin/env bash
# Whether a probe takes longer where very many uploads are known, and what memory
# they take.
. "$(dirname "$0")/lib.bash"

CONNECTIONS=32
FEW=1000
MANY=${MANY:-1000000}
ALONE=4 # runs of one connection in a round: its p99 is soon another's turn on the core
declare -A PIDS_OF

# probe_ids ROUND SUFFIX CONNECTIONS: both, the second first every other time.
probe_ids() {
    local name

    for name in $(alternate "$1" few many); do
        load "${COUNT_OF[$name]} IDs" "$1" "$2" "$SITE" "${PIDS_OF[$name]}" "$3" \
            "$URL/$name/progress" filled "${COUNT_OF[$name]}"
    done
}

start() {
    bench_ports
    SITE_WORKERS=2
    BENCH_HTTP="$(more_upstream few) $(more_upstream many)"
    SITE_SERVER="$(more_location few) $(more_location many)"
    bench_site
    for name in few many; do
        more_daemon $name "$MORE_PORT" "upload_progress uploads 1g; track_uploads uploads 1h;"
        PIDS_OF[$name]=$STARTED
        IDLE=$(resident_kilobytes "${PIDS_OF[$name]}")
        fill "$MORE_PORT" filled "${COUNT_OF[$name]}" "$URL/$name"
        row "${COUNT_OF[$name]} IDs" 1 idle_mb "$(calc "$IDLE / 1024")"
        row "${COUNT_OF[$name]} IDs" 1 mb "$(calc "$(resident_kilobytes "${PIDS_OF[$name]}") / 1024")"
        row "${COUNT_OF[$name]} IDs" 1 bytes_each \
            "$(calc "($(resident_kilobytes "${PIDS_OF[$name]}") - $IDLE) * 1024 / ${COUNT_OF[$name]}")"
        MORE_PORT=$((MORE_PORT + 1))
    done
}

declare -A COUNT_OF=([few]=$FEW [many]=$MANY)
say "$MANY ends are sent"
start
for ((round = 1; round <= ROUNDS; round++)); do
    say "round $round of $ROUNDS"
    probe_ids "$round" "" $CONNECTIONS
    for ((run = 1; run <= ALONE; run++)); do
        SECONDS_EACH=1 probe_ids $(((round - 1) * ALONE + run)) _alone 1
    done
done

echo "## Many IDs"
echo
echo "Two daemons behind one nginx with 2 workers, filled with ends of uploads; wrk -t1"
echo "-c$CONNECTIONS -d${SECONDS_EACH}s of all IDs in turn, \"alone\" with -c1 -d1s, $((ROUNDS * ALONE)) times. Memory is VmRSS in MiB,"
echo "\"idle\" before the first event; bytes each are the difference to it, by the IDs."
echo
table "known" "requests/s=rps" "of $FEW=rps/$FEW IDs" "p99 ms=p99_ms" "of $FEW=p99_ms/$FEW IDs" \
    "alone p50 ms=p50_ms_alone" "alone p99 ms=p99_ms_alone" "of $FEW=p99_ms_alone/$FEW IDs" \
    "idle MiB=idle_mb" "MiB=mb" "bytes each=bytes_each" "errors=errors"
