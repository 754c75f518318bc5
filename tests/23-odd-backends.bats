#!/usr/bin/env bats
# The tracked location before every kind of backend, and what becomes of the
# body there: streamed, kept in memory or files, copied, dropped. As in
# 22-odd-locations.bats.

load helper
load odd
bats_require_minimum_version 1.5.0

# passes NAME DIRECTIVES: a location /NAME and one that streams, /NAME-streams.
passes() {
    SITE_SERVER+="
        location /$1 { $TRACKED $2 }
        location /$1-streams { $TRACKED $2 $1_request_buffering off; }"
}

all_passes() {
    passes proxy "proxy_pass $APP; proxy_http_version 1.1;"
    passes fastcgi "include /etc/nginx/fastcgi_params; fastcgi_pass $FASTCGI_APP;"
    passes scgi "include /etc/nginx/scgi_params; scgi_pass $SCGI_APP;"
    passes uwsgi "include /etc/nginx/uwsgi_params; uwsgi_pass $UWSGI_APP;"
    SITE_SERVER+="
        location /grpc { $TRACKED grpc_pass grpc://$GRPC_APP; }"
}

@test "proxy_pass, fastcgi_pass, scgi_pass, uwsgi_pass, grpc_pass; buffered and not" {
    all_passes
    odd_start
    for pass in proxy proxy-streams fastcgi fastcgi-streams scgi uwsgi uwsgi-streams grpc; do
        set -- "$@" "path=/$pass" "path=/$pass?chunked chunked=1 live=near"
    done
    stages "$@" "path=/scgi-streams?chunked chunked=1 live=near"
}

@test "scgi_request_buffering off: nginx before 1.29.6 announces less than the body" {
    all_passes
    odd_start
    # The backend answers when it has got what CONTENT_LENGTH says: the part of
    # the body that nginx had read when it connected.
    stages "path=/scgi-streams early=send live=over received=any body=any"
}

@test "the same over HTTP/2" {
    all_passes
    odd_start
    for pass in proxy fastcgi scgi uwsgi; do
        set -- "$@" "path=/$pass url=$TLS_URL http=2 live=near" 
    done
    stages "$@"
    set --
    for pass in proxy fastcgi uwsgi; do
        set -- "$@" "path=/$pass-streams url=$TLS_URL http=2 live=nothing"
    done
    stages "$@" "path=/grpc url=$TLS_URL http=2 live=nothing"
}

@test "dav_methods PUT" {
    mkdir -m 777 "$BATS_TEST_TMPDIR/dav"
    SITE_SERVER="location /dav { $TRACKED root $BATS_TEST_TMPDIR; dav_methods PUT; }"
    odd_start
    stages "path=/dav/a method=PUT response=201 backend=0"
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/dav/a")" = 600000 ]
    stages "path=/dav/b method=PUT chunked=1 live=near response=201 backend=0"
    stages "path=/dav/c method=PUT url=$TLS_URL http=2 live=nothing response=201 backend=0"
}

@test "client_body_in_file_only, client_body_in_single_buffer, a large client_body_buffer_size" {
    SITE_SERVER="
        location /on { $TRACKED client_body_in_file_only on; proxy_pass $APP; }
        location /clean { $TRACKED client_body_in_file_only clean; proxy_pass $APP; }
        location /single { $TRACKED client_body_in_single_buffer on; proxy_pass $APP; }
        location /memory { $TRACKED client_body_buffer_size 1m; proxy_pass $APP; }"
    odd_start
    stages path=/on path=/clean path=/single path=/memory
    stages "path=/on?c chunked=1 live=near" "path=/clean?c chunked=1 live=near" \
        "path=/single?c chunked=1 live=near" "path=/memory?c chunked=1 live=near"
    for place in on clean memory; do
        stages "path=/$place?2 url=$TLS_URL http=2 live=nothing"
    done
    stages "path=/single?2 url=$TLS_URL http=2 live=near"
}

@test "proxy_cache and proxy_store" {
    SITE_HTTP="proxy_cache_path $BATS_TEST_TMPDIR/cache keys_zone=cache:1m;"
    SITE_SERVER="
        location /cache {
            $TRACKED
            proxy_cache cache;
            proxy_cache_methods POST;
            proxy_cache_key \$uri;
            proxy_cache_valid 1m;
            proxy_pass $APP;
        }
        location /store { $TRACKED proxy_store $BATS_TEST_TMPDIR/stored; proxy_pass $APP; }"
    odd_start
    stages path=/cache path=/store
    # The second is answered from the cache, after its body was read.
    stages "path=/cache?2 backend=0"
}

