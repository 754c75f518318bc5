#!/usr/bin/env bash
# A probe of an upload in flight through nginx, beside what nginx answers itself,
# what the compiled module answers, and what the least responders answer.
. "$(dirname "$0")/lib.bash"

UPLOADS=100
# So many that none is asked for twice within the 20 ms in which the daemon does not
# look at its gauges again.
UNSHARED=2000
CONNECTIONS=32
MODULE=/usr/lib/nginx/modules/ngx_http_uploadprogress_module.so
# libfcgi's threads belong to connections: as many as nginx may have open.
POOL=64
# The digits are those of the uploads that are held.
BODY='{ "state" : "uploading", "received" : 1234567, "size" : 9999999 }\r\n'

# The peers get what the daemon gets, in the same way.
peer_location() {
    echo "location = /$1 { access_log off; include upload-progress/probe-params.conf;
        fastcgi_pass $1; }"
}

# There is no snippet for probes over SCGI: this is probe.conf and
# probe-params.conf with the protocol changed.
scgi_location() {
    echo "location = /$1 {
        access_log off;
        ${3:-}
        scgi_connect_timeout 1s; scgi_send_timeout 1s; scgi_read_timeout 2s;
        scgi_pass_request_body off;
        scgi_pass_request_headers off;
        scgi_param SCGI 1;
        scgi_param REQUEST_METHOD \$request_method;
        scgi_param DOCUMENT_URI /progress;
        scgi_param HTTP_HOST \$host;
        scgi_param QUERY_STRING \$query_string;
        scgi_param HTTP_X_PROGRESS_ID \$http_x_progress_id;
        scgi_param HTTP_IF_NONE_MATCH \$http_if_none_match;
        scgi_param HTTP_ORIGIN \$http_origin;
        scgi_pass $2;
    }"
}

# Static answers and peers are in a server of their own, without the snippets;
# what those cost each request of a server shows in static-snippets.
site() {
    local run=$WORK/site/run name static

    bench_ports
    SITE_WORKERS=$1
    SITE_LOCATION="client_body_timeout 1h;"
    static="location = /static { access_log off; default_type application/json;
        return 200 '$BODY'; }"
    BENCH_HTTP=
    for name in fastcgi-epoll fastcgi-libfcgi; do
        BENCH_HTTP+="upstream $name { server unix:$WORK/$name.sock; keepalive 16; }"
    done
    BENCH_HTTP+="server {
        listen 127.0.0.1:$PLAIN_PORT;
        $static
        $(peer_location fastcgi-epoll) $(peer_location fastcgi-libfcgi)
        $(scgi_location scgi-epoll "unix:$WORK/scgi-epoll.sock")
    }"
    SITE_SERVER="$static
        $(scgi_location scgi-progress upload_progress_scgi \
            "if (!-f $run/upload-progressd.pid) { return 503; }")"
    bench_site
    hold_uploads "$PORT" $UPLOADS held
    hold_uploads "$PORT" $UNSHARED unshared 20000 1024 1000
}

module_site() {
    nginx_folder module
    cat > "$WORK/module/conf/nginx.conf" <<CONF
load_module $MODULE;
$(nginx_head module "$1")
http {
    $(http_head module)
    upload_progress proxied 1m;
    server {
        listen 127.0.0.1:$MODULE_PORT;
        location /upload {
            client_max_body_size 64m;
            client_body_timeout 1h;
            proxy_pass http://127.0.0.1:$SINK_PORT;
            track_uploads proxied 30s;
        }
        location ^~ /progress {
            access_log off;
            report_uploads proxied;
            upload_progress_json_output;
        }
    }
}
CONF
    other_nginx module "$MODULE_PORT"
    hold_uploads "$MODULE_PORT" $UPLOADS held
}

answer_of() {
    curl -sS "${URL_OF[$1]}?X-Progress-ID=held-$((UPLOADS - 1))"
}

in_flight() {
    [[ $(answer_of "$1") == *'"uploading", "received" : 1'??????,* ]]
}

