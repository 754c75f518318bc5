/*
 * Files in pieces: what starts, ends and time make of them. Each step is a line
 * as nginx tells it, or the time at which the progress is asked for.
 */
#include <stdlib.h>

#include "event.h"
#include "uploads_unit.h"

enum {
    STEPS_MAX = 14,
    PIECE_TIMEOUT_MS = 20000,
    CHUNK = 100,
    CHUNKS = 16,
    RUNS = 300
};

/* Either fields of a line of that attempt, or what is told at that time. */
struct step {
    int64_t at_ms;
    const char *told; /* see describe(), "ID: " in front; NULL: a line */
    uint8_t attempt;
    const char *fields; /* "NAME=VALUE; ..."; a status makes it an end */
};

#define CREATION(location, length)                                   \
    "id=mine; method=POST; request_uri=/files; tus_resumable=1.0.0;" \
    " content_length=0; status=201; sent_location=" location         \
    "; upload_length=" length

static const struct scenario {
    const char *name;
    const char *id; /* that is asked for */
    struct step steps[STEPS_MAX];
} scenarios[] = {
    { "Content-Range in order",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/250; content_length=100" },
        { 1001, "uploading receiving 0/250 0 pieces [0,250)", 0, NULL },
        { 1100, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/250; content_length=100;"
          " status=201" },
        { 1101, "uploading waiting 100/250 1 pieces [100,250)", 0, NULL },
        { 1200, NULL, 2,
          "id=a; method=PUT; content_range=bytes 100-249/250;"
          " content_length=150; status=200" },
        { 1300, "done done 250/250 2 pieces", 0, NULL } } },
    { "the last piece first, one of them twice",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 100-249/250;"
          " content_length=150; status=200" },
        { 1100, "uploading waiting 150/250 1 pieces [0,100)", 0, NULL },
        { 1200, NULL, 2,
          "id=a; method=PUT; content_range=bytes 100-249/250;"
          " content_length=150; status=200" },
        { 1300, "uploading waiting 150/250 2 pieces [0,100)", 0, NULL },
        { 1400, NULL, 3,
          "id=a; method=PUT; content_range=bytes 0-119/250;"
          " content_length=120; status=200" },
        { 1500, "done done 250/250 3 pieces", 0, NULL } } },
    { "a piece that fails, and one that breaks off",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/250;"
          " content_length=100; status=503" },
        { 1100, "uploading waiting 0/250 0 pieces [0,250)", 0, NULL },
        { 1200, NULL, 2,
          "id=a; method=PUT; content_range=bytes 0-99/250;"
          " content_length=100; header_length=10; request_length=60;"
          " status=400" },
        { 1300, "uploading waiting 0/250 0 pieces [0,250)", 0, NULL },
        { 1400, NULL, 3,
          "id=a; method=PUT; content_range=bytes 0-99/250; content_length=100" },
        { 1500, "uploading receiving 0/250 0 pieces [0,250) from 0", 0, NULL },
        { 1600, NULL, 3,
          "id=a; method=PUT; content_range=bytes 0-99/250;"
          " content_length=100; status=200" },
        { 1700, "uploading waiting 100/250 1 pieces [100,250) from 0", 0,
          NULL } } },
    { "a piece that is refused, and another try",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/250;"
          " content_length=100; status=200" },
        { 1100, NULL, 2,
          "id=a; method=PUT; content_range=bytes 100-199/250;"
          " content_length=100; status=403" },
        { 1200, "error error 100/250 1 pieces [100,250) status 403", 0, NULL },
        { 1300, NULL, 3,
          "id=a; method=PUT; content_range=bytes 100-249/250;"
          " content_length=150" },
        { 1400, "uploading receiving 100/250 1 pieces [100,250) from 100", 0,
          NULL },
        { 1500, NULL, 3,
          "id=a; method=PUT; content_range=bytes 100-249/250;"
          " content_length=150; status=200" },
        { 1600, "done done 250/250 2 pieces from 100", 0, NULL } } },
    { "tus, by its URL and by the client's ID",
      "/files/1",
      { { 1000, NULL, 1,
          "id=mine; method=POST; request_uri=/files; tus_resumable=1.0.0;"
          " upload_length=250; content_length=0; status=201;"
          " sent_location=/files/1" },
        { 1100, "uploading waiting 0/250 0 pieces [0,250)", 0, NULL },
        { 1200, NULL, 2,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100" },
        { 1300, "uploading receiving 0/250 0 pieces [0,250)", 0, NULL },
        { 1400, NULL, 2,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 1500, "uploading waiting 100/250 1 pieces [100,250)", 0, NULL },
        { 1600, NULL, 3,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=100; content_length=150; status=204;"
          " sent_offset=250" },
        { 1700, "done done 250/250 2 pieces", 0, NULL } } },
    { "tus, resumed by HEAD where the daemon knows nothing",
      "/files/2",
      { { 1000, NULL, 1,
          "method=HEAD; request_uri=/files/2; tus_resumable=1.0.0; status=200;"
          " sent_offset=120; sent_length=250" },
        { 1100, "uploading waiting 120/250 0 pieces [120,250)", 0, NULL },
        { 1200, NULL, 2,
          "method=PATCH; request_uri=/files/2; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=120; content_length=130; status=204;"
          " sent_offset=250" },
        { 1300, "done done 250/250 1 pieces", 0, NULL } } },
    { "tus, the server has less than had come",
      "/files/3",
      { { 1000, NULL, 1,
          "method=PATCH; request_uri=/files/3; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 1100, NULL, 2,
          "method=PATCH; request_uri=/files/3; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=40; content_length=100" },
        { 1200, "uploading receiving 100/? 1 pieces from 40", 0, NULL },
        { 1300, NULL, 2,
          "method=PATCH; request_uri=/files/3; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=40; upload_length=140; content_length=100;"
          " status=204; sent_offset=140" },
        { 1400, "done done 140/140 2 pieces from 40", 0, NULL } } },
    { "tus, given up by the client",
      "/files/4",
      { { 1000, NULL, 1,
          "method=PATCH; request_uri=/files/4; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 1100, NULL, 2,
          "method=DELETE; request_uri=/files/4; tus_resumable=1.0.0;"
          " status=204" },
        { 1200, "error error 100/? 1 pieces status 499", 0, NULL } } },
    { "the next piece never comes, and then it does",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/250;"
          " content_length=100; status=200" },
        { 20000, "uploading waiting 100/250 1 pieces [100,250)", 0, NULL },
        { 22000, "error error 100/250 1 pieces [100,250) status 408 inferred",
          0, NULL },
        { 30000, NULL, 2,
          "id=a; method=PUT; content_range=bytes 100-249/250;"
          " content_length=150; status=200" },
        { 30100, "done done 250/250 2 pieces from 100", 0, NULL } } },
    { "a piece after the end is another file",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/100;"
          " content_length=100; status=200" },
        { 1100, "done done 100/100 1 pieces", 0, NULL },
        { 1200, NULL, 2,
          "id=a; method=PUT; content_range=bytes 0-99/300; content_length=100" },
        { 1300, "uploading receiving 0/300 0 pieces [0,300)", 0, NULL } } },
    { "a piece that was under way at the end and is told behind it",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/100;"
          " content_length=100; status=200" },
        { 1001, NULL, 2,
          "id=a; method=PUT; content_range=bytes 0-99/100;"
          " content_length=100; status=200" },
        { 1100, "done done 100/100 1 pieces", 0, NULL },
        { 1101, NULL, 3,
          "id=a; method=PUT; content_range=bytes 0-99/100;"
          " content_length=100; status=500" },
        { 1200, "done done 100/100 1 pieces", 0, NULL } } },
    { "a piece whose end is lost, and what comes after it",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 100-199/250;"
          " content_length=100" },
        { 21000, "uploading receiving 0/250 0 pieces [0,250)", 0, NULL },
        { 32500, "uploading waiting 0/250 0 pieces [0,250)", 0, NULL },
        { 32600, NULL, 2,
          "id=a; method=PUT; content_range=bytes 100-199/250;"
          " content_length=100" },
        { 32700, "uploading receiving 0/250 0 pieces [0,250) from 100", 0,
          NULL } } },
    { "what a client says when all is sent",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/100;"
          " content_length=100; status=200" },
        { 1100, NULL, 2,
          "id=a; method=POST; request_uri=/done; content_length=5; status=200" },
        { 1200, "done done 100/100 1 pieces", 0, NULL } } },
    { "the resource leads to the client's ID however long it takes",
      "mine",
      { { 1000, NULL, 1, CREATION("/files/1", "250") },
        { 15000, NULL, 2,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 23000, "/files/1: uploading waiting 100/250 1 pieces [100,250)", 0,
          NULL },
        { 30000, NULL, 3,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=100; content_length=150; status=204; sent_offset=250" },
        { 43000, "done done 250/250 2 pieces", 0, NULL },
        { 64000, "/files/1: done done 250/250 2 pieces", 0, NULL },
        { 91000, "/files/1: starting starting 0/? 0 pieces", 0, NULL },
        { 120000, "/files/1: starting starting 0/? 0 pieces", 0, NULL } } },
    { "the creation is told after what was sent to its resource",
      "mine",
      { { 1000, NULL, 2,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100" },
        { 1010, NULL, 1, CREATION("/files/1", "250") },
        { 1020, "uploading receiving 0/250 0 pieces [0,250)", 0, NULL },
        { 1100, NULL, 2,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 1200, "uploading waiting 100/250 1 pieces [100,250)", 0, NULL },
        { 1300, NULL, 3,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=100; content_length=150; status=204; sent_offset=250" },
        { 1400, "done done 250/250 2 pieces", 0, NULL } } },
    { "parts of a client's ID, of which the creation alone says so",
      "mine",
      { { 1000, NULL, 1, CREATION("/p/1", "100; upload_concat=partial") },
        { 1010, NULL, 2, CREATION("/p/2", "150; upload_concat=partial") },
        { 1020, "uploading waiting 0/250 0 pieces [0,250)", 0, NULL },
        { 1100, NULL, 3,
          "id=mine; method=PATCH; request_uri=/p/2; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=50; status=204; sent_offset=50" },
        { 1200, "uploading waiting 50/250 1 pieces [0,100) [150,250)", 0,
          NULL },
        { 1300, NULL, 4,
          "id=mine; method=HEAD; request_uri=/p/2; tus_resumable=1.0.0;"
          " status=200; sent_offset=80; sent_length=150" },
        { 1400, "uploading waiting 80/250 1 pieces [0,100) [180,250)", 0,
          NULL },
        { 1500, NULL, 5,
          "id=mine; method=PATCH; request_uri=/p/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 1600, "/p/1: uploading waiting 180/250 2 pieces [180,250)", 0,
          NULL } } },
    { "parts that no file has room for",
      "mine",
      { { 1000, NULL, 1,
          CREATION("/p/1", "2305843009213693951; upload_concat=partial") },
        { 1010, NULL, 2,
          CREATION("/p/2", "2305843009213693951; upload_concat=partial") },
        { 1020, NULL, 3,
          "id=mine; method=PATCH; request_uri=/p/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=2305843009213693000; content_length=950; status=204" },
        { 1100,
          "uploading waiting 2305843009213693950/2305843009213693951 1 pieces"
          " [2305843009213693950,2305843009213693951)",
          0, NULL } } },
    { "the draft: an interim response, and the body breaks off",
      "/up/1",
      { { 1000, NULL, 1,
          "method=POST; request_uri=/up; upload_complete=?1;"
          " content_length=200; header_length=10; request_length=60;"
          " status=104; sent_location=/up/1" },
        { 1100, "uploading waiting 0/200 0 pieces [0,200)", 0, NULL } } },
    { "a form that was no piece, and of which nothing more was heard",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=POST; content_type=multipart/form-data;"
          " content_length=500" },
        { 1100, "uploading receiving 0/? 0 pieces", 0, NULL },
        { 40000, "error error 0/500 0 pieces status 499 inferred", 0,
          NULL } } },
    { "resumable.js in another page: chunks that are there already",
      "f",
      { { 1000, NULL, 1,
          "method=GET; status=200; request_uri=/r?resumableChunkNumber=1&"
          "resumableChunkSize=100&resumableCurrentChunkSize=100&"
          "resumableTotalSize=200&resumableIdentifier=f&"
          "resumableTotalChunks=2" },
        { 1100, "uploading waiting 100/200 0 pieces [100,200)", 0, NULL },
        { 1200, NULL, 2,
          "method=GET; status=204; request_uri=/r?resumableChunkNumber=2&"
          "resumableChunkSize=100&resumableCurrentChunkSize=100&"
          "resumableTotalSize=200&resumableIdentifier=f&"
          "resumableTotalChunks=2" },
        { 1300, "uploading waiting 100/200 0 pieces [100,200)", 0, NULL } } },
};

