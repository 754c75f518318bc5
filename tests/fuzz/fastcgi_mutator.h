/*
 * Changes FastCGI streams by record, so that most inputs stay well-framed and
 * get past the first header: types, IDs, lengths that lie, padding, records
 * that are cut, joined, repeated or moved, and parameters with lengths in both
 * notations, those beyond any limit among them.
 */
#ifndef TESTS_FASTCGI_MUTATOR_H
#define TESTS_FASTCGI_MUTATOR_H

#include <fastcgi.h>

#include "buffer.h"
#include "fuzz.h"

/* The bytes of an input in front of its stream; to be defined before. */
#ifndef STREAM_AT
#error "STREAM_AT"
#endif

/* libFuzzer's own; not there in a replay, which mutates nothing. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size,
                                              size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed);

enum { RECORDS_MAX = 64 };

struct record {
    uint8_t header[8]; /* with the lengths as they shall be told */
    struct buffer content;
    uint8_t padding; /* as many bytes as there are */
};

struct records {
    struct record list[RECORDS_MAX];
    unsigned count;
    unsigned seed;
};

static inline unsigned
mutator_draw(struct records *r, unsigned below)
{
    r->seed = r->seed * 1664525u + 1013904223u;
    return (r->seed >> 8) % below;
}

/* The header tells the truth about its record. */
static inline void
record_fix(struct record *record)
{
    record->header[4] = (uint8_t)(record->content.len >> 8);
    record->header[5] = (uint8_t)record->content.len;
    record->header[6] = record->padding;
}

static inline void
records_read(struct records *r, const uint8_t *data, size_t len)
{
    while (len >= 8 && r->count < RECORDS_MAX) {
        struct record *record = &r->list[r->count++];
        size_t content = (size_t)data[4] << 8 | data[5];
        size_t padding = data[6];

        memcpy(record->header, data, 8);
        data += 8;
        len -= 8;
        content = content < len ? content : len;
        buffer_append(&record->content, data, content);
        data += content;
        len -= content;
        padding = padding < len ? padding : len;
        record->padding = (uint8_t)padding;
        data += padding;
        len -= padding;
    }
}

static inline void
records_write(const struct records *r, struct buffer *out)
{
    static const uint8_t zeros[255];

    for (unsigned i = 0; i < r->count; i++) {
        buffer_append(out, r->list[i].header, 8);
        buffer_append(out, r->list[i].content.data, r->list[i].content.len);
        buffer_append(out, zeros, r->list[i].padding);
    }
}

/* Makes room for a record at an index; NULL if there are too many. */
static inline struct record *
records_insert(struct records *r, unsigned at)
{
    if (r->count == RECORDS_MAX) {
        return NULL;
    }
    memmove(&r->list[at + 1], &r->list[at],
            (r->count - at) * sizeof(r->list[0]));
    memset(&r->list[at], 0, sizeof(r->list[at]));
    r->count++;
    return &r->list[at];
}

static inline void
records_delete(struct records *r, unsigned at)
{
    buffer_release(&r->list[at].content);
    r->count--;
    memmove(&r->list[at], &r->list[at + 1],
            (r->count - at) * sizeof(r->list[0]));
}

/* A length in one of its notations, now and then one that is not true. */
static inline void
mutator_length(struct records *r, struct buffer *out, uint32_t length)
{
    static const uint32_t lies[] = {
        0,          1,          0x7f,       0x80,       0xffff,
        0x10000,    0x10001,    0x00ffffff, 0x7ffffffd, 0x7ffffffe,
        0x7fffffff, 0x40000000, 0x7fff0000, 0x00010002,
    };
    bool lie = mutator_draw(r, 6) == 0;
    uint8_t bytes[4];

    length = lie ? lies[mutator_draw(r, COUNT(lies))] : length;
    if (length < 0x80 && mutator_draw(r, 3) != 0) {
        bytes[0] = (uint8_t)length;
        buffer_append(out, bytes, 1);
        return;
    }
    bytes[0] = (uint8_t)(length >> 24 | 0x80);
    bytes[1] = (uint8_t)(length >> 16);
    bytes[2] = (uint8_t)(length >> 8);
    bytes[3] = (uint8_t)length;
    buffer_append(out, bytes, mutator_draw(r, 20) == 0 ? 3 : 4);
}

static inline void
mutator_pair(struct records *r, struct buffer *out)
{
    static const char *const names[] = {
        "REQUEST_METHOD",
        "QUERY_STRING",
        "HTTP_X_PROGRESS_ID",
        "CONTENT_LENGTH",
        "FCGI_ROLE",
        "UPLOAD_PROGRESS_EVENT",
        "DOCUMENT_URI",
        "",
        "A=B",
    };
    static const char value[160] = "GET";
    const char *name = names[mutator_draw(r, COUNT(names))];
    size_t len = mutator_draw(r, mutator_draw(r, 4) == 0 ? 160 : 8);

    mutator_length(r, out, (uint32_t)strlen(name));
    mutator_length(r, out, (uint32_t)len);
    buffer_append_string(out, name);
    buffer_append(out, value, len);
}

