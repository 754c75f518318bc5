#!/usr/bin/env bats
# Three daemons behind one nginx, and two hosts with one each: any probe is
# answered, and what is lost when one of them dies.

load helper
load pieces
bats_require_minimum_version 1.5.0

# three_start [APPLICATION]: three daemons behind the nginx of helper.bash. The
# ports for log lines and the folders are those of the snippets, moved to the test's
# own.
three_start() {
    local i

    site_ports
    site_write
    "${1:-app_start}"
    sed -i -E 's#upload-progress/(http|server|location|location-pieces)\.conf#several-sidecars/\1.conf#' \
        "$SITE/conf/nginx.conf"
    sed -i -e "s|127\.0\.0\.1:4515|127.0.0.1:$((PORT + 8))|" \
        -e "s|127\.0\.0\.1:4516|127.0.0.1:$((PORT + 9))|" \
        "$SITE"/conf/several-sidecars/*.conf
    PIDS=()
    for i in 1 2 3; do
        mkdir "$SITE/run-$i"
        cat > "$SITE/upload-progressd-$i.conf" <<CONF
error_log $SITE/log/upload-progressd-$i.log debug;
pid $SITE/run-$i/upload-progressd.pid;
listen unix:$SITE/run-$i/requests.sock fastcgi scgi;
listen 127.0.0.1:$((i == 1 ? EVENT_PORT : PORT + 6 + i)) syslog;
CONF
        one_start "$i"
    done
    nginx_start
}

# one_start NUMBER: a daemon of the three.
one_start() {
    "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd-$1.conf" \
        2>> "$SITE/log/stderr" 3>&- &
    PIDS[$1]=$!
    wait_until test -s "$SITE/run-$1/upload-progressd.pid"
}

# one_kill NUMBER: without a chance to clean up.
one_kill() {
    kill -9 "${PIDS[$1]}"
    wait "${PIDS[$1]}" || true
    rm "$SITE/run-$1/upload-progressd.pid"
    PIDS[$1]=
}

teardown() {
    local pid status=0

    end_processes "${BACKEND_PID:-}"
    for pid in "${PIDS[@]}"; do
        [ -n "$pid" ] || continue
        kill -CONT "$pid"
        kill "$pid"
        wait "$pid" || status=1
    done
    for pid in "${SLOW[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    site_stop || status=1
    [ -z "${OTHER_SITE:-}" ] || SITE=$OTHER_SITE DAEMON_PID=${OTHER_PID:-} \
        APP_PID='' site_stop || status=1
    return $status
}

# Which daemons took the start of an ID; the lines of their logs.
takers() {
    grep -l "upload $1: start," "$SITE"/log/upload-progressd-?.log |
        sed 's/.*-\(.\)\.log/\1/'
}

# taken_by NUMBER PREFIX: prints the first ID of that prefix that nginx places
# there; found by asking, as nobody else knows how it places them.
taken_by() {
    local id

    for id in "$2"{1..60}; do
        curl -sS -o /dev/null -H 'Expect:' --data-binary "@$(make_file 9000)" \
            "$URL/upload?X-Progress-ID=$id"
        wait_until was_taken "$id"
        if [ "$(takers "$id")" = "$1" ]; then
            echo "$id"
            return
        fi
    done
    echo "no ID for daemon $1" >&2
    return 1
}

was_taken() {
    [ -n "$(takers "$1")" ]
}

# begin ID: an upload of which one half is sent, and the other once it is told
# to end, or never.
begin() {
    local half

    half=$(make_file 500000)
    mkfifo "$SITE/end-$1"
    (
        exec 3>&- 4<> "/dev/tcp/127.0.0.1/${URL##*:}"
        printf 'POST /upload?X-Progress-ID=%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n' "$1" >&4
        printf 'Content-Length: 1000000\r\n\r\n' >&4
        cat "$half" >&4
        # Of the shell's own, so that it ends with it.
        read -r _ < "$SITE/end-$1"
        cat "$half" >&4
        sed '1,/^\r$/d' <&4 > "$SITE/response-$1"
    ) &
    SLOW+=($!)
}

end() {
    echo > "$SITE/end-$1"
}

# moves ID [URL]: it is under way, with bytes.
moves() {
    [[ $(probe "$1" '' "${2:-$URL}") =~ '"uploading", "received" : '[1-9] ]]
}

nothing_but_connects() {
    run -1 grep -E '\[(crit|alert|emerg)\]' "$SITE/log/error.log"
}

@test "three sidecars: an ID belongs to one, probes are answered" {
    three_start
    ids=$(seq -s, -f 'id%g' 1 12)
    run node "$CLIENT/upload.mjs" --url="$URL" --ids="$ids" --bytes=600000 --rate=200000 \
        --lag=unchecked
    echo "$output"
    [ "$status" -eq 0 ]
    for id in ${ids//,/ }; do
        [ "$(takers "$id" | wc -l)" -eq 1 ]
        # All of them know the end.
        [ "$(grep -l "upload $id: end," "$SITE"/log/upload-progressd-?.log | wc -l)" -eq 3 ]
    done
    [ ! -s "$SITE/log/error.log" ]
}

@test "three sidecars: what none of them knows is answered as by one" {
    three_start
    run curl -sS -i "$URL/progress?X-Progress-ID=nobody"
    [[ $output == "HTTP/1.1 200 OK"* ]]
    [[ $output == *'{ "state" : "starting" }'* ]]
    run curl -sS "$URL/progress/jsonp?X-Progress-ID=nobody&callback=f"
    [ "$output" = $'f({ "state" : "starting" });\r' ]
    run curl -sS -w '%{http_code}' "$URL/progress"
    [ "$output" = $'no progress ID\n404' ]
    run curl -sS -w '%{http_code}' "$URL/progress?X-Progress-ID="
    [ "$output" = $'invalid progress ID\n400' ]
    run curl -sS -o /dev/null -w '%{http_code}' -X POST "$URL/progress?X-Progress-ID=a"
    [ "$output" = 405 ]
    [ ! -s "$SITE/log/error.log" ]
}

@test "three sidecars: one is killed in mid-upload" {
    local began lost=() kept i
    three_start
    for i in 1 2 3; do
        id[i]=$(taken_by "$i" "of$i-")
    done
    for i in 1 2 3; do
        begin "${id[i]}"
        wait_until moves "${id[i]}"
    done
    one_kill 2
    # Those of the others are known as before. Of that one's the others know
    # the temporary file, so its bytes but not its size ...
    moves "${id[1]}"
    moves "${id[3]}"
    run probe "${id[2]}"
    echo "$output"
    [[ $output =~ '"uploading", "received" : '[1-9][0-9]*', "size" : -1' ]]
    # ... and a new one is followed by another in all.
    node "$CLIENT/upload.mjs" --url="$URL" --ids="${id[2]}b" --bytes=600000 --rate=400000
    for i in 1 2 3; do
        end "${id[i]}"
        wait "${SLOW[i - 1]}"
        # Among the lines of a chunked body.
        [ "$(grep -c '^1000000' "$SITE/response-${id[i]}")" -eq 1 ]
        began=$(date +%s%3N)
        wait_until received_all "${id[i]}"
        echo "# the end of ${id[i]} was known after $(($(date +%s%3N) - began)) ms" >&3
    done
    nothing_but_connects
}

received_all() {
    state_is "$1" done && [ "$(probe "$1" detail | field received)" = 1000000 ]
}

@test "three sidecars: what began while one was away is found when it is back" {
    three_start
    first=$(taken_by 2 of2-)
    second=$(taken_by 2 also2-)
    one_kill 2
    begin "$first"
    wait_until moves "$first"
    [ "$(takers "$first" | sort -u | wc -l)" -eq 2 ]
    one_start 2
    # Its IDs are its own again, once nginx tries it again ...
    SECONDS_MAX=15 wait_until start_reaches 2 "$second"
    # ... and what it does not know is found at its substitute.
    moves "$first"
}

# start_reaches NUMBER ID: uploads once more; for wait_until, whether that
# daemon has been told the start of one of them since it began anew.
start_reaches() {
    curl -sS -o /dev/null -H 'Expect:' --data-binary "@$(make_file 9000)" \
        "$URL/upload?X-Progress-ID=$2"
    [ "$(grep -c "upload $2: start," "$SITE/log/upload-progressd-$1.log")" -ge 2 ]
}

@test "three sidecars: one hangs" {
    local began took
    three_start
    first=$(taken_by 1 of1-)
    kill -STOP "${PIDS[1]}"
    began=$(date +%s%3N)
    run probe "$first"
    took=$(($(date +%s%3N) - began))
    [[ $output == *'"state" : "done"'* ]]
    echo "# answered by another after $took ms" >&3
    # It is left alone for a while then.
    began=$(date +%s%3N)
    probe "$first"
    echo "# the next probe took $(($(date +%s%3N) - began)) ms" >&3
    node "$CLIENT/upload.mjs" --url="$URL" --ids=other1,other2,other3 --bytes=600000 \
        --rate=400000 --lag=unchecked
    nothing_but_connects
}

# Three daemons, files in pieces; each can be asked by itself at /of/NUMBER. Starts and
# probes are logged, with what their daemon is chosen by.
three_pieces_start() {
    local i

    SITE_SNIPPET=location-pieces.conf
    SITE_LOCATION=$PIECES_PROXY
    SITE_HTTP="log_format placed '\$upload_place \$upstream_addr';"
    SITE_SERVER=
    for i in 1 2 3; do
        SITE_SERVER+="location = /of/$i {
            include upload-progress/probe-params.conf;
            fastcgi_pass unix:$BATS_TEST_TMPDIR/site/run-$i/requests.sock;
        }"
    done
    three_start three_pieces_app
}

three_pieces_app() {
    sed -i -e "s|log_subrequest off;|log_subrequest on; access_log $SITE/log/starts placed;|" \
        -e "s|access_log off;|access_log $SITE/log/probes placed;|" \
        "$SITE"/conf/several-sidecars/{server,probe}.conf
    pieces_backend_start
}

# told_by NUMBER ID FIELD
told_by() {
    curl -sS "$URL/of/$1?X-Progress-ID=$2" | field "$3"
}

# Starts that were told, then all of them and the probes: what each was placed by, and
# which daemon was the first to be asked.
placed() {
    # What is too small to be told of, or has not begun, has no address.
    sed -n 's/ unix:\([^ ,]*\).*/ \1/p' "$SITE/log/starts" "${@/#/$SITE/log/}"
}

