/* The changes of nginx's files, once they were scanned. */
#ifndef SIDECAR_IMPORT_NGINX_H
#define SIDECAR_IMPORT_NGINX_H

#include "import_model.h"

/* Works out the changes, and tells of what they miss. */
void import_edit(struct import *import);

#endif