static void
add_field(struct request *request, bool is_end, const char *name,
          const char *value)
{
    const struct event_field *f = event_fields;

    if (strcmp(name, "id") == 0) {
        name = is_end ? "id" : "UPLOAD_PROGRESS_ID";
    } else if (!is_end) {
        while (strcmp(f->log, name) != 0) {
            f++;
        }
        name = f->param;
    }
    assert_int_equal(request_add(request, name, value), 0);
}

/* What stands in every line; the attempt's number is the request's ID. */
static void
add_usual(struct request *request, bool is_end, uint8_t attempt, int64_t at_ms)
{
    static char id[33];
    static char msec[32];

    snprintf(id, sizeof(id), "%032d", attempt);
    snprintf(msec, sizeof(msec), "%" PRId64 ".%03d", (OFFSET_MS + at_ms) / 1000,
             (int)((OFFSET_MS + at_ms) % 1000));
    add_field(request, is_end, "zone", "uploads");
    add_field(request, is_end, "request_id", id);
    add_field(request, is_end, "msec", msec);
    add_field(request, is_end, "protocol", "HTTP/1.1");
    if (is_end) {
        add_field(request, is_end, "request_time", "0.001");
    } else {
        assert_int_equal(request_add(request, "UPLOAD_PROGRESS_EVENT", "start"),
                         0);
    }
}

