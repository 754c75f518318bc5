/*
 * Sockets that are gone, over the groups of sock_diag(7) that tell of them,
 * from Linux 4.2 on; with what this needs of tcp_info, from 4.19 on.
 */
#include "destroyed_sockets.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "alloc.h"
#include "io.h"
#include "log.h"
#include "log_pace.h"

enum {
    BUCKETS = 1 << 16,
    RCVBUF_BYTES = 4 << 20, /* some thousand messages */
    BATCH = 32,             /* messages per recvmmsg(2) */
    BATCHES_AT_ONCE = 64,   /* before other work of the thread has its turn */
    MESSAGE_MAX = 1024,     /* bytes; 380 on Linux 6 */
    /* "HTTP/1.1 100 Continue", its end of line, an empty line */
    INTERIM_BYTES = 25,
    RECENT = 4096, /* sockets of late whose start event may yet come */
    RECENT_MS = 10000,
};

/* A connection by its ends; IPv4 addresses as IPv6 has them. */
struct ends {
    uint8_t local[16];
    uint8_t remote[16];
    uint16_t local_port;
    uint16_t remote_port;
};

struct followed {
    struct followed *next;
    struct ends ends;
    uint64_t cookie; /* 0: the first socket with these ends */
    uint8_t attempt[UPLOAD_ATTEMPT_BYTES];
    unsigned round; /* see destroyed_sockets_forget_others() */
    bool is_gone;
    struct destroyed_socket last; /* once it is gone */
};

struct recent {
    struct ends ends;
    struct destroyed_socket last;
    int64_t at_ms; /* 0: none */
};

struct destroyed_sockets {
    struct io_source source;    /* first: what ready() gets is the whole */
    struct mnl_socket *netlink; /* NULL while not listening */

    pthread_mutex_t lock; /* of all below; nothing else is done under it */
    struct followed *buckets[BUCKETS];
    int count;
    unsigned round;
    uint64_t overruns;
    struct recent recent[RECENT]; /* a ring */
    unsigned recent_next;

    /* The reader's. */
    struct log_pace overrun_pace;
    char buffers[BATCH][MESSAGE_MAX] __attribute__((aligned(8)));
};

static void
set_address(uint8_t to[16], int family, const void *from)
{
    memset(to, 0, 16);
    if (family == AF_INET6) {
        memcpy(to, from, 16);
    } else {
        to[10] = to[11] = 0xff;
        memcpy(to + 12, from, 4);
    }
}

static struct ends
ends_of(const struct upload_socket *socket)
{
    struct ends ends;

    set_address(ends.local, socket->family, socket->local);
    set_address(ends.remote, socket->family, socket->remote);
    ends.local_port = socket->local_port;
    ends.remote_port = socket->remote_port;
    return ends;
}

static struct ends
ends_in(const struct inet_diag_msg *message)
{
    struct ends ends;

    set_address(ends.local, message->idiag_family, message->id.idiag_src);
    set_address(ends.remote, message->idiag_family, message->id.idiag_dst);
    ends.local_port = ntohs(message->id.idiag_sport);
    ends.remote_port = ntohs(message->id.idiag_dport);
    return ends;
}

static bool
are_equal(const struct ends *a, const struct ends *b)
{
    return a->remote_port == b->remote_port && a->local_port == b->local_port &&
           memcmp(a->remote, b->remote, sizeof(a->remote)) == 0 &&
           memcmp(a->local, b->local, sizeof(a->local)) == 0;
}

static struct followed **
bucket(struct destroyed_sockets *sockets, const struct ends *ends)
{
    unsigned place = ends->remote_port ^ ends->remote[15] << 8 ^
                     ends->remote[14] ^ ends->local_port;

    return &sockets->buckets[place % BUCKETS];
}

/* The place that points to an attempt's entry, or to NULL. */
static struct followed **
find_locked(struct destroyed_sockets *sockets, const struct upload *upload)
{
    struct ends ends = ends_of(&upload->socket);
    struct followed **place = bucket(sockets, &ends);

    while (*place != NULL && ((*place)->cookie != upload->socket.cookie ||
                              memcmp((*place)->attempt, upload->attempt,
                                     UPLOAD_ATTEMPT_BYTES) != 0)) {
        place = &(*place)->next;
    }
    return place;
}

