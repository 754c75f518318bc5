/*
 * Who is believed: with upload_progress_key events have to carry the key; the
 * others are counted and told of in the log now and then. Thread-safe.
 */
#ifndef SIDECAR_TRUST_H
#define SIDECAR_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRUST_KEY_MIN = 12, /* bytes of a key */
    TRUST_KEY_MAX = 16, /* what nginx's 32 leave behind "upload_progress_" */
};

struct trust;

/* Whether the text can be a key: letters and digits, which nginx's tag takes.
 */
bool trust_is_key(const char *text);

/* key is copied. NULL is a trust in everybody, which takes no memory. */
struct trust *trust_new(const char *key);

void trust_free(struct trust *trust);

/* Whether the key is right, in a time that does not tell how much of it is. */
bool trust_key(const struct trust *trust, const char *given);

/* The same for the tag of a log line, "upload_progress_KEY". */
bool trust_tag(const struct trust *trust, const char *tag, size_t len);

/* Counts an event that is not believed; what names its channel, a constant. */
void trust_refuse(struct trust *trust, const char *what, int64_t now_ms);

/*
 * Logs how many were refused since the last time, if that is TRUST_LOG_MS ago;
 * to be called now and then.
 */
void trust_report(struct trust *trust, int64_t now_ms);

enum { TRUST_LOG_MS = 60000 };

#endif
