/*
 * See socket_table.h. One request for each family and transport (a dump), read to its end before the next. The kernel
 * ends a dump that fails with an error number in the closing message, and libmnl's own reading of that message skips
 * it; so it is read here. Sources: sock_diag(7), netlink(7), linux/inet_diag.h.
 */
#include "socket_table.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "../../launcher/support/cleanup.h"

#define REQUEST_BYTES 128
#define ANSWER_BYTES  32768 /* more than the kernel puts into one message of a dump */
#define WAIT_SECONDS  5     /* the kernel answers at once; a bound only */
#define FIRST_SOCKETS 256
#define ALL_STATES    0xfffu /* TCP_ESTABLISHED (bit 1) to TCP_CLOSING (bit 11): bound, unused ones are not asked for */

static const struct {
    uint8_t family, protocol, transport;
} tables[] = {
    { AF_INET, IPPROTO_TCP, TRANSPORT_TCP },
    { AF_INET, IPPROTO_UDP, TRANSPORT_UDP },
    { AF_INET6, IPPROTO_TCP, TRANSPORT_TCP },
    { AF_INET6, IPPROTO_UDP, TRANSPORT_UDP },
};
#define TABLES (sizeof tables / sizeof *tables)

struct dump {
    struct socket_list *list; /* NULL: only asked for */
    uint8_t transport;
    bool full;
};

static struct endpoint read_endpoint(uint8_t family, const uint32_t address[4], uint16_t port)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    const uint8_t *bytes = (const uint8_t *)address;
    struct endpoint endpoint = { .family = family, .port = ntohs(port) };
    if (family == AF_INET6 && memcmp(bytes, mapped, sizeof mapped) == 0) {
        endpoint.family = AF_INET;
        bytes += sizeof mapped;
    }
    memcpy(endpoint.address, bytes, endpoint_address_bytes(endpoint.family));
    return endpoint;
}

/* A place for one more, or NULL: errno ENOMEM, or the list is full. */
static struct socket *list_grow(struct dump *dump)
{
    struct socket_list *list = dump->list;
    dump->full = list->count == SOCKET_LIST_MAX;
    if (dump->full)
        return NULL;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? FIRST_SOCKETS : 2 * list->capacity;
        struct socket *larger = realloc(list->sockets, capacity * sizeof *larger);
        if (larger == NULL)
            return NULL;
        list->sockets = larger;
        list->capacity = capacity;
    }
    return &list->sockets[list->count++];
}

static int read_socket(const struct nlmsghdr *header, void *data)
{
    struct dump *dump = data;
    const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
    if (dump->list == NULL)
        return MNL_CB_OK;
    if (mnl_nlmsg_get_payload_len(header) < sizeof *message ||
        (message->idiag_family != AF_INET && message->idiag_family != AF_INET6)) {
        errno = EBADMSG;
        return MNL_CB_ERROR;
    }
    struct socket *socket = list_grow(dump);
    if (socket == NULL)
        return MNL_CB_ERROR;
    *socket = (struct socket){
        .transport = dump->transport,
        .state = message->idiag_state,
        .local = read_endpoint(message->idiag_family, message->id.idiag_src, message->id.idiag_sport),
        .remote = read_endpoint(message->idiag_family, message->id.idiag_dst, message->id.idiag_dport),
        .inode = message->idiag_inode,
        .uid = message->idiag_uid,
        .cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0],
    };
    socket->listening = dump->transport == TRANSPORT_TCP ? socket->state == TCP_LISTEN : socket->remote.port == 0;
    return MNL_CB_OK;
}

/* The last message of a dump: zero, or a negative error number. */
static int read_end(const struct nlmsghdr *header, void *data)
{
    int32_t result = -EBADMSG;
    (void)data;
    if (mnl_nlmsg_get_payload_len(header) >= sizeof result)
        memcpy(&result, mnl_nlmsg_get_payload(header), sizeof result);
    errno = -result;
    return result < 0 ? MNL_CB_ERROR : MNL_CB_STOP;
}

static int read_refusal(const struct nlmsghdr *header, void *data)
{
    const struct nlmsgerr *refusal = mnl_nlmsg_get_payload(header);
    (void)data;
    errno = mnl_nlmsg_get_payload_len(header) < sizeof *refusal || refusal->error >= 0 ? EBADMSG : -refusal->error;
    return MNL_CB_ERROR;
}

static int read_overrun(const struct nlmsghdr *header, void *data)
{
    (void)header, (void)data;
    errno = ENOBUFS;
    return MNL_CB_ERROR;
}

static mnl_cb_t control_readers[] = {
    [NLMSG_ERROR] = read_refusal,
    [NLMSG_DONE] = read_end,
    [NLMSG_OVERRUN] = read_overrun,
};

