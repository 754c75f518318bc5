/* The pace of the log: a fault that lasts is one line, a new one another. */
#include "unit.h"

#include "log_pace.h"

enum what { FAULT, WELL };

static const struct step {
    const char *name;
    enum what what;
    int64_t now_ms;
    bool logged;
} steps[] = {
    { "well before any fault", WELL, 500, false },
    { "the first fault", FAULT, 1000, true },
    { "the same fault", FAULT, 1001, false },
    { "well beside the fault", WELL, 1002, false },
    { "another thread still meets it", FAULT, 1003, false },
    { "it lasts for long", FAULT, 500000, false },
    { "well for less than a minute", WELL, 559999, false },
    { "it was not over", FAULT, 560000, false },
    { "well for a minute", WELL, 620000, false },
    { "a new fault", FAULT, 620001, true },
    { "the same again", FAULT, 620002, false },
};

static void
test_steps(void **state)
{
    struct log_pace pace = { .logged = false };

    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        bool logged = false;

        if (steps[i].what == FAULT) {
            logged = log_pace_fault(&pace, steps[i].now_ms);
        } else {
            log_pace_well(&pace, steps[i].now_ms);
        }
        ASSERT_INT(steps[i].name, logged, steps[i].logged);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