static void
tell(struct fixture *f, const char *name, const struct step *step)
{
    char *text = strdup(step->fields);
    bool is_end = strstr(text, "status=") != NULL;
    struct request request;
    struct event event;
    char *at = text;
    char *field;

    request_init(&request);
    while ((field = strsep(&at, ";")) != NULL) {
        char *equals = strchr(field, '=');

        field += strspn(field, " ");
        *equals = '\0';
        add_field(&request, is_end, field, equals + 1);
    }
    add_usual(&request, is_end, step->attempt, step->at_ms);
    ASSERT_THAT(name, (is_end ? event_from_log(&request, &event)
                              : event_from_params(&request, &event)) == NULL);
    uploads_event(f->uploads, &event, step->at_ms);
    free(text);
}

static const char *const state_names[] = {
    [UPLOAD_STARTING] = "starting",
    [UPLOAD_UPLOADING] = "uploading",
    [UPLOAD_DONE] = "done",
    [UPLOAD_ERROR] = "error",
};

static const char *
describe(const struct progress *p)
{
    static char text[256];
    char size[24] = "?";
    int len;

    if (p->size_bytes >= 0) {
        snprintf(size, sizeof(size), "%" PRId64, p->size_bytes);
    }
    len =
        snprintf(text, sizeof(text), "%s %s %" PRId64 "/%s %" PRId64 " pieces",
                 state_names[p->state], phase_name(p->phase), p->received_bytes,
                 size, p->pieces.count);
    for (int i = 0; i < p->pieces.missing_count; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len,
                        " [%" PRId64 ",%" PRId64 ")", p->pieces.missing[i][0],
                        p->pieces.missing[i][1]);
    }
    if (p->pieces.in_pieces && p->pieces.resumed_bytes >= 0) {
        len += snprintf(text + len, sizeof(text) - (size_t)len,
                        " from %" PRId64, p->pieces.resumed_bytes);
    }
    if (p->state == UPLOAD_ERROR) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, " status %d%s",
                        p->status, p->inferred ? " inferred" : "");
    }
    return text;
}

