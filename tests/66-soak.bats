#!/usr/bin/env bats
# A day of work in a minute, or in SOAK_SECONDS: nothing grows.

load helper
bats_require_minimum_version 1.5.0

SOAK_SECONDS=${SOAK_SECONDS:-40}

@test "uploads, aborts, probes and reloads for $SOAK_SECONDS s: memory, descriptors and rows do not grow" {
    SITE_LOG_LEVEL=warn
    SITE_WORKERS=2
    SITE_TTL=3s
    DAEMON_CONF="upload_progress_check_interval 1s; keepalive_timeout 20s;"
    site_start
    node "$CLIENT/soak.mjs" soak url="$URL" tls="$TLS_URL" pid="$DAEMON_PID" \
        nginx="$SITE/nginx.pid" seconds="$SOAK_SECONDS" ttl=3 \
        > "$BATS_TEST_TMPDIR/figures" || {
        cat "$BATS_TEST_TMPDIR/figures"
        return 1
    }
    grep '^# ' "$BATS_TEST_TMPDIR/figures" >&3
}
