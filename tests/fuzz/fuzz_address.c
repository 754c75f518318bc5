/*
 * Addresses in the notation of "listen".
 *
 * - What is read is written so that it is read as the same address, and the
 *   text has room in ADDRESS_TEXT_MAX.
 * - A path is the one that was given.
 */
#include "address.h"

#include <netinet/in.h>

#include "fuzz.h"
#include "fuzz_names.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    struct address address;
    const char *error = address_parse(text, &address);

    if (error == NULL) {
        char written[ADDRESS_TEXT_MAX];
        struct address again;

        memset(written, 'x', sizeof(written));
        address_format(&address, written, sizeof(written));
        FUZZ_HOLDS(strlen(written) < sizeof(written) - 1);
        FUZZ_HOLDS(address_parse(written, &again) == NULL);
        FUZZ_HOLDS(memcmp(&again, &address, sizeof(address)) == 0);
        FUZZ_HOLDS(address.len <= sizeof(address.storage));
        FUZZ_HOLDS((address_path(&address) != NULL) ==
                   (strncmp(text, "unix:", 5) == 0));
        FUZZ_HOLDS(address_path(&address) == NULL ||
                   strcmp(address_path(&address), text + 5) == 0);
    } else {
        FUZZ_HOLDS(error[0] != '\0');
    }
    free(text);
    return 0;
}
