#!/usr/bin/env bats
# What each source of knowledge is worth: with and without the spool gauge, the
# socket gauge and the end event, in every combination.

load helper
bats_require_minimum_version 1.5.0

# without_end: the site's snippet without the line that tells the end.
without_end() {
    sed -i '/^access_log syslog/d' "$SITE/conf/upload-progress/location.conf"
}

# start GAUGES [EDIT]: the site with these gauges, EDIT applied to its snippets.
start() {
    DAEMON_CONF="upload_progress_gauges $1;
        upload_progress_check_interval 500ms;
        upload_progress_inactive_timeout 3s;"
    site_ports
    site_write
    ${2:-true}
    app_start
    daemon_start
    nginx_start
}

upload() {
    node "$CLIENT/upload.mjs" --url="$URL" --ids=one "$@"
}

detail() {
    run field "$2" < <(probe "$1" detail)
    echo "$2 is $output, expected $3"
    [ "$output" = "$3" ]
}

@test "both gauges" {
    start "spool socket"
    upload --expect-gauges=socket --expect-status=200
}

@test "the spool gauge alone" {
    start spool
    upload --expect-gauges=spool --expect-status=200
}

@test "the spool gauge finds the file of each upload that begins with its bytes" {
    start spool
    # nginx tells of the start and of the file at once: two threads hear of them.
    run -0 node "$CLIENT/at-once.mjs" "$URL" 100 spool
    [ "${lines[-1]}" = "100 uploads, 0 not counted by spool" ]
}

@test "the socket gauge alone" {
    start socket
    upload --expect-gauges=socket --expect-status=200
}

@test "no gauge: starting and end are known, nothing between" {
    start off
    upload --expect-gauges= --expect-status=200 --lag=unchecked
}

@test "both gauges, the end is lost" {
    start "spool socket" without_end
    upload --expect-gauges=socket
    detail one inferred true
}

@test "the spool gauge alone, the end is lost" {
    start spool without_end
    upload --expect-gauges=spool
    detail one inferred true
}

@test "the socket gauge alone, the end is lost" {
    start socket without_end
    # A connection that is kept for a moment, as clients do, shows all bytes.
    upload --expect-gauges=socket --linger=2000
    detail one inferred true
}

@test "no gauge, the end is lost: given up after the inactive timeout" {
    start off without_end
    upload --expect-state=error --expect-status=499 --lag=unchecked
    detail one inferred true
}

@test "the end is lost, the client went away in mid-body" {
    start "spool socket" without_end
    upload --abort-at=2000000 --expect-state=error --expect-status=499
    detail one inferred true
}

@test "the spool gauge alone, the client went away, the end is lost" {
    start spool without_end
    upload --abort-at=2000000 --expect-state=error --expect-status=499
}

@test "TLS, the end is lost" {
    start "spool socket" without_end
    upload --url="$TLS_URL" --probe-url="$URL" --expect-gauges=spool
    detail one inferred true
}

@test "HTTP/2, the end is lost while the connection stays" {
    start "spool socket" without_end
    upload --url="$TLS_URL" --probe-url="$URL" --http=2
    detail one inferred true
}

@test "the next request on the connection tells that the one before is over" {
    start socket without_end
    # The check alone would wait for the end of the kept connection.
    file=$(make_file 300000)
    curl -s -o /dev/null -o /dev/null -H 'Expect:' --data-binary "@$file" \
        "$URL/upload?X-Progress-ID=one" "$URL/upload?X-Progress-ID=two&delay=3000" 3>&- &
    CURL_PID=$!
    wait_until state_is two uploading
    wait_until state_is one done
    state_is two uploading
    wait "$CURL_PID"
}

@test "the start is lost: the file shows the upload, the end tells the rest" {
    no_start() {
        sed -i '/^mirror/d' "$SITE/conf/upload-progress/location.conf"
    }
    start "spool socket" no_start
    node "$CLIENT/upload.mjs" --url="$URL" --ids=one --expect-gauges=spool \
        --expect-status=200
}

@test "client_body_in_file_only clean" {
    SITE_LOCATION="client_body_in_file_only clean;"
    in_file() {
        sed -i 's/^\(error_log syslog.*\) warn;/\1 notice;/' \
            "$SITE/conf/upload-progress/location.conf"
    }
    start spool in_file
    upload --expect-gauges=spool --expect-status=200
}

# as_user USER: starts the daemon as another user than root.
as_user() {
    local binary=$SITE/run/upload-progressd

    chmod 755 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" "$SITE"
    cp "$ROOT/$BUILD/upload-progressd" "$binary"
    chown -R "$1" "$SITE/run" "$SITE/log"
    setpriv --reuid="$1" --regid="$1" --clear-groups "$binary" \
        -c "$SITE/upload-progressd.conf" 2> "$SITE/log/stderr" 3>&- &
    DAEMON_PID=$!
    wait_until test -s "$SITE/run/upload-progressd.pid"
}

workers_as_www_data() {
    sed -i 's/^user root;/user www-data;/' "$SITE/conf/nginx.conf"
}

# start_as USER: the site with workers of www-data and a daemon of USER.
start_as() {
    site_ports
    site_write
    workers_as_www_data
    ${2:-true}
    app_start
    as_user "$1"
    nginx_start
}

@test "client_body_in_file_only clean, by name, where /proc cannot be read" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to run the two as different users"
    SITE_LOCATION="client_body_in_file_only clean;"
    DAEMON_CONF="upload_progress_gauges spool;"
    in_file() {
        sed -i 's/^\(error_log syslog.*\) warn;/\1 notice;/' \
            "$SITE/conf/upload-progress/location.conf"
        # The daemon is not of nginx's group here.
        sed -i 's/\(listen unix.*\);/\1 mode=0666;/' "$SITE/upload-progressd.conf"
    }
    start_as irc in_file
    # The folders of the bodies are the worker's own; let others go through.
    chmod 711 "$SITE/temp/body"
    # A file that is known by its name alone takes its last size with it.
    upload --expect-gauges=spool --expect-status=200 --lag=until-whole
    grep -q "the spool gauge does not work: /proc/" "$SITE/log/upload-progressd.log"
}

@test "the daemon as the user of nginx's workers, not root" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to run nginx's master as root"
    DAEMON_CONF="upload_progress_gauges spool;"
    start_as www-data
    upload --expect-gauges=spool --expect-status=200
}
