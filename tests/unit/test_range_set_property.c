/*
 * Sets of byte ranges, with random pieces: after each of them all that a set
 * can be asked has to be what a plain bitmap says. What is random comes from
 * fixed seeds, and a failure names its own.
 */
#include "range_set_unit.h"

enum {
    UNITS_MAX = 64,
    ADDS_MAX = 40,
    SEQUENCES = 3000,
    QUERIES = 6 /* at random places after each piece */
};

/*
 * What the set has to be: a file of so many units, each with a flag. Units of
 * many bytes make large numbers of it.
 */
struct model {
    uint64_t seed;
    int units;
    int64_t unit_bytes;
    bool there[UNITS_MAX + 1];    /* the one behind never is */
    struct piece added[ADDS_MAX]; /* in units */
    int adds;
};

/* splitmix64: https://prng.di.unimi.it/splitmix64.c. */
static int64_t
draw(struct model *m, int64_t below)
{
    uint64_t z = m->seed += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (int64_t)((z ^ (z >> 31)) % (uint64_t)below);
}

/* Any two places, the lower one first. */
static struct piece
draw_piece(struct model *m, int64_t places)
{
    struct piece piece;

    piece.begin = draw(m, places);
    piece.end = draw(m, places) + 1;
    if (piece.begin >= piece.end) {
        int64_t begin = piece.end - 1;

        piece.end = piece.begin + 1;
        piece.begin = begin;
    }
    return piece;
}

/* The next piece to add, in units: as clients, and those that err, send them.
 */
static struct piece
next_piece(struct model *m)
{
    struct piece piece = draw_piece(m, m->units);
    struct piece known =
        m->adds > 0 ? m->added[draw(m, m->adds)] : (struct piece){ 0, 1 };

    switch (draw(m, 6)) {
    case 0: /* a small one, anywhere */
        piece.end = piece.begin + 1;
        break;
    case 1: /* the same again */
        piece = known;
        break;
    case 2: /* touching one behind it */
        if (known.end < m->units) {
            piece.begin = known.end;
            piece.end = known.end + 1 + draw(m, m->units - known.end);
        }
        break;
    case 3: /* or before it */
        if (known.begin > 0) {
            piece.end = known.begin;
            piece.begin = draw(m, known.begin);
        }
        break;
    case 4: /* grown */
        piece = known;
        if (known.end < m->units) {
            piece.end++;
        }
        break;
    default: /* overlapping as it may */
        break;
    }
    return piece;
}

static int64_t
model_covered(const struct model *m, int64_t begin, int64_t end)
{
    int64_t bytes = 0;

    for (int i = 0; i < m->units; i++) {
        int64_t from = i * m->unit_bytes;
        int64_t to = from + m->unit_bytes;

        from = from > begin ? from : begin;
        to = to < end ? to : end;
        bytes += m->there[i] && from < to ? to - from : 0;
    }
    return bytes;
}

static bool
model_missing(const struct model *m, int64_t from, int64_t size,
              struct piece *missing)
{
    int64_t unit = from / m->unit_bytes;

    while (unit < m->units && m->there[unit]) {
        unit++;
        from = unit * m->unit_bytes;
    }
    while (unit < m->units && !m->there[unit]) {
        unit++;
    }
    missing->begin = from;
    missing->end = unit < m->units && unit * m->unit_bytes < size
                       ? unit * m->unit_bytes
                       : size;
    return from < size;
}

/* Bytes, ranges and the end. */
static void
check_totals(const char *row, const struct range_set *set,
             const struct model *m)
{
    int64_t bytes = 0;
    int64_t end = 0;
    size_t count = 0;

    for (int i = 0; i < m->units; i++) {
        if (m->there[i]) {
            bytes += m->unit_bytes;
            end = (i + 1) * m->unit_bytes;
            count += !m->there[i + 1];
        }
    }
    ASSERT_INT(row, range_set_bytes(set), bytes);
    ASSERT_INT(row, range_set_end(set), end);
    ASSERT_INT(row, range_set_count(set), count);
}

static void
check_range(const char *row, const struct range_set *set, const struct model *m,
            struct piece range)
{
    int64_t covered = model_covered(m, range.begin, range.end);
    struct piece expected;
    struct piece missing = { 0, 0 };
    bool found = model_missing(m, range.begin, range.end, &expected);

    ASSERT_INT(row, range_set_covered(set, range.begin, range.end), covered);
    ASSERT_INT(row, range_set_has(set, range.begin, range.end),
               covered == range.end - range.begin);
    ASSERT_INT(row,
               range_set_missing(set, range.begin, range.end, &missing.begin,
                                 &missing.end),
               found);
    if (found) {
        ASSERT_INT(row, missing.begin, expected.begin);
        ASSERT_INT(row, missing.end, expected.end);
    }
}

