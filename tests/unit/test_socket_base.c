/* Where the body begins in a connection's bytes, on a real connection. */
#include "connection_unit.h"

/* What is told as received once half of the body has come. */
static int64_t
received_with(int64_t header_bytes, bool proxied)
{
    struct uploads_options options = { .check_interval_ms = 1000,
                                       .inactive_timeout_ms = 1000,
                                       .ttl_ms = { 1000 },
                                       .wall_offset_ms = 1,
                                       .clock_ms = still_clock,
                                       .thread_us = still_clock };
    const char *message = NULL;
    struct store *store = store_new(&message);
    struct uploads *uploads;
    struct connection c;
    struct event event;
    struct progress progress;

    assert_non_null(store);
    assert_int_equal(store_zone_set(store, "uploads", 1 << 20), 0);
    options.gauges[GAUGE_SOCKET] = true;
    uploads = uploads_new(store, &options);
    connect_both(&c);
    event = start_of(&c, header_bytes, proxied);
    uploads_event(uploads, &event, NOW_MS);
    transfer(&c, BODY / 2);
    uploads_progress(uploads, 0, "one", NOW_MS + 10, &progress);
    close(c.client);
    close(c.server);
    uploads_free(uploads);
    store_free(store);
    return progress.received_bytes;
}

static void
test_base(void **state)
{
    (void)state;
    ASSERT_INT("behind the header", received_with(HEADER, false), BODY / 2);
    ASSERT_INT("a shorter one", received_with(HEADER - 40, false),
               BODY / 2 + 40);
    /* Longer than what was read: what was read is none of the body. */
    ASSERT_INT("a longer one", received_with(HEADER + 1, false), BODY / 2);
    ASSERT_INT("the longest", received_with(INT64_MAX, false), BODY / 2);
    /* With a PROXY header in front, of a length that nobody knows. */
    ASSERT_INT("proxied", received_with(HEADER - 40, true), BODY / 2);
    ASSERT_INT("the longest, proxied", received_with(INT64_MAX, true),
               BODY / 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_base) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