/* Of the scenario's ID, or of the one in front. */
static void
check_told(struct fixture *f, const char *name, const char *id,
           const struct step *step)
{
    const char *colon = strstr(step->told, ": ");
    const char *told = colon != NULL ? colon + 2 : step->told;
    struct progress progress;
    char other[32] = "";

    if (colon != NULL) {
        snprintf(other, sizeof(other), "%.*s", (int)(colon - step->told),
                 step->told);
    }
    uploads_tick(f->uploads, step->at_ms);
    progress = ask_for(f, colon != NULL ? other : id, step->at_ms);
    ASSERT_TEXT(name, describe(&progress), told);
}

static void
test_scenarios(void **state)
{
    for (size_t i = 0; i < COUNT(scenarios); i++) {
        const struct scenario *s = &scenarios[i];

        for (const struct step *step = s->steps; step->at_ms != 0; step++) {
            const char *name =
                unit_case("%s, at %d", s->name, (int)step->at_ms);

            if (step->told == NULL) {
                tell(*state, name, step);
            } else {
                check_told(*state, name, s->id, step);
            }
        }
        tear_down(state);
        set_up(state);
    }
}

/* Chunks in any order, some failing, some again: against a plain array. */
static void
test_random_order(void **state)
{
    for (unsigned run = 0; run < RUNS; run++) {
        bool has[CHUNKS] = { false };
        unsigned seed = run + 1;
        int left = CHUNKS;
        int64_t at_ms = 1000;
        uint8_t attempt = 0;

        while (left > 0) {
            int chunk = rand_r(&seed) % CHUNKS;
            bool fails = rand_r(&seed) % 4 == 0;
            bool starts = rand_r(&seed) % 2 == 0;
            const char *name = unit_case("seed %u, at %d", run, (int)at_ms);
            char fields[256];
            struct step step = { at_ms, NULL, ++attempt, fields };
            struct progress progress;

            for (int end = starts ? 0 : 1; end < 2; end++) {
                snprintf(fields, sizeof(fields),
                         "id=r%u; method=PUT; content_length=%d;"
                         " content_range=bytes %d-%d/%d%s",
                         run, CHUNK, chunk * CHUNK, chunk * CHUNK + CHUNK - 1,
                         CHUNKS * CHUNK,
                         end == 0 ? ""
                         : fails  ? "; status=500"
                                  : "; status=200");
                tell(*state, name, &step);
            }
            if (!fails && !has[chunk]) {
                has[chunk] = true;
                left--;
            }
            snprintf(fields, sizeof(fields), "r%u", run);
            at_ms += 100;
            progress = ask_for(*state, fields, at_ms);
            ASSERT_INT(name, progress.received_bytes, (CHUNKS - left) * CHUNK);
            ASSERT_INT(name, progress.state,
                       left > 0 ? UPLOAD_UPLOADING : UPLOAD_DONE);
            for (int i = 0; i < progress.pieces.missing_count; i++) {
                for (int64_t b = progress.pieces.missing[i][0];
                     b < progress.pieces.missing[i][1]; b += CHUNK) {
                    ASSERT_THAT(name, !has[b / CHUNK]);
                }
            }
        }
    }
}

