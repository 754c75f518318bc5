/* What holds where in an nginx configuration. */
#include "nginx_levels.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

bool
nginx_is_location(const struct nginx_node *node)
{
    return node->block && nginx_is(node, "location") && node->count > 1;
}

/* nginx takes "location =/uri" like "location = /uri". */
const char *
nginx_modifier(const struct nginx_node *location)
{
    static const char *const modifiers[] = { "=", "^~", "~*", "~" };

    for (size_t i = 0; i < sizeof(modifiers) / sizeof(modifiers[0]); i++) {
        if (strncmp(location->args[1], modifiers[i], strlen(modifiers[i])) ==
            0) {
            return modifiers[i];
        }
    }
    return "";
}

const char *
nginx_uri(const struct nginx_node *location)
{
    return location->count > 2
               ? location->args[2]
               : location->args[1] + strlen(nginx_modifier(location));
}

static const struct nginx_node *
first_of(const struct nginx_node *node, const char *name)
{
    while (node != NULL && (!nginx_is(node, name) || node->count < 2)) {
        node = node->next;
    }
    return node;
}

const struct nginx_node *
nginx_level(const struct nginx_node *block, const char *name)
{
    while (block != NULL && first_of(block->children, name) == NULL) {
        block = block->parent;
    }
    return block;
}

const struct nginx_node *
nginx_holding(const struct nginx_node *block, const char *name)
{
    const struct nginx_node *level = nginx_level(block, name);

    return level != NULL ? first_of(level->children, name) : NULL;
}

const struct nginx_node *
nginx_again(const struct nginx_node *node)
{
    return first_of(node->next, node->args[0]);
}

bool
nginx_says(const struct nginx_node *node, const char *argument)
{
    return node != NULL && node->count > 1 &&
           strcmp(node->args[1], argument) == 0;
}

const struct nginx_node *
nginx_server(const struct nginx_node *block)
{
    while (block != NULL && (!block->block || !nginx_is(block, "server"))) {
        block = block->parent;
    }
    return block;
}

/* Within blocks that are nested as deep as the tree is. */
/* NOLINTBEGIN(misc-no-recursion) */
const struct nginx_node *
nginx_find_location(const struct nginx_node *server, const char *uri)
{
    const struct nginx_node *best = NULL;
    const struct nginx_node *inner;
    size_t best_len = 0;

    for (const struct nginx_node *c = server->children; c; c = c->next) {
        const char *own = nginx_is_location(c) ? nginx_uri(c) : "";
        size_t len = strlen(own);

        if (len == 0 || nginx_modifier(c)[0] == '~') {
            continue;
        }
        if (strcmp(own, uri) == 0 &&
            (nginx_modifier(c)[0] == '=' || own[0] == '@')) {
            return c;
        }
        if (nginx_modifier(c)[0] != '=' && strncmp(own, uri, len) == 0 &&
            len > best_len) {
            best = c;
            best_len = len;
        }
    }
    inner = best != NULL ? nginx_find_location(best, uri) : NULL;
    return inner != NULL ? inner : best;
}
/* NOLINTEND(misc-no-recursion) */

enum { PATTERN_SIZE_MAX = 10000 }; /* characters, once written out */

/*
 * Whether regcomp() would make too much of a pattern: it writes out what is
 * repeated, a group with "+" twice, so that a few of them within each other
 * take all memory.
 */
static bool
is_too_large(const char *posix)
{
    unsigned long size = strlen(posix);

    for (const char *p = posix; *p != '\0' && size <= PATTERN_SIZE_MAX; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
        } else if (*p == '+' && p > posix && p[-1] == ')') {
            size *= 2;
        } else if (*p == '{') {
            size_t first = strspn(p + 1, "0123456789");
            unsigned long least = strtoul(p + 1, NULL, 10);
            unsigned long most =
                p[1 + first] == ',' ? strtoul(p + 2 + first, NULL, 10) : 0;
            unsigned long times = (least > most ? least : most) + 1;

            size = times < PATTERN_SIZE_MAX ? size * times
                                            : PATTERN_SIZE_MAX + 1UL;
        }
    }
    return size > PATTERN_SIZE_MAX;
}

