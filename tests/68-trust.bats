#!/usr/bin/env bats
# Who may tell events, and what becomes of those of others: clients, forged log
# lines, peers without the key, other users; see docs/security.md.

# shellcheck disable=SC2034 # helper.bash reads what the tests set

load helper
bats_require_minimum_version 1.5.0

KEY=0123456789abCDEF

# trust COMMAND OPTION...: see client/trust.mjs
trust() {
    node "$CLIENT/trust.mjs" "$1" "url=$URL" "events=$EVENT_PORT" "${@:2}"
}

daemon_log() {
    grep -F "$1" "$SITE/log/upload-progressd.log"
}

worker_pid() {
    nginx_workers | head -n 1
}

# ---- clients

@test "clients do not reach the locations that events go to" {
    SITE_SERVER="location = /accel { return 200; add_header X-Accel-Redirect /upload-progress/start; }"
    site_start
    trust internal
    run ! daemon_log 'upload spoofed'
    # The same over HTTP/2.
    for path in start body; do
        run curl -sk --http2 -o /dev/null -w '%{http_code}' --data-binary x \
            "$TLS_URL/upload-progress/$path?X-Progress-ID=spoofed"
        [ "$output" = 404 ]
    done
    run ! daemon_log 'upload spoofed'
    # The harness would see one.
    curl -s -o /dev/null --data-binary x "$URL/upload?X-Progress-ID=spoofed"
    wait_until daemon_log 'upload spoofed'
}

@test "headers and arguments of a probe are no parameters of an event" {
    # Also where a site lets all headers through, and those with underscores.
    SITE_HTTP="underscores_in_headers on;"
    SITE_SERVER="location = /passing {
        fastcgi_param REQUEST_METHOD \$request_method;
        fastcgi_param DOCUMENT_URI /progress;
        fastcgi_param QUERY_STRING \$query_string;
        fastcgi_pass upload_progress_fastcgi;
    }"
    site_start
    trust headers
    run ! daemon_log 'spoofed'
    run ! daemon_log 'event by request'
}

@test "an ID that runs already: the first stays shown, neither upload is harmed" {
    site_start
    # client/upload.mjs checks each answer against what it has sent itself.
    node "$CLIENT/upload.mjs" --url="$URL" --ids=taken --bytes=4000000 --rate=1000000 \
        --expect-response=200 --expect-status=200 --lag-bytes=65536 3>&- &
    UPLOAD_PID=$!
    wait_until state_is taken uploading
    for size in 20000 1 300000; do
        run curl -s -o /dev/null -w '%{http_code}' --data-binary "@$(make_file $size)" -H 'Expect:' \
            "$URL/upload?X-Progress-ID=taken"
        [ "$output" = 200 ]
        [ "$(field size < <(probe taken detail))" = 4000000 ]
        [ "$(field state < <(probe taken detail))" = uploading ]
    done
    # One that fails, and one that is broken off, end nothing but themselves.
    run curl -s -o /dev/null -w '%{http_code}' --data-binary "@$(make_file 20000)" -H 'Expect:' \
        "$URL/upload?X-Progress-ID=taken&status=500"
    [ "$output" = 500 ]
    run curl -s -o /dev/null --max-time 0.3 --limit-rate 10k --data-binary "@$(make_file 300000)" \
        -H 'Expect:' "$URL/upload?X-Progress-ID=taken"
    [ "$(field state < <(probe taken detail))" = uploading ]
    wait "$UPLOAD_PID"
}

# ---- the key

key_start() {
    SITE_PROGRESS_KEY=$KEY
    DAEMON_CONF="upload_progress_key $KEY;
        listen 127.0.0.1:$FASTCGI_PORT fastcgi;
        listen 127.0.0.1:$SCGI_PORT scgi;
        ${DAEMON_CONF:-}"
    site_start
}

@test "with a key the snippets that carry it work as ever" {
    site_ports
    SITE_SERVER='location /body {
        include upload-progress/location-body.conf;
        proxy_pass http://127.0.0.1:'$APP_PORT';
    }'
    key_start
    node "$CLIENT/upload.mjs" --url="$URL" --ids=one --expect-status=200 --expect-gauges=socket
    # The temporary file is told of by the error log, whose lines have no fields.
    node "$CLIENT/upload.mjs" --url="$TLS_URL" --probe-url="$URL" --ids=two --http=2 \
        --expect-status=200 --expect-gauges=spool
    curl -s -o /dev/null --data-binary "@$(make_file 300000)" -H 'Expect:' "$URL/body?X-Progress-ID=three"
    wait_until state_is three "done"
    run ! daemon_log 'without the key'
}

