/* The store's own state, shared by its source files in this folder only. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store.h"

/* Every prepared statement: its name and its SQL. */
enum store_statement {
    GET,
    ATTEMPTS,
    ON_CONNECTION,
    PUT,
    MEASURED,
    BEGIN,
    COMMIT,
    DELETE,
    DELETE_ZONE,
    DUE,
    RUNNING,
    RUNNING_COUNT,
    IN_TURN,
    EXPIRED,
    OLDEST_FINISHED,
    ASSEMBLY_GET,
    ASSEMBLY_PUT,
    ASSEMBLY_DELETE,
    ASSEMBLY_DELETE_ZONE,
    COUNT,
    SPOOL_ADD,
    SPOOL_LOAD,
    ALL_UPLOADS, /* the next three are for a snapshot's own connection, too */
    ALL_SPOOLS,
    ALL_ASSEMBLIES,
    SPOOL_FOUND,
    SPOOL_MARK,
    SPOOL_TAKE,
    SPOOL_OF_UPLOAD,
    SPOOL_UNCERTAIN,
    CLAIMS,
    SPOOL_BY_ID,
    SPOOL_UNRESOLVED,
    SPOOL_UNRESOLVED_PIDS,
    SPOOL_SCAN,
    STATEMENTS
};

/* Far from where an addition overflows, far beyond any clock. */
#define STORE_TIME_MAX UPLOAD_IN_TURN

struct zone {
    char *name; /* owned; NULL: free */
    int64_t size_bytes;
    int64_t used_bytes; /* under the lock */
};

enum {
    VERSIONS = 4096,
    /*
     * What a row costs, rounded up: the record, its entries in the indexes,
     * each with the ID, and the share of pages that are not full, as IDs come
     * in no order. Of a running row without a socket 155 bytes were measured,
     * and 3.75 for each of the ID.
     */
    ROW_COST_BYTES = 288,
    ID_COST_BYTES = 4,
    SPOOL_CONNECTIONS = 16384,
    ASSEMBLY_COST_BYTES = 128, /* of a row without its ranges, rounded up */
    ASSEMBLY_PROTOCOLS_MAX = 31,
    CACHE_SET_BITS = 14,
    CACHE_SETS = 1 << CACHE_SET_BITS,
    CACHE_WAYS = 4, /* rows whose IDs hash alike */
};

/* A row in front of the table, see store_cache.c. */
struct cache_place {
    struct upload *row; /* owned, as long as its ID needs; NULL: none */
    uint32_t hash;
    bool measured; /* since it was read from the table */
};

struct store {
    /* Of all uploads whose IDs hash alike: counts the changes. */
    atomic_uint versions[VERSIONS];
    struct zone zones[ZONES_MAX]; /* names and sizes fixed before threads */

    pthread_mutex_t lock; /* everything below */
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int spool_count;
    /* How many of them are of connections that hash alike. */
    uint32_t spools_of[SPOOL_CONNECTIONS];
    int running_count;                                /* uploads */
    int batches;                                      /* that have begun */
    struct cache_place cache[CACHE_SETS][CACHE_WAYS]; /* memory as it is used */
};

extern const char *const store_statement_sql[STATEMENTS];

/* A statement, reset and without bindings. */
sqlite3_stmt *store_statement_locked(struct store *store,
                                     enum store_statement which);

/* Whether the bytes of an ID are printable, as all that were taken are. */
bool store_is_id(const char *id, size_t len);

/* Whether a time of a row, or a clock, can be. */
bool store_is_time(int64_t time_ms);

/* The first three parameters, without an attempt two, and all of a row. */
void store_bind_key(sqlite3_stmt *s, int zone, const char *id,
                    const uint8_t *attempt);
void store_bind_row(sqlite3_stmt *s, const struct upload *upload);

/* Read the columns of a row of ours, and of its key. */
void store_read_row(sqlite3_stmt *s, struct upload *upload);
void store_read_key(sqlite3_stmt *s, struct upload *upload);

/* One attempt by its whole key. */
enum store_result store_get_locked(struct store *store, int zone,
                                   const char *id, const uint8_t *attempt,
                                   struct upload *upload);

/*
 * Reads the row that a statement over the columns of a table has come to.
 * Returns false where it cannot be one of ours.
 */
bool store_read_upload(sqlite3_stmt *s, struct upload *upload);
bool store_read_spool(sqlite3_stmt *s, struct spool *spool);

/* See store_upload_put(). */
enum store_result store_put_locked(struct store *store,
                                   const struct upload *upload,
                                   unsigned *evicted);

/* Writes a row as it is; a new one counts in its zone. */
enum store_result store_write_upload_locked(struct store *store,
                                            const struct upload *upload);

/*
 * Count the files, and what runs, anew: to be called where rows came or went
 * otherwise.
 */
void store_count_spools_locked(struct store *store);
void store_count_running_locked(struct store *store);

/*
 * Reads the row that ALL_ASSEMBLIES has come to, as store_read_upload(); what
 * it allocates is released where it returns false.
 */
bool store_read_assembly(sqlite3_stmt *s, struct assembly *assembly);

/* Writes an assembly as it is; what it takes counts in its zone. */
enum store_result store_write_assembly_locked(struct store *store,
                                              const struct assembly *assembly);

/* Deletes the assembly of a file's row, if it has one. */
void store_delete_assembly_locked(struct store *store, int zone,
                                  const char *id);

/* Deletes the oldest finished uploads of a zone until so much is free. */
enum store_result store_make_room_locked(struct store *store, int zone,
                                         int64_t wanted_bytes,
                                         unsigned *evicted);

/* Puts why a snapshot is not saved or read into *message; returns -1. */
int store_refuse(char **message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes what was measured of an attempt into its row of the table. */
enum store_result store_write_measured_locked(struct store *store,
                                              const struct upload *upload);

/* Of a zone and a progress ID. */
uint32_t store_hash(int zone, const char *id);

/*
 * The row in front of the table: copied, unless upload is NULL, where there is
 * one, and put there, where an older one may have to leave. It must be what
 * store_upload_find() tells of its ID, and run.
 */
bool store_cached_locked(struct store *store, int zone, const char *id,
                         struct upload *upload);
void store_cache_locked(struct store *store, const struct upload *row);

/* The same of one attempt, if that is the one that stands there. */
bool store_cached_attempt_locked(struct store *store, int zone, const char *id,
                                 const uint8_t *attempt, struct upload *upload);

/* Takes what was measured; false where the attempt does not stand there. */
bool store_cache_measured_locked(struct store *store,
                                 const struct upload *upload);

/* When the attempt of a key was last seen alive; 0 where it does not stand
 * there. */
int64_t store_cache_alive_ms_locked(struct store *store,
                                    const struct upload *key);

/* Brings a row of the table up to what was measured since. */
void store_cache_over_locked(struct store *store, struct upload *row);

/*
 * Has the row of an ID leave, as an attempt of it is about to be replaced or
 * deleted, with all that was measured of that one.
 */
void store_replaced_locked(struct store *store, int zone, const char *id,
                           const uint8_t *attempt);

/* Has all rows leave. */
void store_settle_all_locked(struct store *store);

/* Frees them as they are, with the store. */
void store_cache_free(struct store *store);

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
