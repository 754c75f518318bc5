/* FastCGI, as far as it takes to see where a request ends. */
#include <string.h>

#include "peer.h"

enum {
    HEADER = 8,
    BEGIN_REQUEST = 1,
    END_REQUEST = 3,
    PARAMS = 4,
    STDIN = 5,
    STDOUT = 6,
    KEEP_CONN = 1,
};

/* What a whole record says. */
static enum taken
take_record(struct peer *p, int type, size_t content_len)
{
    const unsigned char *record = (const unsigned char *)p->data;

    switch (type) {
    case BEGIN_REQUEST:
        if (content_len != HEADER) {
            return TAKEN_BAD;
        }
        p->id = (uint16_t)(record[2] << 8 | record[3]);
        p->keep = record[HEADER + 2] & KEEP_CONN;
        p->params_ended = false;
        return TAKEN_PART;
    case PARAMS:
        p->params_ended = content_len == 0;
        return TAKEN_PART;
    case STDIN:
        if (!p->params_ended) {
            return TAKEN_BAD;
        }
        return content_len == 0 ? TAKEN_REQUEST : TAKEN_PART;
    default:
        return TAKEN_BAD;
    }
}

static enum taken
fastcgi_take(struct peer *p)
{
    enum taken taken = TAKEN_PART;

    while (taken == TAKEN_PART && p->len >= HEADER) {
        const unsigned char *record = (const unsigned char *)p->data;
        size_t content_len = (size_t)(record[4] << 8 | record[5]);
        size_t record_len = HEADER + content_len + record[6];

        if (record[0] != 1) {
            return TAKEN_BAD;
        }
        if (p->len < record_len) {
            break;
        }
        taken = take_record(p, record[1], content_len);
        peer_consume(p, record_len);
    }
    return taken;
}

static void
put_header(char *to, int type, uint16_t id, size_t content_len)
{
    unsigned char header[HEADER] = {
        1,
        (unsigned char)type,
        (unsigned char)(id >> 8),
        (unsigned char)id,
        (unsigned char)(content_len >> 8),
        (unsigned char)content_len,
    };

    memcpy(to, header, HEADER);
}

static size_t
fastcgi_put(const struct peer *p, const char *answer, size_t len, char *to)
{
    put_header(to, STDOUT, p->id, len);
    memcpy(to + HEADER, answer, len);
    put_header(to + HEADER + len, END_REQUEST, p->id, HEADER);
    memset(to + HEADER + len + HEADER, 0, HEADER); /* status 0, complete */
    return len + (size_t)3 * HEADER;
}

const struct protocol fastcgi_protocol = { "fastcgi", fastcgi_take,
                                           fastcgi_put };
