/* What the tests of the documents share: reading them, and the output's fields.
 */
#ifndef TESTS_DOCS_UNIT_H
#define TESTS_DOCS_UNIT_H

#include <jansson.h>

#include "config.h"
#include "directives.h"
#include "event.h"
#include "outputs.h"
#include "template.h"
#include "unit.h"

static inline char *
read_text(const char *path)
{
    FILE *stream = fopen(path, "re");
    char *text = calloc(1, 1 << 20);

    if (stream == NULL) {
        fail_msg("%s cannot be opened: the tests run in the project's folder",
                 path);
    }
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, stream) > 0);
    fclose(stream);
    return text;
}

/* The detailed output, as an object to be released. */
static inline json_t *
detail_fields(void)
{
    struct progress progress = { .state = UPLOAD_STARTING };
    struct buffer out = BUFFER_INIT;
    json_t *fields;

    output_detail("uploads", "one", &progress, &out);
    fields = json_loadb(out.data, out.len, 0, NULL);
    assert_non_null(fields);
    buffer_release(&out);
    return fields;
}

#endif
