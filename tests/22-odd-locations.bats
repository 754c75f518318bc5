#!/usr/bin/env bats
# The tracked location in odd places of a site: each upload is sent in stages,
# and every probe is checked against what had been sent by then; see
# client/stages.mjs. docs/odd-locations.md names these tests.

load helper
load odd
bats_require_minimum_version 1.5.0

@test "inside if" {
    SITE_SERVER="
        location /if-after {
            $TRACKED
            if (\$request_method = POST) { proxy_pass $APP; }
        }
        location /if-before {
            if (\$request_method = POST) { proxy_pass $APP; }
            $TRACKED
        }
        location /if-set {
            $TRACKED
            if (\$http_host) { set \$x 1; }
            proxy_pass $APP;
        }"
    odd_start
    stages path=/if-after path=/if-before path=/if-set
}

@test "location.conf inside if: nginx refuses it" {
    SITE_SERVER="location /in { if (\$request_method = POST) { $TRACKED } proxy_pass $APP; }"
    site_write
    run /usr/sbin/nginx -t -p "$SITE" -c "$SITE/conf/nginx.conf"
    [ "$status" -ne 0 ]
    [[ $output == *'"mirror" directive is not allowed here'* ]]
    SITE=
}

@test "rewrite to and within a tracked location" {
    SITE_SERVER="
        rewrite ^/server-last /upload last;
        rewrite ^/server-break /upload break;
        location /last { rewrite ^ /upload last; }
        location /twice { $TRACKED rewrite ^ /upload last; }
        location /break { $TRACKED rewrite ^ /elsewhere break; proxy_pass $APP; }"
    odd_start
    stages path=/server-last path=/server-break path=/last path=/twice path=/break
}

@test "rewrite out of a tracked location: the end alone" {
    SITE_SERVER="
        location /away { $TRACKED rewrite ^ /plain last; }
        location /plain { proxy_pass $APP; }"
    odd_start
    stages "path=/away live=unknown"
}

@test "a rewrite of the whole server" {
    SITE_SERVER="
        rewrite ^(?!/progress) /app last;
        location /app { $TRACKED proxy_pass $APP; }"
    odd_start
    stages path=/all
}

@test "error_page" {
    SITE_SERVER="
        location = /sorry { return 200 sorry; }
        location @sorry { return 200 sorry; }
        location /uri { $TRACKED error_page 502 /sorry; proxy_pass $APP; }
        location /named { $TRACKED error_page 502 @sorry; proxy_pass $APP; }
        location /status { $TRACKED error_page 502 =200 /sorry; proxy_pass $APP; }
        location /intercept {
            $TRACKED
            error_page 500 =503 @sorry;
            proxy_intercept_errors on;
            proxy_pass $APP;
        }"
    odd_start
    ALLOWED='prematurely closed'
    stages "path=/uri?drop=1 response=502" "path=/named?drop=1 response=502" \
        "path=/status?drop=1 response=200" "path=/intercept?status=500 response=503"
}

