/* What was answered a moment ago: one place for each hash, the last one stays.
 */
#include "recent_progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "hash.h"

enum { PLACES = 4096, LOCKS = 64 };

struct place {
    int zone;
    char id[UPLOAD_ID_MAX + 1]; /* "": nothing yet */
    uint32_t version;
    int64_t at_ms;
    struct progress progress;
};

struct recent_progress {
    pthread_mutex_t locks[LOCKS]; /* of the places with the same remainder */
    struct place places[PLACES];  /* memory is used as places are */
};

struct recent_progress *
recent_progress_new(void)
{
    struct recent_progress *recent = alloc_zeroed(1, sizeof(*recent));

    for (int i = 0; i < LOCKS; i++) {
        pthread_mutex_init(&recent->locks[i], NULL);
    }
    return recent;
}

void
recent_progress_free(struct recent_progress *recent)
{
    for (int i = 0; i < LOCKS && recent != NULL; i++) {
        pthread_mutex_destroy(&recent->locks[i]);
    }
    free(recent);
}

static unsigned
place_of(int zone, const char *id)
{
    return (hash_bytes(id, strlen(id)) + (uint64_t)zone) % PLACES;
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
    unsigned at = place_of(zone, id);
    struct place *place = &recent->places[at];
    bool fresh;

    pthread_mutex_lock(&recent->locks[at % LOCKS]);
    fresh = is_fresh(place, zone, id, version, now_ms);
    if (fresh) {
        *progress = place->progress;
    }
    pthread_mutex_unlock(&recent->locks[at % LOCKS]);
    return fresh;
}

void
recent_progress_put(struct recent_progress *recent, int zone, const char *id,
                    uint32_t version, int64_t now_ms,
                    const struct progress *progress)
{
    unsigned at = place_of(zone, id);
    struct place *place = &recent->places[at];

    pthread_mutex_lock(&recent->locks[at % LOCKS]);
    /* A thread that looked earlier may come later. */
    if (!is_fresh(place, zone, id, version, now_ms) ||
        place->progress.received_bytes <= progress->received_bytes) {
        place->zone = zone;
        strcpy(place->id, id);
        place->version = version;
        place->at_ms = now_ms;
        place->progress = *progress;
    }
    pthread_mutex_unlock(&recent->locks[at % LOCKS]);
}
