/*
 * upload-progressd --check-nginx, with the output of "nginx -T" on standard
 * input. The input is such an output; where it begins with an FS byte (0x1c),
 * the files of one, with FS bytes between them.
 *
 * - Each finding is one line, of a known level; the last line counts them.
 * - The status is that of the worst of them.
 * - What cannot be read is told on standard error, and nothing else is.
 */
#include "check_nginx.h"

#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "fuzz.h"
#include "fuzz_capture.h"
#include "fuzz_files.h"
#include "fuzz_names.h"

enum { LEVELS = 4 };

static const char *const levels[LEVELS] = { "emerg", "warn", "notice", "info" };

/* The files in their order, as if each were included where the last one ends.
 */
static void
make_dump(const uint8_t *data, size_t size, struct buffer *dump)
{
    files_split(data, size);
    for (size_t i = 0; i < files.count; i++) {
        buffer_printf(dump, "# configuration file " FILES_FOLDER "%zu:\n", i);
        buffer_append(dump, files.list[i].data, files.list[i].len);
        buffer_append_string(dump, "\n");
    }
}

/* Puts the text where the check reads it. */
static void
put_input(const struct buffer *text)
{
    static int fd = -1;

    if (fd < 0) {
        fd = memfd_create("input", MFD_CLOEXEC);
        FUZZ_HOLDS(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    }
    FUZZ_HOLDS(ftruncate(fd, 0) == 0);
    FUZZ_HOLDS(pwrite(fd, text->data ? text->data : "", text->len, 0) ==
               (ssize_t)text->len);
    FUZZ_HOLDS(lseek(fd, 0, SEEK_SET) == 0);
}

static const struct config *
daemon_config(void)
{
    static struct config *config;
    char *message = NULL;

    if (config == NULL) {
        config = config_load(NULL, NULL, &message);
        FUZZ_HOLDS(config != NULL);
    }
    return config;
}

/* The level that a line tells of, or LEVELS for the last line. */
static int
level_of(const char *line)
{
    static const char name[] = "upload-progressd: ";

    FUZZ_HOLDS(strncmp(line, name, sizeof(name) - 1) == 0);
    line += sizeof(name) - 1;
    for (int i = 0; i < LEVELS; i++) {
        size_t len = strlen(levels[i]);

        if (line[0] == '[' && strncmp(line + 1, levels[i], len) == 0 &&
            line[1 + len] == ']') {
            return i;
        }
    }
    FUZZ_HOLDS(line[0] >= '0' && line[0] <= '9');
    return LEVELS;
}

static void
check_findings(const char *text, enum check_status status)
{
    int counts[LEVELS] = { 0 };
    int told[LEVELS];
    int level = -1;
    const char *last = text;

    while (*text != '\0') {
        FUZZ_HOLDS(level != LEVELS); /* that was the last line */
        level = level_of(text);
        if (level < LEVELS) {
            counts[level]++;
        }
        last = text;
        text += strcspn(text, "\n");
        FUZZ_HOLDS(*text == '\n');
        text++;
    }
    FUZZ_HOLDS(level == LEVELS);
    last = strstr(last, "findings: ");
    FUZZ_HOLDS(last != NULL &&
               sscanf(last, "findings: %d emerg, %d warn, %d notice, %d info",
                      &told[0], &told[1], &told[2], &told[3]) == LEVELS);
    FUZZ_HOLDS(memcmp(told, counts, sizeof(told)) == 0);
    FUZZ_HOLDS((status == CHECK_FOUND) == (counts[0] + counts[1] > 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct config *config = daemon_config();
    struct capture capture = { .len = { 0, 0 } };
    struct buffer dump = BUFFER_INIT;
    enum check_status status;

    if (size > 0 && data[0] == FILES_SEPARATOR) {
        make_dump(data + 1, size - 1, &dump);
    } else {
        buffer_append(&dump, data, size);
    }
    files_split(NULL, 0); /* nothing else is there to be opened */
    put_input(&dump);
    capture_start(&capture);
    status = check_nginx(config, "-");
    capture_stop(&capture);
    if (status == CHECK_FAILED) {
        FUZZ_HOLDS(capture.len[0] == 0 && capture.len[1] > 0);
    } else {
        FUZZ_HOLDS(capture.len[1] == 0);
        check_findings(capture.text[0], status);
    }
    capture_release(&capture);
    buffer_release(&dump);
    return 0;
}
