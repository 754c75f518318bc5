/* The parts of a multipart/form-data body. */
#include "multipart.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "values.h"

/* A part of a text. */
struct span {
    const char *text;
    size_t len;
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9110, section 5.6.2. */
static size_t
token_len(struct span text)
{
    size_t len = 0;

    while (len < text.len &&
           (isalnum((unsigned char)text.text[len]) ||
            (text.text[len] != '\0' &&
             strchr("!#$%&'*+-.^_`|~", text.text[len]) != NULL))) {
        len++;
    }
    return len;
}

static void
skip(struct span *text, size_t len)
{
    text->text += len;
    text->len -= len;
}

static void
skip_blanks(struct span *text)
{
    while (text->len > 0 && is_blank(text->text[0])) {
        skip(text, 1);
    }
}

/*
 * A parameter's value: a token, or what is between quotes, where a backslash
 * takes the next byte along. Names are compared as they stand there: none that
 * matters needs an escape, and browsers write %22.
 */
static bool
take_value(struct span *text, struct span *value)
{
    size_t len;

    if (text->len == 0 || text->text[0] != '"') {
        len = token_len(*text);
        *value = (struct span){ text->text, len };
        skip(text, len);
        return len > 0;
    }
    skip(text, 1);
    for (len = 0; len < text->len && text->text[len] != '"'; len++) {
        if (text->text[len] == '\\') {
            len++;
        }
    }
    if (len >= text->len) {
        return false;
    }
    *value = (struct span){ text->text, len };
    skip(text, len + 1);
    return true;
}

/* Takes "; name=value" off. Returns false at the end, or at what is no such. */
static bool
take_parameter(struct span *text, struct span *name, struct span *value)
{
    skip_blanks(text);
    if (text->len == 0 || text->text[0] != ';') {
        return false;
    }
    skip(text, 1);
    skip_blanks(text);
    *name = (struct span){ text->text, token_len(*text) };
    skip(text, name->len);
    if (name->len == 0 || text->len == 0 || text->text[0] != '=') {
        return false;
    }
    skip(text, 1);
    return take_value(text, value);
}

static bool
is_name(struct span text, const char *name)
{
    return text.len == strlen(name) &&
           strncasecmp(text.text, name, text.len) == 0;
}

/* RFC 2046, section 5.1.1. */
static bool
is_boundary(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.text[i];

        if (c == '\0' || (!isalnum((unsigned char)c) &&
                          strchr("'()+_,-./:=? ", c) == NULL)) {
            return false;
        }
    }
    return text.len > 0 && text.len <= MULTIPART_BOUNDARY_MAX &&
           text.text[text.len - 1] != ' ';
}

bool
multipart_init(struct multipart *form, const char *content_type,
               const char *data, size_t len)
{
    struct span rest = { content_type, strlen(content_type) };
    struct span name;
    struct span value;
    bool found = false;

    memset(form, 0, sizeof(*form));
    form->data = data;
    form->len = len;
    if (!value_is_media_type(content_type, "multipart/form-data")) {
        return false;
    }
    skip(&rest, strlen("multipart/form-data"));
    while (!found && take_parameter(&rest, &name, &value)) {
        found = is_name(name, "boundary");
    }
    if (!found || !is_boundary(value)) {
        return false;
    }
    memcpy(form->delimiter, "\r\n--", 4);
    memcpy(form->delimiter + 4, value.text, value.len);
    form->delimiter_len = 4 + value.len;
    return true;
}

size_t
multipart_end_bytes(const struct multipart *form)
{
    return form->delimiter_len + 4; /* "--" and CRLF */
}

/* Where the next delimiter begins, at its CRLF; len if it is not there. */
static size_t
find_delimiter(const struct multipart *form, size_t from)
{
    const char *found = memmem(form->data + from, form->len - from,
                               form->delimiter, form->delimiter_len);

    return found != NULL ? (size_t)(found - form->data) : form->len;
}

