#!/usr/bin/env bash
# What one live byte count costs.
. "$(dirname "$0")/lib.bash"

limit=$(($(ulimit -n) - 1000))
COUNT=${COUNT:-$((limit < 10000 ? limit : 10000))}

declare -A NAMES=(
    [sock_diag]="socket: sock_diag"
    [socket_gauge]="socket: gauge"
    [socket_gauge_together]="socket: gauge (16 together)"
    [fstat]="spool: fstat"
    [spool_gauge_named]="spool: gauge (file known by its name)"
    [spool_gauge_marked]="spool: gauge (file marked)"
    [spool_gauge_held]="spool: gauge (file held)"
    [spool_gauge_look]="spool: look whether it is still open (file held)"
    [spool_gauge_find]="spool: gauge the first time"
)

mkdir "$WORK/files"
for ((round = 1; round <= ROUNDS; round++)); do
    say "round $round of $ROUNDS"
    client "$WORK/gauges" "$TOOLS/gauges" "$COUNT" "$WORK/files" ||
        fail "gauges: $(cat "$WORK/gauges")"
    wrong=$(sed -n 's/.*wrong=\([0-9]*\).*/\1/p' "$WORK/gauges")
    for name in sock_diag socket_gauge socket_gauge_together fstat spool_gauge_held spool_gauge_look \
        spool_gauge_marked spool_gauge_named spool_gauge_find; do
        us=$(sed -n "s/^\(.* \)\?$name=\([0-9.]*\) .*/\2/p" "$WORK/gauges")
        row "${NAMES[$name]}" "$round" us "$us"
        row "${NAMES[$name]}" "$round" errors "$wrong"
    done
done

echo "## Live byte counts"
echo
echo "One measurement with $COUNT connections and as many temporary files open, by the"
echo "daemon's gauges and by the least that can do; in microseconds. 16 together is how"
echo "probes are answered that come within gather_delay. The daemon holds a file"
echo "open as long as it has descriptors to spare, see worker_connections, and marks the"
echo "others at its first look; where a file system does not tell when a file was made,"
echo "their names tell them. A probe asks for the size of a held file alone, whether it is"
echo "still open is what the timer looks at now and then. The first time the file is looked for among all $COUNT"
echo "descriptors of its process."
echo
table "measured by" "us=us" "of sock_diag=us/socket: sock_diag" "of fstat=us/spool: fstat" \
    "errors=errors"
