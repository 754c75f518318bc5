/* Socket addresses in nginx's notation. Thread-safe. */
#ifndef FCGI_ADDRESS_H
#define FCGI_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage storage;
    socklen_t len; /* of the part of storage in use */
};

enum {
    ADDRESS_TEXT_MAX = 128 /* room for address_format(), with NUL */
};

/*
 * Reads "unix:/path", "127.0.0.1:9000", "[::1]:9000", "localhost:9000" or a
 * bare port, which means 127.0.0.1. Returns NULL, or a static message that
 * says what is wrong.
 */
const char *address_parse(const char *text, struct address *address);

/* Writes the address in the notation that address_parse() reads. */
void address_format(const struct address *address, char *text, size_t size);

/* Whether two addresses are the same. */
bool address_is(const struct address *a, const struct address *b);

/*
 * Whether only this host can send from, or to, the address: it is a loopback
 * one, or a path.
 */
bool address_is_local(const struct address *address);

/* The path of a Unix-domain address, NULL for the others. */
const char *address_path(const struct address *address);

#endif
