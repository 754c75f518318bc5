/* upload-progressd.conf from an nginx configuration that was scanned. */
#ifndef SIDECAR_IMPORT_DAEMON_H
#define SIDECAR_IMPORT_DAEMON_H

#include "import_model.h"

/* Appends upload-progressd.conf. */
void import_print_daemon(struct import *import, struct buffer *out);

#endif
