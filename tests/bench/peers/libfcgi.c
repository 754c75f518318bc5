/*
 * A constant answer over libfcgi, as its examples have it: a pool of threads,
 * each with one connection at a time.
 *
 *   libfcgi unix:PATH FILE THREADS
 *
 * A thread belongs to its connection for as long as that is open, so there have
 * to be more of them than nginx keeps connections, or requests wait for ever.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MAX = 4096,
    BACKLOG = 1024,
};

static char answer[ANSWER_MAX];
static int answer_len;
static int listener;

static void *
run(void *unused)
{
    FCGX_Request request;

    FCGX_InitRequest(&request, listener, 0);
    while (FCGX_Accept_r(&request) == 0) {
        FCGX_PutStr(answer, answer_len, request.out);
        FCGX_Finish_r(&request);
    }
    return unused;
}

int
main(int argc, char **argv)
{
    int threads = argc > 3 ? atoi(argv[3]) : 0;
    FILE *file = threads > 0 ? fopen(argv[2], "r") : NULL;
    pthread_t thread;

    if (file == NULL || strncmp(argv[1], "unix:", 5) != 0) {
        fprintf(stderr, "usage: libfcgi unix:PATH FILE THREADS\n");
        return 2;
    }
    answer_len = (int)fread(answer, 1, sizeof(answer), file);
    fclose(file);
    FCGX_Init();
    listener = FCGX_OpenSocket(argv[1] + 5, BACKLOG);
    if (listener < 0) {
        return 1;
    }
    for (int i = 1; i < threads; i++) {
        if (pthread_create(&thread, NULL, run, NULL) != 0) {
            return 1;
        }
    }
    run(NULL);
    return 1; /* the socket does not work any more */
}
