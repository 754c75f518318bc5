/* The socket gauge, over libmnl. */
#include "socket_gauge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io.h"
#include "log.h"
#include "log_pace.h"

enum {
    TCP_CLOSE_WAIT_STATE = 8, /* TCP_CLOSE_WAIT, which <linux/tcp.h> lacks */
    TCP_LAST_ACK_STATE = 9,
    TCP_LISTEN_STATE = 10,
    FORESEEN_MAX = 32, /* questions in one message */
    QUESTION_BYTES =
        MNL_ALIGN(sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req_v2)),
    ANSWER_BYTES = 1024, /* room for one */
};

struct reading {
    struct upload_socket *socket;
    enum socket_answer answer;
    int64_t read_bytes;
};

/* Connections to be read next on this thread. */
static _Thread_local struct {
    struct upload_socket sockets[FORESEEN_MAX];
    struct reading readings[FORESEEN_MAX]; /* once asked */
    int count;
    bool asked;
} foreseen;

static pthread_key_t netlink_key;
static pthread_once_t netlink_once = PTHREAD_ONCE_INIT;

static void
close_netlink(void *netlink)
{
    mnl_socket_close(netlink);
}

static void
make_key(void)
{
    if (pthread_key_create(&netlink_key, close_netlink) != 0) {
        abort();
    }
}

/* A socket that speaks with the kernel, and with nobody else. */
static struct mnl_socket *
open_netlink(void)
{
    const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct mnl_socket *netlink =
        mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);

    if (netlink != NULL &&
        (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0 ||
         connect(mnl_socket_get_fd(netlink), (const struct sockaddr *)&kernel,
                 sizeof(kernel)) < 0)) {
        mnl_socket_close(netlink);
        netlink = NULL;
    }
    return netlink;
}

/* This thread's netlink socket; opening one costs three times a question. */
static struct mnl_socket *
thread_netlink(void)
{
    struct mnl_socket *netlink;

    pthread_once(&netlink_once, make_key);
    netlink = pthread_getspecific(netlink_key);
    if (netlink == NULL) {
        netlink = open_netlink();
        pthread_setspecific(netlink_key, netlink);
    }
    return netlink;
}

static void
drop_netlink(struct mnl_socket *netlink)
{
    mnl_socket_close(netlink);
    pthread_setspecific(netlink_key, NULL);
}

static bool
parse_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    *port = (uint16_t)value;
    return end != text && *end == '\0' && value > 0 && value < 65536;
}

int
socket_gauge_address(struct upload_socket *s, const char *remote_addr,
                     const char *remote_port, const char *server_addr,
                     const char *server_port)
{
    int family = strchr(remote_addr, ':') != NULL ? AF_INET6 : AF_INET;

    memset(s, 0, sizeof(*s));
    if (inet_pton(family, remote_addr, s->remote) != 1 ||
        inet_pton(family, server_addr, s->local) != 1 ||
        !parse_port(remote_port, &s->remote_port) ||
        !parse_port(server_port, &s->local_port)) {
        return -1;
    }
    s->family = (uint8_t)family;
    return 0;
}

static void
put_question(struct nlmsghdr *header, const struct upload_socket *s,
             unsigned sequence)
{
    struct inet_diag_req_v2 *request;
    size_t address_len = s->family == AF_INET6 ? 16 : 4;

    header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    header->nlmsg_flags = NLM_F_REQUEST;
    header->nlmsg_seq = sequence;
    request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
    memset(request, 0, sizeof(*request));
    request->sdiag_family = s->family;
    request->sdiag_protocol = IPPROTO_TCP;
    request->idiag_ext = 1 << (INET_DIAG_INFO - 1);
    request->idiag_states = UINT32_MAX;
    request->id.idiag_sport = htons(s->local_port);
    request->id.idiag_dport = htons(s->remote_port);
    memcpy(request->id.idiag_src, s->local, address_len);
    memcpy(request->id.idiag_dst, s->remote, address_len);
    request->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

/* Once it has been read, the end of the client's stream counts as a byte. */
static bool
has_read_end(const struct inet_diag_msg *message)
{
    return message->idiag_rqueue == 0 &&
           (message->idiag_state == TCP_CLOSE_WAIT_STATE ||
            message->idiag_state == TCP_LAST_ACK_STATE);
}

static int
take_answer(const struct nlmsghdr *header, void *argument)
{
    struct reading *reading = argument;
    const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
    const struct nlattr *attribute;
    uint64_t cookie = (uint64_t)message->id.idiag_cookie[1] << 32 |
                      message->id.idiag_cookie[0];

    reading->answer = SOCKET_GONE;
    if (message->idiag_state == TCP_LISTEN_STATE ||
        (reading->socket->cookie != 0 && reading->socket->cookie != cookie)) {
        return MNL_CB_STOP;
    }
    mnl_attr_for_each(attribute, header, sizeof(*message))
    {
        const size_t at = offsetof(struct tcp_info, tcpi_bytes_received);
        uint64_t received_bytes;

        if (mnl_attr_get_type(attribute) != INET_DIAG_INFO ||
            mnl_attr_get_payload_len(attribute) < at + sizeof(received_bytes)) {
            continue;
        }
        memcpy(&received_bytes,
               (const char *)mnl_attr_get_payload(attribute) + at,
               sizeof(received_bytes));
        reading->socket->cookie = cookie;
        reading->read_bytes = (int64_t)received_bytes -
                              (int64_t)message->idiag_rqueue -
                              has_read_end(message);
        reading->answer = SOCKET_OPEN;
        break;
    }
    return MNL_CB_STOP;
}

static enum socket_answer
ask(struct mnl_socket *netlink, struct reading *reading)
{
    static _Thread_local unsigned sequence;
    char buffer[ANSWER_BYTES] __attribute__((aligned(8)));
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    int fd = mnl_socket_get_fd(netlink);
    ssize_t len;

    put_question(header, reading->socket, ++sequence);
    if (send(fd, header, header->nlmsg_len, 0) < 0) {
        return SOCKET_UNKNOWN;
    }
    len = recv(fd, buffer, sizeof(buffer), MSG_TRUNC);
    if (len < 0 || len > (ssize_t)sizeof(buffer)) {
        return SOCKET_UNKNOWN;
    }
    if (mnl_cb_run(buffer, (size_t)len, sequence,
                   mnl_socket_get_portid(netlink), take_answer, reading) < 0) {
        return errno == ENOENT ? SOCKET_GONE : SOCKET_UNKNOWN;
    }
    return reading->answer;
}

/* Sends the questions in one message, numbered from 0. */
static bool
send_foreseen(int fd)
{
    char buffer[FORESEEN_MAX * QUESTION_BYTES] __attribute__((aligned(8)));
    size_t len = 0;

    for (int i = 0; i < foreseen.count; i++) {
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer + len);

        put_question(header, &foreseen.sockets[i], (unsigned)i);
        len += MNL_ALIGN(header->nlmsg_len);
    }
    return send(fd, buffer, len, 0) == (ssize_t)len;
}