# of_one CLIENT SCENARIO IDS: the progress is right, and all of it is one daemon's.
of_one() {
    : > "$SITE/log/starts"
    : > "$SITE/log/probes"
    run_client "$1" "$2" --ids="$3"
    [ "$(placed | wc -l)" -ge 5 ]
    [ "$(placed probes | sort -u | wc -l)" -eq 1 ]
}

@test "three sidecars: the pieces of a file are told to one of them" {
    local ids
    three_pieces_start
    for ids in header query; do
        of_one range plain "$ids"
        of_one range parallel "$ids"
    done
    of_one tus abort header
    of_one draft plain header
    # Without a progress ID, by the session's and by the upload's path.
    of_one session plain none
    of_one tus plain none
    of_one draft-unknown plain none
    nothing_but_connects
}

# placed_alike ID URI [HEADER]: a piece without a progress ID goes where the probe
# does that asks for what it is known by.
placed_alike() {
    local of=$1 uri=$2

    : > "$SITE/log/starts"
    : > "$SITE/log/probes"
    curl -sS -o /dev/null -X PATCH -H 'Expect:' -H 'Content-Type: application/offset+octet-stream' \
        -H 'Tus-Resumable: 1.0.0' -H 'Upload-Offset: 0' -H "${3:-X-None: 1}" \
        --data-binary "@$(make_file 9000)" "$URL$uri"
    curl -sS -o /dev/null "$URL/progress?X-Progress-ID=$of"
    wait_until told_and_asked
    [ "$(placed | wc -l)" -eq 1 ]
    [ "$(placed probes | sort -u | wc -l)" -eq 1 ] || {
        placed probes
        return 1
    }
}