static void
remove_locked(struct destroyed_sockets *sockets, struct followed **place)
{
    struct followed *entry = *place;

    *place = entry->next;
    free(entry);
    sockets->count--;
}

static bool
is_followable(const struct destroyed_sockets *sockets,
              const struct upload *upload)
{
    return sockets != NULL && upload->socket.family != 0;
}

/* The start event of a short upload may come after its connection has gone. */
static void
look_back_locked(struct destroyed_sockets *sockets, struct followed *entry)
{
    int64_t since_ms = io_now_ms() - RECENT_MS;

    for (unsigned i = 1; i <= RECENT; i++) {
        const struct recent *recent =
            &sockets->recent[(sockets->recent_next - i) % RECENT];

        if (recent->at_ms == 0 || recent->at_ms < since_ms) {
            return;
        }
        if (are_equal(&recent->ends, &entry->ends)) {
            entry->last = recent->last;
            entry->is_gone = true;
            return;
        }
    }
}

static void
add_locked(struct destroyed_sockets *sockets, struct followed **place,
           const struct upload *upload)
{
    struct followed *entry = alloc_zeroed(1, sizeof(*entry));

    entry->ends = ends_of(&upload->socket);
    entry->cookie = upload->socket.cookie;
    memcpy(entry->attempt, upload->attempt, UPLOAD_ATTEMPT_BYTES);
    if (entry->cookie == 0) {
        look_back_locked(sockets, entry);
    }
    *place = entry;
    sockets->count++;
}

void
destroyed_sockets_follow(struct destroyed_sockets *sockets,
                         const struct upload *upload)
{
    struct followed **place;

    if (!is_followable(sockets, upload)) {
        return;
    }
    pthread_mutex_lock(&sockets->lock);
    place = find_locked(sockets, upload);
    if (*place == NULL && sockets->count < DESTROYED_FOLLOWED_MAX) {
        add_locked(sockets, place, upload);
    }
    if (*place != NULL) {
        (*place)->round = sockets->round;
    }
    pthread_mutex_unlock(&sockets->lock);
}

void
destroyed_sockets_forget(struct destroyed_sockets *sockets,
                         const struct upload *upload)
{
    struct followed **place;

    if (!is_followable(sockets, upload)) {
        return;
    }
    pthread_mutex_lock(&sockets->lock);
    place = find_locked(sockets, upload);
    if (*place != NULL) {
        remove_locked(sockets, place);
    }
    pthread_mutex_unlock(&sockets->lock);
}

void
destroyed_sockets_forget_others(struct destroyed_sockets *sockets)
{
    pthread_mutex_lock(&sockets->lock);
    for (int i = 0; i < BUCKETS; i++) {
        struct followed **place = &sockets->buckets[i];

        while (*place != NULL) {
            if ((*place)->round != sockets->round) {
                remove_locked(sockets, place);
            } else {
                place = &(*place)->next;
            }
        }
    }
    sockets->round++;
    pthread_mutex_unlock(&sockets->lock);
}

bool
destroyed_sockets_are_told(const struct destroyed_sockets *sockets)
{
    return sockets != NULL && sockets->netlink != NULL;
}

bool
destroyed_sockets_last(struct destroyed_sockets *sockets,
                       const struct upload *upload,
                       struct destroyed_socket *last)
{
    const struct followed *entry;
    bool is_gone = false;

    if (!is_followable(sockets, upload)) {
        return false;
    }
    pthread_mutex_lock(&sockets->lock);
    entry = *find_locked(sockets, upload);
    if (entry != NULL && entry->is_gone) {
        *last = entry->last;
        is_gone = true;
    }
    pthread_mutex_unlock(&sockets->lock);
    return is_gone;
}

int
destroyed_sockets_count(struct destroyed_sockets *sockets)
{
    int count;

    pthread_mutex_lock(&sockets->lock);
    count = sockets->count;
    pthread_mutex_unlock(&sockets->lock);
    return count;
}

uint64_t
destroyed_sockets_overruns(struct destroyed_sockets *sockets)
{
    uint64_t overruns;

    pthread_mutex_lock(&sockets->lock);
    overruns = sockets->overruns;
    pthread_mutex_unlock(&sockets->lock);
    return overruns;
}

