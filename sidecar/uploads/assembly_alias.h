/*
 * Files that are known by more than one ID: a client's own, the resource that a
 * server has made for it, and resources of parts that are joined in the end.
 * The ID of such a resource has a row of its own, which leads to the file. All
 * under the lock of the uploads.
 */
#ifndef SIDECAR_ASSEMBLY_ALIAS_H
#define SIDECAR_ASSEMBLY_ALIAS_H

#include "assembly_file.h"

/* What an ID leads to. */
struct alias {
    bool known;         /* as the ID of a file or as one that leads to it */
    bool is_part;       /* of the file, which it begins at base_bytes of */
    int64_t base_bytes; /* 0 where it is the whole */
};

/* Puts the ID of the file in place of one that leads to it. */
struct alias assembly_resolve(struct uploads *uploads, int zone,
                              char id[UPLOAD_ID_MAX + 1]);

/* Has the ID of a resource lead to the file; "" does nothing. */
void assembly_add_resource(struct uploads *uploads, struct file *file,
                           const char *id, int64_t now_ms);

/*
 * Has the ID of the next part lead to the file, which is so much longer. A part
 * of unknown size is not followed.
 */
void assembly_add_part(struct uploads *uploads, struct file *file,
                       const char *id, int64_t part_bytes, int64_t now_ms);

/*
 * Keeps a row that leads to a file as long as the file's, and deletes it then.
 * Returns false where the row is that of a file itself.
 */
bool assembly_check_alias(struct uploads *uploads, struct file *alias,
                          int64_t now_ms);

#endif
