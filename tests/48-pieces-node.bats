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

# piece METHOD PATH BYTES HEADER...
piece() {
    local method=$1 path=$2 bytes=$3 header options=()

    shift 3
    for header; do
        options+=(-H "$header")
    done
    curl -sS -o /dev/null -X "$method" -H 'Expect:' "${options[@]}" \
        --data-binary "@$(make_file "$bytes")" "$URL$path"
}

# told ID FIELD=VALUE...: of the detailed answer, pieces.received and the like
told() {
    probe "$1" detail > "$BATS_TEST_TMPDIR/told"
    node -e 'const told = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
        const value = (path) => String(path.split(".").reduce((at, name) => at?.[name], told));
        process.exit(process.argv.slice(2).every((pair) =>
            value(pair.split("=")[0]) === pair.split("=")[1]) ? 0 : 1)' \
        "$BATS_TEST_TMPDIR/told" "${@:2}"
}

@test "error_page: a piece ends with the status that the client gets" {
    site_ports
    local dead="include upload-progress/location-pieces.conf; client_max_body_size 1m;
        proxy_pass http://127.0.0.1:$DEAD_PORT;"
    SITE_SERVER="location /files { error_page 502 /failed.html; $dead }
        location /mended { error_page 502 =200 /failed.html; $dead }
        location = /failed.html { return 200 'sorry'; }"
    site_start
    local tus=('Tus-Resumable: 1.0.0' 'Content-Type: application/offset+octet-stream')
    # The last piece is not there: it is by no means done.
    piece PATCH /files/one 300000 "${tus[@]}" 'Upload-Offset: 0' 'Upload-Length: 300000'
    wait_until told /files/one state=uploading phase=waiting 'pieces.missing=0,300000' pieces.received=0
    piece PUT '/files?X-Progress-ID=two' 200000 'Content-Range: bytes 100000-299999/300000'
    wait_until told two state=uploading phase=waiting pieces.received=0
    piece PUT '/mended?X-Progress-ID=two' 200000 'Content-Range: bytes 100000-299999/300000'
    wait_until told two state=uploading phase=waiting received=200000 pieces.received=1
    piece PUT '/mended?X-Progress-ID=two' 100000 'Content-Range: bytes 0-99999/300000'
    wait_until told two state=done received=300000 pieces.received=2
    # What nginx refuses before the location is at work.
    piece PUT '/files?X-Progress-ID=three' 2000000 'Content-Range: bytes 0-1999999/3000000'
    wait_until told three state=error status=413
}