/* Whether the message tells all that is needed. */
static bool
parse(const struct nlmsghdr *header, struct destroyed_socket *last)
{
    const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
    const struct nlattr *attribute;

    mnl_attr_for_each(attribute, header, sizeof(*message))
    {
        struct tcp_info info = { .tcpi_state = 0 };
        size_t len = mnl_attr_get_payload_len(attribute);

        if (mnl_attr_get_type(attribute) != INET_DIAG_INFO ||
            len < offsetof(struct tcp_info, tcpi_bytes_retrans) + 8) {
            continue;
        }
        memcpy(&info, mnl_attr_get_payload(attribute),
               len < sizeof(info) ? len : sizeof(info));
        last->read_bytes =
            (int64_t)info.tcpi_bytes_received - (int64_t)message->idiag_rqueue;
        last->may_count_end = message->idiag_rqueue == 0;
        /* Both are times since then. */
        last->answered =
            info.tcpi_last_data_sent <= info.tcpi_last_data_recv &&
            info.tcpi_bytes_sent > info.tcpi_bytes_retrans + INTERIM_BYTES;
        return true;
    }
    return false;
}

static void
take(struct destroyed_sockets *sockets, const struct nlmsghdr *header)
{
    const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
    uint64_t cookie = (uint64_t)message->id.idiag_cookie[1] << 32 |
                      message->id.idiag_cookie[0];
    struct ends ends = ends_in(message);
    struct recent *recent;
    struct destroyed_socket last;

    if (!parse(header, &last)) {
        return;
    }
    pthread_mutex_lock(&sockets->lock);
    /* Several on one connection, where the end of an earlier one was lost. */
    for (struct followed *entry = *bucket(sockets, &ends); entry != NULL;
         entry = entry->next) {
        if (entry->cookie == 0
                ? !entry->is_gone && are_equal(&entry->ends, &ends)
                : entry->cookie == cookie) {
            entry->last = last;
            entry->is_gone = true;
        }
    }
    recent = &sockets->recent[sockets->recent_next++ % RECENT];
    *recent = (struct recent){ ends, last, io_now_ms() };
    pthread_mutex_unlock(&sockets->lock);
}

static void
take_datagram(struct destroyed_sockets *sockets, const void *data, int len)
{
    const struct nlmsghdr *header = data;

    while (mnl_nlmsg_ok(header, len)) {
        if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
            mnl_nlmsg_get_payload_len(header) >= sizeof(struct inet_diag_msg)) {
            take(sockets, header);
        }
        header = mnl_nlmsg_next(header, &len);
    }
}

/*
 * The kernel had no room for some. Those that were followed are judged by the
 * last measurement before; what comes from now on is told again.
 */
static void
overrun(struct destroyed_sockets *sockets)
{
    pthread_mutex_lock(&sockets->lock);
    sockets->overruns++;
    pthread_mutex_unlock(&sockets->lock);
    if (log_pace_fault(&sockets->overrun_pace, io_now_ms())) {
        log_write(LOG_WARNING, "connections end faster than their last byte "
                               "counts can be read, some are missed");
    }
}

/* Returns the number of messages, or -1 with errno set. */
static int
read_batch(struct destroyed_sockets *sockets)
{
    struct mmsghdr messages[BATCH];
    struct sockaddr_nl senders[BATCH];
    struct iovec vectors[BATCH];
    int count;

    memset(messages, 0, sizeof(messages));
    memset(senders, 0xff, sizeof(senders)); /* nobody */
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_base = sockets->buffers[i];
        vectors[i].iov_len = MESSAGE_MAX;
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &senders[i];
        messages[i].msg_hdr.msg_namelen = sizeof(senders[i]);
    }
    count = recvmmsg(mnl_socket_get_fd(sockets->netlink), messages, BATCH,
                     MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        /* 0 is the kernel. */
        if (senders[i].nl_pid == 0 &&
            (messages[i].msg_hdr.msg_flags & MSG_TRUNC) == 0) {
            take_datagram(sockets, sockets->buffers[i],
                          (int)messages[i].msg_len);
        }
    }
    return count;
}

