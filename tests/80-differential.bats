#!/usr/bin/env bats
# Side by side with nginx-upload-progress-module: two sites, stock nginx with
# the module and stock nginx with the shipped snippets and upload-progressd, get
# the same requests, and their answers are compared byte for byte. What is done
# stands in client/differential-cases.mjs, what may differ, and why, in
# client/differential-expected.mjs alone.

# shellcheck disable=SC2016,SC2034 # "$" is nginx's; helper.bash reads the rest

load helper
bats_require_minimum_version 1.5.0

MODULE=/usr/lib/nginx/modules/ngx_http_uploadprogress_module.so

# The locations of both sites, word for word: in the module's nginx.conf and in
# upload-progressd.conf.
PROBED='
    location ^~ /progress {
        report_uploads proxied;
        upload_progress_json_output;
    }
    location ^~ /progress/longer {
        report_uploads proxied;
        upload_progress_java_output;
    }
    location = /progress/java {
        report_uploads proxied;
        upload_progress_java_output;
    }
    location = /progress/jsonp {
        report_uploads proxied;
        upload_progress_jsonp_output;
    }
    location = /progress/default {
        report_uploads proxied;
    }
    location = /progress/function {
        report_uploads proxied;
        upload_progress_jsonp_output;
        upload_progress_jsonp_parameter function;
    }
    location = /progress/token {
        report_uploads proxied;
        upload_progress_json_output;
        upload_progress_header X-Upload-Token;
    }
    location = /progress/token-header {
        report_uploads proxied;
        upload_progress_json_output;
        upload_progress_header X-Upload-Token;
    }
    location = /progress/template {
        report_uploads proxied;
        upload_progress_content_type "text/x-own; charset=utf-8";
        upload_progress_template st "own starting";
        upload_progress_template uploading "<$uploadprogress_received/${uploadprogress_remaining}/$uploadprogress_length/$uploadprogress_status>$uploadprogress_callback();\r\n";
        upload_progress_template do "own done";
        upload_progress_template error "own error";
    }
    location = /progress/variables {
        report_uploads proxied;
        upload_progress_template starting "s $uploadprogress_received $uploadprogress_remaining $uploadprogress_length $uploadprogress_status\r\n";
        upload_progress_template uploading "u $uploadprogress_received $uploadprogress_remaining $uploadprogress_length $uploadprogress_status\r\n";
        upload_progress_template done "d $uploadprogress_received $uploadprogress_remaining $uploadprogress_length $uploadprogress_status\r\n";
        upload_progress_template error "e $uploadprogress_received $uploadprogress_remaining $uploadprogress_length $uploadprogress_status\r\n";
        upload_progress_content_type text/plain;
    }
    location = /progress/nginx {
        report_uploads proxied;
        upload_progress_content_type text/plain;
        upload_progress_template starting "$request_method $uri $args $arg_t $host $http_x_progress_id\n";
    }
    location = /progress/nginx-more {
        report_uploads proxied;
        upload_progress_content_type text/plain;
        upload_progress_template starting "$scheme $remote_addr\n";
    }
    location = /progress/type-first {
        report_uploads proxied;
        upload_progress_content_type text/x-own;
        upload_progress_json_output;
    }
    location = /progress/template-first {
        report_uploads proxied;
        upload_progress_template starting "own";
        upload_progress_json_output;
    }
    location = /progress/template-last {
        report_uploads proxied;
        upload_progress_json_output;
        upload_progress_template starting "own";
    }
'


# The same by inheritance, for a test of its own.
INHERITED='
    upload_progress_json_output;
    upload_progress_jsonp_parameter function;
    upload_progress_header X-Upload-Token;
'
# Whoever probes uses the other header name then.
INHERITING='
    location ^~ /progress { report_uploads proxied; }
    location = /progress/jsonp {
        report_uploads proxied;
        upload_progress_jsonp_output;
    }
    location = /progress/type {
        report_uploads proxied;
        upload_progress_content_type text/x-own;
    }
    location = /progress/template {
        report_uploads proxied;
        upload_progress_template starting "own";
    }
'

# tracked PATH ZONE DIRECTIVE...: a location that takes uploads, on both sites.
# TRACKED_EXTRA holds for the module in nginx.conf, for ours in the daemon's.
tracked() {
    local path=$1 zone=$2

    shift 2
    SITE_SERVER+="
        location = $path {
            include upload-progress/location.conf;
            $*
        }"
    TRACKED+="
        location = $path { track_uploads $zone 30s; ${TRACKED_EXTRA:-} }"
    MODULE_SERVER+="
        location = $path {
            $* ${TRACKED_EXTRA:-}
            track_uploads $zone 30s;
        }"
}

# Each of these ends an upload in a way of its own.
tracked_locations() {
    local app="proxy_pass http://127.0.0.1:$APP_PORT;"
    local dead="proxy_pass http://127.0.0.1:$DEAD_PORT;"
    local common='
        client_max_body_size 64m;
        location = /sorry { internal; return 200 "sorry\n"; }'

    SITE_SERVER=$common
    MODULE_SERVER=$common
    TRACKED='location /upload { track_uploads proxied 30s; }'
    tracked /small proxied "$app" 'client_max_body_size 100k;'
    tracked /denied proxied "$app" 'deny all;'
    tracked /busy proxied "$app" 'return 503;'
    tracked /dead proxied "$dead"
    tracked /late proxied "$app" 'proxy_read_timeout 1s;'
    tracked /hasty proxied "$app" 'client_body_timeout 1s;'
    tracked /direct proxied "$app" 'proxy_request_buffering off;'
    tracked /paged proxied "$dead" 'error_page 502 /sorry;'
    tracked /paged-small proxied "$app" 'client_max_body_size 100k;' \
        'error_page 413 /sorry;'
    tracked /tiny tiny "$app"
    TRACKED_EXTRA='upload_progress_header X-Upload-Token;' \
        tracked /token proxied "$app"
}