/* Takes what answers there are; each is a message by itself. */
static int
receive_foreseen(int fd)
{
    char answers[FORESEEN_MAX][ANSWER_BYTES] __attribute__((aligned(8)));
    struct iovec rooms[FORESEEN_MAX];
    struct mmsghdr messages[FORESEEN_MAX] = { 0 };
    int got;

    for (int i = 0; i < foreseen.count; i++) {
        rooms[i] = (struct iovec){ &answers[i], ANSWER_BYTES };
        messages[i].msg_hdr.msg_iov = &rooms[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    got = recvmmsg(fd, messages, (unsigned)foreseen.count, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)answers[i];

        if (mnl_nlmsg_ok(header, (int)messages[i].msg_len) &&
            header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
            header->nlmsg_seq < (unsigned)foreseen.count) {
            (void)take_answer(header, &foreseen.readings[header->nlmsg_seq]);
        }
    }
    return got;
}

static void
ask_foreseen(void)
{
    struct mnl_socket *netlink = thread_netlink();
    int fd;

    foreseen.asked = true;
    for (int i = 0; i < foreseen.count; i++) {
        foreseen.readings[i] = (struct reading){ .socket = &foreseen.sockets[i],
                                                 .answer = SOCKET_UNKNOWN };
    }
    if (netlink == NULL || foreseen.count < 2) {
        return;
    }
    fd = mnl_socket_get_fd(netlink);
    if (!send_foreseen(fd) || receive_foreseen(fd) < foreseen.count) {
        drop_netlink(netlink); /* with answers that might come later */
    }
}

/* What was foreseen is told once: by another time it is old. */
static bool
is_foreseen(const struct upload_socket *socket, int64_t *read_bytes)
{
    if (foreseen.count > 0 && !foreseen.asked) {
        ask_foreseen();
    }
    for (int i = 0; i < foreseen.count; i++) {
        struct reading *reading = &foreseen.readings[i];

        if (reading->answer == SOCKET_OPEN &&
            reading->socket->cookie == socket->cookie) {
            *read_bytes = reading->read_bytes;
            reading->answer = SOCKET_UNKNOWN;
            return true;
        }
    }
    return false;
}

void
socket_gauge_foresee(const struct upload_socket *socket)
{
    if (foreseen.count < FORESEEN_MAX && !foreseen.asked) {
        foreseen.sockets[foreseen.count++] = *socket;
    }
}

void
socket_gauge_foreseen(void)
{
    foreseen.count = 0;
    foreseen.asked = false;
}

enum socket_answer
socket_gauge_read(struct upload_socket *socket, int64_t *read_bytes)
{
    static struct log_pace pace;
    struct reading reading = { .socket = socket, .answer = SOCKET_UNKNOWN };
    struct mnl_socket *netlink;
    enum socket_answer answer = SOCKET_UNKNOWN;

    if (is_foreseen(socket, read_bytes)) {
        log_pace_well(&pace, io_coarse_ms());
        return SOCKET_OPEN;
    }
    netlink = thread_netlink();
    if (netlink != NULL) {
        answer = ask(netlink, &reading);
    }
    if (answer == SOCKET_OPEN) {
        *read_bytes = reading.read_bytes;
        log_pace_well(&pace, io_coarse_ms());
    }
    if (answer == SOCKET_UNKNOWN) {
        if (log_pace_fault(&pace, io_now_ms())) {
            log_write(LOG_WARNING,
                      "the socket gauge does not work: sock_diag: %m");
        }
        if (netlink != NULL) {
            drop_netlink(netlink);
        }
    }
    return answer;
}
