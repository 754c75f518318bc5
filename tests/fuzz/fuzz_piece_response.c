/*
 * Responses to pieces. The input is that of piece_request, then two bytes for
 * the status and the headers of the response, each ended by a NUL.
 *
 * - What the server has is within the file; an ordinary request stays one, but
 *   for a HEAD with an offset.
 * - An upload is gone only by 404, 410 or the success of a termination; a piece
 *   is taken only by an answer that says so.
 */
#include "fuzz_pieces.h"

static void
check_fate(const struct piece *piece, int status,
           const struct piece_outcome *outcome)
{
    bool success = status >= 200 && status <= 299;

    switch (outcome->fate) {
    case PIECE_TAKEN:
        FUZZ_HOLDS(success || status == 301 || status == 302 || status == 303 ||
                   status == 308);
        FUZZ_HOLDS(piece->kind != PIECE_TERMINATION ||
                   piece->protocol == PIECE_NONE);
        break;
    case PIECE_RETRY:
        break;
    case PIECE_REFUSED:
        FUZZ_HOLDS(status >= 400);
        break;
    case PIECE_GONE:
        FUZZ_HOLDS(status == 404 || status == 410 ||
                   (success && piece->kind == PIECE_TERMINATION));
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    struct piece_request request;
    struct piece_response response;
    struct piece_outcome outcome;
    struct piece_fault fault;
    struct piece piece;
    char *texts[PIECE_TEXTS];
    char *response_texts[RESPONSE_TEXTS];
    bool known;

    fuzz_piece_request(&input, &request, texts);
    fuzz_piece_response(&input, &response, response_texts);
    piece_from_request(&request, &piece, &fault);
    known = piece_from_response(&piece, &request, &response, &outcome);
    FUZZ_HOLDS(known || piece.protocol == PIECE_NONE);
    if (known) {
        FUZZ_HOLDS(outcome.offset_bytes >= -1 && outcome.total_bytes >= -1);
        FUZZ_HOLDS(outcome.total_bytes < 0 ||
                   outcome.offset_bytes <= outcome.total_bytes);
        FUZZ_HOLDS(piece.total_bytes < 0 ||
                   outcome.total_bytes == piece.total_bytes);
        FUZZ_HOLDS(piece.id[0] == '\0' || strcmp(piece.id, outcome.id) == 0);
        fuzz_check_id(outcome.id);
        check_fate(&piece, response.status, &outcome);
    }
    fuzz_free(response_texts, RESPONSE_TEXTS);
    fuzz_free(texts, PIECE_TEXTS);
    return 0;
}
