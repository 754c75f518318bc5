/*
 * What was answered a moment ago of files in pieces, which take a look at each
 * piece. Many watchers of one file, or one that asks without pause, share one
 * look at the gauges every RECENT_MS; nobody is told what is older, nor what
 * the store has taken back since. Of an upload by one request its row says when
 * it was looked at. All functions are thread-safe. now_ms is monotonic.
 */
#ifndef SIDECAR_RECENT_PROGRESS_H
#define SIDECAR_RECENT_PROGRESS_H

#include "uploads.h"

enum { RECENT_MS = 20 };

struct recent_progress;

/* Makes an empty one. Aborts if out of memory. */
struct recent_progress *recent_progress_new(void);

void recent_progress_free(struct recent_progress *recent);

/*
 * Finds the progress of an ID. version is the store's, of now. Returns whether
 * it is known.
 */
bool recent_progress_find(struct recent_progress *recent, int zone,
                          const char *id, uint32_t version, int64_t now_ms,
                          struct progress *progress);

/*
 * Keeps the progress of an ID. version is the store's, of before the row was
 * read. One that has come further stays.
 */
void recent_progress_put(struct recent_progress *recent, int zone,
                         const char *id, uint32_t version, int64_t now_ms,
                         const struct progress *progress);

#endif