# What the daemon answers, as a CGI program would.
peers_start() {
    local answer=$WORK/answer

    curl -sS -i "$URL/progress?X-Progress-ID=held-0" |
        sed -e '1,/^\r$/{/^HTTP\|^Server:\|^Date:\|^Connection:/d}' > "$answer"
    background "$TOOLS/constant" fastcgi "unix:$WORK/fastcgi-epoll.sock" "$answer"
    RESPONDER[fastcgi-epoll]=$STARTED
    background "$TOOLS/libfcgi" "unix:$WORK/fastcgi-libfcgi.sock" "$answer" $POOL
    RESPONDER[fastcgi-libfcgi]=$STARTED
    background "$TOOLS/constant" scgi "unix:$WORK/scgi-epoll.sock" "$answer"
    RESPONDER[scgi-epoll]=$STARTED
    wait_until test -S "$WORK/fastcgi-libfcgi.sock"
    wait_until test -S "$WORK/scgi-epoll.sock"
}

CASES=(static static-snippets module fastcgi-epoll fastcgi-libfcgi scgi-epoll daemon-fastcgi daemon-fastcgi-unshared
    daemon-scgi)
declare -A URL_OF RESPONDER

start() {
    local name

    site "$1"
    module_site "$1"
    for name in static fastcgi-epoll fastcgi-libfcgi scgi-epoll; do
        URL_OF[$name]=http://127.0.0.1:$PLAIN_PORT/$name
        RESPONDER[$name]=
    done
    URL_OF[static-snippets]=$URL/static
    RESPONDER[static-snippets]=
    URL_OF[module]=http://127.0.0.1:$MODULE_PORT/progress
    URL_OF[daemon-fastcgi]=$URL/progress
    URL_OF[daemon-fastcgi-unshared]=$URL/progress
    URL_OF[daemon-scgi]=$URL/scgi-progress
    RESPONDER[module]=
    RESPONDER[daemon-fastcgi]=$DAEMON_PID
    RESPONDER[daemon-fastcgi-unshared]=$DAEMON_PID
    RESPONDER[daemon-scgi]=$DAEMON_PID
    wait_until in_flight daemon-fastcgi || fail "the daemon does not see the uploads"
    wait_until state_is unshared-$((UNSHARED - 1)) uploading || fail "the daemon sees not all"
    wait_until in_flight module || fail "the module does not see the uploads"
    peers_start
    for name in "${CASES[@]}"; do
        if ! SECONDS_MAX=10 wait_until in_flight "$name" ||
            [ "$(answer_of "$name" | wc -c)" -ne "$(answer_of static | wc -c)" ]; then
            fail "$name has another answer: $(answer_of "$name")"
        fi
    done
}

# one CASE ROUND SUFFIX CONNECTIONS NAME_OF_CASE
one() {
    local folder=$SITE ids=(held "$UPLOADS")

    [ "$1" != module ] || folder=$WORK/module
    [ "$1" != daemon-fastcgi-unshared ] || ids=(unshared "$UNSHARED")
    load "$5" "$2" "$3" "$folder" "${RESPONDER[$1]}" "$4" "${URL_OF[$1]}" "${ids[@]}"
}

measure() {
    local workers=$1 round name

    start "$workers"
    for ((round = 1; round <= ROUNDS; round++)); do
        say "$workers workers, round $round of $ROUNDS"
        for name in $(alternate "$round" "${CASES[@]}"); do
            one "$name" "$round" "" $CONNECTIONS "$workers: $name"
            SECONDS_EACH=1 one "$name" "$round" _alone 1 "$workers: $name"
        done
    done
    [ ! -s "$WORK/hold.log" ] || fail "an upload has ended: $(head -n 3 "$WORK/hold.log")"
    stop_all
}

# By the cases' order whatever round came first.
for workers in 2 1; do
    for name in "${CASES[@]}"; do
        row "$workers: $name" 0 errors 0
    done
    measure $workers
done

echo "## Probes"
echo
echo "wrk -t1 -c$CONNECTIONS -d${SECONDS_EACH}s --latency, kept connections, each of $UPLOADS"
echo "uploads in flight in turn, \"unshared\" of $UNSHARED; \"alone\" with -c1 -d1s. CPU is in"
echo "seconds for 100,000 requests, of nginx's workers and of the responder. Ratios are medians over the"
echo "rounds, the range in brackets."
echo
for workers in 2 1; do
    echo "nginx with $workers worker$([ $workers = 1 ] || echo s):"
    echo
    table "answered by=^$workers: " "requests/s=rps" \
        "of fastcgi-epoll=rps/~fastcgi-epoll" "of static=rps/~static" \
        "p50 ms=p50_ms" "p99 ms=p99_ms" "alone p50 ms=p50_ms_alone" \
        "alone p99 ms=p99_ms_alone" "CPU nginx=nginx_cpu" "CPU responder=cpu" "errors=errors"
done
