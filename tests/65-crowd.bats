#!/usr/bin/env bats
# Ten thousand peers at once that send nothing, too little, too much or garbage:
# limits hold, and probes are answered meanwhile. 41-peers.bats has each kind of
# peer by itself.

load helper
bats_require_minimum_version 1.5.0

# As many as descriptors allow, in this process's children and in the daemon.
crowd_size() {
    local most

    most=$(ulimit -Hn)
    [ "$most" != unlimited ] && [ "$most" -lt 11000 ] && echo $((most - 1000)) || echo 10000
}

crowd() {
    ulimit -n "$(ulimit -Hn)"
    node "$CLIENT/crowd.mjs" crowd url="$URL" pid="$DAEMON_PID" \
        fastcgi="unix:$SITE/run/fastcgi.sock" scgi="unix:$SITE/run/scgi.sock" \
        count="$(crowd_size)" > "$BATS_TEST_TMPDIR/figures" || {
        cat "$BATS_TEST_TMPDIR/figures"
        return 1
    }
    grep '^# ' "$BATS_TEST_TMPDIR/figures" >&3
}

descriptors() {
    find "/proc/$DAEMON_PID/fd" -mindepth 1 | wc -l
}

@test "10,000 peers of all kinds: probes of others are answered, nothing stays behind" {
    DAEMON_CONF="client_header_timeout 5s; client_body_timeout 5s;"
    site_start
    probe warm > /dev/null # nginx keeps its connection
    before=$(descriptors)
    crowd
    # nginx may keep a further connection for the probes that came meanwhile.
    released() { [ "$(descriptors)" -le $((before + 2)) ]; }
    wait_until released
}

@test "10,000 peers where 500 are allowed: one line says so, those who are in are answered" {
    SITE_LOG_LEVEL=notice
    DAEMON_CONF="worker_connections 500;"
    site_start
    probe warm > /dev/null
    ulimit -n "$(ulimit -Hn)"
    node "$CLIENT/crowd.mjs" beyond url="$URL" pid="$DAEMON_PID" \
        fastcgi="unix:$SITE/run/fastcgi.sock" count="$(crowd_size)" max=500 >&3
    [ "$(grep -c 'more than 500 connections' "$SITE/log/upload-progressd.log")" -eq 1 ]
}
