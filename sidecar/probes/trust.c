/* Who is believed, and how much was not. */
#include "trust.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "log.h"

static const char tag_prefix[] = "upload_progress_";

struct trust {
    char key[TRUST_KEY_MAX]; /* filled up with NULs */

    pthread_mutex_t lock;
    uint64_t refused; /* since the last line in the log */
    const char *last; /* what was refused last */
    int64_t logged_ms;
    bool logged;
};

bool
trust_is_key(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

    return text[len] == '\0' && len >= TRUST_KEY_MIN && len <= TRUST_KEY_MAX;
}

struct trust *
trust_new(const char *key)
{
    struct trust *trust;

    if (key == NULL) {
        return NULL;
    }
    trust = alloc_zeroed(1, sizeof(*trust));
    memcpy(trust->key, key, strnlen(key, TRUST_KEY_MAX));
    pthread_mutex_init(&trust->lock, NULL);
    return trust;
}

void
trust_free(struct trust *trust)
{
    if (trust == NULL) {
        return;
    }
    pthread_mutex_destroy(&trust->lock);
    free(trust);
}

/* All bytes are looked at, whichever differ. */
static bool
is_same(const char *key, const char *given, size_t len)
{
    char padded[TRUST_KEY_MAX] = { 0 };
    unsigned differ = len > TRUST_KEY_MAX;

    memcpy(padded, given, len > TRUST_KEY_MAX ? TRUST_KEY_MAX : len);
    for (size_t i = 0; i < TRUST_KEY_MAX; i++) {
        differ |= (unsigned)(key[i] ^ padded[i]);
    }
    return differ == 0;
}

bool
trust_key(const struct trust *trust, const char *given)
{
    return trust == NULL || is_same(trust->key, given, strlen(given));
}

bool
trust_tag(const struct trust *trust, const char *tag, size_t len)
{
    size_t prefix_len = sizeof(tag_prefix) - 1;

    if (trust == NULL) {
        return true;
    }
    return len > prefix_len && memcmp(tag, tag_prefix, prefix_len) == 0 &&
           is_same(trust->key, tag + prefix_len, len - prefix_len);
}

void
trust_refuse(struct trust *trust, const char *what, int64_t now_ms)
{
    pthread_mutex_lock(&trust->lock);
    trust->refused++;
    trust->last = what;
    pthread_mutex_unlock(&trust->lock);
    trust_report(trust, now_ms);
}

void
trust_report(struct trust *trust, int64_t now_ms)
{
    unsigned long long refused = 0;
    const char *last = NULL;

    if (trust == NULL) {
        return;
    }
    pthread_mutex_lock(&trust->lock);
    if (trust->refused > 0 &&
        (!trust->logged || now_ms - trust->logged_ms >= TRUST_LOG_MS)) {
        refused = trust->refused;
        last = trust->last;
        trust->refused = 0;
        trust->logged = true;
        trust->logged_ms = now_ms;
    }
    pthread_mutex_unlock(&trust->lock);
    if (refused > 0) {
        log_write(LOG_WARNING,
                  "%llu events without the key of upload_progress_key were "
                  "refused, the last was a %s",
                  refused, last);
    }
}
