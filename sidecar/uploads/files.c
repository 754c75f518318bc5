/* Following nginx's temporary files: finding, holding, forgetting them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "spool_gauge.h"
#include "uploads_internal.h"

enum {
    PEERS_MAX = 128, /* running attempts of one connection: nginx's streams */
    SCAN_MIN = 16,   /* new files of a worker, mostly */
    SCAN_MAX = 1024, /* new files found in one pass */
    SCAN_PACE = 10,  /* a worker takes 1/10 of a processor at most */
    SCAN_AHEAD_US = 50000, /* of that: for scans in quick succession */
    PASSES = 3,            /* through a worker's descriptors, at a time */
    MARK_MS = 60000, /* from a file's line on: then it has no mark, ever */
};

/* Whether its scans have not taken too much time lately. */
static bool
may_scan(const struct worker *worker, int64_t now_ms)
{
    return !worker->scanned && worker->paid_us - now_ms * 1000 <= SCAN_AHEAD_US;
}

static bool
claim_scan(struct uploads *uploads, int64_t pid, int64_t now_ms,
           struct worker **claimed)
{
    struct worker *slot = NULL;

    for (int i = 0; i < WORKERS_MAX; i++) {
        struct worker *worker = &uploads->workers[i];

        if (worker->pid == pid) {
            slot = worker;
            break;
        }
        /* A worker that has been quiet for long makes room. */
        if (!worker->scanned &&
            (slot == NULL || worker->paid_us < slot->paid_us)) {
            slot = worker;
        }
    }
    if (slot == NULL) {
        return false;
    }
    if (slot->pid == pid && !may_scan(slot, now_ms)) {
        slot->missed = true;
        return false;
    }
    if (slot->pid != pid || slot->paid_us < now_ms * 1000) {
        slot->paid_us = now_ms * 1000;
    }
    slot->pid = pid;
    slot->scanned = true;
    slot->missed = false;
    *claimed = slot;
    return true;
}

/* Whether the file can be the attempt's; sets whether it can be no other's. */
static bool
may_own(const struct upload *upload, const struct spool *spool, bool *certain)
{
    bool same = spool->id[0] != '\0'
                    ? strcmp(spool->id, upload->id) == 0
                    : spool->request_hash == 0 || upload->request_hash == 0 ||
                          spool->request_hash == upload->request_hash;

    *certain = is_alone(upload) || spool->id[0] != '\0' ||
               spool->row == upload->spool_row;
    return spool->seen_ms >= upload->started_ms && (is_alone(upload) || same);
}

/* Credits the last size of a file that is gone to the one it belongs to. */
static void
credit(struct uploads *uploads, const struct spool *spool, struct upload *peers,
       int count, int64_t size_bytes, int64_t now_ms)
{
    struct upload *owner = NULL;
    bool owner_certain = false;
    int owners = 0;

    for (int i = 0; i < count; i++) {
        bool certain;

        if (may_own(&peers[i], spool, &certain)) {
            owner = &peers[i];
            owner_certain = certain;
            owners++;
        }
    }
    if (owners == 1 && owner_certain) {
        owner->spool_row = spool->row;
        owner->spool_certain = is_alone(owner) || spool->id[0] != '\0';
        count_received(owner, size_bytes, GAUGE_SPOOL, false, now_ms);
        store_upload_measured(uploads->store, owner);
    }
}

/* Whether the line of the end may want a form's fields of the file. */
static bool
may_be_piece(const struct upload *peers, int count)
{
    for (int i = 0; i < count; i++) {
        if (is_alone(&peers[i]) && peers[i].piece_at != 0) {
            return true;
        }
    }
    return count == 0; /* more pieces come at once than are kept track of */
}

/*
 * Closes what was held of a file, if anything. Its row is taken first: whoever
 * has read that before sees the count change, and knows that the number may
 * stand for another file by now.
 */
static void
let_go(struct uploads *uploads, int64_t held_fd)
{
    if (held_fd >= 0) {
        atomic_fetch_add(&uploads->held_releases, 1);
        close((int)held_fd);
        atomic_fetch_sub(&uploads->held_count, 1);
    }
}

