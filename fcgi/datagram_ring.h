/*
 * A bounded queue of datagrams between the thread that drains the event
 * sockets and the one that parses. Thread-safe for one of each.
 */
#ifndef FCGI_DATAGRAM_RING_H
#define FCGI_DATAGRAM_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct datagram_ring;

/* Makes a ring of size_bytes. Returns NULL with errno set. */
struct datagram_ring *datagram_ring_new(size_t size_bytes);

void datagram_ring_free(struct datagram_ring *ring);

/* Puts a datagram in. Returns false, and counts a drop, when there is no room.
 */
bool datagram_ring_put(struct datagram_ring *ring, const char *data,
                       size_t len);

/*
 * Waits for a datagram and copies at most size bytes of it out; sets *more to
 * whether another one is there already. Returns its length, or -1 once the ring
 * is closed and empty.
 */
int datagram_ring_take(struct datagram_ring *ring, char *data, size_t size,
                       bool *more);

/* Lets a closed ring be used again. */
void datagram_ring_open(struct datagram_ring *ring);

/* Lets the taker end once it has taken everything. */
void datagram_ring_close(struct datagram_ring *ring);

/* Datagrams dropped so far for want of room. */
uint64_t datagram_ring_dropped(struct datagram_ring *ring);

#endif
