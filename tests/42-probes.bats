#!/usr/bin/env bats
# Probes beyond the module's: many IDs, unknown ones, origins, ETags, presets.

load helper
bats_require_minimum_version 1.5.0

send() {
    local file

    file=$(make_file "$2")
    curl -s -o /dev/null --data-binary "@$file" -H 'Expect:' \
        "$URL/upload?X-Progress-ID=$1${3:-}"
    wait_until finished "$1"
}

finished() {
    [[ $(probe "$1") =~ done|error ]]
}

# get PATH [CURL_OPTION...]: headers and body.
get() {
    curl -s -i "$URL$1" "${@:2}" | tr -d '\r'
}

@test "many IDs in one probe: repeated, as a list, both" {
    site_start
    send one 1000
    send two 1000 '&status=500'
    expected='{ "one": { "state" : "done" }, "two": { "state" : "error", "status" : 500 }, "three": { "state" : "starting" } }'
    for query in 'X-Progress-ID=one&X-Progress-ID=two&x=1&X-Progress-ID=three' \
        'X-Progress-ID=one,two,three' 'X-Progress-ID=one,two&X-Progress-ID=three'; do
        run curl -sS "$URL/progress?$query"
        [ "$output" = "$expected"$'\r' ]
    done
    run field two < <(curl -sS "$URL/progress/detail?X-Progress-ID=one,two" |
        node -e 'let s = ""; process.stdin.on("data", d => s += d).on("end", () => {
            const o = JSON.parse(s);
            console.log(JSON.stringify({ two: o.one.received + "/" + o.two.status })); })')
    [ "$output" = 1000/500 ]
    # Elsewhere a comma is part of the ID.
    [ "$(curl -sS "$URL/progress/java?X-Progress-ID=one,two")" = $'new Object({ \'state\' : \'starting\' })\r' ]
    # An encoded comma is, too.
    [ "$(curl -sS "$URL/progress?X-Progress-ID=one%2Ctwo")" = $'{ "state" : "starting" }\r' ]
}

@test "many IDs: quotes in them, an invalid one, too many" {
    site_start
    run curl -sS "$URL/progress?X-Progress-ID=a%22%3C,b"
    [ "$output" = $'{ "a\\"\\u003c": { "state" : "starting" }, "b": { "state" : "starting" } }\r' ]
    run curl -s -o /dev/null -w '%{http_code}' "$URL/progress?X-Progress-ID=a,,b"
    [ "$output" = 400 ]
    run curl -s -o /dev/null -w '%{http_code}' "$URL/progress?X-Progress-ID=$(seq -s, 1 100)"
    [ "$output" = 200 ]
    run curl -s -o /dev/null -w '%{http_code}' "$URL/progress?X-Progress-ID=$(seq -s, 1 101)"
    [ "$output" = 400 ]
}

@test "upload_progress_unknown 404 passes a probe on to the next daemon" {
    DAEMON_CONF="location / { report_uploads uploads; upload_progress_json_output;
        upload_progress_unknown 404; }"
    site_ports
    DAEMON_CONF+="listen unix:$BATS_TEST_TMPDIR/site/run/second.sock fastcgi;"
    SITE_HTTP="upstream fan { server 127.0.0.1:1; server unix:$BATS_TEST_TMPDIR/site/run/second.sock; }"
    site_start
    run get "/progress?X-Progress-ID=nobody"
    [[ $output == "HTTP/1.1 404 "* ]]
    [[ $output == *'{ "state" : "starting" }' ]]
    send one 1000
    run get "/progress?X-Progress-ID=one"
    [[ $output == "HTTP/1.1 200 "* ]]
}

