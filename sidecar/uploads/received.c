/* What a gauge has read, taken over into the row of an attempt. */
#include "uploads_internal.h"

bool
count_received(struct upload *upload, int64_t bytes, enum gauge gauge,
               bool approximate, int64_t now_ms)
{
    if (upload->size_bytes >= 0 && bytes > upload->size_bytes) {
        bytes = upload->size_bytes;
    }
    if (bytes <= upload->received_bytes) {
        return false;
    }
    upload->received_bytes = bytes;
    upload->gauge = (int)gauge;
    upload->approximate = approximate;
    upload->updated_ms = now_ms;
    return true;
}
