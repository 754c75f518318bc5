/*
 * FastCGI requests as the specification has them, read the plain way: from
 * bytes that are all there. What the daemon does with a stream is compared
 * with this.
 */
#ifndef TESTS_FASTCGI_MODEL_H
#define TESTS_FASTCGI_MODEL_H

#include <fastcgi.h>

#include "buffer.h"
#include "connection.h"
#include "fuzz.h"
#include "message.h"

enum model_result {
    MODEL_CUT,    /* well-formed as far as it goes */
    MODEL_PARAMS, /* the parameters are complete, the body is not */
    MODEL_WHOLE,
    MODEL_BAD,
};

struct model {
    unsigned id;
    unsigned role;
    bool keep;
    struct buffer params; /* as they were sent */
    unsigned param_count;
    uint64_t body_bytes;
    size_t params_end; /* offsets in the stream */
    size_t end;
};

/* One length of the notation; false if it is cut short. */
static inline bool
model_length(const struct buffer *params, size_t *at, uint32_t *length)
{
    const uint8_t *p = (const uint8_t *)params->data + *at;
    size_t left = params->len - *at;

    if (left == 0) {
        return false;
    }
    if (p[0] < 0x80) {
        *length = p[0];
        *at += 1;
        return true;
    }
    if (left < 4) {
        return false;
    }
    *length = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 |
              (uint32_t)p[2] << 8 | p[3];
    *at += 4;
    return true;
}

/*
 * Takes the next parameter, and moves behind it. Returns false where it is cut
 * short or a length is beyond the limit.
 */
static inline bool
model_pair(const struct buffer *params, size_t *at, const char **name,
           uint32_t lengths[2])
{
    if (!model_length(params, at, &lengths[0]) ||
        !model_length(params, at, &lengths[1]) ||
        lengths[0] > REQUEST_HEADER_MAX || lengths[1] > REQUEST_HEADER_MAX ||
        params->len - *at < lengths[0] + lengths[1]) {
        return false;
    }
    *name = params->data + *at;
    *at += lengths[0] + lengths[1];
    return true;
}

static inline bool
model_params_hold(struct model *model)
{
    size_t at = 0;

    while (at < model->params.len) {
        const char *name;
        uint32_t lengths[2];

        if (!model_pair(&model->params, &at, &name, lengths) ||
            ++model->param_count > REQUEST_PARAMS_MAX - 1) {
            return false;
        }
    }
    return true;
}

static inline enum model_result
model_begin(struct model *model, const uint8_t *header, const uint8_t *content)
{
    unsigned id = (unsigned)header[2] << 8 | header[3];

    if (header[1] != FCGI_BEGIN_REQUEST || id == 0) {
        return MODEL_BAD;
    }
    model->id = id;
    model->role = (unsigned)content[0] << 8 | content[1];
    model->keep = (content[2] & FCGI_KEEP_CONN) != 0;
    return MODEL_CUT;
}

/* Takes a record whose content is there. */
static inline enum model_result
model_record(struct model *model, const uint8_t *header, const uint8_t *content,
             size_t len)
{
    unsigned id = (unsigned)header[2] << 8 | header[3];

    if (model->id == 0) {
        return model_begin(model, header, content);
    }
    if (id != model->id ||
        header[1] != (model->params_end ? FCGI_STDIN : FCGI_PARAMS)) {
        return MODEL_BAD;
    }
    if (model->params_end != 0) {
        model->body_bytes += len;
        return len > 0 ? MODEL_PARAMS : MODEL_WHOLE;
    }
    if (len == 0) {
        return model_params_hold(model) ? MODEL_PARAMS : MODEL_BAD;
    }
    buffer_append(&model->params, content, len);
    return model->params.len > REQUEST_HEADER_MAX ? MODEL_BAD : MODEL_CUT;
}

/* Reads one request. The model is to be released. */
static inline enum model_result
model_read(struct model *model, const uint8_t *data, size_t len)
{
    enum model_result result = MODEL_CUT;
    size_t at = 0;

    memset(model, 0, sizeof(*model));
    while (result != MODEL_BAD && result != MODEL_WHOLE && len - at >= 8) {
        const uint8_t *header = data + at;
        size_t content = (size_t)header[4] << 8 | header[5];
        size_t whole = 8 + content + header[6];

        if (header[0] != FCGI_VERSION_1 ||
            (model->id == 0 && content != sizeof(FCGI_BeginRequestBody))) {
            return MODEL_BAD;
        }
        if (len - at < whole) {
            break;
        }
        result = model_record(model, header, header + 8, content);
        at += whole;
        if (result == MODEL_PARAMS && model->params_end == 0) {
            model->params_end = at;
        }
    }
    model->end = at;
    return result;
}

static inline void
model_release(struct model *model)
{
    buffer_release(&model->params);
}

#endif
