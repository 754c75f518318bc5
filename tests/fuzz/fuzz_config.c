/*
 * upload-progressd.conf. The input is the file, and those that it includes,
 * see fuzz_files.h.
 *
 * - What -t accepts, -T prints so that it is accepted again, and prints the
 *   same then. What is refused comes with a message.
 * - Every host and URI has a location.
 */
#include "config.h"

#include "fuzz.h"
#include "fuzz_files.h"
#include "fuzz_names.h"

static struct config *
load(const char *text, struct buffer *dump)
{
    char *message = NULL;
    struct config *config =
        config_load_dump(FILES_FOLDER "0", text, dump, &message);

    FUZZ_HOLDS((config == NULL) == (message != NULL));
    FUZZ_HOLDS(message == NULL || message[0] != '\0');
    free(message);
    if (dump->len > 0) {
        buffer_append(dump, "", 1);
        dump->len--;
    }
    return config;
}

static void
check_locations(const struct config *config)
{
    for (const struct location_config *l = config->locations; l; l = l->next) {
        const char *host =
            l->names != NULL && l->names[0] != NULL ? l->names[0] : "a.b";

        FUZZ_HOLDS(config_location(config, host, l->uri ? l->uri : "/") !=
                   NULL);
        FUZZ_HOLDS(l->parent != NULL && l->content_type != NULL);
        FUZZ_HOLDS(l->header != NULL && l->jsonp_parameter != NULL);
        FUZZ_HOLDS(l->output != NULL);
    }
    FUZZ_HOLDS(config_location(config, "", "") != NULL);
    FUZZ_HOLDS(config_location(config, "[", "/x/y?z") != NULL);
    FUZZ_HOLDS(config->zones != NULL && config->listens != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer dump = BUFFER_INIT;
    struct buffer again = BUFFER_INIT;
    struct config *config;

    files_split(data, size);
    config = load(NULL, &dump);
    if (config != NULL) {
        check_locations(config);
        config_free(config);
        files_split((const uint8_t *)dump.data, dump.len);
        config = load(NULL, &again);
        FUZZ_HOLDS(config != NULL);
        config_free(config);
        FUZZ_HOLDS(again.len == dump.len);
        FUZZ_HOLDS(memcmp(again.data, dump.data, dump.len) == 0);
    }
    buffer_release(&dump);
    buffer_release(&again);
    return 0;
}
