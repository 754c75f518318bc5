/*
 * The folder of a worker's descriptors in proc(5), held open: looking a
 * descriptor up in it costs a third of looking it up by its whole path. Each
 * thread holds those of the workers that it asked for last, so that none is
 * closed while another thread is at it.
 */
#ifndef SIDECAR_WORKER_FOLDER_H
#define SIDECAR_WORKER_FOLDER_H

#include <stdint.h>

/*
 * The folder of a worker, which stays this file's; -1 with errno set. Of a
 * process that is gone every descriptor is missing in it, although another one
 * may have its number by now; worker_folder_drop() before another try.
 */
int worker_folder(int64_t pid);

/* Closes this thread's folder of a worker, if it has it. */
void worker_folder_drop(int64_t pid);

#endif
