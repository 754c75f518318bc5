/* What was answered a moment ago: one place for each hash, the last one stays.
 */
#include "recent_progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "hash.h"

enum { PLACES = 4096 };

struct place {
    pthread_mutex_t lock;
    int zone;
    char id[UPLOAD_ID_MAX + 1]; /* "": nothing yet */
    uint32_t version;
    int64_t at_ms;
    struct progress progress;
};

struct recent_progress {
    struct place places[PLACES]; /* memory is used as places are */
};

struct recent_progress *
recent_progress_new(void)
{
    /* Zeroed is how a mutex begins here, and leaves the pages untouched. */
    static const pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_mutex_t zeroed;

    if (memcmp(&mutex, &zeroed, sizeof(mutex)) != 0) {
        abort();
    }
    return alloc_zeroed(1, sizeof(struct recent_progress));
}

void
recent_progress_free(struct recent_progress *recent)
{
    free(recent);
}

static struct place *
place_of(struct recent_progress *recent, int zone, const char *id)
{
    uint64_t hash = hash_bytes(id, strlen(id)) + (uint64_t)zone;

    return &recent->places[hash % PLACES];
}

/* Whether the place has what may be told of the ID now. */
static bool
is_fresh(const struct place *place, int zone, const char *id, uint32_t version,
         int64_t now_ms)
{
    return place->version == version && now_ms - place->at_ms < RECENT_MS &&
           place->zone == zone && strcmp(place->id, id) == 0;
}

bool
recent_progress_find(struct recent_progress *recent, int zone, const char *id,
                     uint32_t version, int64_t now_ms,
                     struct progress *progress)
{
    struct place *place = place_of(recent, zone, id);
    bool fresh;

    pthread_mutex_lock(&place->lock);
    fresh = is_fresh(place, zone, id, version, now_ms);
    if (fresh) {
        *progress = place->progress;
    }
    pthread_mutex_unlock(&place->lock);
    return fresh;
}

void
recent_progress_put(struct recent_progress *recent, int zone, const char *id,
                    uint32_t version, int64_t now_ms,
                    const struct progress *progress)
{
    struct place *place = place_of(recent, zone, id);

    pthread_mutex_lock(&place->lock);
    /* A thread that looked earlier may come later. */
    if (!is_fresh(place, zone, id, version, now_ms) ||
        place->progress.received_bytes <= progress->received_bytes) {
        place->zone = zone;
        strcpy(place->id, id);
        place->version = version;
        place->at_ms = now_ms;
        place->progress = *progress;
    }
    pthread_mutex_unlock(&place->lock);
}
