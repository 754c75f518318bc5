/*
 * The integer columns of the table of uploads, each named as its field: the
 * one list from which schema, statements, binding and reading are made.
 */
#ifndef STORE_COLUMNS_H
#define STORE_COLUMNS_H

/* clang-format off */
#define UPLOAD_COLUMNS(X) \
    X(state) X(inferred) X(tls) X(chunked) X(protocol) X(status)             \
    X(size_bytes) X(header_bytes) X(pid) X(connection)                       \
    X(connection_requests) X(request_hash)                                   \
    X(received_bytes) X(spool_row) X(spool_certain) X(socket_base_bytes) X(socket_exact)        \
    X(body_complete) X(approximate) X(gauge)                                 \
    X(mark_ms[0]) X(mark_ms[1]) X(mark_bytes[0]) X(mark_bytes[1])            \
    X(started_ms) X(updated_ms) X(finished_ms) X(expires_ms) X(check_ms)     \
    X(gone_ms) X(ttl_ms) X(piece_at) X(piece_length) X(piece_body_at)
/* clang-format on */

#endif