@test "error_page to a tracked location, once the body is read" {
    SITE_SERVER="
        location @tracked { $TRACKED proxy_pass $APP; }
        location /tracked { $TRACKED error_page 502 = @tracked; proxy_pass http://127.0.0.1:$DEAD_PORT; }
        location /plain {
            error_page 502 = @tracked;
            client_max_body_size 64m;
            proxy_pass http://127.0.0.1:$DEAD_PORT;
        }"
    odd_start
    ALLOWED='Connection refused'
    stages path=/tracked "path=/tracked?small size=6000 stages=" \
        "path=/plain live=unknown" "path=/plain?small size=6000 stages=" \
        "path=/plain?slow&delay=1500 live=unknown processing=1"
}

@test "nested locations" {
    SITE_SERVER="
        location /outer {
            $TRACKED
            proxy_pass $APP;
            location /outer/inner { proxy_pass $APP; }
            location /outer/both { $TRACKED proxy_pass $APP; }
            location /outer/failing { error_page 502 /sorry; proxy_pass $APP; }
        }
        location = /sorry { return 200 sorry; }
        location /plain {
            proxy_pass $APP;
            location /plain/inner { $TRACKED proxy_pass $APP; }
            location ~ \.php\$ { $TRACKED proxy_pass $APP; }
        }"
    odd_start
    ALLOWED='prematurely closed'
    stages path=/outer path=/outer/both path=/plain/inner path=/plain/x.php \
        path=/outer/inner "path=/outer/inner?small size=6000 stages=" \
        "path=/outer/failing?drop=1 response=502"
}

@test "regular expressions, encoded and doubled slashes" {
    DAEMON_CONF="upload_progress other 1m;
        location /reg { track_uploads other 60s; }
        location = /progress/detail { report_uploads other; upload_progress_detail_output; }"
    SITE_SERVER="
        location ~ ^/reg(ex)?/[a-z]\$ { $TRACKED proxy_pass $APP; }
        location /short { rewrite ^/short(.*) /regex\$1 last; }"
    odd_start
    stages "path=/regex/a zone=other" "path=//regex//b zone=other" \
        "path=/%72egex/%63 zone=other" "path=/x/../reg/./d zone=other" \
        "path=/short/e zone=other"
}

@test "try_files" {
    SITE_SERVER="
        root $BATS_TEST_TMPDIR;
        location /plain-tracked { try_files /no @tracked; }
        location /tracked-tracked { $TRACKED try_files /no @tracked; }
        location /uri-tracked { try_files /no /upload?\$args; }
        location @tracked { $TRACKED proxy_pass $APP; }"
    odd_start
    stages path=/plain-tracked path=/tracked-tracked path=/uri-tracked
}

@test "try_files out of a tracked location: the end alone" {
    SITE_SERVER="
        root $BATS_TEST_TMPDIR;
        location /named { $TRACKED try_files /no @plain; }
        location /uri { $TRACKED try_files /no /plain?\$args; }
        location /plain { proxy_pass $APP; }
        location @plain { proxy_pass $APP; }"
    odd_start
    stages "path=/named live=unknown" "path=/uri live=unknown"
}

@test "auth_basic, satisfy any, limit_except" {
    printf 'user:{PLAIN}secret\n' > "$BATS_TEST_TMPDIR/passwords"
    local auth="auth_basic x; auth_basic_user_file $BATS_TEST_TMPDIR/passwords;"

    SITE_SERVER="
        location /basic { $TRACKED $auth proxy_pass $APP; }
        location /any-address { $TRACKED satisfy any; allow 127.0.0.1; deny all; $auth proxy_pass $APP; }
        location /any-password { $TRACKED satisfy any; deny all; $auth proxy_pass $APP; }
        location /except { $TRACKED limit_except GET { $auth } proxy_pass $APP; }
        location /forbidden { $TRACKED limit_except GET { deny all; } proxy_pass $APP; }"
    odd_start
    ALLOWED='no user/password|access forbidden|password mismatch'
    stages "path=/basic auth=user:secret" path=/any-address \
        "path=/any-password auth=user:secret" "path=/except auth=user:secret"
    REFUSED="early=send live=unknown backend=0 received=0"
    stages "path=/basic?none response=401 $REFUSED" \
        "path=/basic?wrong auth=user:wrong response=401 $REFUSED" \
        "path=/any-password?none response=401 $REFUSED" \
        "path=/except?none response=401 $REFUSED" \
        "path=/forbidden response=403 $REFUSED"
    stages "path=/basic?closed response=401 ${REFUSED/send/close}" \
        "path=/basic?asked expect=1 response=401 ${REFUSED/send/close}"
}

@test "limit_req, limit_conn, limit_rate" {
    SITE_HTTP="limit_req_zone \$uri zone=strict:1m rate=1r/m;
        limit_req_zone \$uri zone=slow:1m rate=1r/s;
        limit_conn_zone \$uri zone=few:1m;"
    SITE_SERVER="
        location /strict { $TRACKED limit_req zone=strict; proxy_pass $APP; }
        location /named { $TRACKED limit_req zone=strict; limit_req_status 429; proxy_pass $APP; }
        location /delayed { $TRACKED limit_req zone=slow burst=5; proxy_pass $APP; }
        location /few { $TRACKED limit_conn few 1; proxy_pass $APP; }
        location /rate { $TRACKED limit_rate 1k; proxy_pass $APP; }"
    odd_start
    ALLOWED='limiting requests|limiting connections'
    stages path=/strict path=/named path=/delayed path=/rate
    REFUSED="early=send live=unknown backend=0 received=0"
    stages "path=/few?delay=5000 id=first" 3>&- &
    STAGES_PID=$!
    wait_until state_is first uploading
    stages "path=/strict?2 response=503 $REFUSED" "path=/named?2 response=429 $REFUSED" \
        "path=/few?2 response=503 $REFUSED" path=/delayed?2
    wait "$STAGES_PID"
}

@test "client_max_body_size" {
    SITE_SERVER="
        location = /sorry { return 200 sorry; }
        location @sorry { return 200 sorry; }
        location @tracked { $TRACKED return 200 sorry; }
        location /length { $TRACKED client_max_body_size 300k; proxy_pass $APP; }
        location /unbuffered {
            $TRACKED
            client_max_body_size 300k;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_pass $APP;
        }
        location /uri { $TRACKED client_max_body_size 300k; error_page 413 /sorry; proxy_pass $APP; }
        location /named { $TRACKED client_max_body_size 300k; error_page 413 @sorry; proxy_pass $APP; }
        location /tracked { $TRACKED client_max_body_size 300k; error_page 413 =400 @tracked; proxy_pass $APP; }"
    SITE_SERVER=${SITE_SERVER//client_max_body_size 64m;/}
    odd_start
    ALLOWED='intended to send too large'
    local refused="response=413 early=send live=unknown backend=0 received=0"
    stages "path=/length $refused" "path=/unbuffered $refused" "path=/uri $refused" \
        "path=/named $refused" "path=/tracked $refused told=400 response=400" \
        "path=/length?close ${refused/send/close}"
    # It runs over in mid-body; what came until then is not told to the byte.
    local chunked="chunked=1 live=near stages=200000 response=413 received=any known=null"
    stages "path=/length?chunked $chunked backend=0" \
        "path=/unbuffered?chunked $chunked body=any" \
        "path=/named?chunked $chunked backend=0"
}

@test "return in a tracked location" {
    SITE_SERVER="
        location /return { $TRACKED return 405; }
        location /if { $TRACKED if (\$request_method = POST) { return 204; } proxy_pass $APP; }"
    odd_start
    stages "path=/return early=send live=unknown response=405 backend=0 received=0" \
        "path=/if early=send live=unknown response=204 backend=0 received=0"
}

@test "files: 405 to POST" {
    mkdir "$BATS_TEST_TMPDIR/files"
    echo file > "$BATS_TEST_TMPDIR/files/a"
    SITE_SERVER="
        location /files/ { $TRACKED root $BATS_TEST_TMPDIR; }
        location /alias/ { $TRACKED alias $BATS_TEST_TMPDIR/files/; }"
    odd_start
    ALLOWED='No such file'
    local answered="early=send backend=0 received=any"
    stages "path=/files/a response=405 $answered" "path=/alias/a response=405 $answered" \
        "path=/alias/none response=404 $answered"
}