@test "other origins may read where it is allowed" {
    DAEMON_CONF="report_uploads uploads; upload_progress_json_output;
        location /progress/some { upload_progress_allow_origin https://a.example https://b.example:8443; }
        location /progress/all { upload_progress_allow_origin *; }
        location /progress/none { }"
    site_start
    origin() { get "/progress/$1?X-Progress-ID=x" -H "Origin: $2" "${@:3}"; }
    [[ $(origin some https://b.example:8443) == *"Access-Control-Allow-Origin: https://b.example:8443"*"Vary: Origin"* ]]
    [[ $(origin some https://c.example) != *"Access-Control"* ]]
    [[ $(origin some https://a.example.evil) != *"Access-Control"* ]]
    [[ $(origin all https://c.example) == *"Access-Control-Allow-Origin: *"* ]]
    [[ $(origin none https://a.example) != *"Access-Control"* ]]
    run origin all https://c.example -X OPTIONS -H 'Access-Control-Request-Headers: X-Progress-ID'
    [[ $output == "HTTP/1.1 204 "*"Access-Control-Allow-Headers: X-Progress-ID"* ]]
    run origin some https://c.example -X OPTIONS
    [[ $output == "HTTP/1.1 405 "* ]]
}

@test "an unchanged answer is 304" {
    site_start
    send one 1000
    etag=$(get "/progress?X-Progress-ID=one" | sed -n 's/^ETag: //p')
    [ -n "$etag" ]
    run get "/progress?X-Progress-ID=one" -H "If-None-Match: $etag"
    [[ $output == "HTTP/1.1 304 "* ]]
    [[ $output != *state* ]]
    run get "/progress?X-Progress-ID=one" -H "If-None-Match: \"other\", W/$etag"
    [[ $output == "HTTP/1.1 304 "* ]]
    run get "/progress?X-Progress-ID=nobody" -H "If-None-Match: $etag"
    [[ $output == "HTTP/1.1 200 "* ]]
}

@test "the answers of lighttpd and of Apache" {
    DAEMON_CONF="report_uploads uploads;
        location / { upload_progress_json_output; }
        location = /progress/lighttpd { upload_progress_lighttpd_output; }
        location = /progress/apache { upload_progress_apache_output; }"
    site_start
    [ "$(probe one lighttpd)" = "not in progress" ]
    [ "$(probe one apache)" = $'{ "state" : "starting", "uuid" : "one" }\r' ]
    file=$(make_file 300000)
    curl -s -o /dev/null --data-binary "@$file" -H 'Expect:' \
        "$URL/upload?X-Progress-ID=one&delay=2000" 3>&- &
    CURL_PID=$!
    wait_until state_is one uploading
    all_here() { [ "$(probe one lighttpd)" = '<?xml version="1.0" encoding="iso-8859-1"?><upload><size>300000</size><received>300000</received></upload>' ]; }
    wait_until all_here
    [[ $(probe one apache) =~ ^'{ "state" : "uploading", "received" : 300000, "size" : 300000, "speed" : '[0-9]+', "started_at": '[0-9]{10}', "eta" : 0, "uuid" : "one" }' ]]
    wait "$CURL_PID"
    wait_until state_is one done
    [[ $(probe one apache) =~ ^'{ "state" : "done", "size" : 300000, "speed" : '[0-9]+', "started_at": '[0-9]{10}', "completed_at": '[0-9]{10}', "uuid" : "one" }' ]]
    send two 1000 '&status=500'
    [ "$(probe two apache)" = $'{ "state" : "error", "status" : 500, "uuid" : "two" }\r' ]
    [ "$(probe two lighttpd)" = "not in progress" ]
}

@test "templates: variables of the upload and of the request, escaped" {
    # shellcheck disable=SC2089
    DAEMON_CONF='report_uploads uploads;
        location = /progress/html {
            upload_progress_content_type text/html;
            upload_progress_template starting "<p>${uploadprogress_id} $arg_who $raw_arg_who $remote_addr</p>";
        }
        location = /progress/json {
            upload_progress_content_type application/json;
            upload_progress_template starting "{ \"who\": \"$arg_who\" }";
        }'
    site_start
    # What the shipped snippet does not pass is empty: the client address.
    [ "$(curl -sS "$URL/progress/html?X-Progress-ID=a%3Cb&who=%22%3Cx%3E")" = '<p>a&lt;b &quot;&lt;x&gt; "<x> </p>' ]
    [ "$(curl -sS "$URL/progress/json?X-Progress-ID=a&who=%22%3Cx%3E%FF")" = $'{ "who": "\\"\\u003cx\\u003e\xef\xbf\xbd" }' ]
}