@test "X-Accel-Redirect" {
    mkdir "$BATS_TEST_TMPDIR/files"
    echo file > "$BATS_TEST_TMPDIR/files/a"
    SITE_SERVER="
        location /accel { $TRACKED proxy_pass $APP; }
        location /files/ { internal; root $BATS_TEST_TMPDIR; }
        location /logged/ { internal; alias $BATS_TEST_TMPDIR/files/; access_log off; }
        location @named { return 201; }"
    odd_start
    ALLOWED='No such file'
    stages "path=/accel?accel=/files/a" "path=/accel?accel=@named response=201" \
        "path=/accel?accel=/files/none response=404"
    # This location has log lines of its own, none of which tells the end.
    stages "path=/accel?accel=/logged/a told=inferred"
}

@test "auth_request" {
    SITE_SERVER="
        location = /allow { internal; proxy_pass $APP/allow; proxy_pass_request_body off;
            proxy_set_header Content-Length ''; proxy_set_header X-Progress-ID ''; }
        location = /deny { internal; proxy_pass $APP/deny?status=403; proxy_pass_request_body off;
            proxy_set_header Content-Length ''; proxy_set_header X-Progress-ID ''; }
        location /allowed { $TRACKED auth_request /allow; proxy_pass $APP; }
        location /denied { $TRACKED auth_request /deny; proxy_pass $APP; }
        location /streams { $TRACKED auth_request /allow; proxy_request_buffering off;
            proxy_http_version 1.1; proxy_pass $APP; }"
    odd_start
    stages path=/allowed "path=/allowed?h in=header" path=/streams \
        "path=/denied response=403 early=send live=unknown backend=0 received=0"
}

@test "proxy_set_body and proxy_pass_request_body off" {
    SITE_SERVER="
        location /set { $TRACKED proxy_set_body four; proxy_pass $APP; }
        location /off { $TRACKED proxy_pass_request_body off; proxy_set_header Content-Length ''; proxy_pass $APP; }"
    odd_start
    stages "path=/set body=4" "path=/off body=0"
}

@test "a mirror of the site's own" {
    SITE_SERVER="
        location = /copy { internal; proxy_pass $APP; proxy_pass_request_body off;
            proxy_set_header Content-Length ''; proxy_set_header X-Progress-ID copied; }
        location /mirrored { $TRACKED mirror /copy; proxy_pass $APP; }"
    odd_start
    stages path=/mirrored
    [ "$(curl -s "$APP/journal?id=copied" | grep -o '"uri"' | wc -l)" -eq 1 ]
}

@test "a backend that answers before the body has come" {
    SITE_SERVER="location /early { $TRACKED proxy_request_buffering off;
        proxy_http_version 1.1; proxy_pass $APP; }"
    odd_start
    local early="early=send live=over received=200000 body=any"
    stages "path=/early?early=200000 $early" "path=/early?early=200000&status=400 response=400 $early"
}

@test "an answer that takes long to end" {
    DAEMON_CONF="upload_progress_check_interval 500ms;"
    SITE_SERVER="location /plain { proxy_pass $APP; }"
    odd_start
    # nginx has closed the temporary file by then; the end is not made up.
    stages "path=/upload?trickle=4000&status=500 response=500 pending=1" \
        "path=/upload?trickle=4000 pending=1"
}

concluded() {
    probe "$1" detail > "$BATS_TEST_TMPDIR/detail"
    [ "$(field state < "$BATS_TEST_TMPDIR/detail")" = "done" ] &&
        [ "$(field inferred < "$BATS_TEST_TMPDIR/detail")" = true ]
}

@test "an answer that takes long to end, over HTTP/2" {
    DAEMON_CONF="upload_progress_check_interval 500ms;"
    odd_start
    # Slow enough for the file to be seen while it is open.
    curl -sk --http2 --limit-rate 500k -o /dev/null --data-binary "@$(make_file 300000)" \
        "$TLS_URL/upload?X-Progress-ID=slow&trickle=6000&status=500" 3>&- &
    CURL_PID=$!
    # The connection stays, so that it tells nothing; the file is closed.
    wait_until concluded slow
    kill -0 "$CURL_PID"
    wait "$CURL_PID"
    wait_until state_is slow error
}

@test "HTTP/1.0, Expect: 100-continue, lingering_close, filters" {
    SITE_SERVER="
        location /filters { $TRACKED sub_filter read written; sub_filter_types *;
            add_header X-A b always; proxy_pass $APP; }
        location /always { $TRACKED lingering_close always; proxy_pass $APP; }
        location /never { $TRACKED lingering_close off; proxy_pass $APP; }"
    odd_start
    stages "path=/upload http=1.0" "path=/upload?e expect=1" path=/filters path=/always path=/never
}
