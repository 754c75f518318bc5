/* Host names are looked up in no network: "localhost" is one, no other. */
#ifndef TESTS_FUZZ_NAMES_H
#define TESTS_FUZZ_NAMES_H

#include <dlfcn.h>
#include <netdb.h>

#include "fuzz.h"

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
            struct addrinfo **found)
{
    static int (*real)(const char *, const char *, const struct addrinfo *,
                       struct addrinfo **);
    struct addrinfo numeric = *hints;

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    }
    numeric.ai_flags |= AI_NUMERICHOST;
    return real(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port,
                &numeric, found);
}

#endif
