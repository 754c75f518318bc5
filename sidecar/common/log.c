/* The daemon's own log. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const level_names[] = {
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug",
};

/* Written before the threads start, read only afterwards. */
static const char *log_path = "stderr";
static int log_fd = STDERR_FILENO;
static int log_max_level = LOG_NOTICE;

int
log_level(const char *name)
{
    for (int i = LOG_EMERG; i <= LOG_DEBUG; i++) {
        if (strcmp(level_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static int
open_file(const char *path)
{
    if (strcmp(path, "stderr") == 0) {
        return STDERR_FILENO;
    }
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

int
log_reopen(void)
{
    int fd = open_file(log_path);

    if (fd < 0) {
        return -1;
    }
    /* The number stays, so that no thread writes to a closed one. */
    if (fd != log_fd) {
        dup3(fd, log_fd, O_CLOEXEC);
        close(fd);
    }
    return 0;
}

int
log_open(const char *path, int level)
{
    int fd = open_file(path);

    if (fd < 0) {
        return -1;
    }
    if (log_fd != STDERR_FILENO) {
        close(log_fd);
    }
    log_path = path;
    log_fd = fd;
    log_max_level = level;
    return 0;
}

/*
 * Adds a text, at most up to LINE_MAX_BYTES - 1. It may hold what a peer has
 * sent: a line feed would begin a line that is not ours, an escape sequence
 * would speak to the terminal of whoever reads.
 */
static size_t
add_printable(char *line, size_t len, const char *text)
{
    for (; *text != '\0'; text++) {
        bool plain = *text >= ' ' && *text <= '~';

        if (len + (plain ? 1 : 4) >= LINE_MAX_BYTES) {
            break;
        }
        if (plain) {
            line[len++] = *text;
        } else {
            len += (size_t)snprintf(line + len, LINE_MAX_BYTES - len, "\\x%02X",
                                    (unsigned char)*text);
        }
    }
    return len;
}

void
log_write(int level, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    char text[LINE_MAX_BYTES];
    struct tm tm;
    time_t now;
    va_list args;
    size_t len;
    int error = errno; /* for %m */

    if (level > log_max_level) {
        return;
    }
    now = time(NULL);
    localtime_r(&now, &tm);
    len = strftime(line, sizeof(line), "%Y/%m/%d %H:%M:%S", &tm);
    len += (size_t)snprintf(line + len, sizeof(line) - len,
                            " [%s] %d: ", level_names[level], (int)getpid());
    errno = error;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    len = add_printable(line, len, text);
    line[len++] = '\n';
    (void)!write(log_fd, line, len); /* one write, so that lines stay whole */
}

/* Adds a text, as far as there is room. */
static size_t
add_text(char *line, size_t size, size_t len, const char *text)
{
    while (*text != '\0' && len < size) {
        line[len++] = *text++;
    }
    return len;
}

void
log_write_signal_safe(int level, const char *text)
{
    char digits[16];
    size_t at = sizeof(digits) - 1;
    char line[160];
    size_t len = 0;
    unsigned pid = (unsigned)getpid();
    int error = errno;

    if (level > log_max_level) {
        return;
    }
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + pid % 10);
        pid /= 10;
    } while (pid > 0);
    len = add_text(line, sizeof(line), len, "upload-progressd: [");
    len = add_text(line, sizeof(line), len, level_names[level]);
    len = add_text(line, sizeof(line), len, "] ");
    len = add_text(line, sizeof(line), len, digits + at);
    len = add_text(line, sizeof(line), len, ": ");
    len = add_text(line, sizeof(line) - 1, len, text);
    line[len++] = '\n';
    (void)!write(log_fd, line, len);
    errno = error;
}
