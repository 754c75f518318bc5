/* The parts of forms, as browsers and others write them. */
#include "unit.h"

#include "multipart.h"

#define TYPE "multipart/form-data; boundary=XyZ"
#define PART "Content-Disposition: form-data; name="

static const struct row {
    const char *name;
    const char *type;
    const char *body;
    const char *expected; /* "name=value|", and how it ends */
} rows[] = {
    { "a field and a file", TYPE,
      "--XyZ\r\n" PART "\"a\"\r\n\r\nb\r\n--XyZ\r\n" PART
      "\"f\"; filename=\"g\"\r\nContent-Type: text/plain\r\n\r\ndata",
      "a=b|file f@145" },
    { "two fields, the end", TYPE,
      "--XyZ\r\n" PART "\"a\"\r\n\r\nb\r\n--XyZ\r\n" PART
      "\"c\"\r\n\r\nd\r\n--XyZ--\r\n",
      "a=b|c=d|end" },
    { "an empty file", TYPE,
      "--XyZ\r\n" PART "\"f\"; filename=\"\"\r\n\r\n\r\n--XyZ--\r\n",
      "file f@64" },
    { "an empty value", TYPE, "--XyZ\r\n" PART "\"a\"\r\n\r\n\r\n--XyZ--\r\n",
      "a=|end" },
    { "an empty value without its line", TYPE,
      "--XyZ\r\n" PART "\"a\"\r\n\r\n--XyZ--\r\n", "a=|end" },
    { "a value of lines", TYPE,
      "--XyZ\r\n" PART "\"a\"\r\n\r\nb\r\n\r\n--Xy\r\n\r\n--XyZ--\r\n",
      "a=b\r\n\r\n--Xy\r\n|end" },
    { "quoted boundary", "multipart/form-data; charset=utf-8; boundary=\"XyZ\"",
      "--XyZ\r\n" PART "\"a\"\r\n\r\nb\r\n--XyZ--\r\n", "a=b|end" },
    { "boundary in capitals, no space", "Multipart/Form-Data;BOUNDARY=XyZ",
      "--XyZ\r\n" PART "\"a\"\r\n\r\nb\r\n--XyZ--\r\n", "a=b|end" },
    { "preamble, blanks behind the delimiter", TYPE,
      "preamble\r\n--XyZ \t\r\n" PART "\"a\"\r\n\r\nb\r\n--XyZ--", "a=b|end" },
    { "other headers, in any case", TYPE,
      "--XyZ\r\nContent-Type: text/plain\r\n"
      "content-disposition:form-data;NAME=a\r\nX:\r\n\r\nb\r\n--XyZ--",
      "a=b|end" },
    { "filename*", TYPE, "--XyZ\r\n" PART "f; filename*=UTF-8''a%20b\r\n\r\n",
      "file f@73" },
    { "quotes within", TYPE,
      "--XyZ\r\n" PART "\"a\\\"; filename=b\"\r\n\r\nc\r\n--XyZ--",
      "a\\\"; filename=b=c|end" },
    { "quotes as browsers write them", TYPE,
      "--XyZ\r\n" PART "\"a%22b\"\r\n\r\nc\r\n--XyZ--", "a%22b=c|end" },
    { "an empty name", TYPE, "--XyZ\r\n" PART "\"\"\r\n\r\nb\r\n--XyZ--",
      "=b|end" },
    { "nothing", TYPE, "", "cut" },
    { "a part of the delimiter", TYPE, "--Xy", "cut" },
    { "the delimiter", TYPE, "--XyZ", "cut" },
    { "one byte behind", TYPE, "--XyZ\r", "cut" },
    { "a part of the header", TYPE, "--XyZ\r\n" PART "\"a\"\r\n", "cut" },
    { "the header", TYPE, "--XyZ\r\n" PART "\"a\"\r\n\r\n", "cut" },
    { "a part of the value", TYPE, "--XyZ\r\n" PART "\"a\"\r\n\r\nb\r\n--Xy",
      "cut" },
    { "no parts", TYPE, "--XyZ--\r\n", "end" },
    { "another boundary", TYPE, "--Abc\r\n" PART "\"a\"\r\n\r\nb", "bad" },
    { "a longer boundary", TYPE, "--XyZ1\r\n" PART "\"a\"\r\n\r\nb", "bad" },
    { "lines without CR", TYPE, "--XyZ\n" PART "\"a\"\n\nb\n--XyZ--", "bad" },
    { "no disposition", TYPE, "--XyZ\r\nContent-Type: a/b\r\n\r\nb", "bad" },
    { "no header", TYPE, "--XyZ\r\n\r\nb\r\n--XyZ--", "bad" },
    { "no colon", TYPE, "--XyZ\r\nContent\r\n\r\nb\r\n--XyZ--", "bad" },
    { "another disposition", TYPE,
      "--XyZ\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nb", "bad" },
    { "no name", TYPE,
      "--XyZ\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\nb",
      "bad" },
    { "a name without its end", TYPE, "--XyZ\r\n" PART "\"a\r\n\r\nb", "bad" },
    { "no boundary", "multipart/form-data", "", "none" },
    { "an empty boundary", "multipart/form-data; boundary=", "", "none" },
    { "an empty quoted boundary", "multipart/form-data; boundary=\"\"", "",
      "none" },
    { "a boundary without its end", "multipart/form-data; boundary=\"a", "",
      "none" },
    { "a boundary with a blank at its end",
      "multipart/form-data; boundary=\"a \"", "", "none" },
    { "a boundary of other bytes", "multipart/form-data; boundary=\"a\\\"\"",
      "", "none" },
    { "a boundary of 70 bytes",
      "multipart/form-data; boundary="
      "1234567890123456789012345678901234567890123456789012345678901234567890",
      "", "cut" },
    { "a boundary of 71 bytes",
      "multipart/form-data; boundary="
      "12345678901234567890123456789012345678901234567890123456789012345678901",
      "", "none" },
    { "another type", "multipart/mixed; boundary=XyZ", "", "none" },
    { "a form of another kind", "application/x-www-form-urlencoded", "a=b",
      "none" },
    { "no type", "", "", "none" },
};

