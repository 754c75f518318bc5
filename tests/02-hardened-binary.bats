#!/usr/bin/env bats
# What the compiler and the linker put into the program against being taken over.

load helper
bats_require_minimum_version 1.5.0

BINARY=$ROOT/$BUILD/upload-progressd

setup() {
    command -v readelf > /dev/null || skip "needs readelf of binutils"
}

sanitized() {
    nm -D "$BINARY" | grep -qE '__(a|t|ub)san_'
}

# Shows what it finds of standard input, and fails then.
lacks() {
    ! grep -E -- "$1"
}

# Type and flags, one segment a line.
segments() {
    readelf -lW "$BINARY" | awk '$2 ~ /^0x/ && $3 ~ /^0x/ {
        flags = ""
        for (i = 7; i < NF; i++) flags = flags $i
        print $1, flags
    }'
}

@test "it is loaded at an address that is not known beforehand" {
    readelf -hW "$BINARY" | grep -E 'Type: +DYN'
    readelf -dW "$BINARY" | grep -E 'FLAGS_1.* PIE'
}

@test "tables of addresses are filled at the start, and read-only from then on" {
    segments | grep -x 'GNU_RELRO R'
    readelf -dW "$BINARY" | grep -E '\(FLAGS\).* BIND_NOW|\(BIND_NOW\)'
}

@test "nothing that can be written can be executed, the stack included" {
    segments | grep -x 'GNU_STACK RW'
    segments | lacks 'W.*E$'
    readelf -dW "$BINARY" | lacks TEXTREL
    # Code is in no page together with data.
    segments | grep -x 'LOAD RE'
    segments | grep -x 'LOAD RW'
    segments | grep -x 'LOAD R'
}

@test "libraries come from where the system has them" {
    readelf -dW "$BINARY" | grep 'NEEDED.*libseccomp'
    readelf -dW "$BINARY" | lacks 'RPATH|RUNPATH'
}

@test "stack protector and checked functions are in use" {
    ! sanitized || skip "sanitizers look for themselves"
    readelf --dyn-syms -W "$BINARY" | grep -w __stack_chk_fail
    # Of several functions: one could come from a library's header.
    readelf --dyn-syms -W "$BINARY" | grep -oE '__[a-z]+_chk\b' | sort -u \
        > "$BATS_TEST_TMPDIR/checked"
    [ "$(wc -l < "$BATS_TEST_TMPDIR/checked")" -ge 5 ]
    grep -E '__(v?snprintf|v?asprintf|v?fprintf|printf)_chk' "$BATS_TEST_TMPDIR/checked"
}

# What each file of ours was compiled with stands in its debug information.
options() {
    readelf --debug-dump=info "$BINARY" 2> /dev/null | sed -n 's/.*DW_AT_producer.*: //p'
}

@test "large frames touch each page, targets of jumps are marked" {
    ! sanitized || skip "built without"
    options > "$BATS_TEST_TMPDIR/options"
    [ -s "$BATS_TEST_TMPDIR/options" ] || skip "no debug information"
    run -1 grep -v -e -fstack-clash-protection "$BATS_TEST_TMPDIR/options"
    case $(uname -m) in
    x86_64 | i?86) run -1 grep -v -e -fcf-protection "$BATS_TEST_TMPDIR/options" ;;
    esac
}
