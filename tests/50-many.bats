#!/usr/bin/env bats
# Two hundred uploads at once.

load helper
bats_require_minimum_version 1.5.0

descriptors() {
    find "/proc/$DAEMON_PID/fd" -mindepth 1 | wc -l
}

@test "200 uploads at once, all probed, all done, nothing left after their time" {
    SITE_WORKERS=2
    SITE_TTL=5s
    site_start
    state_is warm-up starting
    before=$(descriptors)
    ids=$(seq -s, 1 200)
    node "$CLIENT/upload.mjs" --url="$URL" --ids="$ids" --bytes=300000 \
        --rate=100000 --interval=500 --lag=unchecked > "$SITE/log/client"
    [ "$(grep -c '"state":"done"' "$SITE/log/client")" -eq 200 ]
    # Each was really followed: several counts between start and end.
    [ "$(grep -cE ' [3-9] counts' "$SITE/log/client")" -ge 190 ]
    forgotten() {
        for id in $(seq 1 200); do
            state_is "$id" starting || return 1
        done
    }
    SECONDS_MAX=20 wait_until forgotten
    # The temporary files are let go, too: only kept connections may be more.
    released() { [ "$(descriptors)" -le $((before + 16)) ]; }
    wait_until released
}
