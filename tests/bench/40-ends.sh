#!/usr/bin/env bash
# How many ends of uploads are taken in without loss: bursts, and a steady rate.
. "$(dirname "$0")/lib.bash"

BURST=10000
SUSTAIN_S=${SUSTAIN_S:-5}
STEP=10000 # of the rates that are tried
MOST=$((16 * STEP))

# Each trial has an empty store.
fresh() {
    daemon_stop || fail "the daemon has failed"
    daemon_start || fail "the daemon does not start"
    wait_until ready
}

ready() {
    [ "$(curl -s -o "$WORK/answer" -w '%{http_code}' "$URL/progress?X-Progress-ID=nobody")" = 200 ]
}

# send PREFIX COUNT RATE: sets SENT, SECONDS_TAKEN, KNOWN, LOST. What the sender's
# own socket had no room for is lost, too: nginx does not try again.
send() {
    local text

    client "$WORK/flood" "$FLOOD" "udp:$EVENT_PORT" "$2" "$1" "$3"
    read -r _ SENT _ _ _ SECONDS_TAKEN < "$WORK/flood" || fail "flood: $(cat "$WORK/flood")"
    client "$WORK/known" node "$CLIENT/known.mjs" known url="$URL" prefix="$1" count="$2"
    KNOWN=$(cat "$WORK/known")
    LOST=$(($2 - KNOWN))
}

# sustained ROUND: the highest of the rates that is taken whole, by halving. A
# rate that the sender cannot keep up is none.
sustained() {
    local round=$1 low=0 high=$((MOST / STEP + 1)) middle rate

    while ((high - low > 1)); do
        middle=$(((low + high) / 2))
        rate=$((middle * STEP))
        fresh
        send steady $((rate * SUSTAIN_S)) $rate
        say "round $round: $rate/s: $LOST of $((rate * SUSTAIN_S)) lost in $SECONDS_TAKEN s"
        if awk "BEGIN { exit !($SECONDS_TAKEN > $SUSTAIN_S * 1.05) }"; then
            row "steady" "$round" limited_by_sender 1
            high=$middle
        elif [ $LOST -eq 0 ]; then
            low=$middle
        else
            high=$middle
        fi
    done
    row "steady" "$round" rate $((low * STEP))
}

SITE_ZONE_SIZE=1024m
SITE_TTL=10m
bench_site
row "steady" 0 errors 0
for ((round = 1; round <= ROUNDS; round++)); do
    fresh
    send burst $BURST 0
    row "burst of $BURST" "$round" lost $LOST
    row "burst of $BURST" "$round" errors $LOST
    row "burst of $BURST" "$round" rate "$(calc "$BURST / ($SECONDS_TAKEN + 1e-9)")"
done
for ((round = 1; round <= (ROUNDS + 1) / 2; round++)); do
    sustained "$round"
done

echo "## Ends of uploads"
echo
echo "Log lines as nginx sends them, by tests/faults/flood over UDP to an empty store, and"
echo "each ID asked for afterwards. \"steady\" is the highest multiple of $STEP a second, up to"
echo "$MOST, of which none was lost in $SUSTAIN_S s; \"limited by the sender\" is 1 where a"
echo "higher rate was not tried because the sender could not keep it up."
echo
table "lines" "a second=rate" "lost=lost" "limited by the sender=limited_by_sender" "errors=errors"
