#!/usr/bin/env bats
# Files in pieces by libraries in headless Chromium, see pieces.bash. Where a connection
# is cut, Chromium sends the piece again by itself ("abort"); the library knows of it
# where that is cut, too ("lost").

load helper
load pieces
bats_require_minimum_version 1.5.0

start() {
    pieces_start
    driver_start "$DRIVER_PORT"
}

@test "Uppy: tus, one piece after the other" {
    start
    pieces uppy plain pause
    pieces uppy-cross plain
}

@test "Uppy: tus, three parts at a time" {
    start
    pieces uppy parallel parallel-abort
}

@test "Uppy: tus, a piece is cut short, or fails, or another page goes on" {
    start
    pieces uppy abort lost fail resume
}

@test "Uppy: tus, nginx does not buffer" {
    start
    pieces_streamed uppy plain abort
}

@test "blueimp-file-upload" {
    start
    pieces blueimp plain pause abort lost fail resume
    pieces blueimp-raw plain
}

@test "resumable.js" {
    start
    pieces resumable plain parallel parallel-abort
    pieces resumable-octet plain
}

@test "resumable.js: a piece is cut short, or fails, or another page goes on" {
    start
    pieces resumable abort lost fail resume
}

@test "flow.js" {
    start
    pieces flow plain parallel pause
    pieces flow-octet plain
}

@test "flow.js: a piece is cut short, or fails, or another page goes on" {
    start
    pieces flow abort lost fail resume
}

@test "FilePond" {
    start
    pieces filepond plain pause abort lost fail
    pieces filepond-query plain
}

@test "plupload" {
    start
    pieces plupload plain pause abort lost fail
    pieces plupload-raw plain
    # Its offset and total alone are not read, see docs/pieces.md.
    PROBES=0 pieces plupload-offset plain
}

@test "Dropzone" {
    start
    pieces dropzone plain pause abort lost fail
    pieces dropzone parallel parallel-abort
}

@test "Fine Uploader" {
    start
    pieces fineuploader plain pause abort lost fail resume
    pieces fineuploader parallel
}

@test "libraries with forms, the last one stays in memory" {
    start
    pieces flow-little plain parallel
    pieces plupload-little plain
    pieces dropzone-little plain parallel
    pieces fineuploader-little plain
}

@test "libraries with forms, nginx does not buffer" {
    start
    # A body that is not buffered cannot be looked into, see docs/pieces.md.
    PROBES=0 pieces_streamed dropzone plain
    pieces_streamed resumable parallel
}

@test "libraries with forms that tell the piece elsewhere, nginx does not buffer" {
    start
    pieces_streamed dropzone-range plain parallel abort fail
    pieces_streamed fineuploader-query plain parallel
}
