/*
 * FastCGI connections, and what libfcgi is shown of them: a peer's bytes go
 * through the connection code at once, and byte by byte, which libfcgi reads.
 */
#include "../fuzz/fuzz_peer.h"
#include "unit.h"

#include <dlfcn.h>
#include <fastcgi.h>
#include <fcgiapp.h>

static int accepts; /* by libfcgi */
static int answers;
static char method[16]; /* of the last request */
static uint64_t body_bytes;

/* Stands in front of libfcgi's own. */
int
FCGX_Accept_r(FCGX_Request *libfcgi)
{
    static int (*real)(FCGX_Request *);

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "FCGX_Accept_r");
    }
    accepts++;
    return real(libfcgi);
}

static void
peer_on_request(const struct request *request)
{
    answers++;
    snprintf(method, sizeof(method), "%s",
             request_param(request, "REQUEST_METHOD"));
    body_bytes = request->body_bytes;
}

/* Sends a stream by itself; pieces of one byte, or all at once. */
static void
talk(const char *data, size_t len, bool bytewise)
{
    struct buffer stream = BUFFER_INIT;
    struct buffer answer = BUFFER_INIT;
    struct peer_manner manner = { .either = false };
    size_t *ends = calloc(len + 1, sizeof(*ends));

    assert_non_null(ends);
    for (size_t i = 0; bytewise && i < len; i++) {
        ends[i] = i + 1;
    }
    accepts = answers = 0;
    method[0] = '\0';
    buffer_append(&stream, data, len);
    peer_talk(&fastcgi_protocol, &manner, &stream, ends, &answer);
    buffer_release(&stream);
    buffer_release(&answer);
    free(ends);
}

/* clang-format off */
#define BEGIN  "\1\1\0\1\0\10\0\0" "\0\1\1\0\0\0\0\0"
#define PARAMS "\1\4\0\1\0\23\0\0" "\16\3REQUEST_METHODGET"
#define END    "\1\4\0\1\0\0\0\0" "\1\5\0\1\0\0\0\0"
/* clang-format on */

/* libfcgi itself takes some of such padding for the next record. */
static void
padding(void **state)
{
    static const struct {
        const char *name;
        const char *data;
        size_t len;
        uint64_t body_bytes;
    } rows[] = {
        { "none", BYTES(BEGIN PARAMS END), 0 },
        { "of the begin record",
          BYTES("\1\1\0\1\0\10\3\0"
                "\0\1\1\0\0\0\0\0"
                "\0\0\0" PARAMS END),
          0 },
        { "of the parameters",
          BYTES(BEGIN "\1\4\0\1\0\23\5\0"
                      "\16\3REQUEST_METHODGET"
                      "\0\0\0\0\0" END),
          0 },
        { "of the parameters' end",
          BYTES(BEGIN PARAMS "\1\4\0\1\0\0\10\0"
                             "\0\0\0\0\0\0\0\0"
                             "\1\5\0\1\0\3\0\0abc"
                             "\1\5\0\1\0\0\0\0"),
          3 },
        { "of the body",
          BYTES(BEGIN PARAMS "\1\4\0\1\0\0\0\0"
                             "\1\5\0\1\0\3\1\0abc\0"
                             "\1\5\0\1\0\0\0\0"),
          3 },
        { "of the body's end",
          BYTES(BEGIN PARAMS "\1\4\0\1\0\0\0\0"
                             "\1\5\0\1\0\3\0\0abc"
                             "\1\5\0\1\0\0\2\0\0\0"),
          3 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            talk(rows[i].data, rows[i].len, bytewise);
            ASSERT_INT(rows[i].name, answers, 1);
            ASSERT_TEXT(rows[i].name, method, "GET");
            ASSERT_INT(rows[i].name, body_bytes, rows[i].body_bytes);
        }
    }
}

#define LIE(lengths) BEGIN "\1\4\0\1\0\30\0\0" lengths "AAAAAAAAAAAAAAAA" END

/* Lengths as in CVE-2025-23016 never get as far as libfcgi. */
static void
lengths_beyond_the_limit(void **state)
{
    static const struct {
        const char *name;
        const char *data;
        size_t len;
    } rows[] = {
        { "two of 2^31 - 1", BYTES(LIE("\xff\xff\xff\xff\xff\xff\xff\xff")) },
        { "their sum and 2 is 2^32",
          BYTES(LIE("\xff\xff\xff\xfe\xff\xff\xff\xff")) },
        { "a sum beyond 2^31", BYTES(LIE("\xff\xff\xff\xff\x80\0\0\3")) },
        { "a name of 2^31 - 2", BYTES(LIE("\xff\xff\xff\xfe\x80\0\0\0")) },
        { "a value of 2^31 - 1", BYTES(LIE("\x80\0\0\1\xff\xff\xff\xff")) },
        { "a value of 65537", BYTES(LIE("\x80\0\0\1\x80\1\0\1")) },
        { "a value of 17, where 16 follow",
          BYTES(LIE("\x80\0\0\0\x80\0\0\21")) },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            talk(rows[i].data, rows[i].len, bytewise);
            ASSERT_INT(rows[i].name, accepts, 0);
            ASSERT_INT(rows[i].name, answers, 0);
        }
    }
    talk(BYTES(LIE("\x80\0\0\4\x80\0\0\14")), true);
    ASSERT_INT("the same with lengths that are true", answers, 1);
    assert_int_equal(accepts, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padding),
        cmocka_unit_test(lengths_beyond_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
