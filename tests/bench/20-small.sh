#!/usr/bin/env bash
# Small uploads: what tracking costs where the end is all that is told, beside the
# compiled module; and whether all ends are known afterwards.
. "$(dirname "$0")/lib.bash"

CONNECTIONS=32
BYTES=1024
MODULE=/usr/lib/nginx/modules/ngx_http_uploadprogress_module.so
CASES=(untracked tracked unheard module-untracked module)
declare -A URL_OF=()

start() {
    bench_ports
    SITE_WORKERS=2
    SITE_TTL=120s
    SITE_ZONE_SIZE=512m
    BENCH_HTTP="$(sink_upstream)
        server {
            listen 127.0.0.1:$PLAIN_PORT;
            access_log $WORK/site/log/access.log;
            $(sink_location /small)
        }"
    SITE_SERVER=$(sink_location /small "include upload-progress/location.conf;")
    bench_site
    sink_start
    nginx_folder module
    # track_uploads has to be the last line of its location.
    cat > "$WORK/module/conf/nginx.conf" <<CONF
load_module $MODULE;
$(nginx_head module 2)
http {
    $(http_head module)
    upload_progress proxied 256m;
    $(sink_upstream)
    server {
        listen 127.0.0.1:$MODULE_PORT;
        $(sink_location /untracked)
        $(sink_location /small "" "track_uploads proxied 120s;")
    }
}
CONF
    other_nginx module "$MODULE_PORT"
    URL_OF[untracked]=http://127.0.0.1:$PLAIN_PORT/small
    URL_OF[tracked]=$URL/small
    URL_OF[unheard]=$URL/small
    URL_OF[module-untracked]=http://127.0.0.1:$MODULE_PORT/untracked
    URL_OF[module]=http://127.0.0.1:$MODULE_PORT/small
}

# Those that wrk itself cut off as it ended need not be known.
count_ends() {
    local round=$1 known cut lost

    client "$WORK/known" node "$CLIENT/known.mjs" known url="$URL" prefix="tracked-$round" \
        count="${FIELD[issued]}"
    known=$(cat "$WORK/known")
    cut=$((FIELD[issued] - FIELD[requests]))
    lost=$((FIELD[issued] - ${known:-0} - cut))
    row tracked "$round" known "${known:-0}"
    row tracked "$round" lost $((lost > 0 ? lost : 0))
    row tracked "$round" errors $((lost > 0 ? lost : 0))
}

start
for name in "${CASES[@]}"; do
    row "$name" 0 errors 0
done
for ((round = 1; round <= ROUNDS; round++)); do
    say "round $round of $ROUNDS"
    for name in $(alternate "$round" "${CASES[@]}"); do
        folder=$SITE
        responder=$DAEMON_PID
        [[ $name != module* ]] || folder=$WORK/module
        [ "$name" = tracked ] || responder=
        [ "$name" != unheard ] || kill -STOP "$DAEMON_PID"
        load "$name" "$round" "" "$folder" "$responder" $CONNECTIONS "${URL_OF[$name]}" \
            "$name-$round" 1 $BYTES
        [ "$name" != unheard ] || { kill -CONT "$DAEMON_PID" && sleep 1; }
        [ "$name" != tracked ] || count_ends "$round"
    done
done

echo "## Small uploads"
echo
echo "POST of $BYTES bytes, each with an ID of its own, wrk -t1 -c$CONNECTIONS"
echo "-d${SECONDS_EACH}s, nginx with 2 workers, proxied over kept connections to a sink in C;"
echo "\"untracked\" is in a server without the snippets. CPU in seconds for 100,000 uploads."
echo "\"known\" and \"lost\" are ends of uploads, asked for by their IDs. \"unheard\": tracked,"
echo "while the daemon is stopped by SIGSTOP: what is left is nginx's part."
echo
table "location" "uploads/s=rps" "of untracked=rps/untracked" "p50 ms=p50_ms" "p99 ms=p99_ms" \
    "CPU nginx=nginx_cpu" "of untracked=nginx_cpu/untracked" "CPU daemon=cpu" "known=known" \
    "lost=lost" "errors=errors"
