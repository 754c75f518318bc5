#!/usr/bin/env bats
# FastCGI and SCGI, over Unix-domain sockets and TCP: the same answers whatever
# the way, bodies counted by either protocol, and forms of FastCGI that nginx
# does not use. client/transports.mjs is the direct client.

# shellcheck disable=SC2034 # helper.bash reads what the tests set

load helper

# Each way to the daemon is the prefix of a URI; "" is the shipped snippet.
WAYS=("" /fastcgi-unix /fastcgi-tcp /scgi-unix /scgi-tcp)
OUTPUTS=("" jsonp java xml detail)

# way PROTOCOL NAME ADDRESS: a location that passes what server.conf does.
way() {
    local param

    echo "location ~ ^/$2(?<upload_progress_probe>/progress.*)\$ {"
    echo "    access_log off;"
    echo "    $1_pass $3;"
    # nginx declares the body's length to SCGI even where it holds it back.
    [ "$1" = scgi ] || echo "    fastcgi_pass_request_body off;"
    echo "    $1_pass_request_headers off;"
    for param in "REQUEST_METHOD \$request_method" \
        "DOCUMENT_URI \$upload_progress_probe" "QUERY_STRING \$query_string" \
        "HTTP_X_PROGRESS_ID \$http_x_progress_id"; do
        echo "    $1_param $param;"
    done
    [ "$1" = fastcgi ] || echo "    scgi_param SCGI 1;"
    echo "}"
}

# All four listeners in one daemon, each with a location of its own.
four_ways() {
    local run=$BATS_TEST_TMPDIR/site/run

    site_ports
    DAEMON_CONF="listen 127.0.0.1:$FASTCGI_PORT fastcgi;
        listen 127.0.0.1:$SCGI_PORT scgi;
        ${DAEMON_CONF:-}"
    SITE_SERVER="$(way fastcgi fastcgi-unix "unix:$run/fastcgi.sock")
        $(way fastcgi fastcgi-tcp "127.0.0.1:$FASTCGI_PORT")
        $(way scgi scgi-unix "unix:$run/scgi.sock")
        $(way scgi scgi-tcp "127.0.0.1:$SCGI_PORT")"
    site_start
}

# ask WAY URI [CURL OPTION...]: status line, headers but Date, and body.
ask() {
    curl -sS -i "$URL$1$2" "${@:3}" | grep -av '^Date: '
}

# same_answers STATUS URI [CURL OPTION...]: asks by every way and compares.
# The answer is left in the file $ANSWER.
same_answers() {
    local status=$1 way

    shift
    ANSWER=$BATS_TEST_TMPDIR/answer
    ask "" "$@" > "$ANSWER"
    head -n 1 "$ANSWER" | grep -q "^HTTP/1.1 $status " || {
        echo "$*: expected status $status" >&2
        cat "$ANSWER" >&2
        return 1
    }
    for way in "${WAYS[@]:1}"; do
        ask "$way" "$@" > "$ANSWER.other"
        cmp "$ANSWER" "$ANSWER.other" || {
            echo "$*: $way differs" >&2
            diff "$ANSWER" "$ANSWER.other" >&2
            return 1
        }
    done
}

# One upload that succeeded, one that failed.
finished_uploads() {
    curl -sS -o "$BATS_TEST_TMPDIR/out" --data-binary "@$(make_file 100000)" \
        "$URL/upload?X-Progress-ID=finished"
    curl -sS -o "$BATS_TEST_TMPDIR/out" --data-binary "@$(make_file 100000)" \
        "$URL/upload?X-Progress-ID=failed&status=503"
    wait_until state_is finished "done"
    wait_until state_is failed error
}

# repeat CHARACTER COUNT
repeat() {
    printf "%$2s" "" | tr ' ' "$1"
}

# in_background COMMAND...: its PID in $BACKGROUND_PID.
in_background() {
    "$@" > "$BATS_TEST_TMPDIR/background" 2>&1 3>&- &
    BACKGROUND_PID=$!
}

phase_is() {
    [ "$(probe "$1" detail | field phase)" = "$2" ]
}

received_is() {
    [ "$(probe "$1" detail | field received)" = "$2" ]
}

# direct COMMAND unix|tcp ID [NAME=VALUE]: the client of client/transports.mjs.
direct() {
    local fastcgi=unix:$SITE/run/fastcgi.sock scgi=unix:$SITE/run/scgi.sock

    if [ "$2" = tcp ]; then
        fastcgi=127.0.0.1:$FASTCGI_PORT
        scgi=127.0.0.1:$SCGI_PORT
    fi
    node "$CLIENT/transports.mjs" "$1" address="$fastcgi" scgi="$scgi" id="$3" \
        "${@:4}"
}

# All listeners, and a finished upload.
direct_start() {
    four_ways
    finished_uploads
}