/* Goes behind the first delimiter, which may have no line in front. */
static enum multipart_step
find_first(struct multipart *form)
{
    size_t len = form->delimiter_len - 2;
    size_t at;

    if (form->len < len) {
        return MULTIPART_CUT;
    }
    if (memcmp(form->data, form->delimiter + 2, len) == 0) {
        form->at = len;
        return MULTIPART_FIELD;
    }
    at = find_delimiter(form, 0);
    if (at == form->len) {
        return MULTIPART_BAD;
    }
    form->at = at + form->delimiter_len;
    return MULTIPART_FIELD;
}

/* Goes to the part's header: behind the rest of the delimiter's line. */
static enum multipart_step
end_line(struct multipart *form)
{
    size_t at = form->at;

    if (form->len - at >= 2 && memcmp(form->data + at, "--", 2) == 0) {
        return MULTIPART_END;
    }
    while (at < form->len && is_blank(form->data[at])) {
        at++;
    }
    if (form->len - at < 2) {
        return MULTIPART_CUT;
    }
    if (memcmp(form->data + at, "\r\n", 2) != 0) {
        return MULTIPART_BAD;
    }
    form->at = at + 2;
    return MULTIPART_FIELD;
}

/* Reads Content-Disposition. Returns false if it names no field. */
static bool
read_disposition(struct span value, struct multipart_part *part, bool *file)
{
    struct span type;
    struct span name;
    struct span text;

    skip_blanks(&value);
    type = (struct span){ value.text, token_len(value) };
    if (!is_name(type, "form-data")) {
        return false;
    }
    skip(&value, type.len);
    while (take_parameter(&value, &name, &text)) {
        if (is_name(name, "name")) {
            part->name = text.text;
            part->name_len = text.len;
        } else if (is_name(name, "filename") || is_name(name, "filename*")) {
            *file = true;
        }
    }
    return part->name != NULL;
}

/* Reads the lines of a part's header and goes behind the empty one. */
static enum multipart_step
read_header(struct multipart *form, struct multipart_part *part, bool *file)
{
    struct span rest = { form->data + form->at, form->len - form->at };
    bool cut = rest.len <= MULTIPART_HEADER_MAX;

    if (!cut) {
        rest.len = MULTIPART_HEADER_MAX;
    }
    while (true) {
        const char *end = memmem(rest.text, rest.len, "\r\n", 2);
        struct span line = rest;
        const char *colon;

        if (end == NULL) {
            return cut ? MULTIPART_CUT : MULTIPART_BAD;
        }
        line.len = (size_t)(end - line.text);
        skip(&rest, line.len + 2);
        if (line.len == 0) {
            form->at = (size_t)(rest.text - form->data);
            return part->name != NULL ? MULTIPART_FIELD : MULTIPART_BAD;
        }
        colon = memchr(line.text, ':', line.len);
        if (colon == NULL) {
            return MULTIPART_BAD;
        }
        if (is_name((struct span){ line.text, (size_t)(colon - line.text) },
                    "Content-Disposition")) {
            skip(&line, (size_t)(colon + 1 - line.text));
            if (!read_disposition(line, part, file)) {
                return MULTIPART_BAD;
            }
        }
    }
}

enum multipart_step
multipart_next(struct multipart *form, struct multipart_part *part)
{
    enum multipart_step step = MULTIPART_FIELD;
    bool file = false;
    size_t end;

    memset(part, 0, sizeof(*part));
    if (form->parts == 0) {
        step = find_first(form);
    }
    if (step == MULTIPART_FIELD && form->parts++ == MULTIPART_PARTS_MAX) {
        return MULTIPART_BAD;
    }
    if (step == MULTIPART_FIELD) {
        step = end_line(form);
    }
    if (step == MULTIPART_FIELD) {
        step = read_header(form, part, &file);
    }
    if (step != MULTIPART_FIELD) {
        return step;
    }
    part->at = form->at;
    if (file) {
        return MULTIPART_FILE;
    }
    /* An empty value's delimiter begins with the header's last line. */
    end = find_delimiter(form, form->at - 2);
    if (end == form->len) {
        return MULTIPART_CUT;
    }
    part->value = form->data + part->at;
    part->value_len = end < part->at ? 0 : end - part->at;
    form->at = end + form->delimiter_len;
    return MULTIPART_FIELD;
}
