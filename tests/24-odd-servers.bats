#!/usr/bin/env bats
# The tracked location in odd servers, and before clients that give up or go on
# after a refusal. As in 22-odd-locations.bats.

load helper
load odd
bats_require_minimum_version 1.5.0

@test "servers by name, and a default server" {
    DAEMON_CONF="upload_progress other 1m;
        server {
            location = /progress/detail { report_uploads uploads; upload_progress_detail_output; }
        }
        server {
            server_name two.test;
            track_uploads other 60s;
            location = /progress/detail { report_uploads other; upload_progress_detail_output; }
        }"
    SITE_HTTP="
        server {
            listen 127.0.0.1:$OTHER_PORT default_server;
            include upload-progress/server.conf;
            location /upload { $TRACKED proxy_pass $APP/one; }
        }
        server {
            listen 127.0.0.1:$OTHER_PORT;
            server_name two.test;
            include upload-progress/server.conf;
            location /upload { $TRACKED proxy_pass $APP/two; }
        }"
    odd_start
    local other=http://127.0.0.1:$OTHER_PORT
    stages "path=/upload?1 url=$other" "path=/upload?2 url=$other host=any.test"
    # Its uploads are another zone's.
    curl -s -o /dev/null -H 'Host: two.test' -H 'Expect:' --data-binary "@$(make_file 300000)" \
        "$other/upload?X-Progress-ID=zoned"
    [ "$(probe zoned detail | field state)" = starting ]
    [ "$(curl -s -H 'Host: two.test' "$URL/progress/detail?X-Progress-ID=zoned" | field zone)" = other ]
}

@test "a server without server.conf: its application gets a second request" {
    SITE_HTTP="
        server {
            listen 127.0.0.1:$OTHER_PORT;
            location / { $TRACKED proxy_read_timeout 1s; proxy_pass $APP; }
        }"
    odd_start
    # The second one has no body, which the application waits for, and nginx for
    # the application.
    ALLOWED='subrequest: "/upload-progress/start", upstream: "http:'
    stages "path=/upload?bare url=http://127.0.0.1:$OTHER_PORT live=unknown backend=2 body=any in=header"
}

@test "listen with proxy_protocol, realip" {
    SITE_HTTP="
        server {
            listen 127.0.0.1:$OTHER_PORT proxy_protocol;
            set_real_ip_from 127.0.0.1;
            real_ip_header proxy_protocol;
            include upload-progress/server.conf;
            location /upload { $TRACKED proxy_pass $APP; }
            location /streams {
                $TRACKED
                proxy_http_version 1.1;
                proxy_request_buffering off;
                proxy_pass $APP;
            }
        }"
    odd_start
    local through="url=http://127.0.0.1:$OTHER_PORT proxy=1 live=near"
    stages "path=/upload?proxied $through" "path=/streams $through" \
        "path=/upload?proxiedc $through chunked=1" "path=/streams?c $through chunked=1"
    grep -q '^192.0.2.7 ' "$SITE/log/access.log"
}

@test "access rules and limits of the whole server" {
    printf 'user:{PLAIN}secret\n' > "$BATS_TEST_TMPDIR/passwords"
    SITE_HTTP="limit_req_zone \$binary_remote_addr zone=req:1m rate=1r/m;
        limit_conn_zone \$binary_remote_addr zone=conn:1m;
        server {
            listen 127.0.0.1:$OTHER_PORT;
            limit_req zone=req;
            limit_conn conn 1;
            client_max_body_size 1m;
            auth_basic x;
            auth_basic_user_file $BATS_TEST_TMPDIR/passwords;
            error_page 404 500 502 503 504 /sorry.html;
            include upload-progress/server.conf;
            location /upload { $TRACKED proxy_pass $APP; }
        }"
    odd_start
    # None of them holds for the mirrored request.
    stages "path=/upload?once url=http://127.0.0.1:$OTHER_PORT auth=user:secret size=2000000"
}

@test "a mirror of the site's own with the body: nginx refuses the second mirror_request_body" {
    SITE_LOCATION="mirror /copy; mirror_request_body on;"
    site_write
    run /usr/sbin/nginx -t -p "$SITE" -c "$SITE/conf/nginx.conf"
    [ "$status" -ne 0 ]
    [[ $output == *'"mirror_request_body" directive is duplicate'* ]]
    SITE=
}

@test "a mirror of the site's own with the body, beside location-body.conf" {
    SITE_SERVER="
        location = /copy { internal; client_max_body_size 0; proxy_set_header X-Progress-ID copied; proxy_pass $APP; }
        location /both {
            include upload-progress/location-body.conf;
            mirror /copy;
            client_max_body_size 64m;
            proxy_pass $APP;
        }"
    odd_start
    stages "path=/both live=file"
    [[ $(curl -s "$APP/journal?id=copied") == *'"bytes":600000'* ]]
}

@test "a refused client that goes on, stops, closes, or asked first" {
    SITE_SERVER="
        location /off { $TRACKED lingering_close off; client_max_body_size 300k; proxy_pass $APP; }
        location /on { $TRACKED lingering_timeout 2s; client_max_body_size 300k; proxy_pass $APP; }
        location /always { $TRACKED lingering_close always; lingering_timeout 2s; deny all; }
        location /deny { $TRACKED lingering_timeout 2s; deny all; }"
    SITE_SERVER=${SITE_SERVER//client_max_body_size 64m;/}
    odd_start
    ALLOWED='access forbidden|intended to send'
    local refused="live=unknown backend=0 received=0"
    for place in "/off response=413" "/on response=413" "/always response=403" "/deny response=403"; do
        set -- "$@" "path=${place/ /?stop } $refused early=stop" \
            "path=${place/ /?close } $refused early=close" \
            "path=${place/ /?send } $refused early=send" \
            "path=${place/ /?asked } $refused early=close expect=1"
    done
    stages "$@"
}

@test "every row of docs/odd-locations.md names a test" {
    local rows=0 number title

    while IFS=: read -r number title; do
        title=${title# }
        grep -qxF "@test \"$title\" {" "$ROOT/tests/$number"-odd-*.bats || {
            echo "no test: $number: $title"
            return 1
        }
        rows=$((rows + 1))
    done < <(sed -n 's/^| .* | \(2[0-9]: [^|]*\) |$/\1/p' "$ROOT/docs/odd-locations.md")
    [ "$rows" -eq "$(grep -c '^| ' "$ROOT/docs/odd-locations.md" | awk '{ print $1 - 4 }')" ]
    SITE=
}
