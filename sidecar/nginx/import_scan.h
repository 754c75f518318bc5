/* What an nginx configuration tracks and reports, and what cannot be moved. */
#ifndef SIDECAR_IMPORT_SCAN_H
#define SIDECAR_IMPORT_SCAN_H

#include "import_model.h"

/*
 * Finds what is tracked and reported, marks it in the tree, and tells of what
 * cannot be moved. The log lines have to be read before.
 */
void import_scan(struct import *import);

#endif
