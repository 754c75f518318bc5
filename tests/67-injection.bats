#!/usr/bin/env bats
# Hostile text over the wire: in every output it comes back as what it was, to
# real parsers; nothing of it gets into a response header or begins a line in
# the log; in a browser nothing of it runs. And IDs are capabilities: who does
# not know one learns nothing of it.

# shellcheck disable=SC2034 # helper.bash reads what the tests set

load helper
bats_require_minimum_version 1.5.0

teardown() {
    local status=0

    end_processes "${DRIVER_PID:-}"
    site_stop || status=1
    if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -n "${DRIVER_PID:-}" ]; then
        tail -n 40 "$BATS_TEST_TMPDIR/chromedriver.log"
    fi
    return $status
}

# What the templates hold, so that each type has each variable in each quotes.
V='$uploadprogress_id $arg_v $http_x_v $args'

# quoted QUOTE: the variables as members of an object.
quoted() {
    echo "id: $1\$uploadprogress_id$1, arg: $1\$arg_v$1, header: $1\$http_x_v$1"
}

# elements: the variables as text and in attributes in both quotes.
elements() {
    local pair name value

    for pair in 'id $uploadprogress_id' 'arg $arg_v' 'header $http_x_v'; do
        name=${pair% *} value=${pair#* }
        echo "<v n=\\\"$name\\\" double=\\\"$value\\\" single='$value'>$value</v>"
    done
}

# template NAME TYPE TEXT: a location with that answer to an unknown ID.
template() {
    echo "location /progress/t-$1 {
        upload_progress_content_type $2;
        upload_progress_template starting \"$3\";
    }"
}

injection_start() {
    DAEMON_CONF="report_uploads uploads;
        upload_progress elsewhere 1m;
        location /progress { upload_progress_json_output; }
        location = /progress/jsonp { upload_progress_jsonp_output; }
        location = /progress/java { upload_progress_java_output; }
        location = /progress/xml { upload_progress_xml_output; }
        location = /progress/lighttpd { upload_progress_lighttpd_output; }
        location = /progress/apache { upload_progress_apache_output; }
        location = /progress/detail { upload_progress_detail_output; }
        location = /progress/strict { upload_progress_json_output; upload_progress_unknown 404; }
        location = /progress/elsewhere { upload_progress_json_output; report_uploads elsewhere; }
        location /progress/origin { upload_progress_json_output;
            upload_progress_allow_origin https://a.example; }
        $(template json application/json '{ \"id\": \"$uploadprogress_id\", \"arg\": \"$arg_v\",
            \"header\": \"$http_x_v\", \"args\": \"$args\" }')
        $(template js text/javascript "result([{ $(quoted '\"') }, { $(quoted "'") }, { $(quoted '`') }])")
        $(template xml text/xml "<r>$(elements)</r>")
        $(template html text/html "<!doctype html><meta charset=utf-8><body>$(elements)</body>")
        $(template plain text/plain "${V// /|}")"
    SITE_HTTP="large_client_header_buffers 4 64k;"
    SITE_SERVER="
        location ^~ /progress/t- {
            include upload-progress/probe-params.conf;
            fastcgi_param HTTP_X_V \$http_x_v;
            fastcgi_pass upload_progress_fastcgi;
        }
        location = /injected { add_header X-Injected 1; return 204; }
        $1"
    site_start
}

# injection COMMAND OPTION...: see client/injection.mjs
injection() {
    node "$CLIENT/injection.mjs" "$1" "url=$URL" "${@:2}"
}

@test "every output and template gives back what was put in, to real parsers" {
    injection_start
    driver_start $((PORT + 8))
    injection outputs "driver=$DRIVER" "folder=$BATS_TEST_TMPDIR"
}

@test "no parameter gets into the response's headers" {
    injection_start
    injection headers
}

@test "an unknown ID is answered alike whoever else is known; no listing, no patterns" {
    injection_start
    curl -s -o /dev/null --data-binary "@$(make_file 20000)" -H 'Expect:' \
        "$URL/upload?X-Progress-ID=first-known-id"
    wait_until state_is first-known-id "done"
    curl -s -o /dev/null --data-binary "@$(make_file 20000)" -H 'Expect:' \
        "$URL/upload?X-Progress-ID=second.known.id&status=500"
    wait_until state_is second.known.id error
    curl -s -o /dev/null --data-binary "@$(make_file 300000)" -H 'Expect:' --limit-rate 10k \
        "$URL/upload?X-Progress-ID=third_known_id" 3>&- &
    CURL_PID=$!
    wait_until state_is third_known_id uploading
    injection unknown known=first-known-id,second.known.id,third_known_id
    kill "$CURL_PID"
    wait "$CURL_PID" || true
}

@test "in a browser nothing runs: as a document, in a frame, as a script" {
    # The canary's port; what the pages of the control do is what is looked for.
    site_ports
    local canary=$((PORT + 9)) code
    code="top.ran=ran=1;document.title=/ran/;new Image().src='//127.0.0.1:$canary/x'"
    injection_start "
        location = /empty { default_type text/html; return 200 '<!doctype html><body>'; }
        location = /runs/document { default_type text/html; return 200 \"<body><script>$code</script>\"; }
        location = /runs/script { default_type text/javascript; return 200 \"$code\"; }
        location = /runs/elements { default_type text/html; return 200
            \"<body><img src=//127.0.0.1:$canary/img><svg></svg><script></script>\"; }
        location = /runs/dialog { default_type text/html; return 200 '<body><script>alert(1)</script>'; }"
    driver_start $((PORT + 8))
    node "$CLIENT/injection-browser.mjs" outputs "url=$URL" "folder=$BATS_TEST_TMPDIR" \
        "driver=$DRIVER" "canary=$canary"
}

@test "no line of the log is a peer's" {
    injection_start
    injection log "events=$EVENT_PORT" "scgi=unix:$SITE/run/scgi.sock" \
        "file=$SITE/log/upload-progressd.log"
}
