#!/usr/bin/env bats
# The module's old clients in headless Chromium: the example of its README and
# jquery-upload-progress with JSON and JSONP; pages of our own to their
# protocols, see client/pages/. And what hostile IDs do to a browser: nothing.

# shellcheck disable=SC2034 # helper.bash reads what the tests set

load helper
bats_require_minimum_version 1.5.0

LINE_RATE=524288 # bytes a second

teardown() {
    local status=0

    end_processes "${DRIVER_PID:-}" "${LINE_PID:-}"
    site_stop || status=1
    if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        tail -n 40 "$BATS_TEST_TMPDIR"/*.log
    fi
    mkdir -p "$ROOT/tests/output"
    find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'old-*.png' \
        -exec cp -t "$ROOT/tests/output" {} +
    return $status
}

# A line of LINE_RATE to the site, as packaging/try-out has one; an nginx of its
# own, because helper.bash leaves no room outside of http { }.
line_start() {
    local module=/usr/lib/nginx/modules/ngx_stream_module.so

    LINE_PORT=$((PORT + 7))
    LINE_URL=http://127.0.0.1:$LINE_PORT
    [ -f "$module" ] && module="load_module $module;" || module=
    mkdir -p "$BATS_TEST_TMPDIR/line"
    cat > "$BATS_TEST_TMPDIR/line/nginx.conf" <<CONF
$module
daemon off;
pid $BATS_TEST_TMPDIR/line/nginx.pid;
error_log $BATS_TEST_TMPDIR/line.log;
events { }
stream {
    server {
        listen 127.0.0.1:$LINE_PORT;
        proxy_pass 127.0.0.1:$PORT;
        proxy_upload_rate $LINE_RATE;
    }
}
CONF
    "${NGINX:-/usr/sbin/nginx}" -p "$BATS_TEST_TMPDIR/line" \
        -c "$BATS_TEST_TMPDIR/line/nginx.conf" 2> "$BATS_TEST_TMPDIR/line-stderr.log" 3>&- &
    LINE_PID=$!
    wait_until is_listening "$LINE_PORT"
}

# clients_start LOCATIONS: the site with the pages, and these in the daemon's
# configuration.
clients_start() {
    DAEMON_CONF=$1
    SITE_SERVER="root $CLIENT/pages;
        types { text/html html; text/css css; text/javascript js; }
        location = /favicon.ico { return 204; }
        ${SITE_SERVER:-}"
    site_start
    line_start
    driver_start $((PORT + 8))
}

# clients COMMAND OPTIONS...: see client/old-clients.mjs
clients() {
    node "$CLIENT/old-clients.mjs" "$@" \
        --driver "$DRIVER" --folder "$BATS_TEST_TMPDIR"
}

# slow_upload NAME OPTIONS...: about 6 seconds, so about 11 probes.
slow_upload() {
    clients upload --name "old-$1" --file "$(make_file 3000000)" --expect "done" \
        --moves 6 --rate "$LINE_RATE" "${@:2}"
}

@test "the example of the module's README: ID in a header, eval" {
    clients_start "location ^~ /progress {
        report_uploads uploads;
        upload_progress_java_output;
    }"
    slow_upload java-eval --page "$LINE_URL/java-eval.html"
}

@test "jquery-upload-progress: ID in the query, JSON" {
    clients_start "location ^~ /progress {
        report_uploads uploads;
        upload_progress_json_output;
    }"
    slow_upload json --page "$LINE_URL/json.html"
}

@test "jquery-upload-progress: another origin, JSONP, no CORS" {
    clients_start "location ^~ /progress {
        report_uploads uploads;
        upload_progress_jsonp_output;
    }"
    slow_upload jsonp --asks "$LINE_URL" \
        --page "$URL/jsonp.html?upload=$LINE_URL/upload&progress=$LINE_URL/progress"
    curl -sSi "$URL/progress?X-Progress-ID=1&callback=f" > "$BATS_TEST_TMPDIR/answer"
    grep -q '^f({ "state" : "starting" });' "$BATS_TEST_TMPDIR/answer"
    run ! grep -i '^access-control' "$BATS_TEST_TMPDIR/answer"
}

# failing_uploads STATUS QUERY MOVES: by each client, about 3 seconds.
failing_uploads() {
    local failed=(clients upload --expect "error $1" --file "$(make_file 1500000)"
        --moves "$3" --rate "$LINE_RATE" --console "/upload\?$2.*status of $1")

    clients_start "report_uploads uploads;
        location = /progress { upload_progress_json_output; }
        location = /progress/jsonp { upload_progress_jsonp_output; }
        location = /progress/java { upload_progress_java_output; }"
    "${failed[@]}" --name "old-java-eval-$1" \
        --page "$LINE_URL/java-eval.html?progress=/progress/java&upload=/upload?$2"
    "${failed[@]}" --name "old-json-$1" \
        --page "$LINE_URL/json.html?upload=/upload?$2"
    "${failed[@]}" --name "old-jsonp-$1" --asks "$LINE_URL" \
        --page "$URL/jsonp.html?progress=$LINE_URL/progress/jsonp&upload=$LINE_URL/upload?$2"
}

@test "an upload that is too large ends in error 413 in each client" {
    SITE_BODY_MAX=1m
    failing_uploads 413 size=large 0
}

@test "an upload that the application fails ends in error 500 in each client" {
    failing_uploads 500 status=500 3
}

hostile_start() {
    SITE_SERVER='
        location = /empty { default_type text/html; return 200 ""; }
        location = /runs/document { default_type text/html; return 200 "<script>ran=1</script>"; }
        location = /runs/script { default_type text/javascript; return 200 "ran=1"; }'
    clients_start "report_uploads uploads;
        location = /progress { upload_progress_json_output; }
        location = /progress/jsonp { upload_progress_jsonp_output; }
        location = /progress/java { upload_progress_java_output; }
        location = /progress/xml { upload_progress_xml_output; }
        location = /progress/detail { upload_progress_detail_output; }"
}

@test "hostile IDs: of no output, as a document or a script, anything runs" {
    hostile_start
    clients hostile --site "$URL"
}

@test "hostile IDs and callbacks that are refused: nothing runs, nosniff" {
    hostile_start
    clients refused --site "$URL"
}
