/* Text made harmless for where it stands. */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static bool
has_type(const char *content_type, const char *type)
{
    size_t len = strcspn(content_type, "; ");

    return len == strlen(type) && strncasecmp(content_type, type, len) == 0;
}

enum escape
escape_for(const char *content_type)
{
    size_t len = strcspn(content_type, "; ");

    if (has_type(content_type, "application/json") ||
        (len > 5 && strncasecmp(content_type + len - 5, "+json", 5) == 0)) {
        return ESCAPE_JSON;
    }
    if (has_type(content_type, "text/javascript") ||
        has_type(content_type, "application/javascript") ||
        has_type(content_type, "application/x-javascript")) {
        return ESCAPE_JAVASCRIPT;
    }
    return has_type(content_type, "text/plain") ? ESCAPE_NONE : ESCAPE_XML;
}

/*
 * The length of the UTF-8 sequence at text (RFC 3629), 0 if it is none:
 * overlong forms, surrogates and what is beyond U+10FFFF are none.
 */
static size_t
sequence_length(const unsigned char *text)
{
    static const struct {
        unsigned char from, to; /* of the first byte */
        unsigned char second_from, second_to;
        size_t len;
    } forms[] = {
        { 0x00, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
        { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
        { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].from || text[0] > forms[i].to) {
            continue;
        }
        if (forms[i].len > 1 &&
            (text[1] < forms[i].second_from || text[1] > forms[i].second_to)) {
            return 0;
        }
        for (size_t k = 2; k < forms[i].len; k++) {
            if (text[k] < 0x80 || text[k] > 0xbf) {
                return 0;
            }
        }
        return forms[i].len;
    }
    return 0;
}

static void
append_xml(struct buffer *out, unsigned char c)
{
    switch (c) {
    case '&':
        buffer_append_string(out, "&amp;");
        break;
    case '<':
        buffer_append_string(out, "&lt;");
        break;
    case '>':
        buffer_append_string(out, "&gt;");
        break;
    case '"':
        buffer_append_string(out, "&quot;");
        break;
    case '\'':
        buffer_append_string(out, "&#39;");
        break;
    case '\t':
    case '\n':
    case '\r':
        /* A parser would make a blank, or another end of line, of them. */
        buffer_printf(out, "&#%d;", c);
        break;
    default:
        if (c < ' ') {
            buffer_append_string(out, replacement);
        } else {
            buffer_append(out, &c, 1);
        }
    }
}

/*
 * Angle brackets and ampersands, too, so that no HTML parser sees a tag; in
 * JavaScript what ends the other strings, or begins an expression in one.
 */
static void
append_script(struct buffer *out, enum escape escape, unsigned char c)
{
    if (c < ' ' || c == '<' || c == '>' || c == '&' || c == 0x7f ||
        (escape == ESCAPE_JAVASCRIPT && strchr("'`$", c) != NULL)) {
        buffer_printf(out, "\\u%04x", c);
    } else if (c == '"' || c == '\\') {
        buffer_printf(out, "\\%c", c);
    } else {
        buffer_append(out, &c, 1);
    }
}

/* U+2028 and U+2029 end a line in JavaScript before ECMAScript 2019. */
static bool
is_line_separator(const unsigned char *text)
{
    return text[0] == 0xe2 && text[1] == 0x80 &&
           (text[2] == 0xa8 || text[2] == 0xa9);
}

/* U+FFFE and U+FFFF are no characters of XML (section 2.2). */
static bool
is_noncharacter(const unsigned char *text)
{
    return text[0] == 0xef && text[1] == 0xbf && text[2] >= 0xbe;
}

void
escape_append(struct buffer *out, enum escape escape, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    if (escape == ESCAPE_NONE) {
        buffer_append_string(out, text);
        return;
    }
    while (*p != '\0') {
        size_t len = sequence_length(p);

        if (len == 0 ||
            (len == 3 && escape == ESCAPE_XML && is_noncharacter(p))) {
            buffer_append_string(out, replacement);
        } else if (len > 1 && escape != ESCAPE_XML && is_line_separator(p)) {
            buffer_printf(out, "\\u202%c", p[2] == 0xa8 ? '8' : '9');
        } else if (len > 1) {
            buffer_append(out, p, len);
        } else if (escape == ESCAPE_XML) {
            append_xml(out, *p);
        } else {
            append_script(out, escape, *p);
        }
        p += len > 0 ? len : 1;
    }
}
