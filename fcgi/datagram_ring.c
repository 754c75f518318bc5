/* A bounded queue of datagrams: length-prefixed records in one flat buffer. */
#include "datagram_ring.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct datagram_ring {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    char *data;
    size_t size;
    size_t head;  /* where the next record is taken */
    size_t tail;  /* where the next record is put */
    size_t end;   /* where the records before a wrap end */
    bool wrapped; /* tail has gone round and head has not */
    bool closed;
    uint64_t dropped;
};

struct datagram_ring *
datagram_ring_new(size_t size_bytes)
{
    struct datagram_ring *ring = calloc(1, sizeof(*ring));

    if (ring == NULL) {
        return NULL;
    }
    ring->data = malloc(size_bytes); /* pages are touched only when used */
    if (ring->data == NULL) {
        free(ring);
        return NULL;
    }
    ring->size = size_bytes;
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->filled, NULL);
    return ring;
}

void
datagram_ring_free(struct datagram_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    pthread_cond_destroy(&ring->filled);
    pthread_mutex_destroy(&ring->lock);
    free(ring->data);
    free(ring);
}

static bool
is_empty_locked(const struct datagram_ring *ring)
{
    return !ring->wrapped && ring->head == ring->tail;
}

static bool
make_room_locked(struct datagram_ring *ring, size_t need)
{
    if (is_empty_locked(ring)) {
        ring->head = ring->tail = 0; /* stay on the pages in use */
    }
    if (ring->wrapped) {
        return ring->head - ring->tail >= need;
    }
    if (ring->size - ring->tail >= need) {
        return true;
    }
    if (ring->head < need) {
        return false;
    }
    ring->end = ring->tail;
    ring->tail = 0;
    ring->wrapped = true;
    return true;
}

bool
datagram_ring_put(struct datagram_ring *ring, const char *data, size_t len)
{
    bool room;

    pthread_mutex_lock(&ring->lock);
    room = make_room_locked(ring, sizeof(len) + len);
    if (room) {
        memcpy(ring->data + ring->tail, &len, sizeof(len));
        memcpy(ring->data + ring->tail + sizeof(len), data, len);
        ring->tail += sizeof(len) + len;
        pthread_cond_signal(&ring->filled);
    } else {
        ring->dropped++;
    }
    pthread_mutex_unlock(&ring->lock);
    return room;
}

static size_t
take_locked(struct datagram_ring *ring, char *data, size_t size)
{
    size_t len;

    if (ring->wrapped && ring->head == ring->end) {
        ring->head = 0;
        ring->wrapped = false;
    }
    memcpy(&len, ring->data + ring->head, sizeof(len));
    memcpy(data, ring->data + ring->head + sizeof(len),
           len < size ? len : size);
    ring->head += sizeof(len) + len;
    return len < size ? len : size;
}

int
datagram_ring_take(struct datagram_ring *ring, char *data, size_t size,
                   bool *more)
{
    int taken = -1;

    pthread_mutex_lock(&ring->lock);
    while (is_empty_locked(ring) && !ring->closed) {
        pthread_cond_wait(&ring->filled, &ring->lock);
    }
    if (!is_empty_locked(ring)) {
        taken = (int)take_locked(ring, data, size);
    }
    *more = !is_empty_locked(ring);
    pthread_mutex_unlock(&ring->lock);
    return taken;
}

void
datagram_ring_open(struct datagram_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->closed = false;
    pthread_mutex_unlock(&ring->lock);
}

void
datagram_ring_close(struct datagram_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    pthread_cond_broadcast(&ring->filled);
    pthread_mutex_unlock(&ring->lock);
}

uint64_t
datagram_ring_dropped(struct datagram_ring *ring)
{
    uint64_t dropped;

    pthread_mutex_lock(&ring->lock);
    dropped = ring->dropped;
    pthread_mutex_unlock(&ring->lock);
    return dropped;
}
