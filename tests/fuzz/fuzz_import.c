/*
 * upload-progressd --import, on an nginx.conf and what it includes, see
 * fuzz_files.h.
 *
 * - Where it says that all was moved, standard error is empty, and the daemon
 *   takes the upload-progressd.conf that it printed.
 * - What needs a person stands in both outputs, each time in one line.
 * - Where it fails it says why, and prints nothing.
 */
#include "import.h"

#include "buffer.h"
#include "config.h"
#include "fuzz.h"
#include "fuzz_capture.h"
#include "fuzz_files.h"
#include "fuzz_names.h"

/* The notes stand first, and are the same on standard error. */
static void
check_notes(const struct capture *capture)
{
    const char *out = capture->text[0];

    FUZZ_HOLDS(capture->len[1] > 0);
    for (const char *note = capture->text[1]; *note != '\0';) {
        size_t len = strcspn(note, "\n") + 1;

        FUZZ_HOLDS(strncmp(note, "NOTE: ", 6) == 0);
        FUZZ_HOLDS(note[len - 1] == '\n');
        FUZZ_HOLDS(strncmp(out, "# ", 2) == 0);
        FUZZ_HOLDS(strncmp(out + 2, note, len) == 0);
        note += len;
        out += 2 + len;
    }
}

static void
check_done(const struct capture *capture)
{
    static const char title[] = "#### upload-progressd.conf\n";
    const char *text = capture->text[0];
    const char *end;
    char *copy;
    char *message = NULL;
    struct config *config;

    FUZZ_HOLDS(capture->len[1] == 0);
    FUZZ_HOLDS(strncmp(text, title, sizeof(title) - 1) == 0);
    text += sizeof(title) - 1;
    end = strstr(text, "#### " FILES_FOLDER);
    copy = fuzz_string(text, end != NULL ? (size_t)(end - text) : strlen(text));
    files_split(NULL, 0);
    config = config_load(NULL, copy, &message);
    FUZZ_HOLDS(config != NULL);
    config_free(config);
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct capture capture = { .len = { 0, 0 } };
    enum import_status status;

    files_split(data, size);
    capture_start(&capture);
    status = import_run(FILES_FOLDER "0");
    capture_stop(&capture);
    switch (status) {
    case IMPORT_DONE:
        check_done(&capture);
        break;
    case IMPORT_PARTIAL:
        check_notes(&capture);
        break;
    case IMPORT_FAILED:
        FUZZ_HOLDS(capture.len[0] == 0 && capture.len[1] > 0);
        break;
    }
    capture_release(&capture);
    return 0;
}
