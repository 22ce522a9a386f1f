/*
 * See routes.h. The kernel that answers belongs to the bottle and may say anything: every length is checked
 * against what was received, the number of datagrams is bounded, and what makes no sense is passed over. Only
 * ordinary routes of the main table count, neither dead nor cached. Of a route with several next hops
 * (RTA_MULTIPATH) the first gateway counts; one of another family than the route's (RTA_VIA: IPv4 by way of an
 * IPv6 neighbour) doesn't, since the literal that it would stand for has the route's family. Next-hop objects
 * (RTA_NH_ID) are not followed: kernels spell them out in the route as well, unless nexthop_compat_mode is off.
 */
#include "routes.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define DATAGRAMS_MOST 32
#define DATAGRAM_MAX   16384
#define TYPE_BITS      0x3fff /* of an attribute's type; the others are flags */

struct reader {
    const uint8_t *at;
    size_t left;
};

/* Copies a structure from the front. */
static bool take(struct reader *reader, void *structure, size_t size)
{
    if (reader->left < size)
        return false;
    memcpy(structure, reader->at, size);
    reader->at += size;
    reader->left -= size;
    return true;
}

/* Cuts off a part of `length` bytes that starts with a head of `head` bytes and is followed by padding to four;
 * `body` gets what is behind the head. False for a length that can't be. */
static bool cut(struct reader *reader, size_t length, size_t head, struct reader *body)
{
    if (length < head || length > reader->left)
        return false;
    size_t step = (length + 3) & ~(size_t)3;
    step = step < reader->left ? step : reader->left;
    *body = (struct reader){ reader->at + head, length - head };
    reader->at += step;
    reader->left -= step;
    return true;
}

static bool next_attribute(struct reader *reader, uint16_t *type, struct reader *value)
{
    struct rtattr head;
    struct reader ahead = *reader;
    if (!take(&ahead, &head, sizeof head) || !cut(reader, head.rta_len, sizeof head, value))
        return false;
    *type = head.rta_type & TYPE_BITS;
    return true;
}

struct route {
    int family;
    bool has_gateway;
    uint32_t table, metric, link;
    uint8_t gateway[16];
};

static void read_gateway(struct reader value, struct route *route)
{
    static const uint8_t unspecified[16];
    size_t size = route->family == AF_INET6 ? 16 : 4;
    if (value.left != size || memcmp(value.at, unspecified, size) == 0)
        return;
    memcpy(route->gateway, value.at, size);
    route->has_gateway = true;
}

static void read_number(struct reader value, uint32_t *number)
{
    if (value.left == sizeof *number)
        memcpy(number, value.at, sizeof *number);
}

/* The first next hop that has a gateway, and its link. */
static void read_hops(struct reader hops, struct route *route)
{
    struct rtnexthop head;
    struct reader ahead = hops, attributes, value;
    uint16_t type;
    while (!route->has_gateway && take(&ahead, &head, sizeof head) &&
           cut(&hops, head.rtnh_len, sizeof head, &attributes)) {
        while ((head.rtnh_flags & RTNH_F_DEAD) == 0 && next_attribute(&attributes, &type, &value))
            if (type == RTA_GATEWAY)
                read_gateway(value, route);
        route->link = (uint32_t)head.rtnh_ifindex;
        ahead = hops;
    }
}

static void read_route(struct reader attributes, struct route *route)
{
    struct reader value;
    uint16_t type;
    while (next_attribute(&attributes, &type, &value)) {
        if (type == RTA_GATEWAY)
            read_gateway(value, route);
        else if (type == RTA_MULTIPATH)
            read_hops(value, route);
        else if (type == RTA_TABLE)
            read_number(value, &route->table);
        else if (type == RTA_PRIORITY)
            read_number(value, &route->metric);
        else if (type == RTA_OIF)
            read_number(value, &route->link);
    }
}

static bool is_link_local(const uint8_t ip[16])
{
    return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

static void consider(struct reader body, struct routes_gateway *best)
{
    struct rtmsg message;
    if (!take(&body, &message, sizeof message) || message.rtm_family != best->family ||
        message.rtm_type != RTN_UNICAST || (message.rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD)) != 0)
        return;
    struct route route = { .family = best->family, .table = message.rtm_table };
    read_route(body, &route);
    bool by_default = message.rtm_dst_len == 0;
    if (!route.has_gateway || route.table != RT_TABLE_MAIN)
        return;
    if (best->family == AF_INET6 && is_link_local(route.gateway) && (route.link == 0 || route.link > INT32_MAX))
        return;
    if (best->found && (by_default == best->by_default ? route.metric >= best->metric : best->by_default))
        return;
    best->found = true;
    best->by_default = by_default;
    best->metric = route.metric;
    best->link = route.link;
    memcpy(best->ip, route.gateway, sizeof best->ip);
}

