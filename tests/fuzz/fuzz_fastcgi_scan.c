/*
 * The scanner of FastCGI requests.
 *
 * - It takes what the model takes, and ends where the model does.
 * - However the stream is cut, the outcome is the same.
 * - It never claims more bytes than it was given, and leaves some only where
 *   the parameters or the request end, or where it gives up.
 * - What it keeps for libfcgi is the parameters, byte for byte.
 */
#include "fastcgi_scan.h"

#include "fastcgi_model.h"
#include "fuzz.h"

#define STREAM_AT 0u
#include "fastcgi_mutator.h"

struct outcome {
    enum fastcgi_result result;
    size_t consumed;
    size_t params_end;
    unsigned param_count;
    uint64_t body_bytes;
    struct buffer kept;
};

/* Feeds one piece up to the end of the request, or of the piece. */
static void
feed(struct fastcgi_scan *scan, const uint8_t *data, size_t len,
     struct outcome *outcome)
{
    size_t at = 0;

    do {
        uint8_t *piece = fuzz_copy(data + at, len - at);
        size_t consumed = SIZE_MAX;

        outcome->result = fastcgi_scan(scan, piece, len - at, &consumed);
        free(piece);
        FUZZ_HOLDS(consumed <= len - at);
        FUZZ_HOLDS(outcome->result != FASTCGI_MORE || consumed == len - at);
        at += consumed;
        if (outcome->result == FASTCGI_PARAMS) {
            FUZZ_HOLDS(outcome->params_end == 0);
            outcome->params_end = outcome->consumed + at;
        }
    } while (outcome->result == FASTCGI_PARAMS && at < len);
    outcome->consumed += at;
}

/* Pieces of at most step bytes; their lengths come from the stream itself. */
static void
feed_all(struct outcome *outcome, const uint8_t *data, size_t len, size_t step)
{
    struct fastcgi_scan scan = FASTCGI_SCAN_INIT;

    memset(outcome, 0, sizeof(*outcome));
    scan.kept_params = &outcome->kept;
    for (size_t at = 0; at < len && outcome->result <= FASTCGI_PARAMS;) {
        size_t piece = step == SIZE_MAX ? len : 1 + (data[at] * 7u) % step;

        piece = piece < len - at ? piece : len - at;
        feed(&scan, data + at, piece, outcome);
        at += piece;
    }
    outcome->param_count = scan.param_count;
    outcome->body_bytes = scan.body_bytes;
}

static void
compare_with_model(const struct outcome *outcome, const uint8_t *data,
                   size_t len)
{
    struct model model;
    enum model_result result = model_read(&model, data, len);

    FUZZ_HOLDS((result == MODEL_WHOLE) ==
               (outcome->result == FASTCGI_COMPLETE));
    FUZZ_HOLDS(result != MODEL_BAD || outcome->result == FASTCGI_GARBAGE);
    if (result == MODEL_WHOLE) {
        FUZZ_HOLDS(outcome->consumed == model.end);
        FUZZ_HOLDS(outcome->body_bytes == model.body_bytes);
    }
    if (result == MODEL_WHOLE || result == MODEL_PARAMS) {
        FUZZ_HOLDS(outcome->params_end == model.params_end ||
                   outcome->result == FASTCGI_GARBAGE);
        FUZZ_HOLDS(outcome->param_count == model.param_count);
        FUZZ_HOLDS(outcome->kept.len == model.params.len);
        FUZZ_HOLDS(model.params.len == 0 ||
                   memcmp(outcome->kept.data, model.params.data,
                          model.params.len) == 0);
    }
    model_release(&model);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = { SIZE_MAX, 1, 3, 9, 100 };
    struct outcome whole;

    feed_all(&whole, data, size, steps[0]);
    compare_with_model(&whole, data, size);
    for (size_t i = 1; i < COUNT(steps); i++) {
        struct outcome cut;

        feed_all(&cut, data, size, steps[i]);
        FUZZ_HOLDS(cut.result == whole.result);
        FUZZ_HOLDS(cut.params_end == whole.params_end);
        if (whole.result != FASTCGI_GARBAGE) { /* told earlier or later */
            FUZZ_HOLDS(cut.consumed == whole.consumed);
            FUZZ_HOLDS(cut.param_count == whole.param_count);
            FUZZ_HOLDS(cut.body_bytes == whole.body_bytes);
            FUZZ_HOLDS(cut.kept.len == whole.kept.len);
        }
        buffer_release(&cut.kept);
    }
    buffer_release(&whole.kept);
    return 0;
}