@test "four listeners in one daemon: the same answers, by every output" {
    local id output

    four_ways
    finished_uploads
    for id in finished failed unknown; do
        for output in "${OUTPUTS[@]}"; do
            same_answers 200 "/progress/$output?X-Progress-ID=$id&callback=a.b"
        done
        same_answers 200 /progress -H "X-Progress-ID: $id"
    done
    same_answers 200 "/progress?X-Progress-ID=finished"
    [ "$(tail -n 1 "$ANSWER")" = $'{ "state" : "done" }\r' ]
    same_answers 200 "/progress/xml?X-Progress-ID=failed"
    [ "$(tail -n 1 "$ANSWER")" = \
        $'<upload><state>error</state><code>503</code></upload>\r' ]
}

@test "four listeners: detailed answers do not change while nothing happens" {
    local i

    four_ways
    finished_uploads
    for ((i = 0; i < 40; i++)); do
        same_answers 200 "/progress/detail?X-Progress-ID=finished"
        cp "$ANSWER" "$BATS_TEST_TMPDIR/first-$((i > 0))"
        cmp "$BATS_TEST_TMPDIR/first-0" "$ANSWER"
    done
}

@test "four listeners: HEAD" {
    local output length

    four_ways
    finished_uploads
    for output in "${OUTPUTS[@]}"; do
        same_answers 200 "/progress/$output?X-Progress-ID=finished" -I
        # The headers of GET, and nothing else.
        ask "" "/progress/$output?X-Progress-ID=finished" > "$ANSWER.get"
        length=$(sed -n $'s/^Content-Length: \\([0-9]*\\)\r$/\\1/p' "$ANSWER")
        [ "$length" -gt 10 ]
        cmp "$ANSWER" <(head -c "-$length" "$ANSWER.get")
    done
}

@test "four listeners: other methods are not allowed" {
    local method

    four_ways
    finished_uploads
    for method in POST PUT DELETE; do
        same_answers 405 "/progress?X-Progress-ID=finished" -X "$method" \
            --data-binary "@$(make_file 100)"
        grep -q $'^Allow: GET, HEAD\r$' "$ANSWER"
    done
    same_answers 200 "/progress?X-Progress-ID=finished"
}

@test "four listeners: no ID, invalid IDs, invalid callbacks" {
    local longest id callback

    four_ways
    longest=$(repeat x 255)
    same_answers 404 /progress
    same_answers 404 "/progress?X-Progress-IDs=a"
    same_answers 404 "/progress/detail?callback=a"
    for id in "${longest}x" %c3%a4 ä %0a a%0ab a%7f ""; do
        same_answers 400 "/progress?X-Progress-ID=$id"
    done
    for id in "${longest}x" ä a$'\t'b; do
        same_answers 400 /progress -H "X-Progress-ID: $id"
    done
    for callback in "alert(1)" "a;b" "a%20b" "%c3%a4" "$(repeat c 129)"; do
        same_answers 400 "/progress/jsonp?X-Progress-ID=a&callback=$callback"
    done
    # The longest that are allowed.
    same_answers 200 "/progress/detail?X-Progress-ID=$longest"
    [ "$(tail -n 1 "$ANSWER" | field id)" = "$longest" ]
    same_answers 200 /progress/detail -H "X-Progress-ID: $longest"
    same_answers 200 \
        "/progress/jsonp?X-Progress-ID=a&callback=$(repeat c 128)"
}

@test "four listeners: IDs and callbacks that cannot even be decoded" {
    local id

    four_ways
    for id in %00 a%00b "$(repeat x 1021)" "$(repeat x 2000)"; do
        same_answers 400 "/progress?X-Progress-ID=$id"
    done
    same_answers 400 "/progress/jsonp?X-Progress-ID=a&callback=a%00b"
    same_answers 400 \
        "/progress/jsonp?X-Progress-ID=a&callback=$(repeat c 2000)"
}

@test "four listeners: an upload that is in flight" {
    local connection output way
    local stable='.(id|zone|state|phase|received|size|percent|protocol|gauge). *:[^,}]*'

    four_ways
    # A part of the body, then nothing: the counts stand still.
    exec {connection}<>"/dev/tcp/127.0.0.1/$PORT"
    printf 'POST /upload HTTP/1.1\r\nHost: a\r\n%s\r\n%s\r\n\r\n' \
        'X-Progress-ID: flying' 'Content-Length: 1000000' >&"$connection"
    head -c 300000 /dev/zero >&"$connection"
    wait_until received_is flying 300000
    for output in "" jsonp java xml; do
        same_answers 200 "/progress/$output?X-Progress-ID=flying"
        grep -q 'uploading.*300000\|1000000.*300000' "$ANSWER"
        same_answers 200 "/progress/$output?X-Progress-ID=flying" -I
    done
    for way in "${WAYS[@]}"; do
        ask "$way" "/progress/detail?X-Progress-ID=flying" |
            grep -oE "$stable" > "$BATS_TEST_TMPDIR/detail$(basename "$way")"
        cmp "$BATS_TEST_TMPDIR/detail" \
            "$BATS_TEST_TMPDIR/detail$(basename "$way")"
    done
    [ "$(wc -l < "$BATS_TEST_TMPDIR/detail")" -eq 9 ]
    # It comes to its end by all ways, too.
    head -c 700000 /dev/zero >&"$connection"
    wait_until state_is flying "done"
    exec {connection}>&-
    for output in "" jsonp java xml; do
        same_answers 200 "/progress/$output?X-Progress-ID=flying"
        grep -q "done" "$ANSWER"
    done
}

