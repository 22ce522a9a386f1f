/*
 * See icmp.h. Needs: recvmsg, and what origin.c needs. A filter in the kernel lets echo requests through and
 * nothing else. Sources: raw(7), RFC 792, RFC 4443.
 */
#include "icmp.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "arrival.h"

#define ICMP_AT_ONCE       64
#define ICMP_RECEIVE_BYTES (1 << 20)
#define ICMP_HEADER        8
#define RAW_ICMP_FILTER                                                                                                \
    1 /* ICMP_FILTER of linux/icmp.h, which can't be included beside netinet/ip_icmp.h                       \
       */

struct received {
    struct icmp_socket *socket;
    struct arrival *arrival;
};

static void name_ends(struct house_heard *heard)
{
    const struct received *received = heard->owner;
    struct icmp_socket *socket = received->socket;
    struct endpoint destination = received->arrival->local, peer = received->arrival->peer;
    if (socket->origin != NULL)
        destination =
            origin_find(socket->origin, socket->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6, &destination, &peer);
    destination.port = peer.port = 0; /* it was the identifier */
    endpoint_format(&destination, heard->texts[0]);
    endpoint_format(&peer, heard->texts[1]);
}

static void take_message(struct icmp_socket *socket, struct arrival *arrival, const uint8_t *message, size_t size)
{
    if (socket->family == AF_INET) { /* the IP header stands before it */
        size_t header = size > 0 ? (size_t)(message[0] & 0x0f) * 4 : 0;
        if (header > size)
            return;
        message += header;
        size -= header;
    }
    if (size < ICMP_HEADER)
        return;
    arrival->peer.port = arrival->local.port = (uint16_t)(message[4] << 8 | message[5]);
    struct received received = { socket, arrival };
    struct house_heard heard = {
        .house = socket->house, .kind = WITNESS_ICMP, .point = socket->point, .name = name_ends, .owner = &received
    };
    struct windows_cursor cursor = { 0 };
    house_listen_to(&heard, &cursor, message, size);
}

static void icmp_ready(struct loop_source *source, uint32_t events)
{
    struct icmp_socket *socket = loop_owner(source, struct icmp_socket, source);
    struct house *house = socket->house;
    (void)events;
    for (unsigned i = 0; i < ICMP_AT_ONCE; i++) {
        struct arrival arrival;
        ssize_t size = arrival_receive(source->fd, house->scratch, sizeof house->scratch, &arrival);
        if (size < 0)
            return;
        if (arrival.dropped > socket->dropped)
            outbox_lost(&house->outbox, "icmp: %u messages found no room", arrival.dropped);
        socket->dropped = arrival.dropped;
        take_message(socket, &arrival, house->scratch, (size_t)size);
    }
}

static bool set_filter(int fd, bool v6)
{
    if (v6) {
        struct icmp6_filter filter;
        ICMP6_FILTER_SETBLOCKALL(&filter);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REQUEST, &filter);
        return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0;
    }
    uint32_t blocked = ~(1u << ICMP_ECHO);
    return setsockopt(fd, SOL_RAW, RAW_ICMP_FILTER, &blocked, sizeof blocked) == 0;
}

bool icmp_open(struct icmp_sockets *icmp, struct house *house, enum point point, struct origin *origin,
               struct error *error)
{
    for (unsigned i = 0; i < 2; i++) {
        bool v6 = i == 1;
        if (v6 && !house->setup->ipv6)
            break;
        struct icmp_socket *socket = &icmp->sockets[icmp->count++];
        *socket = (struct icmp_socket){ .house = house,
                                        .origin = origin,
                                        .source = { -1, icmp_ready },
                                        .point = point,
                                        .family = v6 ? AF_INET6 : AF_INET };
        int fd = house_socket(socket->family, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, HOUSE_ARRIVAL, error);
        if (fd < 0)
            return false;
        house_receive_buffer(fd, ICMP_RECEIVE_BYTES);
        if (!set_filter(fd, v6))
            return error_system(error, "can't filter ICMP messages");
        if (!loop_add(&house->loop, &socket->source, fd, error))
            return false;
    }
    return true;
}
