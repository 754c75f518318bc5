/* The store's own state, shared by its source files in this folder only. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store.h"

/* Every prepared statement: its name and its SQL. */
enum statement {
    GET,
    ATTEMPTS,
    ON_CONNECTION,
    PUT,
    MEASURED,
    CHECKED,
    BEGIN,
    COMMIT,
    DELETE,
    DELETE_ZONE,
    DUE,
    EXPIRED,
    OLDEST_FINISHED,
    COUNT,
    SPOOL_ADD,
    SPOOL_LOAD,
    ALL_UPLOADS, /* the next two are for a snapshot's own connection */
    ALL_SPOOLS,
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

/* Far from where an addition overflows, far beyond any clock. */
#define STORE_TIME_MAX (INT64_MAX / 4 - 1)

struct zone {
    char *name; /* owned; NULL: free */
    int64_t size_bytes;
    int64_t used_bytes; /* under the lock */
};

enum { VERSIONS = 4096 };

struct store {
    /* Of all uploads whose IDs hash alike: counts the changes. */
    atomic_uint versions[VERSIONS];
    struct zone zones[ZONES_MAX]; /* names and sizes fixed before threads */

    pthread_mutex_t lock; /* everything below */
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int spool_count;
    int batches; /* that have begun */
};

extern const char *const store_statement_sql[STATEMENTS];

/* A statement, reset and without bindings. */
sqlite3_stmt *store_statement_locked(struct store *store, enum statement which);

/* Whether a time of a row, or a clock, can be. */
bool store_is_time(int64_t time_ms);

/*
 * Reads the row that a statement over the columns of a table has come to.
 * Returns false where it cannot be one of ours.
 */
bool store_read_upload(sqlite3_stmt *s, struct upload *upload);
bool store_read_spool(sqlite3_stmt *s, struct spool *spool);

/* Writes a row as it is; a new one counts in its zone. */
enum store_result store_write_upload_locked(struct store *store,
                                            const struct upload *upload);

/* Deletes the oldest finished uploads of a zone until so much is free. */
enum store_result store_make_room_locked(struct store *store, int zone,
                                         int64_t wanted_bytes,
                                         unsigned *evicted);

/* Puts why a snapshot is not saved or read into *message; returns -1. */
int store_refuse(char **message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says that an upload is not what it was; called once it has been written. */
void store_changed_locked(struct store *store, int zone, const char *id);

/* Says it of all uploads. */
void store_all_changed_locked(struct store *store);

/*
 * Around what cannot be done within the transaction of a batch. The batch goes
 * on in another one.
 */
void store_batch_suspend_locked(struct store *store);
void store_batch_resume_locked(struct store *store);

/* Runs a statement that returns no rows, and resets it. */
enum store_result store_run_locked(sqlite3_stmt *statement);

#endif
