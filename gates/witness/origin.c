/*
 * See origin.h. Needs: sendto, recvfrom. One request (IPCTNL_MSG_CT_GET) for the entry whose reply direction
 * goes from `local` to `peer`; its original direction has the destination. The kernel answers within the
 * send, so that nothing is ever waited for. Source: linux/netfilter/nfnetlink_conntrack.h.
 */
#include "origin.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../launcher/support/cleanup.h"

bool origin_open(struct origin *origin, struct error *error)
{
    cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
    struct sockaddr_nl self = { .nl_family = AF_NETLINK };
    if (fd < 0 || bind(fd, (const struct sockaddr *)&self, sizeof self) < 0)
        return error_system(error, "can't ask connection tracking for destinations");
    origin->netlink = take_fd(&fd);
    return true;
}

static void put_addresses(struct nlmsghdr *message, const struct endpoint *from, const struct endpoint *to)
{
    bool v4 = from->family == AF_INET;
    size_t size = endpoint_address_bytes(from->family);
    struct nlattr *nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
    mnl_attr_put(message, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, size, from->address);
    mnl_attr_put(message, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, size, to->address);
    mnl_attr_nest_end(message, nest);
}

static void put_protocol(struct nlmsghdr *message, uint8_t protocol, uint16_t from, uint16_t to)
{
    struct nlattr *nest = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(message, CTA_PROTO_NUM, protocol);
    if (protocol == IPPROTO_ICMP) {
        mnl_attr_put_u16(message, CTA_PROTO_ICMP_ID, htons(to));
        mnl_attr_put_u8(message, CTA_PROTO_ICMP_TYPE, ICMP_ECHOREPLY);
        mnl_attr_put_u8(message, CTA_PROTO_ICMP_CODE, 0);
    } else if (protocol == IPPROTO_ICMPV6) {
        mnl_attr_put_u16(message, CTA_PROTO_ICMPV6_ID, htons(to));
        mnl_attr_put_u8(message, CTA_PROTO_ICMPV6_TYPE, ICMP6_ECHO_REPLY);
        mnl_attr_put_u8(message, CTA_PROTO_ICMPV6_CODE, 0);
    } else {
        mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(from));
        mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(to));
    }
    mnl_attr_nest_end(message, nest);
}

static const struct nlattr *find_attribute(const void *first, size_t size, uint16_t type)
{
    const struct nlattr *attribute = first;
    for (int rest = (int)size; mnl_attr_ok(attribute, rest); attribute = mnl_attr_next(attribute)) {
        if (mnl_attr_get_type(attribute) == type)
            return attribute;
        rest -= (int)MNL_ALIGN(mnl_attr_get_len(attribute));
    }
    return NULL;
}

static const struct nlattr *find_nested(const struct nlattr *parent, uint16_t type)
{
    return parent == NULL ? NULL : find_attribute(mnl_attr_get_payload(parent), mnl_attr_get_payload_len(parent), type);
}

static struct endpoint read_destination(const struct nlmsghdr *message, uint8_t family)
{
    struct endpoint found = { 0 };
    const size_t header = NLMSG_ALIGN(sizeof(struct nfgenmsg));
    size_t payload = mnl_nlmsg_get_payload_len(message);
    if (payload < header)
        return found;
    const uint8_t *first = mnl_nlmsg_get_payload(message);
    const struct nlattr *tuple = find_attribute(first + header, payload - header, CTA_TUPLE_ORIG);
    const struct nlattr *address =
        find_nested(find_nested(tuple, CTA_TUPLE_IP), family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST);
    const struct nlattr *port = find_nested(find_nested(tuple, CTA_TUPLE_PROTO), CTA_PROTO_DST_PORT);
    if (address == NULL || mnl_attr_get_payload_len(address) != endpoint_address_bytes(family))
        return found;
    found.family = family;
    memcpy(found.address, mnl_attr_get_payload(address), endpoint_address_bytes(family));
    if (port != NULL && mnl_attr_get_payload_len(port) == sizeof(uint16_t))
        found.port = ntohs(mnl_attr_get_u16(port));
    return found;
}

struct endpoint origin_find(struct origin *origin, uint8_t protocol, const struct endpoint *local,
                            const struct endpoint *peer)
{
    const struct endpoint unknown = { 0 };
    union {
        struct nlmsghdr header;
        uint8_t bytes[2048];
    } buffer;
    if (local->family != peer->family || local->family == 0)
        return unknown;
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer.bytes);
    message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
    message->nlmsg_flags = NLM_F_REQUEST;
    message->nlmsg_seq = ++origin->sequence;
    struct nfgenmsg *family = mnl_nlmsg_put_extra_header(message, sizeof *family);
    family->nfgen_family = local->family;
    family->version = NFNETLINK_V0;
    family->res_id = 0;
    struct nlattr *nest = mnl_attr_nest_start(message, CTA_TUPLE_REPLY);
    put_addresses(message, local, peer);
    put_protocol(message, protocol, local->port, peer->port);
    mnl_attr_nest_end(message, nest);
    if (send(origin->netlink, message, message->nlmsg_len, MSG_DONTWAIT) < 0)
        return unknown;
    for (ssize_t size; (size = recv(origin->netlink, buffer.bytes, sizeof buffer, MSG_DONTWAIT)) > 0;)
        if (mnl_nlmsg_ok(&buffer.header, (int)size) && buffer.header.nlmsg_seq == origin->sequence)
            return buffer.header.nlmsg_type == NLMSG_ERROR ? unknown : read_destination(&buffer.header, local->family);
    return unknown;
}
