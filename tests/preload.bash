# Faults from within the daemon, see faults/preload.c; for bats files to load
# behind helper.
PRELOAD=$ROOT/$BUILD/tests/faults/preload.so

# with_preload NAME=VALUE...: the daemon with faults from within.
with_preload() {
    cat > "$BATS_TEST_TMPDIR/wrapper" <<WRAPPER
#!/bin/sh
ASAN_OPTIONS=\$ASAN_OPTIONS:verify_asan_link_order=0 LD_PRELOAD=$PRELOAD exec env $* "\$@"
WRAPPER
    chmod +x "$BATS_TEST_TMPDIR/wrapper"
    DAEMON_WRAPPER=$BATS_TEST_TMPDIR/wrapper
    ! nm -D "$ROOT/$BUILD/upload-progressd" | grep -q __tsan_init ||
        skip "the sanitizer has these functions for itself"
}