# The shipped snippets pass a probe's X-Progress-ID; a site with another name
# passes that in a location of its own.
token_location() {
    SITE_SERVER+='
        location = /progress/token-header {
            fastcgi_pass upload_progress_fastcgi;
            fastcgi_pass_request_headers off;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param DOCUMENT_URI $document_uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param HTTP_X_UPLOAD_TOKEN $http_x_upload_token;
        }'
}

module_write() {
    mkdir -p "$SITE/module"
    cat > "$SITE/module/nginx.conf" <<CONF
load_module $MODULE;
worker_processes 1;
$([ "$(id -u)" -ne 0 ] || echo "user root;")
pid $SITE/module/nginx.pid;
error_log $SITE/log/module-error.log;
events { worker_connections 2048; }
http {
    client_body_temp_path $SITE/module/body;
    proxy_temp_path $SITE/module/proxy;
    fastcgi_temp_path $SITE/module/fastcgi;
    scgi_temp_path $SITE/module/scgi;
    uwsgi_temp_path $SITE/module/uwsgi;
    access_log $SITE/log/module-access.log;
    upload_progress proxied 1m;
    upload_progress tiny 32k;
    $1
    server {
        listen 127.0.0.1:$MODULE_PORT;
        location /upload {
            proxy_pass http://127.0.0.1:$APP_PORT;
            track_uploads proxied 30s;
        }
        $2
        $MODULE_SERVER
    }
}
CONF
}

# The nginx that the module was built for.
module_start() {
    /usr/sbin/nginx -p "$SITE/module" -c "$SITE/module/nginx.conf" \
        2> "$SITE/log/module-stderr" 3>&-
    wait_until test -s "$SITE/module/nginx.pid"
    wait_until is_listening "$MODULE_PORT"
}

module_stop() {
    [ -s "${SITE:-}/module/nginx.pid" ] || return 0
    kill "$(cat "$SITE/module/nginx.pid")"
    wait_until test ! -e "$SITE/module/nginx.pid"
}

# sites_start [INHERITED LOCATIONS]
sites_start() {
    site_ports
    MODULE_PORT=$((PORT + 7))
    tracked_locations
    token_location
    DAEMON_CONF="
        upload_progress proxied 1m;
        upload_progress tiny 32k;
        ${1:-}
        $TRACKED
        ${2:-$PROBED}"
    site_start
    module_write "${1:-}" "${2:-$PROBED}"
    module_start
}

# compare CASE: does it on both sites; fails where they differ unexpectedly.
compare() {
    node "$CLIENT/differential.mjs" --module="http://127.0.0.1:$MODULE_PORT" \
        --ours="$URL" "$1"
}

setup() {
    [ -f "$MODULE" ] || skip \
        "needs Debian's libnginx-mod-http-uploadprogress to compare with"
}

teardown() {
    local status=0

    module_stop || status=1
    site_stop || status=1
    return $status
}

@test "unknown" {
    sites_start
    compare "unknown"
}

@test "in flight" {
    sites_start
    compare "in flight"
}

@test "the backend works" {
    sites_start
    compare "the backend works"
}

@test "first moment" {
    sites_start
    compare "first moment"
}

@test "ends of the backend" {
    sites_start
    compare "ends of the backend"
}

@test "ends of nginx" {
    sites_start
    compare "ends of nginx"
}

@test "an error page" {
    sites_start
    compare "an error page"
}

@test "the client cuts the body short" {
    sites_start
    compare "the client cuts the body short"
}

@test "the client stops sending" {
    sites_start
    compare "the client stops sending"
}

@test "small bodies" {
    sites_start
    compare "small bodies"
}

@test "used again after the end" {
    sites_start
    compare "used again after the end"
}

@test "used again while it runs" {
    sites_start
    compare "used again while it runs"
}

@test "a full zone" {
    sites_start
    compare "a full zone"
}

@test "other methods" {
    sites_start
    compare "other methods"
}

@test "chunked" {
    sites_start
    compare "chunked"
}

@test "without request buffering" {
    sites_start
    compare "without request buffering"
}

@test "the default output" {
    sites_start
    compare "the default output"
}

@test "methods of a probe" {
    sites_start
    compare "methods of a probe"
}

@test "no ID" {
    sites_start
    compare "no ID"
}

@test "callbacks" {
    sites_start
    compare "callbacks"
}

@test "callback in other case" {
    sites_start
    compare "callback in other case"
}

@test "IDs" {
    sites_start
    compare "IDs"
}

@test "several IDs" {
    sites_start
    compare "several IDs"
}

@test "own header name" {
    SITE_PROGRESS_HEADER=X-Upload-Token \
        sites_start 'upload_progress_header X-Upload-Token;'
    compare "own header name"
}

@test "two header names" {
    sites_start
    compare "two header names"
}

@test "variables of templates" {
    sites_start
    compare "variables of templates"
}

@test "variables before the start" {
    sites_start
    compare "variables before the start"
}

@test "nginx variables in templates" {
    sites_start
    compare "nginx variables in templates"
}

@test "a content type, then an output" {
    sites_start
    compare "a content type, then an output"
}

@test "order of directives" {
    sites_start
    compare "order of directives"
}

@test "inherited directives" {
    sites_start "$INHERITED" "$INHERITING"
    compare "inherited directives"
}

@test "every case has a test, every row of the table has a case" {
    diff <(node "$CLIENT/differential.mjs" --list | sort) \
        <(sed -n 's/^    compare "\(.*\)"$/\1/p' "$BATS_TEST_FILENAME" | sort)
}
