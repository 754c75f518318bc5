/* All SQL of the store but the schema. */
#include "columns.h"
#include "store_internal.h"

#define NAME(name)  ", \"" #name "\""
#define PLACE(name) ", ?"

#define UPLOAD_FIELDS "zone, id, attempt, socket" UPLOAD_COLUMNS(NAME)
#define SPOOL_FIELDS                                                      \
    "row, pid, connection, request_hash, id, path, fd, seen_ms, held_fd," \
    " uncertain_until_ms"

#define ASSEMBLY_FIELDS                                                         \
    "zone, id, protocol, pieces, resumed_bytes, chunk_bytes, failed_ms, whole," \
    " base_bytes, form_bytes, unplaced_bytes, received"

/* A file by the ID in its request line, else by the request line's hash. */
#define SPOOL_MATCHES \
    "id = ?5 OR (id = '' AND (?6 = 0 OR request_hash IN (0, ?6)))"

const char *const store_statement_sql[STATEMENTS] = {
    [GET] = "SELECT " UPLOAD_FIELDS " FROM upload"
            " WHERE zone = ? AND id = ? AND attempt = ?",
    [ATTEMPTS] = "SELECT " UPLOAD_FIELDS " FROM upload"
                 " WHERE zone = ? AND id = ? LIMIT ?",
    [ON_CONNECTION] = "SELECT " UPLOAD_FIELDS " FROM upload"
                      " WHERE pid = ? AND connection = ? AND check_ms > 0"
                      " LIMIT ?",
    [PUT] = "REPLACE INTO upload (" UPLOAD_FIELDS
            ") VALUES (?, ?, ?, ?" UPLOAD_COLUMNS(PLACE) ")",
    [MEASURED] =
        "UPDATE upload SET received_bytes = ?4, gauge = ?5, approximate = ?6,"
        " \"mark_ms[0]\" = ?7, \"mark_ms[1]\" = ?8, \"mark_bytes[0]\" = ?9,"
        " \"mark_bytes[1]\" = ?10, spool_row = iif(?11, ?11, spool_row),"
        " spool_certain = iif(?11, ?13, spool_certain), updated_ms = ?12"
        " WHERE zone = ?1 AND id = ?2 AND attempt = ?3 AND finished_ms = 0"
        " AND received_bytes <= ?4",
    [BEGIN] = "BEGIN",
    [COMMIT] = "COMMIT",
    [DELETE] = "DELETE FROM upload WHERE zone = ? AND id = ? AND attempt = ?"
               " RETURNING check_ms > 0",
    [DELETE_ZONE] = "DELETE FROM upload WHERE zone = ?",
    [DUE] = "SELECT " UPLOAD_FIELDS " FROM upload"
            " WHERE check_ms > 0 AND check_ms <= ? ORDER BY check_ms LIMIT ?",
    [RUNNING] = "SELECT " UPLOAD_FIELDS " FROM upload WHERE check_ms > 0",
    [RUNNING_COUNT] = "SELECT count(*) FROM upload WHERE check_ms > 0",
    [IN_TURN] = "SELECT zone, id, attempt FROM upload"
                " WHERE check_ms > 0 AND check_ms = ?5"
                " AND (zone, id, attempt) > (?1, ?2, ?3)"
                " ORDER BY zone, id, attempt LIMIT ?4",
    [EXPIRED] = "SELECT zone, id, attempt FROM upload"
                " WHERE zone = ? AND expires_ms > 0 AND expires_ms <= ?"
                " ORDER BY expires_ms LIMIT 1",
    [OLDEST_FINISHED] = "SELECT zone, id, attempt FROM upload"
                        " WHERE zone = ? AND expires_ms > 0"
                        " ORDER BY expires_ms LIMIT 1",
    [ASSEMBLY_GET] = "SELECT " ASSEMBLY_FIELDS " FROM assembly"
                     " WHERE zone = ? AND id = ?",
    [ASSEMBLY_PUT] = "INSERT INTO assembly (" ASSEMBLY_FIELDS ")"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [ASSEMBLY_DELETE] = "DELETE FROM assembly WHERE zone = ? AND id = ?"
                        " RETURNING length(received) + length(whole)",
    [ASSEMBLY_DELETE_ZONE] = "DELETE FROM assembly WHERE zone = ?",
    [ALL_ASSEMBLIES] = "SELECT " ASSEMBLY_FIELDS " FROM assembly",
    [COUNT] = "SELECT count(*) FROM upload",
    [SPOOL_ADD] = "INSERT OR IGNORE INTO spool (pid, connection,"
                  " request_hash, id, path, fd, seen_ms)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?)",
    [SPOOL_LOAD] = "INSERT INTO spool (row, pid, connection, request_hash,"
                   " id, path, fd, seen_ms, uncertain_until_ms)"
                   " VALUES (?, ?, ?, ?, ?, ?, -1, ?, ?)",
    [ALL_UPLOADS] = "SELECT " UPLOAD_FIELDS " FROM upload",
    [ALL_SPOOLS] = "SELECT " SPOOL_FIELDS " FROM spool",
    [SPOOL_FOUND] = "UPDATE spool SET fd = ?2, held_fd = ?3"
                    " WHERE row = ?1 AND fd < 0",
    [SPOOL_MARK] = "UPDATE spool SET held_fd = ?2"
                   " WHERE row = ?1 AND fd >= 0 AND held_fd = -1",
    [SPOOL_TAKE] = "DELETE FROM spool WHERE row = ?"
                   " RETURNING held_fd, pid, connection",
    [SPOOL_OF_UPLOAD] = "SELECT " SPOOL_FIELDS " FROM spool"
                        " WHERE pid = ?1 AND connection = ?2 AND seen_ms >= ?3"
                        " AND (?4 OR " SPOOL_MATCHES ")",
    [SPOOL_UNCERTAIN] = "UPDATE spool SET uncertain_until_ms = ?3"
                        " WHERE pid = ?1 AND connection = ?2 AND id = ''"
                        " AND (?6 = 0 OR request_hash IN (0, ?6))",
    [CLAIMS] = "SELECT count(*) FROM upload"
               " WHERE pid = ?1 AND connection = ?2 AND check_ms > 0"
               " AND CASE WHEN ?5 <> '' THEN id = ?5"
               " ELSE ?6 = 0 OR request_hash IN (0, ?6) END",
    [SPOOL_BY_ID] = "SELECT " SPOOL_FIELDS " FROM spool"
                    " WHERE id = ? AND id <> ''",
    [SPOOL_UNRESOLVED] = "SELECT " SPOOL_FIELDS " FROM spool"
                         " WHERE pid = ? AND fd < 0 LIMIT ?",
    [SPOOL_UNRESOLVED_PIDS] = "SELECT DISTINCT pid FROM spool WHERE fd < 0"
                              " LIMIT ?",
    [SPOOL_SCAN] = "SELECT " SPOOL_FIELDS " FROM spool"
                   " WHERE row > ? ORDER BY row LIMIT ?",
};
