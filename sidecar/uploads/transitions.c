/* The states of an attempt and what moves it between them. */
#include "transitions.h"

static const enum upload_state next_state[UPLOAD_STATES][HAPPENINGS] = {
    [UPLOAD_STARTING] = {
        [HAPPENING_START] = UPLOAD_UPLOADING,
        [HAPPENING_SUCCESS] = UPLOAD_DONE,
        [HAPPENING_FAILURE] = UPLOAD_ERROR,
        [HAPPENING_VANISHED] = UPLOAD_STARTING,
        [HAPPENING_CUT_SHORT] = UPLOAD_STARTING,
    },
    [UPLOAD_UPLOADING] = {
        [HAPPENING_START] = UPLOAD_UPLOADING,
        [HAPPENING_SUCCESS] = UPLOAD_DONE,
        [HAPPENING_FAILURE] = UPLOAD_ERROR,
        [HAPPENING_VANISHED] = UPLOAD_DONE,
        [HAPPENING_CUT_SHORT] = UPLOAD_ERROR,
    },
    [UPLOAD_DONE] = {
        [HAPPENING_START] = UPLOAD_DONE,
        [HAPPENING_SUCCESS] = UPLOAD_DONE,
        [HAPPENING_FAILURE] = UPLOAD_ERROR,
        [HAPPENING_VANISHED] = UPLOAD_DONE,
        [HAPPENING_CUT_SHORT] = UPLOAD_DONE,
    },
    [UPLOAD_ERROR] = {
        [HAPPENING_START] = UPLOAD_ERROR,
        [HAPPENING_SUCCESS] = UPLOAD_DONE,
        [HAPPENING_FAILURE] = UPLOAD_ERROR,
        [HAPPENING_VANISHED] = UPLOAD_ERROR,
        [HAPPENING_CUT_SHORT] = UPLOAD_ERROR,
    },
};

static const char *const names[UPLOAD_STATES] = {
    [UPLOAD_STARTING] = "starting",
    [UPLOAD_UPLOADING] = "uploading",
    [UPLOAD_DONE] = "done",
    [UPLOAD_ERROR] = "error",
};

enum upload_state
transition(enum upload_state state, enum happening what)
{
    return next_state[state][what];
}

const char *
state_name(enum upload_state state)
{
    return names[state];
}