/* Finds the next message that answers the request. False when none is left; *more is then false if none can
 * come any more. */
static bool next_message(struct reader *reader, uint32_t sequence, uint16_t wanted, struct reader *body, bool *more)
{
    struct nlmsghdr head;
    struct reader ahead = *reader;
    *more = true;
    while (take(&ahead, &head, sizeof head) && cut(reader, head.nlmsg_len, sizeof head, body)) {
        ahead = *reader;
        if (head.nlmsg_seq != sequence)
            continue;
        if (head.nlmsg_type == wanted)
            return true;
        *more = head.nlmsg_type != NLMSG_DONE && head.nlmsg_type != NLMSG_ERROR;
        if (!*more)
            return false;
    }
    return false;
}

bool routes_read_gateways(const uint8_t *datagram, size_t size, struct routes_gateway *best)
{
    struct reader reader = { datagram, size }, body;
    bool more;
    while (next_message(&reader, best->sequence, RTM_NEWROUTE, &body, &more))
        consider(body, best);
    return more;
}

bool routes_read_links(const uint8_t *datagram, size_t size, struct routes_link *first)
{
    struct reader reader = { datagram, size }, body;
    struct ifinfomsg link;
    bool more;
    while (next_message(&reader, first->sequence, RTM_NEWLINK, &body, &more)) {
        if (!take(&body, &link, sizeof link) || link.ifi_index <= 0)
            continue;
        bool fits = (link.ifi_flags & (IFF_UP | IFF_LOOPBACK)) == IFF_UP;
        if (fits && (first->index == 0 || (uint32_t)link.ifi_index < first->index))
            first->index = (uint32_t)link.ifi_index;
    }
    return more;
}

/* Each request has a number of its own, so that nobody's late answer is taken for one. */
static uint32_t next_sequence(void)
{
    static uint32_t sequence;
    return ++sequence;
}

/* Reads one datagram of the dump; 0 when there is none. The kernel makes each one when it is asked for, so there
 * is nothing to wait for. */
static size_t receive(int netlink, uint8_t datagram[DATAGRAM_MAX])
{
    ssize_t size = recv(netlink, datagram, DATAGRAM_MAX, MSG_DONTWAIT);
    return size > 0 ? (size_t)size : 0;
}

void routes_prefer_gateway(int netlink, struct address *address)
{
    static uint8_t datagram[DATAGRAM_MAX];
    struct {
        struct nlmsghdr head;
        struct rtmsg message;
    } request = { .head = { .nlmsg_len = sizeof request,
                            .nlmsg_type = RTM_GETROUTE,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                            .nlmsg_seq = next_sequence() },
                  .message = { .rtm_family = (uint8_t)address->family } };
    struct routes_gateway best = { .family = address->family, .sequence = request.head.nlmsg_seq };
    if (send(netlink, &request, sizeof request, MSG_NOSIGNAL) != (ssize_t)sizeof request)
        return;
    for (unsigned i = 0; i < DATAGRAMS_MOST; i++) {
        size_t size = receive(netlink, datagram);
        if (size == 0 || !routes_read_gateways(datagram, size, &best))
            break;
    }
    if (!best.found)
        return;
    memcpy(address->ip, best.ip, sizeof address->ip);
    address->scope[0] = '\0';
    if (address->family == AF_INET6 && is_link_local(best.ip))
        snprintf(address->scope, sizeof address->scope, "%u", best.link);
}

uint32_t routes_first_link(int netlink)
{
    static uint8_t datagram[DATAGRAM_MAX];
    struct {
        struct nlmsghdr head;
        struct ifinfomsg message;
    } request = { .head = { .nlmsg_len = sizeof request,
                            .nlmsg_type = RTM_GETLINK,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                            .nlmsg_seq = next_sequence() } };
    struct routes_link first = { .sequence = request.head.nlmsg_seq };
    if (send(netlink, &request, sizeof request, MSG_NOSIGNAL) != (ssize_t)sizeof request)
        return ROUTES_LOOPBACK;
    for (unsigned i = 0; i < DATAGRAMS_MOST; i++) {
        size_t size = receive(netlink, datagram);
        if (size == 0 || !routes_read_links(datagram, size, &first))
            break;
    }
    return first.index != 0 ? first.index : ROUTES_LOOPBACK;
}