void
destroyed_sockets_read(struct destroyed_sockets *sockets)
{
    int count = BATCH;

    for (int i = 0; i < BATCHES_AT_ONCE && count == BATCH; i++) {
        count = read_batch(sockets);
        if (count < 0 && errno == ENOBUFS) {
            overrun(sockets);
            count = BATCH; /* what is in the queue is still to be read */
        }
    }
    log_pace_well(&sockets->overrun_pace, io_now_ms());
}

static void
ready(struct io_source *source, uint32_t events)
{
    struct destroyed_sockets *sockets = (struct destroyed_sockets *)source;

    (void)events;
    destroyed_sockets_read(sockets);
}

/*
 * Most sockets have received little. The kernel drops their messages itself
 * before anybody is woken: reading those of 100,000 connections took 0.2 to
 * 0.3 s of CPU, with the filter less than 0.01 s. What it cannot make out is
 * read.
 */
static int
set_filter(int fd)
{
    enum {
        ATTRIBUTES_AT = NLMSG_HDRLEN + sizeof(struct inet_diag_msg),
        COUNT_AT = NLA_HDRLEN + offsetof(struct tcp_info, tcpi_bytes_received),
        LOW_AT = COUNT_AT + (__BYTE_ORDER == __BIG_ENDIAN ? 4 : 0),
        HIGH_AT = COUNT_AT + (__BYTE_ORDER == __BIG_ENDIAN ? 0 : 4),
    };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LDX | BPF_IMM, INET_DIAG_INFO),
        BPF_STMT(BPF_LD | BPF_IMM, ATTRIBUTES_AT),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, HIGH_AT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, UINT32_MAX, 2, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, LOW_AT),
        /* Loads are in network order, the count is in the host's. */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
                 htonl(~(uint32_t)(DESTROYED_BYTES_MIN - 1)), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                      sizeof(program));
}

static int
join(struct mnl_socket *netlink)
{
    static const int groups[] = { SKNLGRP_INET_TCP_DESTROY,
                                  SKNLGRP_INET6_TCP_DESTROY };
    int fd = mnl_socket_get_fd(netlink);
    int bytes = RCVBUF_BYTES;

    if (set_filter(fd) < 0 ||
        mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0) {
        return -1;
    }
    /* As much as is granted: what does not fit is as if it had not been told.
     */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
        int group = groups[i];

        if (mnl_socket_setsockopt(netlink, NETLINK_ADD_MEMBERSHIP, &group,
                                  sizeof(group)) < 0) {
            return -1;
        }
    }
    return 0;
}

int
destroyed_sockets_start(struct destroyed_sockets *sockets, struct io *io)
{
    int error;

    if (sockets->netlink != NULL) {
        return 0;
    }
    sockets->netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    if (sockets->netlink == NULL) {
        return -1;
    }
    sockets->source.fd = mnl_socket_get_fd(sockets->netlink);
    sockets->source.ready = ready;
    if (join(sockets->netlink) == 0 &&
        (io == NULL || io_add_aside(io, &sockets->source, EPOLLIN) == 0)) {
        return 0;
    }
    error = errno;
    destroyed_sockets_stop(sockets);
    errno = error;
    return -1;
}

void
destroyed_sockets_stop(struct destroyed_sockets *sockets)
{
    if (sockets->netlink != NULL) {
        io_remove(&sockets->source);
        mnl_socket_close(sockets->netlink);
        sockets->netlink = NULL;
    }
}

struct destroyed_sockets *
destroyed_sockets_new(void)
{
    struct destroyed_sockets *sockets = alloc_zeroed(1, sizeof(*sockets));

    pthread_mutex_init(&sockets->lock, NULL);
    return sockets;
}

void
destroyed_sockets_free(struct destroyed_sockets *sockets)
{
    if (sockets == NULL) {
        return;
    }
    destroyed_sockets_stop(sockets);
    for (int i = 0; i < BUCKETS; i++) {
        while (sockets->buckets[i] != NULL) {
            remove_locked(sockets, &sockets->buckets[i]);
        }
    }
    pthread_mutex_destroy(&sockets->lock);
    free(sockets);
}
