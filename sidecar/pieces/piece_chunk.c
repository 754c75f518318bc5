/* Where a chunk lies in its file, by the numbers that its arguments tell. */
#include "piece_chunk.h"

/* The chunks that a file of that size has at most, at least one. */
static int64_t
chunks_max(int64_t total, int64_t size)
{
    return total > 0 ? (total - 1) / size + 1 : 1;
}

/* Sets the number and where the chunk begins. */
static bool
place(const struct dialect *dialect, const int64_t n[ARGS], struct piece *piece,
      struct piece_fault *fault)
{
    const char *const *names = dialect->names;
    int64_t offset;

    if (n[ARG_NUMBER] < dialect->first) {
        return piece_is_wrong(fault, names[ARG_NUMBER], "is below the first");
    }
    piece->number = n[ARG_NUMBER] - dialect->first;
    piece->count = n[ARG_COUNT];
    piece->offset_bytes = n[ARG_OFFSET];
    if (piece->count >= 0 && piece->number >= piece->count) {
        return piece_is_wrong(fault, names[ARG_NUMBER],
                              "is beyond the number of chunks");
    }
    if (n[ARG_SIZE] == 0) {
        return piece_is_wrong(fault, names[ARG_SIZE], "is 0");
    }
    if (n[ARG_SIZE] > 0) {
        if (piece->number >= chunks_max(n[ARG_TOTAL], n[ARG_SIZE]) ||
            __builtin_mul_overflow(piece->number, n[ARG_SIZE], &offset) ||
            offset > UPLOAD_PIECES_BYTES_MAX) {
            return piece_is_wrong(fault, names[ARG_NUMBER],
                                  "is beyond the file");
        }
        if (piece->count > chunks_max(n[ARG_TOTAL], n[ARG_SIZE])) {
            return piece_is_wrong(fault, names[ARG_COUNT],
                                  "is beyond the file");
        }
        if (n[ARG_OFFSET] >= 0 && n[ARG_OFFSET] != offset) {
            return piece_is_wrong(fault, names[ARG_OFFSET],
                                  "is not where the chunk begins");
        }
        piece->offset_bytes = offset;
    } else if (piece->number == 0) {
        if (n[ARG_OFFSET] > 0) {
            return piece_is_wrong(fault, names[ARG_OFFSET],
                                  "is not where the first chunk begins");
        }
        piece->offset_bytes = 0;
    }
    return true;
}

/*
 * Sets the length of a chunk that does not tell it, Dropzone's. The total there
 * is that of the file as it was chosen, also where the page has transformed it
 * (transformFile) and sends more or less: then there are not the chunks that
 * the total would have, and neither it nor the length of the last one is known.
 */
static void
set_length(const int64_t n[ARGS], struct piece *piece)
{
    piece->last = piece->number + 1 == piece->count;
    if (piece->count < chunks_max(n[ARG_TOTAL], n[ARG_SIZE])) {
        piece->total_bytes = -1;
        piece->length_bytes = piece->last ? -1 : n[ARG_SIZE];
        return;
    }
    piece->total_bytes = n[ARG_TOTAL];
    piece->length_bytes =
        piece->last ? n[ARG_TOTAL] - piece->offset_bytes : n[ARG_SIZE];
}

/*
 * Compares the length of a chunk that tells it with where it lies: all chunks
 * but the one that ends the file are of one size, that one is shorter than two.
 */
static bool
check_length(const struct dialect *dialect, const int64_t n[ARGS],
             struct piece *piece, struct piece_fault *fault)
{
    int64_t length = n[ARG_LENGTH];
    int64_t left = n[ARG_TOTAL] - piece->offset_bytes;
    int64_t expected;

    piece->length_bytes = length;
    piece->total_bytes = n[ARG_TOTAL];
    if (piece->offset_bytes > n[ARG_TOTAL] || length > left) {
        return piece_is_wrong(fault, dialect->names[ARG_LENGTH],
                              "goes beyond the file");
    }
    piece->last = length == left;
    if (n[ARG_SIZE] > 0) { /* resumable.js, flow.js */
        if ((!piece->last && length != n[ARG_SIZE]) ||
            length / 2 >= n[ARG_SIZE]) {
            return piece_is_wrong(fault, dialect->names[ARG_LENGTH],
                                  "is not that of a chunk");
        }
        return true;
    }
    if (piece->number + 1 == piece->count) { /* Fine Uploader */
        return piece->last ||
               piece_is_wrong(fault, dialect->names[ARG_LENGTH],
                              "does not end the file with the last chunk");
    }
    if (__builtin_mul_overflow(piece->number, length, &expected) ||
        expected != piece->offset_bytes) {
        return piece_is_wrong(fault, dialect->names[ARG_OFFSET],
                              "is not where the chunk begins");
    }
    return true;
}

bool
piece_place_by_length(struct piece *piece, struct piece_fault *fault)
{
    int64_t end;

    piece->last = piece->number + 1 == piece->count;
    if (piece->length_bytes < 0) {
        return true;
    }
    if (piece->count == 1) {
        piece->total_bytes = piece->length_bytes;
    } else if (!piece->last) {
        if (__builtin_mul_overflow(piece->number + 1, piece->length_bytes,
                                   &end) ||
            end > UPLOAD_PIECES_BYTES_MAX) {
            return piece_is_wrong(fault, "chunk", "is beyond any file");
        }
        piece->offset_bytes = end - piece->length_bytes;
    }
    return true;
}

bool
piece_place_chunk(const struct dialect *dialect, const int64_t n[ARGS],
                  struct piece *piece, struct piece_fault *fault)
{
    if (!place(dialect, n, piece, fault)) {
        return false;
    }
    if (n[ARG_LENGTH] >= 0) {
        return check_length(dialect, n, piece, fault);
    }
    if (n[ARG_SIZE] > 0) {
        set_length(n, piece);
    }
    return true;
}
