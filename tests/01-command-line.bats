#!/usr/bin/env bats
# The command line: testing, dumping, signals.

load helper
bats_require_minimum_version 1.5.0

daemon() {
    "$ROOT/$BUILD/upload-progressd" "$@"
}

@test "-h, -?, -v, -V" {
    run -0 daemon -h
    [[ $output == Usage:* ]]
    run -0 daemon '-?'
    [[ $output == Usage:* ]]
    run -0 daemon -v
    [[ $output == "upload-progressd version: upload-progressd/"* ]]
    run -0 daemon -V
    [[ $output == *"built with SQLite "* ]]
}

@test "unknown options and arguments" {
    run -1 daemon -x
    [[ $output == *"invalid option"* ]]
    run -1 daemon more
    [[ $output == 'upload-progressd: invalid option: "more"' ]]
    run -1 daemon -s dance
    [[ $output == *'invalid option: "-s": "dance"' ]]
}

@test "-t tells file and line" {
    run -0 daemon -t
    [[ $output == *"test is successful" ]]
    printf 'worker_threads 2;\nnonsense;\n' > "$BATS_TEST_TMPDIR/bad.conf"
    run -1 daemon -t -c "$BATS_TEST_TMPDIR/bad.conf"
    [ "$output" = "upload-progressd: [emerg] unknown directive \"nonsense\" in $BATS_TEST_TMPDIR/bad.conf:2" ]
    run -1 daemon -t -g "nonsense;"
    [[ $output == *"in command line:1" ]]
    run -1 daemon -t -c /nonexistent
    [[ $output == *'open() "/nonexistent" failed (2: No such file or directory)' ]]
}

@test "-T dumps what is read the same again" {
    daemon -T -g "worker_threads 7;" > "$BATS_TEST_TMPDIR/once.conf"
    grep -q '^worker_threads "7";' "$BATS_TEST_TMPDIR/once.conf"
    daemon -T -c "$BATS_TEST_TMPDIR/once.conf" > "$BATS_TEST_TMPDIR/twice.conf"
    cmp "$BATS_TEST_TMPDIR/once.conf" "$BATS_TEST_TMPDIR/twice.conf"
}

@test "-s reopen, -s quit, and no daemon to send to" {
    site_ports
    site_write
    daemon_start
    conf=$SITE/upload-progressd.conf
    mv "$SITE/log/upload-progressd.log" "$SITE/log/moved.log"
    run -0 daemon -s reopen -c "$conf"
    wait_until test -e "$SITE/log/upload-progressd.log"
    run -0 daemon -s quit -c "$conf"
    wait "$DAEMON_PID"
    DAEMON_PID=
    grep -q "signal 3 received, stopping" "$SITE/log/upload-progressd.log"
    [ ! -e "$SITE/run/upload-progressd.pid" ]
    run -1 daemon -s stop -c "$conf"
    [[ $output == *"no daemon runs by"* ]]
}

@test "a second daemon does not disturb the first" {
    site_ports
    site_write
    daemon_start
    pid=$(cat "$SITE/run/upload-progressd.pid")
    run -1 daemon -c "$SITE/upload-progressd.conf"
    [[ $(cat "$SITE/log/upload-progressd.log") == *"bind() to unix:$SITE/run/fastcgi.sock failed (98: Address already in use)"* ]]
    [ "$(cat "$SITE/run/upload-progressd.pid")" = "$pid" ]
    [ -S "$SITE/run/fastcgi.sock" ]
    [ -S "$SITE/run/scgi.sock" ]
}

@test "a copied configuration: zones, levels, and 404 where nothing is reported" {
    DAEMON_CONF='
        upload_progress proxied 1m;
        location /upload { track_uploads proxied 30s; }
        location ^~ /progress { report_uploads proxied; upload_progress_json_output; }
        location = /progress/plain { report_uploads proxied; }
        location = /progress/none { }
        location = /progress/uploads { report_uploads uploads; }'
    site_start
    file=$(make_file 300000)
    curl -s -o /dev/null --data-binary "@$file" "$URL/upload?X-Progress-ID=one"
    wait_until state_is one done
    [ "$(probe one plain)" = $'({ "state" : "done" });\r' ]
    [ "$(probe one uploads)" = $'({ "state" : "starting" });\r' ]
    run curl -s -o /dev/null -w '%{http_code}' "$URL/progress/none?X-Progress-ID=one"
    [ "$output" = 404 ]
}
