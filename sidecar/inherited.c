/* Sockets that outlive one program: taken over, and passed on. */
#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "buffer.h"
#include "log.h"

/* "FD KIND" for each, separated by ";". Nobody else sets it. */
static const char variable[] = "UPLOAD_PROGRESSD_SOCKETS";

enum kind {
    KIND_OWN = 'o',
    KIND_GIVEN = 'g',
    KIND_STATE = 's',
};

static struct {
    int fd;
    enum kind kind;
} entries[INHERITED_MAX];
static int count;

static void
add(int fd, enum kind kind)
{
    if (count < INHERITED_MAX) {
        entries[count].fd = fd;
        entries[count].kind = kind;
        count++;
    }
}

/* Removes an entry and returns its descriptor. */
static int
take(int index)
{
    int fd = entries[index].fd;

    entries[index] = entries[--count];
    return fd;
}

/* What the replaced process has left in the environment. */
static bool
take_own(void)
{
    /* Before there are threads. NOLINTBEGIN(concurrency-mt-unsafe) */
    const char *text = getenv(variable);
    int len = 0;
    int fd;
    char kind;
    bool replaces = text != NULL;

    while (text != NULL && sscanf(text, "%d %c;%n", &fd, &kind, &len) == 2) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
            (kind == KIND_OWN || kind == KIND_GIVEN || kind == KIND_STATE)) {
            add(fd, (enum kind)kind);
        }
        text += len;
    }
    unsetenv(variable);
    /* NOLINTEND(concurrency-mt-unsafe) */
    return replaces;
}

bool
inherited_init(void)
{
    int given = sd_listen_fds(1);
    bool replaces = take_own();

    if (given < 0) {
        log_write(LOG_ERR, "sd_listen_fds() failed (%d: %s)", -given,
                  strerrordesc_np(-given));
    }
    for (int i = 0; i < given; i++) {
        add(SD_LISTEN_FDS_START + i, KIND_GIVEN);
    }
    return replaces;
}

static bool
is_socket_of(int fd, const struct address *address, int type)
{
    const char *path = address_path(address);
    const char *own_path;
    struct address own;
    int own_type = 0;
    socklen_t len = sizeof(own_type);

    memset(&own, 0, sizeof(own));
    own.len = sizeof(own.storage);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &own_type, &len) < 0 ||
        own_type != type ||
        getsockname(fd, (struct sockaddr *)&own.storage, &own.len) < 0) {
        return false;
    }
    own_path = address_path(&own);
    return path != NULL ? own_path != NULL && strcmp(own_path, path) == 0
                        : address_is(&own, address);
}

int
inherited_take(const struct address *address, int type, bool *given)
{
    *given = false;
    for (int i = 0; i < count; i++) {
        if (entries[i].kind != KIND_STATE &&
            is_socket_of(entries[i].fd, address, type)) {
            *given = entries[i].kind == KIND_GIVEN;
            return take(i);
        }
    }
    return -1;
}

int
inherited_take_state(void)
{
    for (int i = 0; i < count; i++) {
        if (entries[i].kind == KIND_STATE) {
            return take(i);
        }
    }
    return -1;
}

void
inherited_close(void)
{
    while (count > 0) {
        bool given = entries[0].kind == KIND_GIVEN;
        struct address own;
        char text[ADDRESS_TEXT_MAX] = "?";
        int fd = take(0);

        memset(&own, 0, sizeof(own));
        own.len = sizeof(own.storage);
        if (getsockname(fd, (struct sockaddr *)&own.storage, &own.len) == 0) {
            address_format(&own, text, sizeof(text));
        }
        log_write(LOG_NOTICE, "%s: no \"listen\" takes this socket, closing it",
                  text);
        if (!given && own.storage.ss_family == AF_UNIX) {
            unlink(address_path(&own));
        }
        close(fd);
    }
}

static void
pass(int fd, enum kind kind)
{
    if (fcntl(fd, F_SETFD, 0) < 0) {
        log_write(LOG_ERR, "a socket cannot be passed on (%d: %m)", errno);
        return;
    }
    add(fd, kind);
}

/* Writes the list anew; the environment is read by the next program only. */
static void
write_variable(void)
{
    struct buffer text = BUFFER_INIT;

    for (int i = 0; i < count; i++) {
        buffer_printf(&text, "%d %c;", entries[i].fd, (char)entries[i].kind);
    }
    buffer_append(&text, "", 1);
    /* While there are no threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    setenv(variable, text.data, 1);
    buffer_release(&text);
}

void
inherited_pass(int fd, bool given)
{
    pass(fd, given ? KIND_GIVEN : KIND_OWN);
    write_variable();
}

void
inherited_pass_state(int fd)
{
    pass(fd, KIND_STATE);
    write_variable();
}

void
inherited_pass_none(void)
{
    for (; count > 0; count--) {
        fcntl(entries[count - 1].fd, F_SETFD, FD_CLOEXEC);
    }
    /* While there are no threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    unsetenv(variable);
}
