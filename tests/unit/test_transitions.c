/*
 * The states of an attempt: every cell of the table, by the rules in words:
 * what nginx tells holds whatever came before; what is concluded ends only an
 * upload that runs; a start never reopens what has ended.
 */
#include "unit.h"

#include "transitions.h"

static const char *const happenings[HAPPENINGS] = {
    [HAPPENING_START] = "start",         [HAPPENING_SUCCESS] = "success",
    [HAPPENING_FAILURE] = "failure",     [HAPPENING_VANISHED] = "vanished",
    [HAPPENING_CUT_SHORT] = "cut short",
};

static enum upload_state
by_rule(enum upload_state state, enum happening what)
{
    switch (what) {
    case HAPPENING_START:
        return state == UPLOAD_STARTING ? UPLOAD_UPLOADING : state;
    case HAPPENING_SUCCESS:
        return UPLOAD_DONE;
    case HAPPENING_FAILURE:
        return UPLOAD_ERROR;
    case HAPPENING_VANISHED:
        return state == UPLOAD_UPLOADING ? UPLOAD_DONE : state;
    case HAPPENING_CUT_SHORT:
        return state == UPLOAD_UPLOADING ? UPLOAD_ERROR : state;
    case HAPPENINGS:
        break;
    }
    abort();
}

static void
test_cells(void **state)
{
    (void)state;
    for (int from = 0; from < UPLOAD_STATES; from++) {
        for (int what = 0; what < HAPPENINGS; what++) {
            ASSERT_INT(unit_case("%s, %s", state_name(from), happenings[what]),
                       transition(from, what), by_rule(from, what));
        }
    }
}

/* The same events in any order, each any number of times: the same outcome. */
static const struct order_row {
    const char *name;
    enum happening what[5];
    int count;
    enum upload_state end;
} order_rows[] = {
    { "in order", { HAPPENING_START, HAPPENING_SUCCESS }, 2, UPLOAD_DONE },
    { "reversed", { HAPPENING_SUCCESS, HAPPENING_START }, 2, UPLOAD_DONE },
    { "failure reversed",
      { HAPPENING_FAILURE, HAPPENING_START },
      2,
      UPLOAD_ERROR },
    { "twice",
      { HAPPENING_START, HAPPENING_START, HAPPENING_SUCCESS,
        HAPPENING_SUCCESS },
      4,
      UPLOAD_DONE },
    { "end after a right conclusion",
      { HAPPENING_START, HAPPENING_VANISHED, HAPPENING_SUCCESS },
      3,
      UPLOAD_DONE },
    { "failure after the conclusion",
      { HAPPENING_START, HAPPENING_VANISHED, HAPPENING_FAILURE },
      3,
      UPLOAD_ERROR },
    { "success after the conclusion",
      { HAPPENING_START, HAPPENING_CUT_SHORT, HAPPENING_SUCCESS },
      3,
      UPLOAD_DONE },
    { "late conclusion",
      { HAPPENING_START, HAPPENING_SUCCESS, HAPPENING_CUT_SHORT },
      3,
      UPLOAD_DONE },
    { "first conclusion holds",
      { HAPPENING_START, HAPPENING_CUT_SHORT, HAPPENING_VANISHED },
      3,
      UPLOAD_ERROR },
    { "nothing told",
      { HAPPENING_VANISHED, HAPPENING_CUT_SHORT },
      2,
      UPLOAD_STARTING },
};

static void
test_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(order_rows); i++) {
        enum upload_state now = UPLOAD_STARTING;

        for (int j = 0; j < order_rows[i].count; j++) {
            now = transition(now, order_rows[i].what[j]);
        }
        ASSERT_TEXT(order_rows[i].name, state_name(now),
                    state_name(order_rows[i].end));
    }
}

static void
test_names(void **state)
{
    static const struct {
        enum upload_state state;
        const char *name;
    } rows[] = {
        { UPLOAD_STARTING, "starting" },
        { UPLOAD_UPLOADING, "uploading" },
        { UPLOAD_DONE, "done" },
        { UPLOAD_ERROR, "error" },
    };

    (void)state;
    ASSERT_INT("all states", COUNT(rows), UPLOAD_STATES);
    for (size_t i = 0; i < COUNT(rows); i++) {
        ASSERT_TEXT(rows[i].name, state_name(rows[i].state), rows[i].name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
