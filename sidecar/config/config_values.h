/* nginx's sizes and times as text. Pure, thread-safe. */
#ifndef SIDECAR_CONFIG_VALUES_H
#define SIDECAR_CONFIG_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes, or with k, m or g: KiB, MiB, GiB. Returns false if it is no size. */
bool parse_size(const char *text, int64_t *bytes);

/*
 * ms s m h d w M y, several together, seconds where there is none; at least
 * 1 ms. Returns false if it is no such time.
 */
bool parse_time(const char *text, int64_t *ms);

#endif