/* Of a file whose row has been taken. */
static void
part_with(struct uploads *uploads, const struct spool *spool, int64_t held_fd,
          int64_t now_ms)
{
    struct upload *peers = alloc_array(PEERS_MAX, sizeof(*peers));
    int count = store_upload_on_connection(uploads->store, spool->pid,
                                           spool->connection, peers, PEERS_MAX);
    int64_t size_bytes = spool_gauge_held_bytes((int)held_fd);

    if (size_bytes >= 0) {
        credit(uploads, spool, peers, count, size_bytes, now_ms);
    }
    if (may_be_piece(peers, count)) {
        held_fd =
            gone_files_put(uploads->gone_files, spool, (int)held_fd, now_ms);
    }
    let_go(uploads, held_fd);
    free(peers);
}

/*
 * The one thread that takes the row closes what we hold of the file, or keeps
 * it; the end of its request lets go of either.
 */
static void
forget_file(struct uploads *uploads, const struct spool *spool, int64_t now_ms)
{
    int64_t held_fd = -1;

    pthread_mutex_lock(&uploads->gone_lock);
    if (store_spool_take(uploads->store, spool->row, &held_fd) == STORE_OK &&
        held_fd >= 0) {
        part_with(uploads, spool, held_fd, now_ms);
    }
    pthread_mutex_unlock(&uploads->gone_lock);
}

void
release_gone_files(struct uploads *uploads, int64_t now_ms)
{
    int held_fd;

    do {
        held_fd = gone_files_take_old(uploads->gone_files, now_ms - GRACE_MS);
        let_go(uploads, held_fd);
    } while (held_fd >= 0);
}

/* Of a request that is over. */
static void
release_gone_files_of(struct uploads *uploads, const struct upload *upload)
{
    int held_fd;

    do {
        held_fd = gone_files_take(uploads->gone_files, upload->pid,
                                  upload->connection);
        let_go(uploads, held_fd);
    } while (held_fd >= 0);
}

/* Descriptors for connections come first: a file is held if there is room. */
static int
hold(struct uploads *uploads, const struct spool *spool)
{
    int held_fd;

    if (atomic_load(&uploads->held_count) >= uploads->options.held_max) {
        return -1;
    }
    held_fd = spool_gauge_hold(spool);
    if (held_fd >= 0) {
        atomic_fetch_add(&uploads->held_count, 1);
    }
    return held_fd;
}

static void
keep_found(struct uploads *uploads, const struct spool *spool)
{
    int64_t held_fd = hold(uploads, spool);

    if (held_fd < 0) {
        held_fd = spool_gauge_mark(spool);
    }
    if (store_spool_found(uploads->store, spool->row, spool->fd, held_fd) !=
        STORE_OK) {
        let_go(uploads, held_fd);
    }
}

/* Whether a file that a pass has not found is to be looked for again. */
static bool
worth_keeping(const struct uploads *uploads, const struct spool *spool,
              enum spool_answer answer, int64_t now_ms)
{
    int64_t size_bytes;

    if (now_ms - spool->seen_ms > uploads->options.inactive_timeout_ms) {
        return false;
    }
    switch (answer) {
    case SPOOL_OPEN:
    case SPOOL_GONE:
        return false;
    case SPOOL_LATER:
        return true;
    case SPOOL_UNKNOWN: /* it may have a name, with client_body_in_file_only */
        return spool_gauge_read(spool, &size_bytes) == SPOOL_OPEN;
    }
    abort();
}

/* Reads a worker's new files, mostly few, into a list that is to be freed. */
static int
read_unresolved(struct uploads *uploads, int64_t pid, struct spool **spools)
{
    int count;

    *spools = alloc_array(SCAN_MIN, sizeof(**spools));
    count = store_spool_unresolved(uploads->store, pid, *spools, SCAN_MIN);
    if (count == SCAN_MIN) {
        free(*spools);
        *spools = alloc_array(SCAN_MAX, sizeof(**spools));
        count = store_spool_unresolved(uploads->store, pid, *spools, SCAN_MAX);
    }
    return count;
}

static void
scan(struct uploads *uploads, int64_t pid, int64_t now_ms)
{
    struct spool *spools;
    enum spool_answer answer;
    int count = read_unresolved(uploads, pid, &spools);

    answer = count > 0 ? spool_gauge_find(pid, spools, count) : SPOOL_GONE;
    for (int i = 0; i < count; i++) {
        if (spools[i].fd >= 0) {
            keep_found(uploads, &spools[i]);
        } else if (!worth_keeping(uploads, &spools[i], answer, now_ms)) {
            forget_file(uploads, &spools[i], now_ms);
        }
    }
    free(spools);
}