/* Every pair of units where they are few, and places anywhere. */
static void
check_ranges(const char *row, const struct range_set *set, struct model *m)
{
    for (int i = 0; i < m->units; i++) {
        check_range(
            row, set, m,
            (struct piece){ i * m->unit_bytes, (i + 1) * m->unit_bytes });
        for (int j = i + 1; j <= m->units && m->units <= 16; j++) {
            check_range(row, set, m,
                        (struct piece){ i * m->unit_bytes, j * m->unit_bytes });
        }
    }
    for (int i = 0; i < QUERIES; i++) {
        check_range(row, set, m, draw_piece(m, m->units * m->unit_bytes));
    }
    check_range(row, set, m, (struct piece){ 0, END });
}

static void
check_encoding(const char *row, const struct range_set *set,
               struct range_set *other)
{
    size_t len;
    uint8_t *data = encode(row, set, &len);

    ASSERT_INT(row, range_set_decode(other, data, len), 0);
    assert_same(row, other, set);
    free(data);
}

/* Pieces at random; after each of them the set is what the bitmap is. */
static void
test_random_pieces(void **state)
{
    static const int64_t unit_bytes[] = {
        1, 1, 3, 100, 1 << 20, END / UNITS_MAX
    };

    (void)state;
    for (uint64_t seed = 0; seed < SEQUENCES; seed++) {
        struct model m = { .seed = seed << 32 };
        struct range_set sets[2] = { RANGE_SET_INIT, RANGE_SET_INIT };
        int adds = 1 + (int)draw(&m, ADDS_MAX);

        m.units = 1 + (int)draw(&m, draw(&m, 2) == 0 ? 16 : UNITS_MAX);
        m.unit_bytes = unit_bytes[draw(&m, COUNT(unit_bytes))];
        while (m.adds < adds) {
            struct piece piece = next_piece(&m);
            const char *row = unit_case("seed %" PRIu64 ", piece %d: %" PRId64
                                        "-%" PRId64 " of %d units of %" PRId64,
                                        seed, m.adds, piece.begin, piece.end,
                                        m.units, m.unit_bytes);

            m.added[m.adds++] = piece;
            memset(m.there + piece.begin, true,
                   (size_t)(piece.end - piece.begin));
            ASSERT_INT(row,
                       range_set_add(&sets[0], piece.begin * m.unit_bytes,
                                     piece.end * m.unit_bytes),
                       0);
            check_totals(row, &sets[0], &m);
            check_ranges(row, &sets[0], &m);
            check_encoding(row, &sets[0], &sets[1]);
            if (draw(&m, 4) == 0) {
                /* As after a restart: go on with what was decoded. */
                struct range_set first = sets[0];

                sets[0] = sets[1];
                sets[1] = first;
            }
        }
        range_set_release(&sets[0]);
        range_set_release(&sets[1]);
    }
}

/* Whatever the order of the pieces, the same set has the same encoding. */
static void
test_order_does_not_matter(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEQUENCES; seed++) {
        struct model m = { .seed = seed << 32 };
        struct range_set sets[2] = { RANGE_SET_INIT, RANGE_SET_INIT };
        const char *row = unit_case("seed %" PRIu64, seed);

        m.units = UNITS_MAX;
        for (int i = 0; i < ADDS_MAX / 4; i++) {
            m.added[i] = draw_piece(&m, 1 + draw(&m, m.units));
            ASSERT_INT(
                row, range_set_add(&sets[0], m.added[i].begin, m.added[i].end),
                0);
        }
        for (int i = ADDS_MAX / 4; i > 0; i--) {
            struct piece *other = &m.added[draw(&m, i)];
            struct piece piece = *other;

            *other = m.added[i - 1];
            ASSERT_INT(row, range_set_add(&sets[1], piece.begin, piece.end), 0);
        }
        assert_same(row, &sets[1], &sets[0]);
        range_set_release(&sets[0]);
        range_set_release(&sets[1]);
    }
}

enum { FILE_PIECES_MAX = 200 };

