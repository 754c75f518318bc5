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

# form ID PATH FIELD=VALUE...: as a browser sends it; no ID: "". What goes to a temporary
# file comes so slowly that the daemon reads it in time, however busy the machine is.
form() {
    local id=$1 path=$2 field options=()

    shift 2
    for field; do
        options+=(-F "$field")
    done
    curl -sS -o /dev/null --limit-rate 100k -H 'Expect:' ${id:+-H "X-Progress-ID: $id"} \
        "${options[@]}" "$URL$path"
}

# dropzone ID PATH NUMBER OFFSET BYTES of 203000 in pieces of 100000
dropzone() {
    form "$1" "$2" dzuuid=the-dropzone-file "dzchunkindex=$3" dztotalfilesize=203000 \
        dzchunksize=100000 dztotalchunkcount=3 "dzchunkbyteoffset=$4" \
        "file=@$(make_file "$5");filename=blob"
}

# plupload PATH NUMBER BYTES of three
plupload() {
    form plup "$1" name=some.bin "chunk=$2" chunks=3 "file=@$(make_file "$3");filename=blob"
}

@test "forms that stay in memory, all or the last one" {
    site_ports
    SITE_SNIPPET=location-pieces.conf
    SITE_SERVER="location /memory {
            include upload-progress/location-pieces.conf; client_body_buffer_size 1m;
            proxy_pass http://127.0.0.1:$APP_PORT;
        }"
    site_start
    dropzone drop /upload 0 0 100000
    dropzone drop /upload 1 100000 100000
    wait_until told drop state=uploading received=200000 pieces.received=2
    dropzone drop /upload 2 200000 3000
    wait_until told drop state=done received=203000 size=203000 pieces.received=3 approximate=false
    dropzone '' /memory 2 200000 3000
    dropzone '' /memory 0 0 100000
    wait_until told the-dropzone-file state=uploading received=103000 'pieces.missing=100000,200000'
    dropzone '' /memory 1 100000 100000
    wait_until told the-dropzone-file state=done received=203000 pieces.received=3
    # How much of the body is the file's is told by where that begins.
    plupload /memory 0 100000
    plupload /memory 1 100000
    wait_until told plup state=uploading received=200000 pieces.received=2
    plupload /upload 2 3000
    wait_until told plup state=done received=203000 size=203000 pieces.received=3 approximate=false
}

@test "forms that stay in memory: of the file, and of forms without one, nothing is told" {
    local told="$BATS_TEST_TMPDIR/lines"

    site_ports
    SITE_SNIPPET=location-pieces.conf
    SITE_LOCATION="access_log $told upload_progress_pieces;"
    SITE_SERVER="location /silent {
            include upload-progress/location-pieces.conf;
            access_log $told upload_progress_pieces;
            set \$upload_progress_form_fields \"\";
            proxy_pass http://127.0.0.1:$APP_PORT;
        }"
    site_start
    printf 'the file itself' > "$BATS_TEST_TMPDIR/file"
    form one /upload user=somebody "file=@$BATS_TEST_TMPDIR/file" password=behind
    form two /upload password=secret 'word=filename='
    form three /upload 'user=some"body' "file=@$(make_file 100000)"
    form four /silent user=silence "file=@$BATS_TEST_TMPDIR/file"
    curl -sS -o /dev/null -H 'X-Progress-ID: five' -d user=posted "$URL/upload"
    wait_until grep -q 'id="five"' "$told"
    [ "$(wc -l < "$told")" -eq 5 ]
    [ "$(grep -c 'form="-"$\|form=""$' "$told")" -eq 4 ]
    grep 'id="one"' "$told" | grep -q 'name=\\x22user\\x22\\x0D\\x0A\\x0D\\x0Asomebody.*\\x0D\\x0A\\x0D\\x0A"$'
    run ! grep -q 'the file itself\|behind\|secret\|silence\|posted' "$told"
}

@test "forms as fast as they go" {
    SITE_SNIPPET=location-pieces.conf
    site_start
    node "$CLIENT/forms.mjs" "$URL" 10 20 20000 1
    node "$CLIENT/forms.mjs" "$URL" 10 20 20000 3
    node "$CLIENT/forms.mjs" "$URL" 10 20 262144 1
    node "$CLIENT/forms.mjs" "$URL" 10 20 262144 3
}

@test "forms that were gone before the daemon could read them" {
    SITE_SNIPPET=location-pieces.conf
    site_start
    dropzone drop /upload 0 0 100000
    wait_until told drop state=uploading received=100000 approximate=false
    kill -STOP "$DAEMON_PID"
    dropzone drop /upload 1 100000 100000
    form drop /upload dzuuid=another "file=@$(make_file 60000);filename=blob"
    kill -CONT "$DAEMON_PID"
    wait_until told drop state=uploading received=200000 pieces.received=2 approximate=true \
        'pieces.missing=100000,203000'
    dropzone drop /upload 2 200000 3000
    wait_until told drop state=done received=203000 size=203000 pieces.received=3
    run ! grep -q 'the ID is used' "$SITE/log/upload-progressd.log"
}