@test "the files with the key are their owner's alone, the others everybody's" {
    local file mode

    site_ports
    SITE_PROGRESS_KEY=$KEY
    site_write
    for file in "$SITE"/conf/*/*.conf; do
        mode=644
        ! grep -q "$KEY" "$file" || mode=600
        [ "$(stat -c %a "$file")" = $mode ]
    done
    [ "$(grep -l "$KEY" "$SITE"/conf/upload-progress/*.conf | wc -l)" -eq 4 ]
    # Installed again without one, they hold none and can be read again.
    SITE_PROGRESS_KEY=
    site_write
    run ! grep -r "$KEY" "$SITE/conf"
    [ "$(stat -c %a "$SITE/conf/upload-progress/variables.conf")" = 644 ]
    for bad in 0123456789a 0123456789abcdefg 0123456789_a "0123456789a
b" '0123456789a"'; do
        PROGRESS_KEY=$bad run ! make -s -C "$ROOT" install-snippets SNIPPETDIR="$BATS_TEST_TMPDIR/x/y"
        [[ $output == *"12 to 16 letters and digits"* ]]
    done
}

@test "the daemon warns of a key that everybody can read" {
    printf 'upload_progress_key %s;\n' "$KEY" > "$BATS_TEST_TMPDIR/key.conf"
    chmod 644 "$BATS_TEST_TMPDIR/key.conf"
    run -0 "$ROOT/$BUILD/upload-progressd" -t -g "include $BATS_TEST_TMPDIR/key.conf;"
    [[ $output == *'[warn] everybody can read the file that "upload_progress_key" stands in'* ]]
    chmod 640 "$BATS_TEST_TMPDIR/key.conf"
    run -0 "$ROOT/$BUILD/upload-progressd" -t -g "include $BATS_TEST_TMPDIR/key.conf;"
    [[ $output != *warn* ]]
}

@test "without the key nobody is believed, by no way; it is logged once" {
    site_ports
    key_start
    trust keys "fastcgi=127.0.0.1:$FASTCGI_PORT" "scgi=127.0.0.1:$SCGI_PORT" "key=$KEY"
    trust keys "fastcgi=unix:$SITE/run/fastcgi.sock" "scgi=unix:$SITE/run/scgi.sock" "key=$KEY"
    [ "$(daemon_log 'events without the key' | wc -l)" -eq 1 ]
    run ! daemon_log "$KEY"
}

@test "error_log's lines are believed by their tag" {
    site_ports
    untracked
    key_start
    forged_target
    trust spool "$TARGET_PID" "$TARGET_CONNECTION" "$TARGET_PATH" id=no-tag believed=0 "key=$KEY" tagged=0
    trust spool "$TARGET_PID" "$TARGET_CONNECTION" "$TARGET_PATH" id=tagged believed=1 "key=$KEY"
    forged_end
}

@test "nginx without the key: uploads go on, the daemon knows nothing of them" {
    DAEMON_CONF="upload_progress_key $KEY;"
    site_start
    run curl -s -o /dev/null -w '%{http_code}' --data-binary "@$(make_file 300000)" -H 'Expect:' \
        "$URL/upload?X-Progress-ID=one"
    [ "$output" = 200 ]
    wait_until daemon_log 'events without the key of upload_progress_key were refused'
    state_is one starting
}

@test "--check-nginx misses the key in the lines, and says what carries it" {
    DAEMON_CONF="upload_progress_key $KEY;"
    site_start
    run "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" \
        --check-nginx "$SITE/conf/nginx.conf"
    [[ $output == *'"error_log" to upload-progressd lacks the key,'*"tag=upload_progress_$KEY warn;"* ]]
    sed -i 's/key="[^"]*" //' "$SITE/conf/upload-progress/variables.conf"
    run "$ROOT/$BUILD/upload-progressd" -c "$SITE/upload-progressd.conf" \
        --check-nginx "$SITE/conf/nginx.conf"
    [[ $output == *'"access_log" to upload-progressd lacks the key,'* ]]
}

# ---- files that a line names

# A body of nginx's own that lies in a temporary file for a while.
forged_target() {
    curl -s -o /dev/null --data-binary "@$(make_file 300000)" -H 'Expect:' \
        "$URL/other-place?delay=30000" 3>&- &
    CURL_PID=$!
    wait_until target_is_there
    TARGET_PID=pid=$(worker_pid)
    TARGET_CONNECTION=connection=99999
    TARGET_PATH=path=$(target_path)
}

forged_end() {
    kill "$CURL_PID"
    wait "$CURL_PID" || true
}

target_path() {
    find "/proc/$(worker_pid)/fd" -lname "$SITE/temp/body/*" -printf '%l\n' | sed 's/ (deleted)$//'
}

target_is_there() {
    [ -n "$(target_path)" ]
}

# An untracked location, so that nobody tells of its files.
untracked() {
    SITE_SERVER="location /other-place { proxy_pass http://127.0.0.1:$APP_PORT/slow; }"
}

@test "a forged line for a file that is none of nginx's changes no answer" {
    local id=0 path

    site_ports
    untracked
    site_start
    forged_target
    # Files that are there, with and without a name like nginx's own.
    head -c 4321 /dev/zero > "$BATS_TEST_TMPDIR/0000000007"
    head -c 4321 /dev/zero > "$SITE/temp/body/0000000008"
    ln -s /etc/passwd "$BATS_TEST_TMPDIR/0000000009"
    ln -s "$SITE/log/access.log" "$SITE/temp/body/0000000010"
    exec 8< "$BATS_TEST_TMPDIR/0000000007"
    for path in /etc/shadow /etc/passwd "$SITE/log/access.log" "$SITE/log/error.log" "$SITE/nginx.pid" \
        "$BATS_TEST_TMPDIR/0000000007" "$SITE/temp/body/0000000008" "$BATS_TEST_TMPDIR/0000000009" \
        "$SITE/temp/body/0000000010" "${TARGET_PATH#path=}0" "$SITE/temp/body" /proc/self/fd/1 ; do
        id=$((id + 1))
        trust spool "$TARGET_PID" "$TARGET_CONNECTION" "path=$path" "id=forged-$id" believed=0
    done
    # Nor a file that another process has open, by that process.
    trust spool "pid=$$" "$TARGET_CONNECTION" "path=$BATS_TEST_TMPDIR/0000000007" id=mine believed=0
    trust spool "pid=$BASHPID" "$TARGET_CONNECTION" "path=$BATS_TEST_TMPDIR/0000000007" id=mine-2 believed=0
    trust spool "pid=$DAEMON_PID" "$TARGET_CONNECTION" "path=$SITE/log/upload-progressd.log" id=daemon believed=0
    exec 8<&-
    # The control: a temporary file of nginx's own is looked at.
    trust spool "$TARGET_PID" "$TARGET_CONNECTION" "$TARGET_PATH" id=control believed=1
    [ "$(field received < <(probe control detail))" -ge 16384 ]
    forged_end
}

@test "where /proc cannot be read, the name alone is taken of the worker's own files only" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to run the two as different users"
    site_ports
    untracked
    site_write
    sed -i 's/^user root;/user www-data;/' "$SITE/conf/nginx.conf"
    sed -i 's/\(listen unix.*\);/\1 mode=0666;/' "$SITE/upload-progressd.conf"
    app_start
    chmod 755 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" "$SITE"
    cp "$ROOT/$BUILD/upload-progressd" "$SITE/run/upload-progressd"
    chown -R irc "$SITE/run" "$SITE/log"
    setpriv --reuid=irc --regid=irc --clear-groups "$SITE/run/upload-progressd" \
        -c "$SITE/upload-progressd.conf" 2> "$SITE/log/stderr" 3>&- &
    DAEMON_PID=$!
    wait_until test -s "$SITE/run/upload-progressd.pid"
    nginx_start
    mkdir -m 755 "$BATS_TEST_TMPDIR/open"
    head -c 4321 /dev/zero > "$BATS_TEST_TMPDIR/open/0000000007"
    head -c 4321 /dev/zero > "$BATS_TEST_TMPDIR/open/0000000008"
    head -c 4321 /dev/zero > "$BATS_TEST_TMPDIR/open/theirs"
    ln -s theirs "$BATS_TEST_TMPDIR/open/0000000009"
    chown www-data "$BATS_TEST_TMPDIR"/open/{0000000008,theirs}
    local by
    by=pid=$(worker_pid)
    # Of root; not a number; a link; of a process that is not nginx.
    trust spool "$by" connection=9 "path=$BATS_TEST_TMPDIR/open/0000000007" id=root believed=0
    trust spool "$by" connection=9 "path=$BATS_TEST_TMPDIR/open/theirs" id=name believed=0
    trust spool "$by" connection=9 "path=$BATS_TEST_TMPDIR/open/0000000009" id=link believed=0
    trust spool pid=$$ connection=9 "path=$BATS_TEST_TMPDIR/open/0000000007" id=process believed=0
    trust spool pid=999999999 connection=9 "path=$BATS_TEST_TMPDIR/open/0000000008" id=nobody believed=0
    trust spool "$by" connection=9 "path=$BATS_TEST_TMPDIR/open/0000000008" id=control believed=1
    [ "$(field received < <(probe control detail))" = 4321 ]
}

# ---- sockets

@test "owner and group of sockets, as they are told, and who may connect then" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to give sockets away"
    local run=$BATS_TEST_TMPDIR/site/run

    DAEMON_CONF="listen unix:$run/given.sock fastcgi owner=nobody group=www-data mode=0600;
        listen unix:$run/group.sock scgi group=www-data;
        listen unix:$run/events.sock syslog owner=1 group=2 mode=0620;"
    site_start
    [ "$(stat -c '%a %U %G' "$run/given.sock")" = "600 nobody www-data" ]
    [ "$(stat -c '%a %U %G' "$run/group.sock")" = "660 root www-data" ]
    [ "$(stat -c '%a %u %g' "$run/events.sock")" = "620 1 2" ]
    [ "$(stat -c '%a %U %G' "$run/fastcgi.sock")" = "660 root root" ]
    chmod 755 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" "$SITE" "$run"
    may() { runuser -u "$1" -- "$(command -v node)" --input-type=module -e "
        import net from 'node:net';
        net.connect('$run/$2.sock').on('connect', () => process.exit(0))
            .on('error', ({ code }) => process.exit(code === 'EACCES' ? 13 : 1));"; }
    run -0 may nobody given
    run -13 may www-data given
    run -13 may nobody group
    run -0 may www-data group
    run -13 may nobody fastcgi
    run -13 may nobody scgi
}

@test "a daemon that may not give a socket away says so and leaves none" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to run the daemon as another user"
    mkdir "$BATS_TEST_TMPDIR/run"
    chmod 755 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
    chown nobody "$BATS_TEST_TMPDIR/run"
    cp "$ROOT/$BUILD/upload-progressd" "$BATS_TEST_TMPDIR/run/"
    run -1 runuser -u nobody -- "$BATS_TEST_TMPDIR/run/upload-progressd" -g "
        pid $BATS_TEST_TMPDIR/run/pid;
        listen unix:$BATS_TEST_TMPDIR/run/a.sock syslog owner=root;"
    [[ $output == *"bind() to unix:$BATS_TEST_TMPDIR/run/a.sock failed (1: Operation not permitted)"*owner=* ]]
    [ ! -e "$BATS_TEST_TMPDIR/run/a.sock" ]
}

@test "log lines from other hosts need a key; -t says so" {
    for address in 0.0.0.0:4514 '[::]:4514' 192.0.2.1:4514; do
        run -1 "$ROOT/$BUILD/upload-progressd" -t -g "listen $address syslog;"
        [[ $output == *"takes log lines at \"$address\", where other hosts can send them, which needs \"upload_progress_key\" in command line:1" ]]
        run -0 "$ROOT/$BUILD/upload-progressd" -t -g "listen $address syslog; upload_progress_key $KEY;"
    done
    run -0 "$ROOT/$BUILD/upload-progressd" -t -g "listen 0.0.0.0:4514 fastcgi;"
    run -0 "$ROOT/$BUILD/upload-progressd" -t -g "listen [::1]:4514 syslog; listen 127.1.2.3:4514 syslog;"
}

# other_address: one of this machine that is not loopback.
other_address() {
    node -p "Object.values(os.networkInterfaces()).flat()
        .find((i) => i.family === 'IPv4' && !i.internal)?.address ?? ''"
}

@test "a datagram that does not come from loopback is dropped, with a key it is taken" {
    local from

    from=$(other_address)
    [ -n "$from" ] || skip "needs an address that is not loopback"
    site_start
    trust datagram id=near
    wait_until state_is near "done"
    trust datagram id=far "from=$from"
    wait_until daemon_log "datagrams from $from:"
    trust datagram id=after
    wait_until state_is after "done"
    state_is far starting
    daemon_stop
    echo "upload_progress_key $KEY;" >> "$SITE/upload-progressd.conf"
    daemon_start
    trust datagram id=far "from=$from" "key=$KEY"
    wait_until state_is far "done"
}
