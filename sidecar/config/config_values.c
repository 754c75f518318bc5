/* nginx's sizes and times as text. */
#include "config_values.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A number and a unit out of a list of units and their factors. */
struct unit {
    const char *name;
    int64_t factor;
};

static bool
parse_with_units(const char **text, const struct unit *units, int64_t *value)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(*text, &end, 10);
    if (!isdigit((unsigned char)**text) || errno != 0) {
        return false;
    }
    for (const struct unit *u = units; u->name != NULL; u++) {
        size_t len = strlen(u->name);

        /* "m" is not the "m" of "ms". */
        if (strncmp(end, u->name, len) == 0 && !isalpha(end[len])) {
            if (number > INT64_MAX / 4 / u->factor) {
                return false;
            }
            *value = number * u->factor;
            *text = end + len;
            return true;
        }
    }
    return false;
}

bool
parse_size(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {
        { "k", 1 << 10 }, { "K", 1 << 10 }, { "m", 1 << 20 }, { "M", 1 << 20 },
        { "g", 1 << 30 }, { "G", 1 << 30 }, { "", 1 },        { NULL, 0 },
    };

    return parse_with_units(&text, units, bytes) && *text == '\0';
}

bool
parse_time(const char *text, int64_t *ms)
{
    static const struct unit units[] = {
        { "ms", 1 },         { "s", 1000 },        { "m", 60000 },
        { "h", 3600000 },    { "d", 86400000 },    { "w", 604800000 },
        { "M", 2592000000 }, { "y", 31536000000 }, { "", 1000 },
        { NULL, 0 },
    };
    int64_t total = 0;
    int64_t part;

    while (*text != '\0') {
        if (!parse_with_units(&text, units, &part)) {
            return false;
        }
        if (total > INT64_MAX / 4) {
            return false;
        }
        total += part;
        text += strspn(text, " ");
    }
    *ms = total;
    return total > 0;
}