/* The length of "[...]"; 0 where it does not end, or has a class of PCRE's. */
static size_t
bracket_length(const char *p)
{
    size_t len = p[1] == '^' ? 2 : 1;

    len += p[len] == ']';
    for (; p[len] != ']'; len++) {
        if (p[len] == '\0' ||
            (p[len] == '\\' && isalnum((unsigned char)p[len + 1]))) {
            return 0;
        }
    }
    return len + 1;
}

/* The length of what begins a group that POSIX has as "("; 0 for none. */
static size_t
group_length(const char *p)
{
    size_t name = strncmp(p, "(?<", 3) == 0 || strncmp(p, "(?P<", 4) == 0
                      ? strcspn(p, ">")
                      : 0;

    if (name > 0 && p[name] == '>' && isalpha((unsigned char)p[name - 1])) {
        return name + 1;
    }
    return strncmp(p, "(?:", 3) == 0 ? 3 : 0;
}

/* The length of "*", "+", "?" or "{...}"; 0 for none. */
static size_t
repetition_length(const char *p)
{
    size_t digits = p[0] == '{' ? strspn(p + 1, "0123456789,") : 0;
    size_t len = 0;

    if (*p != '\0' && strchr("*+?", *p) != NULL) {
        len = 1;
    } else if (digits > 0 && p[1 + digits] == '}') {
        len = digits + 2;
    }
    return len;
}

/*
 * Appends the next piece of a pattern of PCRE as POSIX has it. Returns its
 * length, or 0 where POSIX lacks it.
 */
static size_t
append_piece(struct buffer *out, const char *p)
{
    size_t len = group_length(p);

    if (len > 0) {
        buffer_append_string(out, "(");
        return len;
    }
    if (strncmp(p, "\\d", 2) == 0) {
        buffer_append_string(out, "[0-9]");
        return 2;
    }
    if (strncmp(p, "(?", 2) == 0 ||
        (p[0] == '\\' && isalnum((unsigned char)p[1]) &&
         strchr("wsWS", p[1]) == NULL)) {
        return 0;
    }
    if (*p == '[') {
        len = bracket_length(p);
    } else {
        len = p[0] == '\\' && p[1] != '\0' ? 2 : 1;
    }
    buffer_append(out, p, len);
    return len;
}

/*
 * Rewrites a pattern of PCRE as one of POSIX. Returns it, to be freed, or NULL
 * if it has what POSIX lacks.
 */
static char *
posix_pattern(const char *pattern)
{
    struct buffer out = BUFFER_INIT;
    const char *p = pattern;
    char *text;

    while (*p != '\0') {
        size_t len = repetition_length(p);

        if (len > 0) {
            buffer_append(&out, p, len);
            p += len;
            /* Lazy, or for good: without it no less matches. */
            p += *p == '?' || *p == '+';
            /* A repetition of one: nginx has none. */
            len = repetition_length(p) > 0 ? 0 : len;
        } else {
            len = append_piece(&out, p);
            p += len;
        }
        if (len == 0) {
            buffer_release(&out);
            return NULL;
        }
    }
    text = alloc_copy(out.data ? out.data : "", out.len);
    buffer_release(&out);
    return text;
}

bool
nginx_may_match(const char *pattern, bool ignore_case, const char *text)
{
    static const char excluding[] = "^(?!";
    size_t excluded = strcspn(pattern, ")");
    char *posix;
    regex_t regex;
    bool matches = true;

    /* What we advise: ^(?!/upload-progress/)... */
    if (strncmp(pattern, excluding, sizeof(excluding) - 1) == 0 &&
        excluded >= sizeof(excluding) && pattern[excluded] == ')' &&
        strncmp(text, pattern + sizeof(excluding) - 1,
                excluded - (sizeof(excluding) - 1)) == 0) {
        return false;
    }
    posix = posix_pattern(pattern);
    if (posix != NULL && !is_too_large(posix) &&
        regcomp(&regex, posix,
                REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0)) ==
            0) {
        matches = regexec(&regex, text, 0, NULL, 0) == 0;
        regfree(&regex);
    }
    free(posix);
    return matches;
}

int64_t
nginx_size(const char *text)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    int shift = 0;

    switch (tolower((unsigned char)*end)) {
    case 'g':
        shift = 30;
        break;
    case 'm':
        shift = 20;
        break;
    case 'k':
        shift = 10;
        break;
    default:
        break;
    }
    if (!isdigit((unsigned char)text[0]) || end[shift > 0] != '\0' ||
        number > INT64_MAX >> shift) {
        return -1;
    }
    return number << shift;
}
