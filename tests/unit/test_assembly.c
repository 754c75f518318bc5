/*
 * Files in pieces: what starts, ends and time make of them. Each step is a line
 * as nginx tells it, or the time at which the progress is asked for.
 */
#include <sys/mman.h>

#include "assembly_unit.h"

enum { STEPS_MAX = 14, CHUNK = 100, CHUNKS = 16, RUNS = 300 };

#define CREATION(location, length)                                   \
    "id=mine; method=POST; request_uri=/files; tus_resumable=1.0.0;" \
    " content_length=0; status=201; sent_location=" location         \
    "; upload_length=" length

/* A form's end; its length less 900 is the file's, but for some digits. */
#define POSTED(length, status)                                \
    "id=a; method=POST; request_uri=/upload; header_length=0" \
    "; content_type=multipart/form-data;boundary=B"           \
    "; content_length=" length "; request_length=" length "; status=" status
#define FIELD(name, value) \
    "--B\r\nContent-Disposition: form-data;name=" name "\r\n\r\n" value "\r\n"
#define IN_FRONT(fields) \
    "; form=" fields     \
    "--B\r\nContent-Disposition: form-data;name=file;filename=b\r\n\r\n"
/* 2500 bytes in chunks of 1000. */
#define DROPZONE(index, offset)                                                \
    IN_FRONT(FIELD("dzuuid", "u") FIELD("dzchunkindex", index)                 \
                 FIELD("dztotalfilesize", "2500") FIELD("dzchunksize", "1000") \
                     FIELD("dztotalchunkcount", "3")                           \
                         FIELD("dzchunkbyteoffset", offset))
/* 3400 bytes in chunks of 1000, of which the last takes the rest along. */
#define FLOW(number, length)                              \
    "flowChunkNumber=" number "&flowChunkSize=1000&"      \
    "flowCurrentChunkSize=" length "&flowTotalSize=3400&" \
    "flowIdentifier=a&flowFilename=f&flowRelativePath=f&flowTotalChunks=3"