@test "a mirrored body: counted, processing with its size, done" {
    local bytes=5000000 kind id detail=$BATS_TEST_TMPDIR/detail pids=()

    SITE_SNIPPET=location-body.conf
    DAEMON_CONF="upload_progress_gauges off;"
    site_start
    for kind in Expect: "Transfer-Encoding: chunked"; do
        id=${kind%%:*}
        curl -sS -o "$BATS_TEST_TMPDIR/response-$id" -H "$kind" -H Expect: \
            --data-binary "@$(make_file $bytes)" \
            "$URL/upload?X-Progress-ID=$id&delay=6000" 3>&- &
        pids+=($!)
        wait_until phase_is "$id" processing
        probe "$id" detail > "$detail"
        [ "$(field state < "$detail")" = uploading ]
        [ "$(field size < "$detail")" = $bytes ]
        [ "$(field received < "$detail")" = $bytes ]
        [ "$(field gauge < "$detail")" = body ]
        [[ $(probe "$id") == *"\"received\" : $bytes, \"size\" : $bytes "* ]]
    done
    wait "${pids[0]}"
    wait "${pids[1]}"
    for id in Expect Transfer-Encoding; do
        [ "$(cat "$BATS_TEST_TMPDIR/response-$id")" = $bytes ]
        wait_until state_is "$id" "done"
        probe "$id" detail > "$detail"
        [ "$(field size < "$detail")" = $bytes ]
        [ "$(field received < "$detail")" = $bytes ]
    done
}

@test "a mirrored body by FastCGI instead of SCGI" {
    local bytes=3000000 conf=$BATS_TEST_TMPDIR/site/conf/upload-progress

    DAEMON_CONF="upload_progress_gauges off;"
    SITE_SNIPPET=location-fastcgi.conf
    mkdir -p "$conf"
    cat > "$conf/$SITE_SNIPPET" <<'CONF'
set $upload_progress_header_length $request_length;
mirror /upload-progress/fastcgi;
mirror_request_body on;
access_log off; # or the end event ends what is to be looked at
CONF
    SITE_SERVER="location = /upload-progress/fastcgi {
        internal;
        client_max_body_size 0;
        fastcgi_param UPLOAD_PROGRESS_EVENT body;
        fastcgi_param UPLOAD_PROGRESS_ARG \$upload_progress_arg;
        fastcgi_param UPLOAD_PROGRESS_ZONE \$upload_progress_zone;
        fastcgi_param UPLOAD_PROGRESS_REQUEST_ID \$request_id;
        fastcgi_pass unix:$BATS_TEST_TMPDIR/site/run/fastcgi.sock;
    }"
    site_start
    curl -sS -o "$BATS_TEST_TMPDIR/out" --data-binary "@$(make_file $bytes)" \
        "$URL/upload?X-Progress-ID=one"
    wait_until phase_is one processing
    received_is one $bytes
    [ "$(probe one detail | field size)" = $bytes ]
}

@test "a body over FastCGI is counted while it comes" {
    direct_start
    direct body unix live-unix
    direct body tcp live-tcp size=1
}

@test "a body over SCGI is counted while it comes" {
    direct_start
    direct scgiBody unix live-unix
    direct scgiBody tcp live-tcp size=1
}

@test "HEAD without nginx: no body" {
    direct_start
    direct head unix finished
    direct head tcp finished
}

@test "FastCGI: 1000 requests on one connection" {
    direct_start
    direct kept unix finished
    direct kept tcp finished
}

@test "FastCGI: requests split over many small writes" {
    direct_start
    direct split unix finished
    direct split tcp finished
}

@test "FastCGI: padding, many records, long lengths, bodies" {
    direct_start
    direct shapes unix finished
    direct shapes tcp finished
}

@test "FastCGI: padding behind the records that end a request" {
    direct_start
    direct padded unix finished
    direct padded tcp finished
}

@test "FastCGI: parameters up to 64 KiB, and no more" {
    direct_start
    direct sizes unix finished
    direct sizes tcp finished
}

@test "FastCGI: 20 KB of parameters, one byte to a record" {
    direct_start
    direct crumbs unix finished
    direct crumbs tcp finished
}

@test "FastCGI: without FCGI_KEEP_CONN the daemon closes" {
    direct_start
    direct unkept unix finished
    direct unkept tcp finished
}
