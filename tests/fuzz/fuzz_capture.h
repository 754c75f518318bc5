/* What is written to standard output and standard error, in memory. */
#ifndef TESTS_FUZZ_CAPTURE_H
#define TESTS_FUZZ_CAPTURE_H

#include "fuzz.h"

struct capture {
    FILE *real[2];
    char *text[2]; /* of standard output and standard error */
    size_t len[2];
};

static inline void
capture_start(struct capture *capture)
{
    capture->real[0] = stdout;
    capture->real[1] = stderr;
    stdout = open_memstream(&capture->text[0], &capture->len[0]);
    stderr = open_memstream(&capture->text[1], &capture->len[1]);
    if (stdout == NULL || stderr == NULL) {
        abort();
    }
}

static inline void
capture_stop(struct capture *capture)
{
    fclose(stdout);
    fclose(stderr);
    stdout = capture->real[0];
    stderr = capture->real[1];
}

static inline void
capture_release(struct capture *capture)
{
    free(capture->text[0]);
    free(capture->text[1]);
}

#endif