told_and_asked() {
    [ -s "$SITE/log/starts" ] && [ -s "$SITE/log/probes" ]
}

@test "three sidecars: which of them a piece without an ID is told to" {
    three_pieces_start
    placed_alike /upload/abc /upload/abc
    placed_alike %2Fupload%2Fabc /upload/abc
    placed_alike %2fupload%2fabc%2f /upload/abc/
    placed_alike %2Fupload%2Fx%2Babc '/upload/x+abc?sent=1'
    placed_alike %2Fupload%2Fx%2520abc /upload/x%20abc
    placed_alike '/upload/pond?patch=abc' '/upload/pond?patch=abc'
    placed_alike %2Fupload%2Fpond%3Fpatch%3Dabc '/upload/pond?more=1&patch=abc'
    placed_alike 12345-a_bin '/upload?flowChunkNumber=1&flowIdentifier=12345-a_bin'
    placed_alike 12345-a_bin '/upload?resumableIdentifier=12345-a_bin&resumableChunkNumber=1'
    placed_alike abc '/upload?dzuuid=abc'
    placed_alike abc '/upload?qquuid=abc'
    placed_alike s-1 /upload/abc 'Session-ID: s-1'
    placed_alike s-1 /upload/abc 'X-Session-ID: s-1'
    # With a progress ID all else is of no matter.
    placed_alike mine /upload/abc 'X-Progress-ID: mine'
    placed_alike a%20b '/upload/abc?X-Progress-ID=a%20b' 'Session-ID: s-1'
    # But an ID is placed as it was sent.
    run ! placed_alike a%20b /upload/abc 'X-Progress-ID: a b'
}

