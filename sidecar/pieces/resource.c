/* Identities of upload resources: normalised paths. */
#include "resource.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "progress_id.h"

/* A part of a text. */
struct span {
    const char *text;
    size_t len;
};

/* A path that is being made. */
struct path {
    char text[RESOURCE_PATH_MAX + 1];
    size_t len;
    bool full; /* something did not fit */
};

/* RFC 3986, section 2.3. */
static bool
is_unreserved(int c)
{
    return isalnum(c) || (c != '\0' && strchr("-._~", c) != NULL);
}

/* What stands in a path as it is, section 3.3. */
static bool
is_path_char(int c)
{
    return is_unreserved(c) || (c != '\0' && strchr("!$&'()*+,;=:@/", c));
}

static void
add_char(struct path *path, char c)
{
    if (path->len == RESOURCE_PATH_MAX) {
        path->full = true;
        return;
    }
    path->text[path->len++] = c;
}

static void
add_escape(struct path *path, int c)
{
    static const char digits[] = "0123456789ABCDEF";

    add_char(path, '%');
    add_char(path, digits[c >> 4]);
    add_char(path, digits[c & 15]);
}

static int
digit_value(int c)
{
    return isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Appends a part of a path, its escapes normalised. */
static void
add_normalised(struct path *path, const char *text, size_t len)
{
    for (size_t i = 0; i < len && !path->full; i++) {
        int c = (unsigned char)text[i];

        if (c == '%' && i + 2 < len && isxdigit((unsigned char)text[i + 1]) &&
            isxdigit((unsigned char)text[i + 2])) {
            c = digit_value(text[i + 1]) << 4 | digit_value(text[i + 2]);
            i += 2;
            if (!is_unreserved(c)) {
                add_escape(path, c);
                continue;
            }
        }
        if (is_path_char(c)) {
            add_char(path, (char)c);
        } else {
            add_escape(path, c);
        }
    }
}

/* Section 5.2.4, for a path that begins with a slash. */
static void
remove_dots(struct path *path)
{
    char *out = path->text;
    const char *in = path->text;

    path->text[path->len] = '\0';
    while (*in == '/') {
        size_t len = 1 + strcspn(in + 1, "/");
        bool up = len == 3 && in[1] == '.' && in[2] == '.';

        if (up || (len == 2 && in[1] == '.')) {
            while (up && out > path->text && *--out != '/') {
            }
            if (in[len] == '\0') {
                *out++ = '/';
            }
        } else {
            memmove(out, in, len);
            out += len;
        }
        in += len;
    }
    path->len = (size_t)(out - path->text);
    path->text[path->len] = '\0';
}

/* The end of a scheme and its colon; the text itself without one. */
static const char *
skip_scheme(const char *text)
{
    const char *p = text;

    if (!isalpha((unsigned char)*p)) {
        return text;
    }
    while (isalnum((unsigned char)*p) || (*p != '\0' && strchr("+-.", *p))) {
        p++;
    }
    return *p == ':' ? p + 1 : text;
}

static bool
is_http(const char *scheme, size_t len)
{
    return (len == 5 && strncasecmp(scheme, "http:", 5) == 0) ||
           (len == 6 && strncasecmp(scheme, "https:", 6) == 0);
}

/*
 * Finds the path of a URI reference; sets whether it is one of its own root,
 * behind a host. Returns false if it is of another scheme.
 */
static bool
split_reference(const char *reference, struct span *path, bool *has_host)
{
    const char *rest = skip_scheme(reference);

    if (rest != reference && (!is_http(reference, (size_t)(rest - reference)) ||
                              strncmp(rest, "//", 2) != 0)) {
        return false;
    }
    *has_host = strncmp(rest, "//", 2) == 0;
    if (*has_host) {
        rest += 2 + strcspn(rest + 2, "/?#");
    }
    path->text = rest;
    path->len = strcspn(rest, "?#");
    return true;
}

/* Section 5.3, of the path alone. */
static bool
resolve(const char *base, const char *reference, struct path *path)
{
    struct span from;
    struct span to;
    bool has_host;

    path->len = 0;
    path->full = false;
    if (!split_reference(base, &from, &has_host) ||
        (!has_host && from.text[0] != '/')) {
        return false;
    }
    if (from.len == 0) {
        from = (struct span){ "/", 1 };
    }
    if (!split_reference(reference, &to, &has_host)) {
        return false;
    }
    if (to.len == 0) {
        to = has_host ? (struct span){ "/", 1 } : from;
    } else if (to.text[0] != '/') { /* beside the base's last segment */
        while (from.len > 0 && from.text[from.len - 1] != '/') {
            from.len--;
        }
        add_normalised(path, from.text, from.len);
    }
    add_normalised(path, to.text, to.len);
    if (path->full) {
        return false;
    }
    remove_dots(path);
    return true;
}

static bool
to_id(const struct path *path, char id[UPLOAD_ID_MAX + 1])
{
    if (path->len > UPLOAD_ID_MAX) {
        return false;
    }
    memcpy(id, path->text, path->len);
    id[path->len] = '\0';
    return progress_id_is_valid(id);
}

bool
resource_of_request(const char *uri, char id[UPLOAD_ID_MAX + 1])
{
    struct path path;

    id[0] = '\0';
    return resolve(uri, "", &path) && to_id(&path, id);
}

bool
resource_of_argument(const char *uri, const char *name,
                     char id[UPLOAD_ID_MAX + 1])
{
    const char *query = uri + strcspn(uri, "?#");
    const char *value;
    struct path path;
    size_t len;

    id[0] = '\0';
    if (*query != '?' || !resolve(uri, "", &path)) {
        return false;
    }
    value = query_find_exact(query + 1, name, &len);
    if (value == NULL || len == 0) {
        return false;
    }
    add_char(&path, '?');
    add_normalised(&path, name, strlen(name));
    add_char(&path, '=');
    add_normalised(&path, value, strnlen(value, len));
    return !path.full && to_id(&path, id);
}

bool
resource_of_reference(const char *uri, const char *reference,
                      char id[UPLOAD_ID_MAX + 1])
{
    struct path base;
    struct path path;

    id[0] = '\0';
    if (reference[0] == '\0' || !resolve(uri, "", &base) ||
        !resolve(uri, reference, &path) ||
        (strchr(reference, '?') != NULL && strcmp(base.text, path.text) == 0) ||
        !to_id(&path, id)) {
        id[0] = '\0';
        return false;
    }
    return true;
}
