/* Writing the answer to a probe. Thread-safe. */
#ifndef SIDECAR_ANSWER_H
#define SIDECAR_ANSWER_H

#include "probe.h"

enum {
    ANSWER_IDS_MAX = 100 /* IDs in one probe */
};

/* What a probe asks for, checked. */
struct probe {
    const struct request *request;
    const struct location_config *location; /* one that reports */
    const char *callback;                   /* "" without one */
    char (*ids)[UPLOAD_ID_MAX + 1];
    int id_count;                /* one or more */
    enum unknown_answer unknown; /* the status where no ID is known */
};

/*
 * Answers with the progress of the ID, or, of several, with a JSON object of
 * them; 304 where the client has the same already.
 */
void answer_probe(const struct sidecar *sidecar, const struct probe *probe,
                  struct response *response);

/*
 * Adds what lets other origins read the answer, where the location allows it.
 * Returns whether it does.
 */
bool answer_origin(const struct location_config *location,
                   const struct request *request, struct response *response);

#endif