# piece ID FIRST LAST TOTAL [RATE]: of a file of nothing but zeros.
piece() {
    curl -sS --fail -o /dev/null -T "$(make_file $(($3 - $2 + 1)))" --limit-rate "${5:-100M}" \
        -H "Content-Range: bytes $2-$3/$4" "$URL/upload/range?file=$1&X-Progress-ID=$1"
}

has_moved() {
    [ "$(told_by "$1" "$2" received)" -gt "$3" ]
}

@test "three sidecars: the one that has a file in pieces is killed" {
    local i holder=
    three_pieces_start
    piece file 0 299999 1200000
    piece file 600000 899999 1200000
    # Each has been told of what has come.
    for i in 1 2 3; do
        wait_until has_moved "$i" file 599999
    done
    piece file 300000 599999 1200000 100k 3>&- &
    SLOW+=($!)
    wait_until moves_beyond file 600000
    for i in 1 2 3; do
        [ "$(told_by "$i" file received)" -eq 600000 ] || holder+=$i
    done
    [ ${#holder} -eq 1 ]
    one_kill "$holder"
    # Another one goes on from there: it knows the pieces, but not the one under way.
    [ "$(probe file detail | field received)" -eq 600000 ]
    wait "${SLOW[0]}"
    wait_until moves_beyond file 899999
    piece file 900000 1199999 1200000 200k 3>&- &
    SLOW[0]=$!
    wait_until moves_beyond file 900000
    wait "${SLOW[0]}"
    wait_until state_is file done
    [ "$(probe file detail | field received)" -eq 1200000 ]
    nothing_but_connects
}

moves_beyond() {
    [ "$(probe "$1" detail | field received)" -gt "$2" ]
}

@test "two hosts: a probe finds an upload that came to the other" {
    local a b
    hosts_start
    # To A, asked at B, and the other way round; every answer is checked.
    node "$CLIENT/upload.mjs" --url="$A" --probe-url="$B" --ids=one --bytes=2000000 \
        --rate=600000 --expect-state=done
    node "$CLIENT/upload.mjs" --url="$B" --probe-url="$A" --ids=two --bytes=2000000 \
        --rate=600000 --expect-state=done
    [ "$(probe nobody '' "$A")" = $'{ "state" : "starting" }\r' ]
    # Without its own daemon a host passes probes on.
    URL=$A begin three
    wait_until moves three "$B"
    kill -9 "$DAEMON_PID"
    wait "$DAEMON_PID" || true
    DAEMON_PID=
    moves three "$B"
    nothing_but_connects
}

# Two complete hosts on loopback, A and B; B is the other.
hosts_start() {
    local ports=()

    site_ports
    A=$URL
    DAEMON_CONF="listen 127.0.0.1:$((PORT + 7)) fastcgi;"
    site_write
    app_start
    host_conf $((PORT + 13)) "$DEAD_PORT"
    daemon_start
    nginx_start
    OTHER_SITE=$SITE
    OTHER_PID=$DAEMON_PID

    PORT=$((PORT + 10)) TLS_PORT=$((PORT + 11)) EVENT_PORT=$((EVENT_PORT + 10))
    URL=http://127.0.0.1:$PORT
    B=$URL
    DAEMON_CONF="listen 127.0.0.1:$((PORT + 3)) fastcgi;"
    SITE_FOLDER=$BATS_TEST_TMPDIR/b
    site_write
    host_conf $((PORT - 3)) "$DEAD_PORT"
    daemon_start
    nginx_start
    # "The other" is the first of them.
    URL=$A
}

# host_conf PORT PORT: with the FastCGI listeners of two other hosts.
host_conf() {
    sed -i -e 's|upload-progress/http\.conf|several-sidecars/hosts.conf|' \
        -e 's|upload-progress/server\.conf|several-sidecars/server.conf|' \
        "$SITE/conf/nginx.conf"
    sed -i -e "s|192\.0\.2\.11:4513|127.0.0.1:$1|" -e "s|192\.0\.2\.12:4513|127.0.0.1:$2|" \
        "$SITE/conf/several-sidecars/hosts.conf"
}
