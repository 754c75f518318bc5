#!/usr/bin/env bats
# Files in pieces by clients in Node, see pieces.bash: tus-js-client, and plain
# requests with Content-Range, a session's ID or the headers of the IETF's draft.

load helper
load pieces
bats_require_minimum_version 1.5.0

@test "the harness sees what is forwarded, and answers that are wrong" {
    node "$CLIENT/pieces-selftest.mjs"
}

@test "tus: one piece after the other" {
    pieces_start
    pieces tus plain pause slow
}

@test "tus: three parts at a time, joined in the end" {
    pieces_start
    pieces tus parallel parallel-abort parallel-resume
}

@test "tus: a piece is cut short, or fails, or another process goes on" {
    pieces_start
    pieces tus abort fail conflict resume
}

@test "tus: the length is told last" {
    pieces_start
    pieces tus-deferred plain abort pause
}

@test "tus: the creation brings the first piece" {
    pieces_start
    pieces tus-creation plain abort resume
}

@test "tus: POST instead of PATCH" {
    pieces_start
    pieces tus-override plain fail
}

@test "tus: a relative Location" {
    pieces_start
    pieces tus-relative plain resume
}

@test "tus: the upload is given up" {
    pieces_start
    pieces tus-terminated plain
}

@test "tus: nginx does not buffer" {
    pieces_start
    pieces_streamed tus plain parallel abort fail resume
}

@test "Content-Range: one piece after the other" {
    pieces_start
    pieces range plain pause slow abort fail resume
}

@test "Content-Range: three pieces at a time" {
    pieces_start
    pieces range parallel parallel-abort parallel-fail parallel-resume
}

@test "Content-Range: out of order, without a total, by POST" {
    pieces_start
    pieces range-shuffled plain parallel
    pieces range-unknown plain parallel
    pieces range-post plain
}

@test "Content-Range: nginx does not buffer" {
    pieces_start
    pieces_streamed range plain abort
    pieces_streamed range-shuffled parallel
}

@test "X-Session-ID" {
    pieces_start
    pieces session plain parallel parallel-abort fail resume
    pieces session-plain plain
}

@test "the IETF's draft: the length is told first" {
    pieces_start
    pieces draft plain pause abort fail conflict resume
}

@test "the IETF's draft: the length is told last" {
    pieces_start
    pieces draft-unknown plain abort resume
    pieces draft-3 plain abort
}

@test "the IETF's draft: a response comes before the first piece is there" {
    pieces_start
    pieces draft-interim plain abort
}

@test "the IETF's draft: nginx does not buffer" {
    pieces_start
    pieces_streamed draft plain abort resume
}