/* Pieces of one size, all of them, whichever comes when; some come twice. */
static void
test_equal_pieces(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEQUENCES / 10; seed++) {
        struct model m = { .seed = seed << 32 };
        struct range_set set = RANGE_SET_INIT;
        int64_t size = 1 + draw(&m, 10 << 20);
        int pieces = 1 + (int)draw(&m, FILE_PIECES_MAX);
        int64_t total = (pieces - 1) * size + 1 + draw(&m, size);
        bool there[FILE_PIECES_MAX + 1] = { false };
        int order[FILE_PIECES_MAX];
        int64_t bytes = 0;
        size_t count = 0;
        const char *row = unit_case("seed %" PRIu64, seed);

        for (int i = 0; i < pieces; i++) { /* shuffled */
            int j = (int)draw(&m, i + 1);

            order[i] = order[j];
            order[j] = i;
        }
        for (int i = 0; i < pieces; i++) {
            int piece = order[i];
            int64_t begin = piece * size;
            int64_t end = piece == pieces - 1 ? total : begin + size;
            bool joined = piece > 0 && there[piece - 1];

            ASSERT_INT(row, range_set_covered(&set, begin, end), 0);
            for (int64_t times = draw(&m, 3); times >= 0; times--) {
                ASSERT_INT(row, range_set_add(&set, begin, end), 0);
            }
            count += 1 - (size_t)joined - there[piece + 1];
            there[piece] = true;
            bytes += end - begin;
            ASSERT_INT(row, range_set_bytes(&set), bytes);
            ASSERT_INT(row, range_set_count(&set), count);
            ASSERT_THAT(row, range_set_has(&set, begin, end));
            ASSERT_INT(row, range_set_has(&set, 0, total), i == pieces - 1);
        }
        ASSERT_INT(row, range_set_covered(&set, 0, END), total);
        ASSERT_THAT(row, !range_set_missing(&set, 0, total, &bytes, &bytes));
        ASSERT_THAT(row, range_set_encoded_size(&set) <= 6);
        range_set_release(&set);
    }
}

/*
 * Pieces that are under way, some at a time, taken in order: what is told of
 * each again and again is its bytes so far. There are never more ranges than
 * connections, and the one that all of them grow from.
 */
static void
test_parallel_pieces(void **state)
{
    enum { CONNECTIONS_MAX = 16, PIECE_BYTES = 1000, PIECES = 60 };

    (void)state;
    for (uint64_t seed = 0; seed < SEQUENCES / 10; seed++) {
        struct model m = { .seed = seed << 32 };
        struct range_set set = RANGE_SET_INIT;
        struct piece at[CONNECTIONS_MAX] = { { 0, 0 } }; /* end: so far */
        int connections = 1 + (int)draw(&m, CONNECTIONS_MAX);
        int64_t sum = 0;
        int next = 0;
        const char *row = unit_case("seed %" PRIu64, seed);

        for (int i = 0; i < connections; i++, next++) {
            at[i].begin = at[i].end = next * PIECE_BYTES;
        }
        while (sum < (int64_t)next * PIECE_BYTES) {
            struct piece *piece = &at[draw(&m, connections)];
            int64_t rest = piece->begin + PIECE_BYTES - piece->end;
            int64_t bytes = rest > 0 ? 1 + draw(&m, rest) : 0;

            if (bytes > 0) {
                piece->end += bytes;
                sum += bytes;
                ASSERT_INT(row,
                           range_set_covered(&set, piece->begin, piece->end),
                           piece->end - piece->begin - bytes);
                ASSERT_INT(row, range_set_add(&set, piece->begin, piece->end),
                           0);
            } else if (next < PIECES) {
                piece->begin = piece->end = next++ * PIECE_BYTES;
            }
            ASSERT_INT(row, range_set_bytes(&set), sum);
            ASSERT_THAT(row, range_set_count(&set) <= (size_t)connections + 1);
        }
        ASSERT_INT(row, range_set_count(&set), 1);
        range_set_release(&set);
    }
}

/*
 * Whatever bytes are in the column: what is accepted is what would be written.
 * Encodings with bytes changed, removed and put in are near both.
 */
static void
test_changed_encodings(void **state)
{
    int accepted = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 10 * SEQUENCES; seed++) {
        struct model m = { .seed = seed << 32 };
        struct range_set set = RANGE_SET_INIT;
        const char *row = unit_case("seed %" PRIu64, seed);
        uint8_t data[128];
        size_t len;
        uint8_t *exact;

        for (int64_t i = draw(&m, 5); i >= 0; i--) {
            struct piece piece = draw_piece(&m, draw(&m, 2) == 0 ? 400 : END);

            ASSERT_INT(row, range_set_add(&set, piece.begin, piece.end), 0);
        }
        len = (size_t)range_set_encode(&set, data, sizeof(data));
        ASSERT_THAT(row, len < sizeof(data));
        switch (draw(&m, 3)) {
        case 0:
            data[draw(&m, (int64_t)len)] = (uint8_t)draw(&m, 256);
            break;
        case 1:
            len = (size_t)draw(&m, (int64_t)len);
            break;
        default:
            data[len++] = (uint8_t)(draw(&m, 2) == 0 ? 0 : draw(&m, 256));
            break;
        }
        exact = unit_copy(data, len);
        if (range_set_decode(&set, exact, len) == 0) {
            size_t again_len;
            uint8_t *again = encode(row, &set, &again_len);

            ASSERT_BYTES(row, again, again_len, exact, len);
            accepted++;
            free(again);
        }
        free(exact);
        range_set_release(&set);
    }
    assert_in_range(accepted, SEQUENCES, 9 * SEQUENCES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_pieces),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_equal_pieces),
        cmocka_unit_test(test_parallel_pieces),
        cmocka_unit_test(test_changed_encodings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