#define FLOW_FORM(number, length)                                            \
    IN_FRONT(FIELD("flowChunkNumber", number) FIELD("flowChunkSize", "1000") \
                 FIELD("flowCurrentChunkSize", length)                       \
                     FIELD("flowTotalSize", "3400")                          \
                         FIELD("flowIdentifier", "a")                        \
                             FIELD("flowTotalChunks", "3"))

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
    { "tus, what goes on is told before what has failed",
      "/files/5",
      { { 1000, NULL, 1,
          "method=PATCH; request_uri=/files/5; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; upload_length=100; content_length=100" },
        { 1100, NULL, 2,
          "method=PATCH; request_uri=/files/5; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=40; content_length=60" },
        { 1110, NULL, 1,
          "method=PATCH; request_uri=/files/5; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; upload_length=100; content_length=100;"
          " status=499; request_time=0.110" },
        { 1200, "uploading receiving 40/100 0 pieces [40,100) from 40", 0,
          NULL } } },
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
    { "the same of a creation that brings data",
      "/up/1",
      { { 1000, NULL, 2,
          "method=PATCH; request_uri=/up/1; upload_complete=?1;"
          " content_type=application/partial-upload; upload_length=250;"
          " upload_offset=100; content_length=150" },
        { 1005, "uploading receiving 100/250 0 pieces [100,250) from 100", 0,
          NULL },
        { 1010, NULL, 1,
          "method=POST; request_uri=/up; upload_complete=?0;"
          " upload_length=250; content_length=100; status=201;"
          " sent_location=/up/1; sent_offset=100" },
        { 1020, "uploading receiving 100/250 1 pieces [100,250)", 0, NULL },
        { 1100, NULL, 2,
          "method=PATCH; request_uri=/up/1; upload_complete=?1;"
          " content_type=application/partial-upload; upload_length=250;"
          " upload_offset=100; content_length=150; status=204;"
          " sent_offset=250; sent_complete=?1" },
        { 1200, "done done 250/250 2 pieces", 0, NULL } } },
    { "the same of one whose data was not all taken, and one without an offset",
      "/up/1",
      { { 1000, NULL, 2,
          "method=PATCH; request_uri=/up/1; upload_complete=?0;"
          " content_type=application/partial-upload; upload_offset=60;"
          " content_length=10" },
        { 1010, NULL, 1,
          "method=POST; request_uri=/up; upload_complete=?0;"
          " upload_length=250; content_length=100; status=201;"
          " sent_location=/up/1; sent_offset=60" },
        { 1020, "uploading receiving 60/250 1 pieces [60,250)", 0, NULL },
        { 1030, NULL, 4,
          "method=PATCH; request_uri=/up/2; upload_complete=?0;"
          " content_type=application/partial-upload; upload_offset=100;"
          " content_length=10" },
        { 1040, NULL, 3,
          "method=POST; request_uri=/up; upload_complete=?0;"
          " upload_length=250; transfer_encoding=chunked;"
          " header_length=10; request_length=110; status=201;"
          " sent_location=/up/2" },
        { 1050, "/up/2: uploading receiving 100/250 1 pieces [100,250)", 0,
          NULL } } },
    { "creations that overtake nothing: the file begins anew, a part is added",
      "mine",
      { { 1000, NULL, 1, CREATION("/files/1", "250") },
        { 1010, NULL, 2,
          "id=mine; method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 1020, NULL, 3,
          "id=mine; method=POST; request_uri=/files; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream; upload_length=250;"
          " content_length=50" },
        { 1030, NULL, 3,
          "id=mine; method=POST; request_uri=/files; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream; upload_length=250;"
          " content_length=50; status=201; sent_location=/files/2;"
          " sent_offset=50" },
        { 1040, "uploading waiting 100/250 2 pieces [50,250) from 0", 0, NULL },
        { 1050, NULL, 4,
          "id=part; method=PATCH; request_uri=/p/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=10; content_length=5" },
        { 1060, NULL, 5,
          "id=part; method=POST; request_uri=/p; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream; upload_length=100;"
          " upload_concat=partial; content_length=5; status=201;"
          " sent_location=/p/2; sent_offset=5" },
        { 1070, "part: uploading receiving 10/100 1 pieces [10,100) from 10", 0,
          NULL } } },
    { "tus, the server takes less than it was sent",
      "/files/6",
      { { 1000, NULL, 1,
          "method=PATCH; request_uri=/files/6; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream; upload_length=250;"
          " upload_offset=0; content_length=100; status=204; sent_offset=60" },
        { 1010, "uploading waiting 60/250 1 pieces [60,250)", 0, NULL } } },
    { "an ID is used for another file before the first one is whole",
      "mine",
      { { 1000, NULL, 1, CREATION("/files/1", "250") },
        { 1010, NULL, 2,
          "id=mine; method=PATCH; request_uri=/files/1; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=0; content_length=100; status=204; sent_offset=100" },
        { 1020, NULL, 3,
          "id=mine; method=POST; request_uri=/files; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream; upload_length=250;"
          " content_length=50; status=201; sent_location=/files/2;"
          " sent_offset=50" },
        { 1030, "uploading waiting 100/250 2 pieces [50,250)", 0, NULL } } },
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
    { "a part that is found out to be one while it is under way",
      "mine",
      { { 1000, NULL, 1,
          "method=PATCH; request_uri=/p/2; tus_resumable=1.0.0;"
          " content_type=application/offset+octet-stream;"
          " upload_offset=2305843009213693000; content_length=900" },
        { 1010, NULL, 2, CREATION("/p/1", "1000; upload_concat=partial") },
        { 1020, NULL, 3,
          CREATION("/p/2", "2305843009213692000; upload_concat=partial") },
        { 1100,
          "uploading receiving 0/2305843009213693000 0 pieces"
          " [0,2305843009213693000)",
          0, NULL } } },
    { "IDs that lead to each other",
      "/a",
      { { 1000, NULL, 1,
          "id=/a; method=POST; request_uri=/files; tus_resumable=1.0.0;"
          " content_length=0; status=201; sent_location=/b;"
          " upload_length=100" },
        { 1010, NULL, 2,
          "id=/b; method=POST; request_uri=/files; tus_resumable=1.0.0;"
          " content_length=0; status=201; sent_location=/a;"
          " upload_length=100" },
        { 50000, "starting starting 0/? 0 pieces", 0, NULL },
        { 50000, "/b: starting starting 0/? 0 pieces", 0, NULL } } },
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
    { "starts that are told behind their ends",
      "a",
      { { 1000, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/250; content_length=100;"
          " status=201" },
        { 1001, NULL, 1,
          "id=a; method=PUT; content_range=bytes 0-99/250; content_length=100" },
        { 1100, "uploading waiting 100/250 1 pieces [100,250)", 0, NULL },
        { 1200, NULL, 2,
          "id=a; method=PUT; content_range=bytes 100-249/250;"
          " content_length=150; status=200" },
        { 1201, NULL, 2,
          "id=a; method=PUT; content_range=bytes 100-249/250;"
          " content_length=150" },
        { 1300, "done done 250/250 2 pieces", 0, NULL } } },
    { "the same of forms that nobody could read",
      "a",
      { { 1000, NULL, 1, POSTED("1900", "200") DROPZONE("0", "0") },
        { 1100, NULL, 2, POSTED("1900", "200") },
        { 1101, NULL, 2,
          "id=a; method=POST; content_type=multipart/form-data;boundary=B;"
          " content_length=1900" },
        { 1200, "uploading waiting 2000/2500 2 pieces [1000,2500)", 0, NULL },
        { 1300, NULL, 3, POSTED("1400", "200") },
        { 1301, NULL, 3,
          "id=a; method=POST; content_type=multipart/form-data;boundary=B;"
          " content_length=1400" },
        { 40000, "done done 2500/2500 3 pieces", 0, NULL } } },
    { "the same of forms that were taken for uploads of their own",
      "a",
      { { 1000, NULL, 1, POSTED("1900", "200") },
        { 1100, NULL, 2, POSTED("1900", "200") DROPZONE("1", "1000") },
        { 1101, NULL, 1,
          "id=a; method=POST; content_type=multipart/form-data;boundary=B;"
          " content_length=1900" },
        { 1200, "uploading waiting 2000/2500 2 pieces [0,1000) [2000,2500)", 0,
          NULL },
        { 1300, NULL, 3, POSTED("1400", "200") },
        { 40000, "done done 2500/2500 3 pieces", 0, NULL } } },
    { "forms that nobody could read, told by their length",
      "a",
      { { 1000, NULL, 1, POSTED("1900", "200") DROPZONE("0", "0") },
        { 1100, "uploading waiting 1000/2500 1 pieces [1000,2500)", 0, NULL },
        { 1200, NULL, 2, POSTED("1903", "200") },
        { 1300, "uploading waiting 2000/2500 2 pieces [1000,2500)", 0, NULL },
        { 1400, NULL, 3, POSTED("1403", "200") },
        { 1500, "done done 2500/2500 3 pieces", 0, NULL },
        { 1600, NULL, 4, POSTED("1900", "200") DROPZONE("0", "0") },
        { 1700, "uploading waiting 1000/2500 1 pieces [1000,2500)", 0,
          NULL } } },
    { "the same of those before the first one that was read, out of order",
      "a",
      { { 1000, NULL, 1, POSTED("1400", "200") },
        { 1100, "done done 1400/1400 0 pieces", 0, NULL },
        { 1200, NULL, 2, POSTED("1900", "500") },
        { 1300, "error error 1900/1900 0 pieces status 500", 0, NULL },
        { 1400, NULL, 3, POSTED("1903", "200") DROPZONE("1", "1000") },
        { 1500, "uploading waiting 1500/2500 2 pieces [0,1000) [2000,2500)", 0,
          NULL },
        { 1600, NULL, 4, POSTED("1900", "200") },
        { 1700, "done done 2500/2500 3 pieces", 0, NULL } } },
    { "more of them than the file has",
      "a",
      { { 1000, NULL, 1, POSTED("1900", "200") },
        { 1100, NULL, 2, POSTED("1900", "200") },
        { 1200, NULL, 3, POSTED("1900", "200") },
        { 1400, NULL, 4, POSTED("1900", "200") DROPZONE("0", "0") },
        { 1500, "done done 2500/2500 3 pieces", 0, NULL },
        { 1600, NULL, 5, POSTED("1900", "200") DROPZONE("0", "0") },
        { 1700, "uploading waiting 1000/2500 1 pieces [1000,2500)", 0,
          NULL } } },
    { "forms that nobody could read, of other lengths, or failing",
      "a",
      { { 1000, NULL, 1, POSTED("1900", "200") DROPZONE("0", "0") },
        { 1100, NULL, 2, POSTED("1700", "200") },
        { 1200, NULL, 3, POSTED("1965", "200") },
        { 1300, NULL, 4, POSTED("1964", "500") },
        { 1400, "uploading waiting 1000/2500 1 pieces [1000,2500)", 0, NULL },
        { 1500, NULL, 5, POSTED("1903", "200") DROPZONE("1", "1000") },
        { 1600, "uploading waiting 2000/2500 2 pieces [2000,2500) from 1000", 0,
          NULL },
        { 1700, NULL, 6, POSTED("1403", "403") },
        { 1800,
          "error error 2000/2500 2 pieces [2000,2500) from 1000 status 403", 0,
          NULL } } },
    { "forms that nobody could read, and the file begins anew",
      "a",
      { { 1000, NULL, 1, POSTED("1900", "200") DROPZONE("0", "0") },
        { 1100, NULL, 2, POSTED("1900", "200") },
        { 1200, NULL, 3, POSTED("1900", "403") },
        { 1300, "error error 2000/2500 2 pieces [1000,2500) status 403", 0,
          NULL },
        { 1400, NULL, 4, POSTED("1900", "200") DROPZONE("0", "0") },
        { 1500, "uploading waiting 1000/2500 1 pieces [1000,2500)", 0,
          NULL } } },
    { "a form that nobody could read, and one that is no piece at all",
      "a",
      { { 900, NULL, 9,
          POSTED("1900", "200") IN_FRONT(FIELD("field", "value")) },
        { 1000, NULL, 1, POSTED("1900", "200") DROPZONE("0", "0") },
        { 1100, NULL, 2,
          POSTED("1900", "200") IN_FRONT(FIELD("field", "value")) },
        { 1200, "uploading waiting 1000/2500 1 pieces [1000,2500)", 0, NULL },
        { 1300, NULL, 3, POSTED("1900", "200") },
        { 1400, NULL, 4, POSTED("1900", "200") },
        { 1500, "done done 2500/2500 3 pieces", 0, NULL } } },
    { "flow.js asks for a chunk that was counted, but not read",
      "a",
      { { 1000, NULL, 1, POSTED("1900", "200") FLOW_FORM("1", "1000") },
        { 1100, NULL, 2, POSTED("1900", "200") },
        { 1200, "uploading waiting 2000/3400 2 pieces [1000,3400)", 0, NULL },
        { 1300, NULL, 3,
          "id=a; method=GET; status=200; request_uri=/upload?" FLOW("2",
                                                                    "1000") },
        { 1400, "uploading waiting 2000/3400 2 pieces [2000,3400)", 0, NULL },
        { 1500, NULL, 4, POSTED("2300", "200") },
        { 1600, "done done 3400/3400 3 pieces", 0, NULL } } },
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

