#!/usr/bin/env bats
# Live progress on every kind of request: each upload is sent at 2 MiB/s and
# probed every 50 ms; client/upload.mjs checks every answer against what it had
# sent by then.

load helper
bats_require_minimum_version 1.5.0

# upload IDS [OPTION...]: an upload over plain HTTP/1.1 unless told otherwise.
upload() {
    local ids=$1

    shift
    node "$CLIENT/upload.mjs" --url="$URL" --probe-url="$URL" --ids="$ids" "$@"
}

@test "HTTP/1.1, ID in the query" {
    site_start
    upload one --expect-response=200 --expect-status=200 --lag-bytes=16384
}

@test "HTTP/1.1, ID in a header" {
    site_start
    upload one --id-in=header --expect-status=200 --lag-bytes=16384
}

@test "TLS" {
    site_start
    upload one --url="$TLS_URL" --expect-status=200 --expect-gauges=spool
}

@test "HTTP/2 over TLS" {
    site_start
    upload one --url="$TLS_URL" --http=2 --expect-status=200 --expect-gauges=spool
}

@test "HTTP/2: two uploads at once on one connection, IDs in the query" {
    site_start
    upload one,two --url="$TLS_URL" --http=2 --rate=1500000 --expect-gauges=spool
}

@test "HTTP/2: two uploads at once on one connection, IDs in headers" {
    site_start
    # They cannot be told apart: each is given the lower of the two counts, and
    # none until both have a file.
    upload one,two --url="$TLS_URL" --http=2 --id-in=header --rate=1500000 \
        --lag-bytes=500000 --expect-gauges=spool
}

@test "HTTP/2: the later of two uploads with IDs in headers holds the earlier one back, never ahead" {
    site_start
    upload one --url="$TLS_URL" --http=2 --id-in=header --expect-gauges=spool
    upload two,three,four --url="$TLS_URL" --http=2 --id-in=header --rate=800000 \
        --bytes=2000000 --lag-bytes=500000
}

@test "chunked, without a length" {
    site_start
    upload one --chunked=1 --expect-status=200 --expect-gauges=spool
}

@test "HTTP/2 without a length" {
    site_start
    upload one --chunked=1 --url="$TLS_URL" --http=2 --expect-status=200
}

@test "proxy_request_buffering off" {
    SITE_LOCATION="proxy_request_buffering off; proxy_http_version 1.1;"
    site_start
    upload one --expect-status=200 --expect-gauges=socket --lag-bytes=16384
}

@test "IPv6" {
    is_listening_6() { (exec 3<>"/dev/tcp/::1/$PORT") 2>/dev/null; }
    site_start
    wait_until is_listening_6
    upload one --url="http://[::1]:$PORT" --expect-status=200 --lag-bytes=16384
}

@test "PUT" {
    site_start
    upload one --method=PUT --expect-status=200
}

@test "PATCH" {
    site_start
    upload one --method=PATCH --expect-status=200
}

@test "the third request on a kept connection" {
    site_start
    upload one --earlier=2 --expect-status=200
}

@test "the third request on a kept connection, proxy_request_buffering off" {
    SITE_LOCATION="proxy_request_buffering off; proxy_http_version 1.1;"
    site_start
    upload one --earlier=2 --expect-status=200 --expect-gauges=socket
}

@test "two workers, four uploads at once" {
    SITE_WORKERS=2
    site_start
    upload one,two,three,four --rate=1000000 --bytes=2000000
}

@test "TLS by the socket gauge alone is within 1 %" {
    DAEMON_CONF="upload_progress_gauges socket;"
    site_start
    upload one --url="$TLS_URL" --bytes=16777216 --rate=6291456 --lag-share=0.01 \
        --expect-gauges=socket
}

@test "an ID with every kind of character" {
    site_start
    upload 'a b/c?d=e&f#g%h"i<j>k' --bytes=2000000
    [[ $(curl -sS -H 'X-Progress-ID: a b/c?d=e&f#g%h"i<j>k' "$URL/progress") == *done* ]]
}
