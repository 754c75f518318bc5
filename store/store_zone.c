/* The zones: their names, sizes and use. */
#include <stdlib.h>
#include <string.h>

#include "store_internal.h"

/* The zone of that name, else a free one; -1 if there is neither. */
static int
place_for(const struct store *store, const char *name)
{
    int zone = store_zone_find(store, name);

    for (int i = 0; i < ZONES_MAX && zone < 0; i++) {
        zone = store->zones[i].name == NULL ? i : -1;
    }
    return zone;
}

int
store_zone_set(struct store *store, const char *name, int64_t size_bytes)
{
    int zone = place_for(store, name);
    unsigned evicted = 0;

    if (zone < 0) {
        return -1;
    }
    if (store->zones[zone].name == NULL) {
        store->zones[zone].name = strdup(name);
        if (store->zones[zone].name == NULL) {
            return -1;
        }
    }
    store->zones[zone].size_bytes = size_bytes;
    pthread_mutex_lock(&store->lock);
    /* What runs stays, even where it is too much. */
    store_make_room_locked(store, zone, 0, &evicted);
    pthread_mutex_unlock(&store->lock);
    return zone;
}

void
store_zone_remove(struct store *store, int zone)
{
    sqlite3_stmt *s;

    pthread_mutex_lock(&store->lock);
    store_settle_all_locked(store);
    s = store_statement_locked(store, DELETE_ZONE);
    sqlite3_bind_int(s, 1, zone);
    store_run_locked(s);
    s = store_statement_locked(store, ASSEMBLY_DELETE_ZONE);
    sqlite3_bind_int(s, 1, zone);
    store_run_locked(s);
    store_count_running_locked(store);
    store_all_changed_locked(store);
    free(store->zones[zone].name);
    store->zones[zone] = (struct zone){ .name = NULL };
    pthread_mutex_unlock(&store->lock);
}

const char *
store_zone_name(const struct store *store, int zone)
{
    return store->zones[zone].name;
}

int
store_zone_find(const struct store *store, const char *name)
{
    for (int i = 0; i < ZONES_MAX; i++) {
        const char *own = store->zones[i].name;

        if (own != NULL && own[0] == name[0] && strcmp(own, name) == 0) {
            return i;
        }
    }
    return -1;
}

int64_t
store_zone_used(struct store *store, int zone)
{
    int64_t used_bytes;

    pthread_mutex_lock(&store->lock);
    used_bytes = store->zones[zone].used_bytes;
    pthread_mutex_unlock(&store->lock);
    return used_bytes;
}