/* Rows that the next program of the process would refuse are a finding. */
static void
check_snapshot(struct fixture *f, const char *name)
{
    static const struct store_moment moment = { .monotonic_ms = 1000,
                                                .wall_ms = 2000,
                                                .boot_id = "one" };
    struct store_loaded loaded;
    const char *why = NULL;
    struct store *next = store_new(&why);
    char *message = NULL;
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_non_null(next);
    assert_int_equal(store_zone_set(next, "uploads", 1 << 20), 0);
    ASSERT_INT(name, store_snapshot_write(f->store, fd, &moment, &message), 0);
    ASSERT_INT(name, store_snapshot_read(next, fd, &moment, &loaded, &message),
               0);
    ASSERT_INT(name, loaded.uploads, store_upload_count(f->store));
    ASSERT_INT(name, store_zone_used(next, 0), store_zone_used(f->store, 0));
    close(fd);
    store_free(next);
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
            check_snapshot(*state, name);
        }
        tear_down(state);
        set_up(state);
    }
}

/* Rows as a snapshot may have them, though we would never come to them. */
static void
test_rows_at_their_limits(void **state)
{
    static const struct step piece = {
        1000, NULL, 1,
        "id=many; method=PUT; content_range=bytes 0-99/300;"
        " content_length=100; status=201"
    };
    struct fixture *f = *state;
    struct upload row = { .state = UPLOAD_UPLOADING,
                          .size_bytes = 300,
                          .header_bytes = -1,
                          .started_ms = 500,
                          .check_ms = UPLOAD_IN_TURN };
    struct assembly many = { .id = "many",
                             .pieces = UPLOAD_PIECES_BYTES_MAX,
                             .resumed_bytes = -1 };
    struct progress progress;
    unsigned evicted;

    strcpy(row.id, "many");
    assert_int_equal(store_assembly_put(f->store, &row, &many, &evicted),
                     STORE_OK);
    strcpy(row.id, "in turn");
    assert_int_equal(store_upload_put(f->store, &row, &evicted), STORE_OK);
    tell(f, "many", &piece);
    progress = ask_for(f, "many", 1100);
    ASSERT_TEXT("many", describe(&progress),
                "uploading waiting 100/300 2305843009213693951 pieces"
                " [100,300)");
    check_snapshot(f, "many");
    uploads_tick(f->uploads, 50000);
    progress = ask_for(f, "in turn", 50100);
    ASSERT_TEXT("in turn", describe(&progress),
                "error error 0/300 0 pieces [0,300) status 408 inferred");
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

/* Many run at a time; of those that are over some are kept, to be adopted. */
static void
test_forms_of_one_id(void **state)
{
    static const char start[] =
        "id=a; method=POST; content_type=multipart/form-data;boundary=B;"
        " content_length=1900";
    static const char end[] = POSTED("1900", "200");
    struct fixture *f = *state;

    for (uint8_t i = 1; i <= 100; i++) {
        struct step step = { 1000 + i, NULL, i, i <= 50 ? end : start };

        tell(f, "a form", &step);
        ASSERT_INT(unit_case("form %d", i), store_upload_count(f->store),
                   i <= 8    ? i
                   : i <= 50 ? 8
                             : i - 50 + 7);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UPLOADS_TEST(test_scenarios),
        UPLOADS_TEST(test_random_order),
        UPLOADS_TEST(test_rows_at_their_limits),
        UPLOADS_TEST(test_forms_of_one_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
