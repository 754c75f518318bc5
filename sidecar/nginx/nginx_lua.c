/* Lua blocks in nginx's configuration. */
#include "nginx_lua.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The length of a quoted string, at most up to the end of the text. */
static size_t
quoted_length(const char *p)
{
    size_t len = 1;

    while (p[len] != '\0' && p[len] != p[0]) {
        len += p[len] == '\\' && p[len + 1] != '\0' ? 2 : 1;
    }
    return p[len] != '\0' ? len + 1 : len;
}

/* The length of Lua's [[...]] or [==[...]==], or 0 if it is none. */
static size_t
long_bracket_length(const char *p)
{
    size_t level = p[0] == '[' ? strspn(p + 1, "=") : 0;
    const char *end;

    if (p[0] != '[' || p[level + 1] != '[') {
        return 0;
    }
    for (end = p + level + 2; *end != '\0'; end++) {
        if (*end == ']' && strspn(end + 1, "=") == level &&
            end[level + 1] == ']') {
            return (size_t)(end - p) + level + 2;
        }
    }
    return (size_t)(end - p);
}

/* The length of the Lua string or comment at p, or 1. */
static size_t
lua_length(const char *p)
{
    size_t len = long_bracket_length(p);

    if (len > 0) {
        return len;
    }
    if (p[0] == '"' || p[0] == '\'') {
        return quoted_length(p);
    }
    if (strncmp(p, "--", 2) == 0) {
        len = long_bracket_length(p + 2);
        return len > 0 ? len + 2 : strcspn(p, "\n");
    }
    return 1;
}

/* Blanks the Lua behind a '{'. Returns its '}', or the end of the text. */
static char *
blank_block(char *p)
{
    char *start = p;
    int depth = 1;

    while (*p != '\0') {
        depth += (*p == '{') - (*p == '}');
        if (depth == 0) {
            break;
        }
        p += lua_length(p);
    }
    for (char *q = start; q < p; q++) {
        *q = *q == '\n' ? '\n' : ' ';
    }
    return p;
}

static size_t
word_length(const char *p)
{
    size_t len = 0;

    while (p[len] != '\0' && p[len] != ';' && !isspace((unsigned char)p[len]) &&
           (p[len] != '{' || (len > 0 && p[len - 1] == '$'))) {
        len += p[len] == '\\' && p[len + 1] != '\0' ? 2 : 1;
    }
    return len;
}

static bool
opens_lua(const char *word, size_t len)
{
    size_t suffix_len = strlen(NGINX_LUA_SUFFIX);

    return len > suffix_len &&
           memcmp(word + len - suffix_len, NGINX_LUA_SUFFIX, suffix_len) == 0;
}

void
nginx_blank_lua(char *text)
{
    bool lua = false; /* the words so far open such a block */

    for (char *p = text; *p != '\0';) {
        if (*p == '#') {
            p += strcspn(p, "\n");
        } else if (*p == '"' || *p == '\'') {
            p += quoted_length(p);
        } else if (strchr(";{}", *p) != NULL) {
            p = *p == '{' && lua ? blank_block(p + 1) : p + 1;
            lua = false;
        } else if (isspace((unsigned char)*p)) {
            p++;
        } else {
            size_t len = word_length(p);

            lua = lua || opens_lua(p, len);
            p += len;
        }
    }
}
