#!/usr/bin/env bats
# Sites that are not as plain as the example: internal redirects, many streams,
# folders behind links, clients that follow each other on a connection.

load helper
bats_require_minimum_version 1.5.0

upload() {
    node "$CLIENT/upload.mjs" --url="$TLS_URL" --probe-url="$URL" --http=2 "$@"
}

error_is() {
    [ "$(probe "$1")" = "{ \"state\" : \"error\", \"status\" : $2 }"$'\r' ]
}

@test "failures answered through error_page are told" {
    SITE_BODY_MAX=2m
    SITE_LOCATION="error_page 413 502 /failed.html;"
    SITE_SERVER="location = /failed.html { return 200 'sorry'; client_max_body_size 0; }"
    site_start
    curl -s -o /dev/null --data-binary "@$(make_file 300000)" -H 'Expect:' \
        "$URL/upload?X-Progress-ID=dropped&drop=1"
    wait_until error_is dropped 502
    curl -s -o /dev/null --data-binary "@$(make_file 12000)" -H 'Expect:' \
        "$URL/upload?X-Progress-ID=small&drop=1"
    wait_until error_is small 502
    curl -s -o /dev/null --data-binary "@$(make_file 3000000)" -H 'Expect:' \
        "$URL/upload?X-Progress-ID=large"
    wait_until error_is large 413
    # Elsewhere a request with an ID is no upload of ours.
    curl -s -o /dev/null -d x "$URL/other?X-Progress-ID=other"
    [[ $(probe other) == *starting* ]]
}

@test "twenty uploads at once on one HTTP/2 connection, IDs in the query" {
    site_start
    upload --ids="$(seq -s, 1 20)" --bytes=1000000 --rate=300000 --interval=200 \
        --lag-bytes=262144
}

@test "uploads of one HTTP/2 connection that begin one after the other, with folder levels" {
    SITE_HTTP="keepalive_requests 1000;"
    site_ports
    site_write
    sed -i 's|^\( *client_body_temp_path [^;]*\);|\1 1 2;|' "$SITE/conf/nginx.conf"
    app_start
    daemon_start
    nginx_start
    upload --ids="$(seq -s, 1 12)" --bytes=2000000 --rate=300000 --interval=200 \
        --stagger=300 --lag-bytes=262144
}

@test "an upload with its ID in a header gets nothing of one that ends beside it" {
    site_start
    # The second one is slow: were it given the file of the first, it would be
    # ahead of what it has sent.
    upload --ids=one,two --id-in=header --bytes=2000000 --rate=2000000,100000 \
        --abort-at=,400000 --lag=unchecked --expect-state=done,error
}

@test "uploads that follow each other at once on a connection, IDs in headers" {
    site_start
    file=$(make_file 1000000)
    for i in 1 2 3 4 5; do
        curl -s -o /dev/null -H 'Expect:' -H 'X-Progress-ID: first' --data-binary "@$file" "$URL/upload" \
            --next -s -o /dev/null -H 'Expect:' -H "X-Progress-ID: next$i" --limit-rate 100k \
            --data-binary "@$file" --max-time 3 "$URL/upload" 3>&- &
        CURL_PID=$!
        wait_until state_is "next$i" uploading
        for _ in 1 2 3 4 5 6; do
            run field received < <(probe "next$i" detail)
            [ "$output" -lt 900000 ]
        done
        kill "$CURL_PID"
        wait "$CURL_PID" || true
    done
}

@test "a temporary folder behind a symbolic link" {
    site_ports
    site_write
    mkdir "$SITE/elsewhere"
    ln -s elsewhere "$SITE/link"
    sed -i "s|client_body_temp_path [^;]*;|client_body_temp_path $SITE/link/body;|" "$SITE/conf/nginx.conf"
    app_start
    daemon_start
    nginx_start
    upload --ids=one --expect-gauges=spool
}

@test "/progressive.html is the site's own" {
    SITE_SERVER="location /progressive { return 200 'mine'; }"
    site_start
    [ "$(curl -s "$URL/progressive.html")" = mine ]
}

@test "a daemon that cannot see the sockets gives no upload up" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to make a network namespace"
    DAEMON_CONF="upload_progress_gauges socket; upload_progress_check_interval 500ms;
        listen unix:$BATS_TEST_TMPDIR/site/run/events.sock syslog;"
    site_ports
    site_write
    sed -i "s|server=127.0.0.1:$EVENT_PORT|server=unix:$SITE/run/events.sock|" "$SITE"/conf/upload-progress/*.conf
    app_start
    unshare -n "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" \
        2> "$SITE/log/stderr" 3>&- &
    DAEMON_PID=$!
    wait_until test -s "$SITE/run/upload-progressd.pid"
    nginx_start
    node "$CLIENT/upload.mjs" --url="$URL" --ids=one --bytes=4000000 --rate=800000 \
        --lag=unchecked --expect-status=200
}
