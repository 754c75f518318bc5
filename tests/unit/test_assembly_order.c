/*
 * Files in pieces whose lines are told in another order than nginx has written
 * them in, by other threads and workers: it comes to the same.
 */
#include "assembly_unit.h"

enum { REQUESTS = 8, LINES = 2 * REQUESTS, APART_MS = 20, LATE_MS = 5 };

#define TUS(method, uri) \
    "method=" method "; request_uri=" uri "; tus_resumable=1.0.0"
#define TUS_PATCH(uri, offset, length)               \
    TUS("PATCH", uri)                                \
    "; content_type=application/offset+octet-stream" \
    "; upload_offset=" offset "; content_length=" length
#define DRAFT(method, uri, offset, length, complete)                   \
    "method=" method "; request_uri=" uri                              \
    "; content_type=application/partial-upload; upload_offset=" offset \
    "; upload_length=250; upload_complete=" complete                   \
    "; content_length=" length
#define RANGE(range, length) \
    "id=a; method=PUT; content_range=bytes " range "; content_length=" length
#define TAKEN(offset) "; status=204; sent_offset=" offset

/* Each sent when the one before it is answered. */
static const struct file {
    const char *name;
    const char *id;     /* that is asked for */
    bool ends_in_order; /* or it comes to something else */
    struct exchange {
        const char *request; /* what its start tells, and its end, too */
        const char *outcome; /* what its end tells besides */
        bool no_start;
    } exchanges[REQUESTS];
} files[] = {
    { "tus",
      "/f/1",
      false,
      { { TUS("POST", "/f") "; upload_length=250; content_length=0",
          "; status=201; sent_location=/f/1", true },
        { TUS_PATCH("/f/1", "0", "100"), TAKEN("100"), false },
        { TUS_PATCH("/f/1", "100", "150"), TAKEN("250"), false } } },
    { "tus, the creation brings data",
      "/f/1",
      false,
      { { TUS("POST", "/f") "; content_type=application/offset+octet-stream"
                            "; upload_length=250; content_length=100",
          "; status=201; sent_location=/f/1; sent_offset=100", false },
        { TUS_PATCH("/f/1", "100", "50"), TAKEN("150"), false },
        { TUS_PATCH("/f/1", "150", "100"), TAKEN("250"), false } } },
    { "tus, the client's own ID at the creation alone",
      "mine",
      false,
      { { "id=mine; " TUS("POST", "/f") "; upload_length=250; content_length=0",
          "; status=201; sent_location=/f/1", true },
        { TUS_PATCH("/f/1", "0", "100"), TAKEN("100"), false },
        { TUS_PATCH("/f/1", "100", "50"), TAKEN("150"), false } } },
    { "tus, the client's own ID everywhere, and the creation brings data",
      "mine",
      false,
      { { "id=mine; " TUS("POST",
                          "/f") "; content_type=application/offset+octet-stream"
                                "; upload_length=250; content_length=100",
          "; status=201; sent_location=/f/1; sent_offset=100", false },
        { "id=mine; " TUS_PATCH("/f/1", "100", "50"), TAKEN("150"), false },
        { "id=mine; " TUS_PATCH("/f/1", "150", "100"), TAKEN("250"),
          false } } },
    { "tus, a piece fails",
      "/f/1",
      false,
      { { TUS("POST", "/f") "; upload_length=250; content_length=0",
          "; status=201; sent_location=/f/1", true },
        { TUS_PATCH("/f/1", "0", "100"), TAKEN("100"), false },
        { TUS_PATCH("/f/1", "100", "150"), "; status=502", false },
        { TUS("HEAD", "/f/1"), "; status=200; sent_offset=100; sent_length=250",
          true },
        { TUS_PATCH("/f/1", "100", "150"), TAKEN("250"), false } } },
    { "the draft",
      "/up/1",
      false,
      { { DRAFT("POST", "/up", "", "100", "?0"),
          "; status=201; sent_location=/up/1; sent_offset=100", false },
        { DRAFT("PATCH", "/up/1", "100", "50", "?0"), TAKEN("150"), false },
        { DRAFT("PATCH", "/up/1", "150", "100", "?1"),
          TAKEN("250") "; sent_complete=?1", false } } },
    { "the draft, given up in the middle",
      "/up/1",
      true,
      { { DRAFT("POST", "/up", "", "100", "?0"),
          "; status=201; sent_location=/up/1; sent_offset=100", false },
        { DRAFT("PATCH", "/up/1", "100", "50", "?0"), TAKEN("150"), false },
        { "method=DELETE; request_uri=/up/1", "; status=204", true } } },
    { "Content-Range",
      "a",
      false,
      { { RANGE("0-99/250", "100"), "; status=201", false },
        { RANGE("100-149/250", "50"), "; status=201", false },
        { RANGE("150-249/250", "100"), "; status=200", false } } },
    { "Content-Range, a piece fails and is sent again",
      "a",
      true,
      { { RANGE("0-99/250", "100"), "; status=201", false },
        { RANGE("100-149/250", "50"), "; status=503", false },
        { RANGE("100-149/250", "50"), "; status=201", false } } },
    { "Content-Range, the last piece is refused",
      "a",
      false,
      { { RANGE("0-99/250", "100"), "; status=201", false },
        { RANGE("100-249/250", "150"), "; status=403", false } } },
};