/* A record that fits at an index: of the same request, and likely of a type. */
static inline void
mutator_new_record(struct records *r, unsigned at)
{
    static const uint8_t begin[] = { 0, 1, 1, 0, 0, 0, 0, 0 };
    static const uint8_t types[] = { FCGI_BEGIN_REQUEST, FCGI_PARAMS,
                                     FCGI_PARAMS, FCGI_STDIN };
    struct record *record = records_insert(r, at);

    if (record == NULL) {
        return;
    }
    record->header[0] = FCGI_VERSION_1;
    record->header[1] = types[mutator_draw(r, COUNT(types))];
    record->header[3] = 1;
    if (r->count > 1) {
        memcpy(record->header + 2, r->list[at > 0 ? at - 1 : 1].header + 2, 2);
    }
    if (record->header[1] == FCGI_BEGIN_REQUEST) {
        buffer_append(&record->content, begin, sizeof(begin));
    } else if (record->header[1] == FCGI_PARAMS) {
        for (unsigned i = mutator_draw(r, 4); i > 0; i--) {
            mutator_pair(r, &record->content);
        }
    } else {
        buffer_append(&record->content, begin, mutator_draw(r, 9));
    }
    record_fix(record);
}

static inline void
mutator_header(struct records *r, struct record *record)
{
    static const uint8_t types[] = {
        FCGI_BEGIN_REQUEST, FCGI_ABORT_REQUEST, FCGI_END_REQUEST,
        FCGI_PARAMS,        FCGI_STDIN,         FCGI_STDOUT,
        FCGI_DATA,          FCGI_GET_VALUES,    FCGI_UNKNOWN_TYPE,
    };

    switch (mutator_draw(r, 5)) {
    case 0:
        record->header[1] = types[mutator_draw(r, COUNT(types))];
        break;
    case 1:
        record->header[2 + mutator_draw(r, 2)] =
            (uint8_t)mutator_draw(r, mutator_draw(r, 2) ? 3 : 256);
        break;
    case 2: /* more or less than there is */
        record->header[4 + mutator_draw(r, 2)] = (uint8_t)mutator_draw(r, 256);
        break;
    case 3:
        record->padding = (uint8_t)mutator_draw(r, 256);
        record->header[6] = record->padding;
        break;
    default:
        record->header[mutator_draw(r, 8)] = (uint8_t)mutator_draw(r, 256);
        break;
    }
}

static inline void
mutator_content(struct records *r, struct record *record)
{
    size_t len = record->content.len;
    size_t room = len + 64;

    if (record->header[1] == FCGI_PARAMS && mutator_draw(r, 2) == 0) {
        mutator_pair(r, &record->content);
    } else {
        buffer_reserve(&record->content, 64);
        record->content.len =
            LLVMFuzzerMutate((uint8_t *)record->content.data, len, room);
    }
    record_fix(record);
}

/* Cuts a record in two, as a peer may do anywhere. */
static inline void
mutator_split(struct records *r, unsigned at)
{
    size_t cut = mutator_draw(r, (unsigned)r->list[at].content.len + 1);
    struct record *second = records_insert(r, at + 1);
    struct record *first = &r->list[at];

    if (second != NULL && cut > 0) {
        memcpy(second->header, first->header, 8);
        buffer_append(&second->content, first->content.data + cut,
                      first->content.len - cut);
        first->content.len = cut;
        record_fix(first);
        record_fix(second);
    }
}

static inline void
mutator_join(struct records *r, unsigned at)
{
    if (at + 1 < r->count) {
        buffer_append(&r->list[at].content, r->list[at + 1].content.data,
                      r->list[at + 1].content.len);
        record_fix(&r->list[at]);
        records_delete(r, at + 1);
    }
}

static inline void
mutator_repeat(struct records *r, unsigned from, unsigned to)
{
    struct record copy = r->list[from];
    struct record *record = records_insert(r, to);

    if (record != NULL) {
        *record = copy;
        record->content = (struct buffer)BUFFER_INIT;
        buffer_append(&record->content, copy.content.data, copy.content.len);
    }
}

static inline void
mutator_change(struct records *r)
{
    unsigned at = mutator_draw(r, r->count + 1);

    if (at == r->count) {
        mutator_new_record(r, at);
        return;
    }
    switch (mutator_draw(r, 8)) {
    case 0:
        mutator_new_record(r, at);
        break;
    case 1:
        records_delete(r, at);
        break;
    case 2:
        mutator_split(r, at);
        break;
    case 3:
        mutator_join(r, at);
        break;
    case 4:
        mutator_repeat(r, at, mutator_draw(r, r->count + 1));
        break;
    case 5:
        mutator_header(r, &r->list[at]);
        break;
    default:
        mutator_content(r, &r->list[at]);
        break;
    }
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                        unsigned seed)
{
    struct records records = { .seed = seed };
    struct buffer out = BUFFER_INIT;

    if (size <= STREAM_AT || max_size <= STREAM_AT ||
        mutator_draw(&records, 16) == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    if (STREAM_AT > 0 && mutator_draw(&records, 6) == 0) {
        data[mutator_draw(&records, STREAM_AT)] =
            (uint8_t)mutator_draw(&records, 256);
    }
    records_read(&records, data + STREAM_AT, size - STREAM_AT);
    for (unsigned i = 1 + mutator_draw(&records, 3); i > 0; i--) {
        mutator_change(&records);
    }
    records_write(&records, &out);
    size = out.len < max_size - STREAM_AT ? out.len : max_size - STREAM_AT;
    memcpy(data + STREAM_AT, out.data ? out.data : "", size);
    while (records.count > 0) {
        records_delete(&records, records.count - 1);
    }
    buffer_release(&out);
    return STREAM_AT + size;
}

#endif
