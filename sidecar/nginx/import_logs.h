/* The site's own log lines, which those of location.conf replace. */
#ifndef SIDECAR_IMPORT_LOGS_H
#define SIDECAR_IMPORT_LOGS_H

#include "import_model.h"

/* Reads what the installed location.conf logs, else takes what ours does. */
void import_read_logs(struct import *import, const char *nginx_conf);

/* Tells of the site's log lines that location.conf replaces. */
void import_check_logs(struct import *import,
                       const struct nginx_node *location);

#endif