/* Reads all that is there into text. */
static void
read_all(const char *type, const char *data, size_t len, char text[1024])
{
    static const char *const ends[] = { "", "", "end", "cut", "bad" };
    struct multipart form;
    struct multipart_part part;
    enum multipart_step step;
    char *end = text;

    if (!multipart_init(&form, type, data, len)) {
        strcpy(text, "none");
        return;
    }
    while ((step = multipart_next(&form, &part)) == MULTIPART_FIELD) {
        assert_ptr_equal(part.value, data + part.at);
        end += sprintf(end, "%.*s=%.*s|", (int)part.name_len, part.name,
                       (int)part.value_len, part.value);
    }
    if (step == MULTIPART_FILE) {
        sprintf(end, "file %.*s@%zu", (int)part.name_len, part.name, part.at);
    } else {
        strcpy(end, ends[step]);
    }
}

static void
test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].body);
        char *body = unit_copy(rows[i].body, len);
        char text[1024];

        read_all(rows[i].type, body, len, text);
        ASSERT_TEXT(rows[i].name, text, rows[i].expected);
        free(body);
    }
}

/* Bounded: in a part's header, and in the parts. */
static void
test_limits(void **state)
{
    static const char part[] = "--XyZ\r\n" PART "\"a\"\r\n\r\n\r\n";
    size_t len = sizeof(part) - 1;
    char *body = malloc(400 * len);
    struct multipart form;
    struct multipart_part read;
    unsigned fields = 0;

    (void)state;
    for (size_t i = 0; i < 400; i++) {
        memcpy(body + i * len, part, len);
    }
    assert_true(multipart_init(&form, TYPE, body, 400 * len));
    while (multipart_next(&form, &read) == MULTIPART_FIELD) {
        fields++;
    }
    assert_int_equal(fields, MULTIPART_PARTS_MAX);
    for (size_t size = 4000; size < 4200; size++) {
        int head = sprintf(body, "--XyZ\r\nX-Long: ");
        size_t header = size - strlen(PART "\"a\"\r\n\r\n") - 10;

        memset(body + head, 'x', header);
        strcpy(body + (size_t)head + header,
               "\r\n" PART "\"a\"\r\n\r\nb\r\n--XyZ--");
        assert_true(multipart_init(&form, TYPE, body, strlen(body)));
        ASSERT_INT(unit_case("header of %zu bytes", size),
                   multipart_next(&form, &read),
                   size <= MULTIPART_HEADER_MAX ? MULTIPART_FIELD
                                                : MULTIPART_BAD);
    }
    free(body);
}

static void
test_end_bytes(void **state)
{
    struct multipart form;

    (void)state;
    assert_true(multipart_init(&form, TYPE, "", 0));
    assert_int_equal(multipart_end_bytes(&form), strlen("\r\n--XyZ--\r\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_end_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