/* A HEAD that does not say of which protocol it is changes nothing. */
static void
test_unmarked(void **state)
{
    static const struct step steps[] = {
        { 1000, NULL, 1,
          "method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 1100, NULL, 2,
          "method=HEAD; request_uri=/files/1; status=200; sent_offset=100" },
    };
    struct progress progress;

    tell(*state, "piece", &steps[0]);
    tell(*state, "question", &steps[1]);
    progress = ask_for(*state, "/files/1", 1200);
    ASSERT_TEXT("still", progress.pieces.protocol, "tus");
}

/* What has been received survives, and the file goes on. */
static void
test_snapshot(void **state)
{
    static const struct step steps[] = {
        { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 100-199/300;"
          " content_length=100; status=200" },
        { 2000, NULL, 2,
          "id=a; method=PUT; content_range=bytes 0-99/300;"
          " content_length=100; status=200" },
        { 3000, NULL, 3,
          "id=a; method=PUT; content_range=bytes 200-299/300;"
          " content_length=100; status=200" },
    };
    struct store_moment moment = { 1500, OFFSET_MS + 1500, "b" };
    struct fixture *f = *state;
    struct store_loaded loaded;
    struct progress progress;
    char *message = NULL;
    char path[] = UNIT_FILE;
    void *other = NULL;

    assert_non_null(mkdtemp(path));
    tell(f, "first", &steps[0]);
    ASSERT_INT("save",
               store_snapshot_save(f->store, unit_case("%s/s", path), &moment,
                                   &message),
               0);
    set_up(&other);
    ASSERT_INT("load",
               store_snapshot_load(((struct fixture *)other)->store,
                                   unit_case("%s/s", path), &moment, &loaded,
                                   &message),
               0);
    progress = ask_for(other, "a", 1600);
    ASSERT_TEXT("as it was", describe(&progress),
                "uploading waiting 100/300 1 pieces [0,100) [200,300)");
    tell(other, "second", &steps[1]);
    tell(other, "third", &steps[2]);
    progress = ask_for(other, "a", 3100);
    ASSERT_TEXT("goes on", describe(&progress), "done done 300/300 3 pieces");
    tear_down(&other);
    unlink(unit_case("%s/s", path));
    rmdir(path);
}

/* What a file takes is given back with it. */
static void
test_memory(void **state)
{
    static const struct step step = {
        1000, NULL, 1,
        "id=a; method=PUT; content_range=bytes 100-199/300;"
        " content_length=100; status=403"
    };
    struct fixture *f = *state;

    tell(f, "refused", &step);
    ASSERT_THAT("it takes some", store_zone_used(f->store, 0) > 0);
    tick_until(f, 1000 + TTL_MS, 2000 + TTL_MS);
    ASSERT_INT("swept", store_zone_used(f->store, 0), 0);
    ASSERT_INT("swept", store_upload_count(f->store), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOADS_TEST(test_scenarios), UPLOADS_TEST(test_random_order),
        UPLOADS_TEST(test_unmarked),  UPLOADS_TEST(test_snapshot),
        UPLOADS_TEST(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
