/*
 * FastCGI connections: the bytes of a peer go through the real connection code,
 * and libfcgi where they come in pieces.
 *
 * - libfcgi is shown nothing but a request's parameters, complete and
 *   well-formed, and no byte behind that: no length that lies, none of
 *   the 2 GiB that CVE-2025-23016 takes.
 * - The requests that are answered are those of the model, in their order, with
 *   the same parameters and the same length of the body.
 * - A peer that waits for each answer gets one for each request, up to the
 *   first that is broken or closes the connection, however the bytes arrive.
 * - The answers are whole FastCGI records, in the order of the requests.
 * - And what fuzz_peer.h asserts.
 *
 * Inputs are changed by record, see fastcgi_mutator.h.
 */
#include <dlfcn.h>
#include <fcgiapp.h>

#include "fastcgi_model.h"
#include "fuzz.h"
#include "fuzz_peer.h"

#define STREAM_AT MANNER_BYTES
#include "fastcgi_mutator.h"

enum { REQUESTS_MAX = 4096 }; /* more than a stream has room for */

static const struct buffer *stream;
static size_t offset; /* behind the requests that were answered */
static unsigned answered_ids[REQUESTS_MAX];
static int answered;

/* Stands in front of libfcgi's own, and looks at what that will read. */
int
FCGX_Accept_r(FCGX_Request *libfcgi)
{
    static int (*real)(FCGX_Request *);
    static uint8_t bytes[1 << 18];
    ssize_t got =
        recv(libfcgi->ipcFd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    struct model model;
    enum model_result result;

    FUZZ_HOLDS(got > 0 && (size_t)got < sizeof(bytes));
    result = model_read(&model, bytes, (size_t)got);
    FUZZ_HOLDS(result == MODEL_PARAMS);
    FUZZ_HOLDS(model.params_end == (size_t)got);
    model_release(&model);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "FCGX_Accept_r");
    }
    return real(libfcgi);
}

/* A parameter as a C string "name=value"; false if libfcgi's users skip it. */
static bool
text_of(const char *name, const uint32_t lengths[2], struct buffer *text)
{
    text->len = 0;
    buffer_append(text, name, lengths[0]);
    buffer_append(text, "=", 1);
    buffer_append(text, name + lengths[0], lengths[1]);
    buffer_append(text, "", 1);
    return strchr(text->data, '=') != NULL;
}

static void
compare_params(const struct model *model, const struct request *request)
{
    struct buffer text = BUFFER_INIT;
    size_t index = 0;
    size_t at = 0;

    while (at < model->params.len) {
        const char *name;
        uint32_t lengths[2];
        size_t name_len;

        FUZZ_HOLDS(model_pair(&model->params, &at, &name, lengths));
        if (!text_of(name, lengths, &text)) {
            continue;
        }
        FUZZ_HOLDS(index < request->param_count);
        name_len = strcspn(text.data, "=");
        FUZZ_HOLDS(strlen(request->params[index].name) == name_len);
        FUZZ_HOLDS(memcmp(request->params[index].name, text.data, name_len) ==
                   0);
        FUZZ_HOLDS(strcmp(request->params[index].value,
                          text.data + name_len + 1) == 0);
        index++;
    }
    FUZZ_HOLDS(index == request->param_count);
    buffer_release(&text);
}

static void
peer_on_request(const struct request *request)
{
    struct model model;

    FUZZ_HOLDS(model_read(&model, (const uint8_t *)stream->data + offset,
                          stream->len - offset) == MODEL_WHOLE);
    FUZZ_HOLDS(model.body_bytes == request->body_bytes);
    compare_params(&model, request);
    offset += model.end;
    FUZZ_HOLDS(answered < REQUESTS_MAX);
    answered_ids[answered++] = model.id;
    model_release(&model);
}

static bool
has_role(const struct model *model)
{
    return model->role >= FCGI_RESPONDER && model->role <= FCGI_FILTER;
}

/*
 * Where the requests end that a polite peer sends; 0 ends them. Returns how
 * many of them are to be answered.
 */
static int
find_ends(const struct buffer *bytes, size_t ends[REQUESTS_MAX + 1])
{
    size_t at = 0;
    int count = 0;
    bool more = bytes->len > 0;

    while (more && count < REQUESTS_MAX) {
        struct model model;

        more = model_read(&model, (const uint8_t *)bytes->data + at,
                          bytes->len - at) == MODEL_WHOLE &&
               has_role(&model);
        if (more) {
            at += model.end;
            ends[count++] = at;
            more = model.keep;
        }
        model_release(&model);
    }
    ends[count] = 0;
    return count;
}

/* Whole records: standard output and its end for each that was answered. */
static void
check_answer(const struct buffer *answer)
{
    const uint8_t *p = (const uint8_t *)answer->data;
    size_t left = answer->len;
    struct buffer text = BUFFER_INIT;
    int ended = 0;

    while (left > 0) {
        size_t len = left >= 8 ? (size_t)p[4] << 8 | p[5] : 0;

        FUZZ_HOLDS(left >= 8 && left >= 8 + len + p[6]);
        FUZZ_HOLDS(p[0] == FCGI_VERSION_1);
        FUZZ_HOLDS(ended < answered);
        FUZZ_HOLDS(((unsigned)p[2] << 8 | p[3]) == answered_ids[ended]);
        if (p[1] == FCGI_STDOUT) {
            buffer_append(&text, p + 8, len);
        } else if (p[1] == FCGI_END_REQUEST) {
            FUZZ_HOLDS(len == sizeof(FCGI_EndRequestBody));
            FUZZ_HOLDS(memcmp(p + 8, "\0\0\0\0\0", 5) == 0);
            FUZZ_HOLDS(memmem(text.data, text.len, "Status: 200 OK\r\n", 16) ==
                       text.data);
            text.len = 0;
            ended++;
        } else {
            FUZZ_HOLDS(p[1] == FCGI_STDERR && len == 0);
        }
        left -= 8 + len + p[6];
        p += 8 + len + p[6];
    }
    FUZZ_HOLDS(ended == answered);
    buffer_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    struct peer_manner manner = peer_manner(&input);
    struct buffer bytes = BUFFER_INIT;
    struct buffer answer = BUFFER_INIT;
    static size_t ends[REQUESTS_MAX + 1];
    int wanted;

    peer_stream(&input, &manner, &bytes);
    if (manner.either && bytes.len > 0) {
        bytes.data[0] = FCGI_VERSION_1; /* or it is SCGI */
    }
    stream = &bytes;
    offset = 0;
    answered = 0;
    ends[0] = 0;
    wanted = manner.polite ? find_ends(&bytes, ends) : 0;
    peer_talk(manner.either ? &either_protocol : &fastcgi_protocol, &manner,
              &bytes, ends, &answer);
    if (manner.polite && !manner.timeout) {
        FUZZ_HOLDS(answered >= wanted);
    }
    if (!manner.abrupt && !manner.timeout) {
        check_answer(&answer);
    }
    buffer_release(&bytes);
    buffer_release(&answer);
    return 0;
}
