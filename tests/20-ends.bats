#!/usr/bin/env bats
# How uploads end: the state and status that a probe finds afterwards.

load helper
bats_require_minimum_version 1.5.0

# send ID BYTES [CURL_OPTION...]: prints the status that the client got.
send() {
    local id=$1 file

    file=$(make_file "$2")
    shift 2
    curl -s -o /dev/null -w '%{http_code}' --data-binary "@$file" \
        -H 'Expect:' "$@" "$URL${TARGET:-/upload}?X-Progress-ID=$id${QUERY:-}"
}

# ends_as ID STATE [STATUS]: in the module's JSON, byte for byte.
ends_as() {
    local expected="{ \"state\" : \"$2\" }"

    [ -z "${3:-}" ] || expected="{ \"state\" : \"$2\", \"status\" : $3 }"
    wait_until answer_is "$1" "$expected"
}

answer_is() {
    [ "$(probe "$1")" = "$2"$'\r' ]
}

# detail ID NAME VALUE
detail() {
    run field "$2" < <(probe "$1" detail)
    echo "$2 is $output, expected $3"
    [ "$output" = "$3" ]
}

@test "200" {
    site_start
    [ "$(send one 300000)" = 200 ]
    ends_as one done
    detail one status 200
    detail one received 300000
    detail one size 300000
    detail one percent 100
    detail one phase done
    detail one inferred false
}

@test "302 is done" {
    site_start
    [ "$(QUERY='&status=302' send one 300000)" = 302 ]
    ends_as one done
    detail one status 302
}

@test "413: no start is told, the end alone" {
    SITE_BODY_MAX=100k
    site_start
    [ "$(send one 300000)" = 413 ]
    ends_as one error 413
    run ! grep -q 'upload one: start' "$SITE/log/upload-progressd.log"
}

@test "500" {
    site_start
    [ "$(QUERY='&status=500' send one 300000)" = 500 ]
    ends_as one error 500
    detail one received 300000
}

@test "502: the backend is dead" {
    SITE_SERVER="location /dead {
        include upload-progress/location.conf;
        proxy_pass http://127.0.0.1:1;
    }"
    site_start
    [ "$(TARGET=/dead send one 300000)" = 502 ]
    ends_as one error 502
}

@test "502: the backend closes without an answer" {
    site_start
    [ "$(QUERY='&drop=1' send one 300000)" = 502 ]
    ends_as one error 502
}

@test "504: the backend takes too long" {
    SITE_LOCATION="proxy_read_timeout 1s;"
    site_start
    [ "$(QUERY='&delay=20000' send one 300000)" = 504 ]
    ends_as one error 504
}

@test "the client goes away in mid-body" {
    site_start
    node "$CLIENT/upload.mjs" --url="$URL" --ids=one --abort-at=2000000 \
        --expect-state=error --expect-status=400
    ends_as one error 400
    run field received < <(probe one detail)
    [ "$output" -le 2000000 ]
    [ "$output" -ge 1900000 ]
}

@test "the client goes away while the backend works" {
    site_start
    file=$(make_file 300000)
    curl -s --max-time 1 -H 'Expect:' --data-binary "@$file" \
        "$URL/upload?X-Progress-ID=one&delay=20000" || true
    ends_as one error 499
    detail one received 300000
}

@test "while the backend works the phase is processing" {
    site_start
    file=$(make_file 300000)
    curl -s -H 'Expect:' --data-binary "@$file" \
        "$URL/upload?X-Progress-ID=one&delay=3000" 3>&- &
    CURL_PID=$!
    processing() { [ "$(probe one detail | field phase)" = processing ]; }
    wait_until processing
    detail one state uploading
    detail one received 300000
    detail one percent 100
    detail one eta 0
    kill "$CURL_PID"
    wait "$CURL_PID" || true
    ends_as one error 499
}

@test "bodies of 0, 1 and 1000 bytes: the start is not told, the end is" {
    site_start
    for bytes in 0 1 1000; do
        [ "$(send "id$bytes" "$bytes")" = 200 ]
        ends_as "id$bytes" done
        detail "id$bytes" size "$bytes"
        detail "id$bytes" received "$bytes"
        detail "id$bytes" percent 100
    done
    run ! grep -q ': start' "$SITE/log/upload-progressd.log"
}

@test "a body that fits into nginx's memory but is told of" {
    SITE_LOCATION="client_body_buffer_size 64k;"
    site_start
    [ "$(send one 20000)" = 200 ]
    ends_as one done
    detail one received 20000
    grep -q 'upload one: start' "$SITE/log/upload-progressd.log"
    run ! grep -q 'spool:' "$SITE/log/upload-progressd.log"
}

@test "a chunked body, done: the length is the decoded one" {
    site_start
    for bytes in 0 1 5000 300000; do
        [ "$(send "id$bytes" "$bytes" -H 'Transfer-Encoding: chunked')" = 200 ]
        ends_as "id$bytes" done
        detail "id$bytes" size "$bytes"
        detail "id$bytes" received "$bytes"
    done
}

@test "an ID that was never used" {
    site_start
    ends_as nobody starting
    detail nobody state starting
    detail nobody received 0
    detail nobody size null
    detail nobody percent null
}

@test "no ID: nothing is told, and a probe is 404" {
    site_start
    file=$(make_file 300000)
    curl -s -o /dev/null --data-binary "@$file" "$URL/upload"
    [ "$(send one 1000)" = 200 ]
    ends_as one done # whatever came before has been handled by now
    [ "$(grep -c 'upload ' "$SITE/log/upload-progressd.log")" -eq 1 ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$URL/progress")" = 404 ]
}

@test "GET with an ID is not an upload" {
    site_start
    curl -s "$URL/upload?X-Progress-ID=get" > /dev/null
    [ "$(send one 1000)" = 200 ]
    ends_as one done
    ends_as get starting
}

@test "an ID used again after it finished starts anew" {
    site_start
    [ "$(QUERY='&status=500' send one 300000)" = 500 ]
    ends_as one error 500
    node "$CLIENT/upload.mjs" --url="$URL" --ids=one --bytes=2000000
    ends_as one done
    detail one size 2000000
}

@test "an ID used again while it runs: both uploads succeed, the first is shown" {
    site_start
    node "$CLIENT/upload.mjs" --url="$URL" --ids=one --bytes=4000000 3>&- \
        > "$SITE/log/first" &
    FIRST_PID=$!
    wait_until state_is one uploading
    [ "$(send one 300000)" = 200 ]
    state_is one uploading
    detail one size 4000000
    wait "$FIRST_PID"
    ends_as one done
    detail one size 4000000
    grep -q 'the ID is used while another upload of it runs' \
        "$SITE/log/upload-progressd.log"
}

@test "a finished upload is forgotten after its time" {
    SITE_TTL=1s
    site_start
    [ "$(send one 1000)" = 200 ]
    ends_as one done
    ends_as one starting
}
