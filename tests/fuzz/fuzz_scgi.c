/*
 * SCGI: the reader, and connections through the real code.
 *
 * - The reader finds the header that the specification has, however much of it
 *   is there: more bytes never turn garbage into a request.
 * - Parameters are those of the header, in it, and each ends in it.
 * - A request is answered when its whole body is there, and only then, with
 *   these parameters and that length; or, where the handler asks for it, when
 *   its header is there. On a listener for both protocols, too.
 * - There is one answer, and nothing before or behind it.
 * - And what fuzz_peer.h asserts.
 */
#include "scgi_reader.h"

#include <ctype.h>

#include "fuzz.h"
#include "fuzz_peer.h"

/* What a stream holds, read the plain way. */
struct expected {
    bool header; /* well-formed and complete */
    bool whole;  /* with its body */
    size_t header_len;
    uint64_t content_length;
};

static const struct buffer *stream;
static struct expected expected;
static int answered;

/* Decimal digits up to the end of the text; false if it is anything else. */
static bool
read_number(const char *text, uint64_t *number)
{
    *number = 0;
    for (const char *p = text; *p != '\0'; p++) {
        if (!isdigit((unsigned char)*p) ||
            __builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (unsigned)(*p - '0'), number)) {
            return false;
        }
    }
    return text[0] != '\0';
}

/* Names and values, each with its NUL, up to the comma. */
static bool
read_pairs(const char *p, const char *comma, uint64_t *content_length)
{
    bool scgi = false;
    bool seen = false;
    size_t count = 0;

    while (p < comma) {
        size_t name_len = strnlen(p, (size_t)(comma - p));
        const char *value = p + name_len + 1;
        size_t value_len;

        if (value >= comma || ++count > REQUEST_PARAMS_MAX) {
            return false;
        }
        value_len = strnlen(value, (size_t)(comma - value));
        if (value + value_len == comma) {
            return false;
        }
        if (count == 1 && (strcmp(p, "CONTENT_LENGTH") != 0 ||
                           !read_number(value, content_length))) {
            return false;
        }
        if (!seen && strcmp(p, "SCGI") == 0) {
            seen = true;
            scgi = strcmp(value, "1") == 0;
        }
        p = value + value_len + 1;
    }
    return scgi;
}

static struct expected
expect(const char *data, size_t len)
{
    struct expected e = { .header = false };
    size_t digits = 0;
    size_t netstring = 0;

    while (digits < len && digits < 9 && isdigit((unsigned char)data[digits])) {
        netstring = netstring * 10 + (size_t)(data[digits++] - '0');
    }
    e.header_len = digits + 1 + netstring + 1;
    if (digits == 0 || digits > 8 || netstring == 0 ||
        netstring > REQUEST_HEADER_MAX || len < e.header_len ||
        data[digits] != ':' || data[e.header_len - 1] != ',') {
        return e;
    }
    e.header = read_pairs(data + digits + 1, data + e.header_len - 1,
                          &e.content_length);
    e.whole = e.header && len - e.header_len >= e.content_length;
    return e;
}

/* All parameters lie in the header, as strings. */
static void
check_params(const struct request *request, const char *data, size_t len)
{
    for (size_t i = 0; i < request->param_count; i++) {
        const struct param *param = &request->params[i];

        FUZZ_HOLDS(param->name >= data && param->value > param->name);
        FUZZ_HOLDS(param->value == param->name + strlen(param->name) + 1);
        FUZZ_HOLDS(param->value + strlen(param->value) < data + len);
    }
}

static void
check_reader(const char *bytes, size_t len)
{
    enum scgi_result last = SCGI_MORE;

    for (size_t part = 0; part <= len; part += 1 + part / 8) {
        char *data = fuzz_copy(bytes, part);
        size_t header_len = 0;
        enum scgi_result result = scgi_scan(data, part, &header_len);

        FUZZ_HOLDS(last == SCGI_MORE || result == last);
        last = result;
        if (result == SCGI_COMPLETE) {
            struct request request = { .param_count = 0 };
            uint64_t content_length = 0;
            int parsed =
                scgi_parse(data, header_len, &request, &content_length);

            FUZZ_HOLDS(header_len == expected.header_len);
            FUZZ_HOLDS((parsed == 0) == expected.header);
            FUZZ_HOLDS(parsed < 0 || content_length == expected.content_length);
            check_params(&request, data, header_len);
        }
        free(data);
    }
}

static void
peer_on_request(const struct request *request)
{
    FUZZ_HOLDS(expected.header && answered == 0);
    FUZZ_HOLDS(request->body_complete ==
               (request->body_bytes == expected.content_length));
    FUZZ_HOLDS(request->body_bytes <= stream->len - expected.header_len);
    FUZZ_HOLDS(request->body_complete ? expected.whole : peer_at_once);
    FUZZ_HOLDS(request->param_count > 1);
    FUZZ_HOLDS(strcmp(request_param(request, "SCGI"), "1") == 0);
    for (size_t i = 0; i < request->param_count; i++) {
        FUZZ_HOLDS(memmem(stream->data, expected.header_len,
                          request->params[i].name,
                          strlen(request->params[i].name) + 1) != NULL);
        FUZZ_HOLDS(memmem(stream->data, expected.header_len,
                          request->params[i].value,
                          strlen(request->params[i].value) + 1) != NULL);
    }
    answered++;
}

static void
check_answer(const struct buffer *answer)
{
    static const char head[] = "Status: 200 OK\r\n"
                               "Content-Type: text/plain\r\n"
                               "Content-Length: 100\r\n\r\n";
    size_t len = sizeof(head) - 1;

    FUZZ_HOLDS(answer->len == (answered ? len + ANSWER_BYTES : 0));
    FUZZ_HOLDS(answered == 0 || memcmp(answer->data, head, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t no_ends[] = { 0 };
    struct fuzz_input input = { data, size };
    struct peer_manner manner = peer_manner(&input);
    struct buffer bytes = BUFFER_INIT;
    struct buffer answer = BUFFER_INIT;

    peer_stream(&input, &manner, &bytes);
    if (bytes.len == 0 || (manner.either && bytes.data[0] == 1)) {
        buffer_release(&bytes);
        return 0; /* that is FastCGI */
    }
    stream = &bytes;
    expected = expect(bytes.data, bytes.len);
    answered = 0;
    check_reader(bytes.data, bytes.len);
    peer_talk(manner.either ? &either_protocol : &scgi_protocol, &manner,
              &bytes, no_ends, &answer);
    if (!manner.timeout) {
        FUZZ_HOLDS(answered ==
                   (manner.at_once ? expected.header : expected.whole));
    }
    if (!manner.abrupt && !manner.timeout) {
        check_answer(&answer);
    }
    buffer_release(&bytes);
    buffer_release(&answer);
    return 0;
}
