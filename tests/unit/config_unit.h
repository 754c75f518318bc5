/* What the tests of the configuration share: loading a text. */
#ifndef TESTS_CONFIG_UNIT_H
#define TESTS_CONFIG_UNIT_H

#include "config.h"
#include "unit.h"

/* Loads a text through a file, as the daemon does. */
static inline struct config *
load(const char *text, char **message)
{
    char path[sizeof(UNIT_FILE)];
    int fd = unit_file(path, text);
    struct config *config = config_load(path, NULL, message);

    close(fd);
    unlink(path);
    return config;
}

static inline struct config *
must_load(const char *text)
{
    char *message;
    struct config *config = load(text, &message);

    if (config == NULL) {
        print_error("%s: %s\n", text, message);
        free(message);
        fail();
    }
    return config;
}

#endif
