/*
 * Forms. The input is two bytes as in piece_request, a Content-Type, a query
 * and a Content-Range, each ended by a NUL, then the body.
 *
 * - Names and values lie in the body, one behind the other; a value has no
 *   delimiter in it, and one follows on it.
 * - What is read of a part of the body is what is read of all of it, as far as
 *   that goes: no field is ever cut short.
 * - The file begins where it is told, behind an empty line; the piece and what
 *   ends the form fit in behind it.
 */
#include "fuzz_pieces.h"

#include "multipart.h"

enum { FIELDS_MAX = MULTIPART_PARTS_MAX + 1 };

static bool
lies_in(const char *text, size_t len, const char *body, size_t body_len)
{
    return text >= body && len <= body_len &&
           (size_t)(text - body) <= body_len - len;
}

/* Reads a form; returns how it ends. The parts keep their places. */
static enum multipart_step
read_form(const char *type, const char *body, size_t len,
          struct multipart_part *parts, size_t *count)
{
    struct multipart form;
    enum multipart_step step;
    size_t at = 0;

    *count = 0;
    if (!multipart_init(&form, type, body, len)) {
        return MULTIPART_BAD;
    }
    while (true) {
        struct multipart_part *part = &parts[*count];

        step = multipart_next(&form, part);
        if (step != MULTIPART_FIELD && step != MULTIPART_FILE) {
            return step;
        }
        FUZZ_HOLDS(*count < MULTIPART_PARTS_MAX);
        FUZZ_HOLDS(lies_in(part->name, part->name_len, body, len));
        FUZZ_HOLDS(part->at > at && part->at <= len);
        FUZZ_HOLDS(memcmp(body + part->at - 4, "\r\n\r\n", 4) == 0);
        at = part->at;
        if (step == MULTIPART_FILE) {
            return step;
        }
        FUZZ_HOLDS(lies_in(part->value, part->value_len, body, len));
        FUZZ_HOLDS(memmem(part->value, part->value_len, form.delimiter,
                          form.delimiter_len) == NULL);
        (*count)++;
    }
}

/* Reads a beginning of the form, and compares. */
static void
check_cut(const char *type, const uint8_t *data, size_t len,
          const struct multipart_part *parts, size_t count, const char *body)
{
    static struct multipart_part cut_parts[FIELDS_MAX];
    char *cut = fuzz_copy(data, len);
    size_t cut_count;

    read_form(type, cut, len, cut_parts, &cut_count);
    FUZZ_HOLDS(cut_count <= count);
    for (size_t i = 0; i < cut_count; i++) {
        FUZZ_HOLDS(cut_parts[i].at == parts[i].at &&
                   cut_parts[i].value_len == parts[i].value_len &&
                   cut_parts[i].name_len == parts[i].name_len &&
                   cut_parts[i].name - cut == parts[i].name - body);
    }
    free(cut);
}

static void
check_piece(const struct piece_request *request, const char *body, size_t len)
{
    struct piece_fault fault;
    struct piece piece;
    bool found = piece_from_request(request, &piece, &fault);

    fuzz_check_piece(found, &piece, &fault);
    found = piece_from_body(request, body, len, &piece, &fault);
    fuzz_check_piece(found, &piece, &fault);
    if (piece.body_at_bytes > 0) {
        FUZZ_HOLDS(piece.enveloped && (size_t)piece.body_at_bytes <= len);
        FUZZ_HOLDS(request->content_length_bytes < 0 ||
                   piece.length_bytes <=
                       request->content_length_bytes - piece.body_at_bytes);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct multipart_part parts[FIELDS_MAX];
    struct fuzz_input input = { data, size };
    struct piece_request request = {
        "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", -1,
    };
    int64_t length = fuzz_length(&input);
    char *method = fuzz_method(&input);
    char *type = fuzz_field(&input);
    char *uri = fuzz_field(&input);
    char *range = fuzz_field(&input);
    char *body = fuzz_copy(input.data, input.len);
    size_t count;

    request.method = method;
    request.content_type = type;
    request.uri = uri;
    request.content_range = range;
    request.content_length_bytes =
        length < 0 ? -1 : length + (int64_t)input.len; /* it is the beginning */
    if (length > INT64_MAX / 2) {
        request.content_length_bytes = length;
    }
    read_form(type, body, input.len, parts, &count);
    for (size_t part = 1; part < 4; part++) {
        check_cut(type, input.data, input.len * part / 4, parts, count, body);
    }
    check_piece(&request, body, input.len);
    free(body);
    free(range);
    free(uri);
    free(type);
    free(method);
    return 0;
}