/* The lines as nginx writes them; returns how many. */
static int
lines_of(const struct file *file, struct step *lines, char texts[LINES][512])
{
    int count = 0;

    for (int i = 0; i < REQUESTS && file->exchanges[i].request != NULL; i++) {
        const struct exchange *e = &file->exchanges[i];

        for (int is_end = e->no_start; is_end < 2; is_end++) {
            snprintf(texts[count], sizeof(texts[0]), "%s%s%s", e->request,
                     is_end ? e->outcome : "",
                     is_end ? "; request_time=0.019" : "");
            lines[count] =
                (struct step){ 1000 + i * APART_MS + is_end * (APART_MS - 1),
                               NULL, (uint8_t)(i + 1), texts[count] };
            count++;
        }
    }
    return count;
}

static void
swap(int *order, int at)
{
    int first = order[at];

    order[at] = order[at + 1];
    order[at + 1] = first;
}

/* What the file comes to by the lines in that order. */
static void
outcome(void **state, const struct file *file, const int *order, char *told,
        size_t size)
{
    struct step lines[LINES];
    char texts[LINES][512];
    int count = lines_of(file, lines, texts);
    int64_t now_ms = 0;
    struct progress progress;

    for (int i = 0; i < count; i++) {
        const struct step *line = &lines[order[i]];

        now_ms =
            line->at_ms + LATE_MS > now_ms ? line->at_ms + LATE_MS : now_ms;
        tell_late(*state, file->name, line, now_ms);
    }
    progress = ask_for(*state, file->id, now_ms + 500);
    snprintf(told, size, "%s", describe(&progress));
    tear_down(state);
    set_up(state);
}

/* Whether requests end in that order as they do in nginx's. */
static bool
ends_are_in_order(const struct step *lines, const int *order, int count)
{
    int last = 0;

    for (int i = 0; i < count; i++) {
        if (strstr(lines[order[i]].fields, "status=") == NULL) {
            continue;
        }
        if (order[i] < last) {
            return false;
        }
        last = order[i];
    }
    return true;
}

/* Of one that is over pieces that are told late do not count. */
static bool
is_same(const char *told, const char *expected)
{
    const char *told_from = strstr(told, " from ");
    const char *from = strstr(expected, " from ");

    return strncmp(expected, "uploading", strlen("uploading")) == 0
               ? strcmp(told, expected) == 0
               : strncmp(told, expected, strcspn(expected, " ") + 1) == 0 &&
                     strcmp(told_from != NULL ? told_from : "",
                            from != NULL ? from : "") == 0;
}

static void
check_order(void **state, const struct file *file, const int *order,
            const char *expected)
{
    struct step lines[LINES];
    char texts[LINES][512];
    int count = lines_of(file, lines, texts);
    char name[512];
    char told[256];
    int len = snprintf(name, sizeof(name), "%s:", file->name);

    if (file->ends_in_order && !ends_are_in_order(lines, order, count)) {
        return;
    }
    for (int i = 0; i < count; i++) {
        len +=
            snprintf(name + len, sizeof(name) - (size_t)len, " %d", order[i]);
    }
    outcome(state, file, order, told, sizeof(told));
    if (!is_same(told, expected)) {
        ASSERT_TEXT(name, told, expected);
    }
}

/* Every line may change places with the next one, and again with another. */
static void
test_order(void **state)
{
    for (size_t i = 0; i < COUNT(files); i++) {
        struct step lines[LINES];
        char texts[LINES][512];
        int count = lines_of(&files[i], lines, texts);
        int order[LINES];
        char expected[256];

        for (int at = 0; at < LINES; at++) {
            order[at] = at;
        }
        outcome(state, &files[i], order, expected, sizeof(expected));
        for (int one = 0; one + 1 < count; one++) {
            swap(order, one);
            check_order(state, &files[i], order, expected);
            for (int two = 0; two + 1 < count; two++) {
                swap(order, two);
                check_order(state, &files[i], order, expected);
                swap(order, two);
            }
            swap(order, one);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOADS_TEST(test_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
