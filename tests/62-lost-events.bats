#!/usr/bin/env bats
# Log lines that are lost, late, doubled, in another order, or too many at once.

load helper
bats_require_minimum_version 1.5.0

figures() {
    "$@" > "$BATS_TEST_TMPDIR/figures" || {
        cat "$BATS_TEST_TMPDIR/figures"
        return 1
    }
    grep '^# ' "$BATS_TEST_TMPDIR/figures" >&3
}

@test "half of the lines lost, some doubled, all out of order: every ID comes to the truth" {
    site_ports
    SITE_EVENT_PORT=$RELAY_PORT
    SITE_WORKERS=2
    SITE_SERVER="location /limited {
        include upload-progress/location.conf;
        proxy_pass http://127.0.0.1:$APP_PORT;
        client_max_body_size 100k;
    }"
    DAEMON_CONF="upload_progress_check_interval 1s;"
    site_write
    app_start
    daemon_start
    nginx_start
    for seed in 1 2; do
        figures node "$CLIENT/lossy.mjs" lossy url="$URL" relay="$RELAY_PORT" \
            port="$EVENT_PORT" seed=$seed
    done
}
