#!/usr/bin/env bats
# Files in pieces, by clients in Node: see pieces.bash.

load helper
load pieces
bats_require_minimum_version 1.5.0

# pieces SCENARIO CLIENT...
pieces() {
    local scenario=$1 client

    shift
    pieces_start
    for client; do
        run_client "$client" "$scenario"
    done
}

@test "plain" {
    pieces plain tus range session draft
}
