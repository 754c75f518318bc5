/* The requests that have ended last: which are known, and for how long. */
#include "unit.h"

#include "ended_requests.h"

static const uint8_t *
attempt(int number)
{
    static uint8_t bytes[UPLOAD_ATTEMPT_BYTES];

    memcpy(bytes, &number, sizeof(number));
    return bytes;
}

static void
the_last_ones_are_known(void **state)
{
    static struct ended_requests ended;

    (void)state;
    assert_false(ended_requests_have(&ended, attempt(0)));
    for (int i = 0; i < 3 * ENDED_REQUESTS_MAX; i++) {
        ended_requests_add(&ended, attempt(i));
        for (int before = 0; before < 2 * ENDED_REQUESTS_MAX; before++) {
            int number = i - before;

            ASSERT_INT(unit_case("%d after %d", number, i),
                       ended_requests_have(&ended, attempt(number)),
                       number >= 0 && before < ENDED_REQUESTS_MAX);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_ones_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
