/* See arrival.h. Needs: recvmsg, sendmsg. */
#include "arrival.h"

#include <string.h>

union control {
    struct cmsghdr header;
    uint8_t bytes[128];
};

static void read_control(struct msghdr *message, struct arrival *arrival)
{
    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item != NULL; item = CMSG_NXTHDR(message, item)) {
        if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&arrival->dropped, CMSG_DATA(item), sizeof arrival->dropped);
        } else if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo where;
            memcpy(&where, CMSG_DATA(item), sizeof where);
            arrival->local.family = AF_INET;
            memcpy(arrival->local.address, &where.ipi_addr, 4);
        } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo where;
            memcpy(&where, CMSG_DATA(item), sizeof where);
            arrival->local.family = AF_INET6;
            memcpy(arrival->local.address, &where.ipi6_addr, 16);
            arrival->link = where.ipi6_ifindex;
        }
    }
}

ssize_t arrival_receive(int fd, void *buffer, size_t capacity, struct arrival *arrival)
{
    union socket_address peer;
    union control control;
    struct iovec part = { .iov_base = buffer, .iov_len = capacity };
    struct msghdr message = { .msg_name = &peer,
                              .msg_namelen = sizeof peer,
                              .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control };
    memset(arrival, 0, sizeof *arrival);
    memset(&peer, 0, sizeof peer);
    ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);
    if (size < 0)
        return -1;
    arrival->peer = endpoint_of(&peer);
    read_control(&message, arrival);
    return size;
}

void arrival_answer(int fd, const struct arrival *arrival, const void *data, size_t size)
{
    union socket_address peer;
    union control control;
    memset(&control, 0, sizeof control);
    struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    struct msghdr message = { .msg_name = &peer,
                              .msg_namelen = endpoint_to_socket(&arrival->peer, &peer),
                              .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes };
    struct in_pktinfo v4 = { 0 };
    struct in6_pktinfo v6 = { 0 };
    bool is_v4 = arrival->local.family == AF_INET;
    memcpy(&v4.ipi_spec_dst, arrival->local.address, 4);
    memcpy(&v6.ipi6_addr, arrival->local.address, 16);
    if (!is_v4 && IN6_IS_ADDR_LINKLOCAL(&peer.v6.sin6_addr))
        peer.v6.sin6_scope_id = v6.ipi6_ifindex = arrival->link;
    size_t body = is_v4 ? sizeof v4 : sizeof v6;
    control.header.cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    control.header.cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
    control.header.cmsg_len = CMSG_LEN(body);
    message.msg_controllen = CMSG_SPACE(body);
    memcpy(CMSG_DATA(&control.header), is_v4 ? (const void *)&v4 : (const void *)&v6, body);
    sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}
