# Shared by the topics: sites as the tests have them, load by wrk, CPU time, rows
# of figures and the tables made of them. A topic prints Markdown on standard
# output, and what it is at on standard error.
#
#   ROUNDS   how often each case is measured, in alternating order (5)
#   SECONDS_EACH  how long each time (2)
#   BUILD    folder of the build to measure
set -uo pipefail

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOPIC=$(basename "$0" .sh)
TOPIC=${TOPIC#*-}
ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-2}

# In memory where there is room: nobody's disk is to be measured.
work_parent=${TMPDIR:-/tmp}
if [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null; then
    work_parent=/dev/shm
fi
WORK=$(mktemp -d "$work_parent/upload-progressd-bench.XXXXXX")
ROWS=$BENCH/results/$TOPIC.csv

# What the helper of the tests asks of bats.
BATS_TEST_DIRNAME=$BENCH/..
BATS_TEST_TMPDIR=$WORK
BATS_RUN_TMPDIR=$WORK
BATS_TEST_COMPLETED=1
# shellcheck source=tests/helper.bash
. "$BENCH/../helper.bash"

TOOLS=$ROOT/$BUILD/tests/bench
FLOOD=$ROOT/$BUILD/tests/faults/flood
SECONDS_MAX=${SECONDS_MAX:-60}
SITE_LOG_LEVEL=notice
PIDS=()      # of what background() has started
NGINX_DIRS=() # of the nginx beside the site's

mkdir -p "$BENCH/results"
echo "case,round,metric,value" > "$ROWS"
# Root may have more than its limit.
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

say() {
    echo "$TOPIC: $*" >&2
}

fail() {
    say "$*"
    tail -n 20 "$WORK"/*/log/*.log "$WORK"/*.log >&2 2>/dev/null
    exit 1
}

# background COMMAND...: its PID in $STARTED; it ends with the topic.
background() {
    "$@" &
    STARTED=$!
    PIDS+=("$STARTED")
}

end() {
    local pid

    for pid in "$@"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
}

# In the background, for a signal to be served at once: client FILE COMMAND...
client() {
    local output=$1

    shift
    background "$@" > "$output"
    wait "$STARTED"
}

# All that a site and its peers have running, but for the topic itself.
stop_all() {
    local folder

    end "${PIDS[@]}"
    PIDS=()
    for folder in "${NGINX_DIRS[@]}"; do
        SITE=$folder nginx_stop
    done
    NGINX_DIRS=()
    [ -z "${DAEMON_PID:-}" ] || kill -CONT "$DAEMON_PID" 2>/dev/null # it may be stopped
    site_stop > "$WORK/stop.log" 2>&1 || say "not all was stopped: $(tail -n 3 "$WORK/stop.log")"
    [ -z "${SITE:-}" ] || rm -rf "$SITE"
    SITE=
    APP_PID=
}

leave() {
    trap '' INT TERM
    stop_all
    rm -rf "$WORK"
}
trap leave EXIT
trap 'exit 130' INT TERM

# other_nginx NAME PORT: starts $WORK/NAME/conf/nginx.conf, a folder made by
# nginx_folder, beside the site's.
nginx_folder() {
    mkdir -p "$WORK/$1/conf" "$WORK/$1/log" "$WORK/$1/temp"
}

other_nginx() {
    NGINX_DIRS+=("$WORK/$1")
    SITE=$WORK/$1 PORT=$2 nginx_start || fail "nginx of $1 does not start"
}

# What each nginx.conf beside the site's begins with: nginx_head NAME WORKERS
nginx_head() {
    local folder=$WORK/$1

    cat <<CONF
worker_processes $2;
$([ "$(id -u)" -ne 0 ] || echo "user root;")
pid $folder/nginx.pid;
error_log $folder/log/error.log;
worker_rlimit_nofile $(ulimit -n);
events { worker_connections 16384; }
CONF
}

http_head() {
    local module

    echo "access_log $WORK/$1/log/access.log;"
    echo "keepalive_requests 100000000;"
    for module in client_body proxy fastcgi scgi uwsgi; do
        echo "${module}_temp_path $WORK/$1/temp/$module;"
    done
}

# Ports beyond those of the helper.
bench_ports() {
    site_ports
    SINK_PORT=$APP_PORT
    MODULE_PORT=$((PORT + 8))
    PLAIN_PORT=$((PORT + 9)) # a server without the snippets
    PLAIN_TLS_PORT=$((PORT + 10))
    MORE_PORT=$((PORT + 11)) # the first of five for the events of further daemons
}

# The site of the helper, but without its application of Node: what answers the
# uploads is the sink, if it was started.
bench_site() {
    bench_ports
    SITE_MAIN="worker_rlimit_nofile $(ulimit -n);"
    SITE_CONNECTIONS=16384
    SITE_HTTP="keepalive_requests 100000000; ${BENCH_HTTP:-}"
    site_write
    daemon_start || fail "the daemon does not start"
    nginx_start || fail "nginx does not start"
}

# The sink as a group with kept connections, and a location of uploads to it:
# sink_upstream; sink_location URI [FIRST_DIRECTIVES [LAST_DIRECTIVES]]
sink_upstream() {
    echo "upstream sink { server 127.0.0.1:$SINK_PORT; keepalive 64; }"
}

sink_location() {
    echo "location $1 {
        ${2:-}
        client_max_body_size 1g;
        proxy_http_version 1.1;
        proxy_set_header Connection '';
        proxy_pass http://sink;
        ${3:-}
    }"
}

# A further daemon: more_daemon NAME EVENT_PORT [DIRECTIVES], its PID in $STARTED.
# Probes reach it at /NAME/progress, see more_location.
more_daemon() {
    local folder=$WORK/$1

    mkdir -p "$folder/log"
    cat > "$folder/upload-progressd.conf" <<CONF
error_log $folder/log/upload-progressd.log notice;
pid $folder/pid;
listen unix:$folder/fastcgi.sock fastcgi;
listen unix:$folder/scgi.sock scgi;
listen 127.0.0.1:$2 syslog;
location = /$1/progress { report_uploads uploads; upload_progress_json_output; }
location = /$1/progress/detail { report_uploads uploads; upload_progress_detail_output; }
${3:-}
CONF
    background "$ROOT/$BUILD/upload-progressd" -c "$folder/upload-progressd.conf" \
        2> "$folder/log/stderr"
    wait_until test -s "$folder/pid" || fail "the daemon $1 does not start"
}

# For BENCH_HTTP and SITE_SERVER, as the snippets have it.
more_upstream() {
    echo "upstream daemon_$1 { server unix:$WORK/$1/fastcgi.sock; keepalive 16; }"
}

more_location() {
    echo "location ^~ /$1/progress {
        if (!-f $WORK/$1/pid) { return 503; }
        access_log off;
        include upload-progress/probe-params.conf;
        fastcgi_pass daemon_$1;
    }"
}

# fill EVENT_PORT PREFIX COUNT URL: ends of uploads; of every tenth it is made sure
# that it is known, by URL/progress/detail.
fill() {
    local known

    client "$WORK/flood" "$FLOOD" "udp:$1" "$3" "$2" "${FILL_RATE:-25000}"
    client "$WORK/known" node "$CLIENT/known.mjs" known url="$4" prefix="$2" \
        count="$3" step=10
    known=$(cat "$WORK/known")
    [ "${known:-0}" -eq $((($3 + 9) / 10)) ] ||
        fail "of every tenth of $3 uploads $known are known; FILL_RATE=${FILL_RATE:-25000} is too much"
}

sink_start() {
    background "$TOOLS/constant" http "$SINK_PORT"
    wait_until is_listening "$SINK_PORT" || fail "the sink does not listen"
}

reloads() {
    grep -c 'configuration reloaded' "$SITE/log/upload-progressd.log"
}

reloaded_since() {
    [ "$(reloads)" -gt "$1" ]
}

# The configuration of the site with further directives, by a reload.
reconfigure() {
    local before

    [ -f "$WORK/base.conf" ] || cp "$SITE/upload-progressd.conf" "$WORK/base.conf"
    before=$(reloads)
    {
        cat "$WORK/base.conf"
        echo "$1"
    } > "$SITE/upload-progressd.conf"
    kill -HUP "$DAEMON_PID"
    wait_until reloaded_since "$before" || fail "the daemon does not take: $1"
}

# hold_uploads PORT COUNT PREFIX [BYTES STEP INTERVAL]: uploads that are in
# flight until the topic ends; what is wrong with them is in $WORK/hold.log.
hold_uploads() {
    local said=$WORK/holding-$3

    background "$TOOLS/hold" "$1" "$2" "$3" "${4:-1100000}" "${5:-16384}" "${6:-500}" \
        > "$said" 2>> "$WORK/hold.log"
    wait_until grep -q holding "$said" || fail "the uploads of $3 do not start"
}

workers() {
    pgrep -P "$(cat "$1/nginx.pid")"
}

# CPU time of all threads, in nanoseconds.
cpu_ns() {
    local pid

    for pid in "$@"; do
        cat /proc/"$pid"/task/*/schedstat
    done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

resident_kilobytes() {
    awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"
}

# row CASE ROUND METRIC VALUE
row() {
    echo "$1,$2,$3,$4" >> "$ROWS"
}

calc() {
    awk "BEGIN { printf \"%.4f\", $1 }"
}

# fields CASE ROUND SUFFIX "NAME=VALUE ...": a row of each; sets FIELD[NAME].
declare -A FIELD
fields() {
    local pair

    FIELD=()
    for pair in $4; do
        FIELD[${pair%%=*}]=${pair#*=}
        row "$1" "$2" "${pair%%=*}$3" "${pair#*=}"
    done
}

# load CASE ROUND SUFFIX NGINX_FOLDER RESPONDER_PID CONNECTIONS URL WRK_LUA_ARGUMENT...
# One run of wrk and what it cost. RESPONDER_PID may be "".
load() {
    local case=$1 round=$2 suffix=$3 folder=$4 responder=$5 connections=$6 url=$7
    local pids nginx_ns responder_ns=0 line

    shift 7
    mapfile -t pids < <(workers "$folder")
    nginx_ns=$(cpu_ns "${pids[@]}")
    [ -z "$responder" ] || responder_ns=$(cpu_ns "$responder")
    client "$WORK/wrk" wrk -t1 -c"$connections" -d"${SECONDS_EACH}s" --latency --timeout 10s \
        -s "$BENCH/clients/wrk.lua" "$url" -- "$@"
    line=$(sed -n 's/^BENCH //p' "$WORK/wrk")
    [ -n "$line" ] || fail "wrk has no figures of $case: $(tail -n 3 "$WORK/wrk")"
    fields "$case" "$round" "$suffix" "$line"
    nginx_ns=$(($(cpu_ns "${pids[@]}") - nginx_ns))
    row "$case" "$round" "nginx_cpu$suffix" "$(calc "$nginx_ns / 1e4 / (${FIELD[requests]} + 1e-9)")"
    if [ -n "$responder" ]; then
        responder_ns=$(($(cpu_ns "$responder") - responder_ns))
        row "$case" "$round" "cpu$suffix" "$(calc "$responder_ns / 1e4 / (${FIELD[requests]} + 1e-9)")"
    fi
    row "$case" "$round" errors $((FIELD[socket_errors] + FIELD[timeouts] + FIELD[status_errors]))
}

# alternate ROUND CASE...: the cases, every other round from the last to the first.
alternate() {
    local round=$1

    shift
    if ((round % 2)); then
        printf '%s\n' "$@"
    else
        printf '%s\n' "$@" | tac
    fi
}

# table HEADING COLUMN...: of the rows so far, see clients/table.mjs.
table() {
    node "$BENCH/clients/table.mjs" "$ROWS" "$@"
    echo
}
