/*
 * Requests of all protocols. The input is two bytes for the length of the body
 * and the method, then the headers, each ended by a NUL.
 *
 * - Offsets, lengths and totals are in the file, and chunks in their number; an
 *   ordinary request has none.
 * - A resource has one identity: normalised again it is the same, and what
 *   refers to it from itself has it, too.
 * - The uploads that are concatenated come to an end.
 */
#include "fuzz_pieces.h"

#include "resource.h"
#include "values.h"

static void
check_resource(const char *uri, const char *reference)
{
    char id[UPLOAD_ID_MAX + 1];
    char again[UPLOAD_ID_MAX + 1];

    if (resource_of_request(uri, id)) {
        fuzz_check_id(id);
        FUZZ_HOLDS(id[0] == '/' && strchr(id, '?') == NULL);
        FUZZ_HOLDS(strstr(id, "/./") == NULL && strstr(id, "/../") == NULL);
        /* What begins with two slashes would be read as a host. */
        if (id[1] != '/') {
            FUZZ_HOLDS(resource_of_request(id, again));
            FUZZ_HOLDS(strcmp(id, again) == 0);
            FUZZ_HOLDS(resource_of_reference("/x/y", id, again));
            FUZZ_HOLDS(strcmp(id, again) == 0);
        }
    } else {
        FUZZ_HOLDS(id[0] == '\0');
    }
    if (resource_of_reference(uri, reference, id)) {
        fuzz_check_id(id);
        FUZZ_HOLDS(id[0] == '/');
        if (id[1] != '/') {
            FUZZ_HOLDS(resource_of_reference(uri, id, again));
            FUZZ_HOLDS(strcmp(id, again) == 0);
        }
    } else {
        FUZZ_HOLDS(id[0] == '\0');
    }
    if (resource_of_argument(uri, "patch", id)) {
        fuzz_check_id(id);
        FUZZ_HOLDS(strstr(id, "?patch=") != NULL);
    } else {
        FUZZ_HOLDS(id[0] == '\0');
    }
}

static void
check_concatenated(const struct piece_request *request)
{
    char id[UPLOAD_ID_MAX + 1];
    const char *at = NULL;
    size_t count = 0;

    while (piece_concatenated(request, &at, id)) {
        fuzz_check_id(id);
        count++;
    }
    FUZZ_HOLDS(count <= strlen(request->upload_concat));
}

/* What a server tells of ranges, written by this format, is read the same. */
static void
check_ranges(const char *text)
{
    struct byte_range range;
    struct byte_range again;
    char written[100];
    char total[24] = "*";
    int64_t offset;
    int64_t end;

    if (value_content_range(text, &range) == RANGE_BYTES) {
        FUZZ_HOLDS(range.first >= 0 && range.first <= range.last &&
                   range.last < INT64_MAX && range.total >= -1);
        if (range.total >= 0) {
            snprintf(total, sizeof(total), "%lld", (long long)range.total);
        }
        snprintf(written, sizeof(written), "bytes %lld-%lld/%s",
                 (long long)range.first, (long long)range.last, total);
        FUZZ_HOLDS(value_content_range(written, &again) == RANGE_BYTES);
        FUZZ_HOLDS(again.first == range.first && again.last == range.last &&
                   again.total == range.total);
    }
    if (value_received_ranges(text, &offset, &end)) {
        FUZZ_HOLDS(offset >= 0 && end >= -1);
        FUZZ_HOLDS(end < 0 || offset <= INT64_MAX);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    struct piece_request request;
    struct piece_fault fault;
    struct piece piece;
    char *texts[PIECE_TEXTS];
    bool found;

    fuzz_piece_request(&input, &request, texts);
    found = piece_from_request(&request, &piece, &fault);
    fuzz_check_piece(found, &piece, &fault);
    check_resource(request.uri, request.upload_concat);
    check_concatenated(&request);
    check_ranges(request.content_range);
    fuzz_free(texts, PIECE_TEXTS);
    return 0;
}
