/* The states of an attempt and what moves it between them. Thread-safe. */
#ifndef SIDECAR_TRANSITIONS_H
#define SIDECAR_TRANSITIONS_H

#include "upload.h"

enum happening {
    HAPPENING_START,     /* a start or body event */
    HAPPENING_SUCCESS,   /* the end event, status below 400 */
    HAPPENING_FAILURE,   /* the end event, status 400 or above, or none */
    HAPPENING_VANISHED,  /* gone without an end, its bytes had all come */
    HAPPENING_CUT_SHORT, /* gone without an end, before they had */
    HAPPENINGS
};

enum { UPLOAD_STATES = UPLOAD_ERROR + 1 };

/* The state that follows. What nginx tells overrules what was concluded. */
enum upload_state transition(enum upload_state state, enum happening what);

/* "starting", "uploading", "done" or "error". */
const char *state_name(enum upload_state state);

#endif
