/* The version, and where built-in configuration and snippets meet; the build's.
 */
#ifndef SIDECAR_PATHS_H
#define SIDECAR_PATHS_H

#ifndef VERSION
#define VERSION "unknown"
#endif
#ifndef RUNDIR
#define RUNDIR "/run/upload-progressd"
#endif
#ifndef EVENT_ADDRESS
#define EVENT_ADDRESS "127.0.0.1:4514"
#endif
#ifndef PROGRESS_HEADER
#define PROGRESS_HEADER "X-Progress-ID"
#endif

#endif
