/* The ready-made outputs, those of the module and ours. Thread-safe. */
#ifndef SIDECAR_OUTPUTS_H
#define SIDECAR_OUTPUTS_H

#include "buffer.h"
#include "transitions.h"
#include "uploads.h"

struct output {
    const char *directive; /* the configuration directive that selects it */
    const char *content_type;
    const char *templates[UPLOAD_STATES]; /* by state; NULL: rendered in code */
};

/* All outputs; ends with a NULL directive. */
extern const struct output outputs[];

/* What the module answers where no output is selected: JSONP. */
extern const struct output output_default;

/* The output that a directive selects, or NULL. */
const struct output *output_find(const char *directive);

/* Appends the detailed output of an ID as one line of JSON. */
void output_detail(const char *zone, const char *id,
                   const struct progress *progress, struct buffer *out);

#endif
