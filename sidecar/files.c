/* Following nginx's temporary files: finding, holding, forgetting them. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "spool_gauge.h"
#include "uploads_internal.h"

enum {
    PEERS_MAX = 16, /* running attempts of one connection looked at */
    SCAN_MAX = 64,  /* new files found in one pass */
    SCAN_PACE = 10, /* a worker is scanned 1/10 of the time at most */
};

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
        if (slot == NULL || worker->next_scan_ms < slot->next_scan_ms) {
            slot = worker;
        }
    }
    if (slot->pid == pid && slot->next_scan_ms > now_ms) {
        return false;
    }
    slot->pid = pid;
    slot->next_scan_ms = now_ms + 1000; /* nobody else meanwhile */
    *claimed = slot;
    return true;
}

/* Credits the last size of a file that is gone to the one it belongs to. */
static void
credit(struct uploads *uploads, const struct spool *spool, int64_t size_bytes,
       int64_t now_ms)
{
    struct upload *peers = alloc_zeroed(PEERS_MAX, sizeof(*peers));
    struct upload *owner = NULL;
    int claims = 0;
    int count;

    count = store_upload_on_connection(uploads->store, spool->pid,
                                       spool->connection, peers, PEERS_MAX);
    for (int i = 0; i < count; i++) {
        if (file_may_belong(&peers[i], spool)) {
            owner = &peers[i];
            claims++;
        }
    }
    if (claims == 1) {
        owner->spooled = true;
        count_received(owner, size_bytes, GAUGE_SPOOL, false, now_ms);
        store_upload_measured(uploads->store, owner);
    }
    free(peers);
}

/* The one thread that takes the row closes what we hold of the file. */
static void
forget_file(struct uploads *uploads, const struct spool *spool, int64_t now_ms)
{
    int64_t held_fd = -1;
    int64_t size_bytes;

    if (store_spool_take(uploads->store, spool->row, &held_fd) != STORE_OK ||
        held_fd < 0) {
        return;
    }
    size_bytes = spool_gauge_release((int)held_fd);
    if (size_bytes >= 0) {
        credit(uploads, spool, size_bytes, now_ms);
    }
}

static void
keep_found(struct uploads *uploads, const struct spool *spool)
{
    int held_fd = spool_gauge_hold(spool);

    if (store_spool_found(uploads->store, spool->row, spool->fd, held_fd) !=
            STORE_OK &&
        held_fd >= 0) {
        spool_gauge_release(held_fd);
    }
}

static void
scan(struct uploads *uploads, int64_t pid, int64_t now_ms)
{
    struct spool *spools = alloc_zeroed(SCAN_MAX, sizeof(*spools));
    enum spool_answer answer;
    int64_t size_bytes;
    int count;

    count = store_spool_unresolved(uploads->store, pid, spools, SCAN_MAX);
    answer = count > 0 ? spool_gauge_find(pid, spools, count) : SPOOL_GONE;
    for (int i = 0; i < count; i++) {
        if (spools[i].fd >= 0) {
            keep_found(uploads, &spools[i]);
        } else if (answer != SPOOL_UNKNOWN ||
                   spool_gauge_read(&spools[i], &size_bytes) != SPOOL_OPEN) {
            forget_file(uploads, &spools[i], now_ms);
        }
    }
    free(spools);
}

void
resolve_files(struct uploads *uploads, int64_t pid, int64_t now_ms)
{
    struct worker *worker = NULL;
    int64_t began_ms;
    bool claimed;

    pthread_mutex_lock(&uploads->worker_lock);
    claimed = claim_scan(uploads, pid, now_ms, &worker);
    pthread_mutex_unlock(&uploads->worker_lock);
    if (!claimed) {
        return;
    }
    began_ms = uploads->options.clock_ms();
    scan(uploads, pid, now_ms);
    pthread_mutex_lock(&uploads->worker_lock);
    worker->next_scan_ms =
        now_ms + SCAN_PACE * (uploads->options.clock_ms() - began_ms);
    pthread_mutex_unlock(&uploads->worker_lock);
}

bool
file_size(struct uploads *uploads, const struct spool *spool, int64_t now_ms,
          int64_t *size_bytes)
{
    switch (spool_gauge_read(spool, size_bytes)) {
    case SPOOL_OPEN:
        return true;
    case SPOOL_GONE:
        forget_file(uploads, spool, now_ms);
        return false;
    case SPOOL_UNKNOWN:
        return false;
    }
    abort();
}

/* Whether the request line that nginx logged can be that of the attempt. */
bool
file_may_belong(const struct upload *upload, const struct spool *spool)
{
    if (spool->id[0] != '\0') {
        return strcmp(spool->id, upload->id) == 0;
    }
    return spool->request_hash == 0 || upload->request_hash == 0 ||
           spool->request_hash == upload->request_hash;
}

int
files_of(struct uploads *uploads, const struct upload *upload,
         struct spool *spools, int max)
{
    int count = store_spool_on_connection(uploads->store, upload->pid,
                                          upload->connection, spools, max);
    int kept = 0;

    for (int i = 0; i < count; i++) {
        if (file_may_belong(upload, &spools[i])) {
            spools[kept++] = spools[i];
        }
    }
    return kept;
}
