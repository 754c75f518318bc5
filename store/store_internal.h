/* The store's own state, shared by its source files in this folder only. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "store.h"

/* Every prepared statement: its name and its SQL. */
enum statement {
    FIND,
    GET,
    ATTEMPTS,
    ON_CONNECTION,
    PUT,
    MEASURED,
    DELETE,
    DUE,
    EXPIRED,
    OLDEST_FINISHED,
    COUNT,
    SPOOL_ADD,
    SPOOL_FOUND,
    SPOOL_TAKE,
    SPOOL_OF_UPLOAD,
    SPOOL_UNCERTAIN,
    CLAIMS,
    SPOOL_BY_ID,
    SPOOL_UNRESOLVED,
    SPOOL_SCAN,
    STATEMENTS
};

struct zone {
    char *name; /* owned */
    int64_t size_bytes;
    int64_t used_bytes; /* under the lock */
};

struct store {
    struct zone zones[ZONES_MAX]; /* names and sizes fixed before threads */
    int zone_count;

    pthread_mutex_t lock; /* everything below */
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int spool_count;
};

extern const char *const store_statement_sql[STATEMENTS];

/* A statement, reset and without bindings. */
sqlite3_stmt *store_statement_locked(struct store *store, enum statement which);

/* Runs a statement that returns no rows, and resets it. */
enum store_result store_run_locked(sqlite3_stmt *statement);

#endif