static bool receive(struct socket_table *table, struct dump *dump)
{
    _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
        struct iovec piece = { answer, sizeof answer };
        struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
        ssize_t size = recvmsg(table->netlink, &message, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size == 0 || (size > 0 && (message.msg_flags & MSG_TRUNC)))
            errno = EBADMSG;
        if (size <= 0 || (message.msg_flags & MSG_TRUNC))
            return false;
        more = mnl_cb_run2(answer, (size_t)size, table->sequence, 0, read_socket, dump, control_readers,
                           NLMSG_OVERRUN + 1);
        if (more < 0)
            return false;
    }
    return true;
}

/* Asks for one of the tables. errno says what went wrong, unless the list is full. */
static bool ask(struct socket_table *table, size_t which, struct dump *dump)
{
    _Alignas(struct nlmsghdr) char request[REQUEST_BYTES];
    struct nlmsghdr *header = mnl_nlmsg_put_header(request);
    header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = ++table->sequence;
    struct inet_diag_req_v2 *wanted = mnl_nlmsg_put_extra_header(header, sizeof *wanted);
    wanted->sdiag_family = tables[which].family;
    wanted->sdiag_protocol = tables[which].protocol;
    wanted->idiag_states = ALL_STATES;
    dump->transport = tables[which].transport;
    return send(table->netlink, header, header->nlmsg_len, MSG_NOSIGNAL) == (ssize_t)header->nlmsg_len &&
           receive(table, dump);
}

static bool is_there(const struct socket_table *table, size_t which)
{
    return tables[which].family == AF_INET || table->ipv6;
}

static bool kernel_has_ipv6(void)
{
    cleanup_close int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 || errno != EAFNOSUPPORT;
}

/* Why it can't be had: a kernel without sock_diag, or without the part for TCP or UDP, has errors of its own for
 * that. */
static bool refuse(struct error *error)
{
    if (errno != EPROTONOSUPPORT && errno != EAFNOSUPPORT && errno != ENOENT && errno != EINVAL)
        return error_system(error, "can't ask for the table of sockets");
    return error_set(error, ERROR_HOST,
                     "this kernel has no sock_diag for TCP and UDP; load it (sudo modprobe -a tcp_diag udp_diag)");
}

bool socket_table_open(struct socket_table *table, struct error *error)
{
    const struct timeval patience = { .tv_sec = WAIT_SECONDS };
    *table = (struct socket_table){ .ipv6 = kernel_has_ipv6() };
    table->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (table->netlink < 0 || setsockopt(table->netlink, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        return refuse(error);
    for (size_t i = 0; i < TABLES; i++) {
        struct dump dump = { 0 };
        if (is_there(table, i) && !ask(table, i, &dump))
            return refuse(error);
    }
    return true;
}

void socket_table_close(struct socket_table *table)
{
    cleanup_close_fd(&table->netlink);
}

static int compare_ends(const struct endpoint *one, const struct endpoint *other)
{
    int difference = memcmp(one->address, other->address, sizeof one->address);
    difference = difference != 0 ? difference : (int)one->port - (int)other->port;
    return difference != 0 ? difference : (int)one->family - (int)other->family;
}

/* By everything that makes a socket another one. */
static int compare_sockets(const void *left, const void *right)
{
    const struct socket *one = left, *other = right;
    if (one->cookie != other->cookie)
        return one->cookie < other->cookie ? -1 : 1;
    int difference = (int)one->listening - (int)other->listening;
    difference = difference != 0 ? difference : compare_ends(&one->remote, &other->remote);
    return difference != 0 ? difference : compare_ends(&one->local, &other->local);
}

bool socket_table_read(struct socket_table *table, struct socket_list *list, struct error *error)
{
    struct dump dump = { .list = list };
    list->count = 0;
    for (size_t i = 0; i < TABLES; i++) {
        if (!is_there(table, i) || ask(table, i, &dump))
            continue;
        list->count = 0;
        return dump.full ? error_set(error, ERROR_BROKEN, "the host has more than %d sockets", SOCKET_LIST_MAX)
                         : error_system(error, "can't read the table of sockets");
    }
    if (list->count > 0)
        qsort(list->sockets, list->count, sizeof *list->sockets, compare_sockets);
    return true;
}

void socket_list_free(struct socket_list *list)
{
    free(list->sockets);
    *list = (struct socket_list){ 0 };
}

void socket_table_difference(const struct socket_list *before, const struct socket_list *after, socket_table_new *found,
                             void *context)
{
    for (size_t old = 0, i = 0; i < after->count; i++) {
        const struct socket *socket = &after->sockets[i];
        while (old < before->count && compare_sockets(&before->sockets[old], socket) < 0)
            old++;
        bool known = old < before->count && compare_sockets(&before->sockets[old], socket) == 0;
        bool told = i > 0 && compare_sockets(socket - 1, socket) == 0; /* a dump may list one twice */
        if (!known && !told)
            found(context, socket);
    }
}
