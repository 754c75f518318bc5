#!/usr/bin/env bats
# --check-nginx: what of users and namespaces running processes lack.

load helper
load check
bats_require_minimum_version 1.5.0

@test "nothing runs: said so" {
    site
    run -0 check
    finds notice "not checked: the users and namespaces of nginx and upload-progressd, for no nginx runs by $SITE/nginx.pid"
    nginx_start
    run -0 check
    finds notice "not checked: the user and namespaces of upload-progressd, for none runs by $SITE/run/upload-progressd.pid"
}

# As another user than nginx's workers; of a copy that it can reach.
run_as_nobody() {
    mkdir "$SITE/bin"
    install -m 0755 "$ROOT/$BUILD/upload-progressd" "$SITE/bin/"
    chmod a+rwx "$SITE/run" "$SITE/log"
    setpriv --reuid=nobody --regid=nogroup --clear-groups "$SITE/bin/upload-progressd" \
        -c "$SITE/upload-progressd.conf" 2> "$SITE/log/stderr" 3>&- &
    DAEMON_PID=$!
    wait_until test -s "$SITE/run/upload-progressd.pid"
}

# The master listens before its worker is one.
worker_runs() {
    pgrep -P "$(cat "$SITE/nginx.pid")" -f '^nginx: worker process$' > "$BATS_TEST_TMPDIR/worker"
}

# reachable: whether other users may search all folders down to the site.
reachable() {
    setpriv --reuid=nobody --regid=nogroup --clear-groups test -r "$SITE/upload-progressd.conf" &&
        setpriv --reuid=nobody --regid=nogroup --clear-groups test -x "$SITE/run"
}

# Makes the folders of the test open to all, from the run's own one on.
open_up() {
    local folder=$SITE

    while [ "$folder" != / ] && [ -O "$folder" ]; do
        chmod a+rx "$folder"
        [ "$folder" != "$BATS_RUN_TMPDIR" ] || break
        folder=${folder%/*}
    done
    reachable || skip "the temporary folder is closed to other users"
}

@test "a daemon of another user" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to run as two users"
    site
    open_up
    edit nginx.conf 's/user root;/user www-data www-data;/'
    run_as_nobody
    nginx_start
    wait_until worker_runs
    run -2 check
    finds warn "upload-progressd runs as user nobody, group $(id -g nobody), the workers of nginx as www-data, group $(id -g www-data): their temporary files cannot be seen"
    [[ $output == *"runuser -u www-data -- upload-progressd"* ]]
    # What they may not reach.
    finds emerg "the user of nginx's workers, www-data, may not connect to $SITE/run/scgi.sock"
    chmod 0700 "$SITE/run"
    run -2 check
    finds emerg "the user of nginx's workers, www-data, may not search $SITE/run; give it to that user: chown www-data: $SITE/run"
    chmod 0755 "$SITE/run"
    daemon_stop
    run -0 check
    finds notice "those of this check stand for them"
}

@test "the user and a group of nginx's workers are both needed" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to run as two users"
    site
    open_up
    edit nginx.conf 's/user root;/user nobody games;/'
    run_as_nobody
    nginx_start
    wait_until worker_runs
    run -2 check
    finds warn "upload-progressd runs as user nobody, group $(id -g nobody), the workers of nginx as nobody, group $(getent group games | cut -d: -f3)"
}

@test "nginx in other namespaces" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to make namespaces"
    unshare -n -p -f true || skip "no namespaces can be made here"
    site
    daemon_start
    edit nginx.conf -e '/listen .::1/d; /listen .*ssl/d' -e "s|listen 127.*|listen unix:$SITE/run/web.sock;|"
    unshare -n /usr/sbin/nginx -p "$SITE" -c "$SITE/conf/nginx.conf" 2> "$SITE/log/nginx-stderr" 3>&-
    wait_until test -s "$SITE/nginx.pid"
    wait_until worker_runs
    run -2 check
    finds warn "nginx and upload-progressd have different network namespaces: the counts of the clients' sockets are missing, and log lines to 127.0.0.1 do not arrive"
    nginx_stop
    rm -f "$SITE/run/web.sock"
    unshare -p -f /usr/sbin/nginx -p "$SITE" -c "$SITE/conf/nginx.conf" -g 'daemon off;' \
        2> "$SITE/log/nginx-stderr" 3>&- &
    UNSHARE_PID=$!
    wait_until test -s "$SITE/nginx.pid"
    wait_until test -S "$SITE/run/web.sock"
    run check
    # unshare itself waits for its child, whatever it is sent.
    kill "$(pgrep -P "$UNSHARE_PID")"
    wait "$UNSHARE_PID"
    rm -f "$SITE/nginx.pid"
    [ "$status" -eq 2 ]
    finds warn "nginx and upload-progressd have different PID namespaces: temporary files cannot be seen"
}

@test "a folder for sockets that nginx does not see" {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to make namespaces"
    unshare -m true || skip "no namespaces can be made here"
    site
    daemon_start
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m sh -c 'mount -t tmpfs none "$1/run" && exec /usr/sbin/nginx -p "$1" -c "$1/conf/nginx.conf"' \
        sh "$SITE" 2> "$SITE/log/nginx-stderr" 3>&- || skip "nothing can be mounted here"
    wait_until test -s "$SITE/nginx.pid"
    run -2 check
    finds emerg "nginx does not see $SITE/run/fastcgi.sock, where upload-progressd listens"
}