/* Returns whether it is to be done again, for who came while it was done. */
static bool
scan_if_due(struct uploads *uploads, int64_t pid, int64_t now_ms)
{
    struct worker *worker = NULL;
    int64_t began_us;
    int64_t took_us;
    bool claimed;
    bool again;

    pthread_mutex_lock(&uploads->worker_lock);
    claimed = claim_scan(uploads, pid, now_ms, &worker);
    pthread_mutex_unlock(&uploads->worker_lock);
    if (!claimed) {
        return false;
    }
    began_us = uploads->options.thread_us();
    scan(uploads, pid, now_ms);
    took_us = uploads->options.thread_us() - began_us;
    pthread_mutex_lock(&uploads->worker_lock);
    worker->scanned = false;
    worker->paid_us += SCAN_PACE * took_us;
    again = worker->missed && may_scan(worker, now_ms);
    pthread_mutex_unlock(&uploads->worker_lock);
    return again;
}

void
resolve_files(struct uploads *uploads, int64_t pid, int64_t now_ms)
{
    for (int i = 0; i < PASSES && scan_if_due(uploads, pid, now_ms); i++) {
    }
}

/*
 * Has a file that is not held known again by its mark, which takes one system
 * call, where its name takes a slow second one.
 */
static void
mark_file(struct uploads *uploads, const struct spool *spool)
{
    int64_t mark = spool_gauge_mark(spool);

    if (mark < -1 &&
        store_spool_mark(uploads->store, spool->row, mark) == STORE_ERROR) {
        log_store_error(uploads, "marking a file");
    }
}

bool
file_size(struct uploads *uploads, const struct spool *spool, int64_t now_ms,
          int64_t *size_bytes)
{
    switch (spool_gauge_read(spool, size_bytes)) {
    case SPOOL_OPEN:
        if (spool->fd >= 0 && spool->held_fd == -1 &&
            now_ms - spool->seen_ms < MARK_MS) {
            mark_file(uploads, spool);
        }
        return true;
    case SPOOL_GONE:
        /* One that was not looked for yet has no name any more, that is all. */
        if (spool->fd >= 0) {
            forget_file(uploads, spool, now_ms);
        }
        return false;
    case SPOOL_UNKNOWN:
    case SPOOL_LATER:
        return false;
    }
    abort();
}

bool
own_file_size(struct uploads *uploads, const struct upload *upload,
              const struct spool *spool, unsigned releases, int64_t now_ms,
              int64_t *size_bytes)
{
    int64_t held_bytes = -1;

    if (spool->held_fd >= 0 && upload->spool_certain &&
        spool->row == upload->spool_row) {
        held_bytes = spool_gauge_held_bytes((int)spool->held_fd);
    }
    if (held_bytes >= 0 && atomic_load(&uploads->held_releases) == releases) {
        *size_bytes = held_bytes;
        return true;
    }
    return file_size(uploads, spool, now_ms, size_bytes);
}

bool
is_alone(const struct upload *upload)
{
    return upload->protocol > 0 && upload->protocol < HTTP_2;
}

int
files_of(struct uploads *uploads, const struct upload *upload,
         struct spool *spools, int max)
{
    return store_spool_of_upload(uploads->store, upload, is_alone(upload),
                                 spools, max);
}

/*
 * The request is over: its files are closed, or are about to be. Where it was
 * alone on its connection, so far all of them are its own, as nginx's lines
 * come in order; whatever came late, no other request is to be taken for it.
 * Where they cannot be told from those of others, those are not believed for a
 * moment.
 */
void
release_files(struct uploads *uploads, const struct upload *upload,
              int64_t at_ms, int64_t now_ms)
{
    struct spool spools[FILES_MAX];
    int64_t held_fd;
    int count;

    pthread_mutex_lock(&uploads->gone_lock);
    count = files_of(uploads, upload, spools, FILES_MAX);
    for (int i = 0; i < count; i++) {
        bool own =
            is_alone(upload) ||
            ((spools[i].id[0] != '\0' || spools[i].row == upload->spool_row) &&
             spools[i].seen_ms <= at_ms);

        if (own && store_spool_take(uploads->store, spools[i].row, &held_fd) ==
                       STORE_OK) {
            let_go(uploads, held_fd);
        }
    }
    if (is_alone(upload)) {
        release_gone_files_of(uploads, upload);
    }
    pthread_mutex_unlock(&uploads->gone_lock);
    if (count > 0 && !is_alone(upload) && upload->spool_row == 0) {
        store_spool_uncertain(uploads->store, upload, now_ms + GRACE_MS);
    }
}
