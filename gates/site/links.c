/*
 * See links.h. Each request is built in a buffer on the stack by libmnl, sent with NLM_F_ACK, and answered by
 * the kernel with an error number (0 for success) before the function returns; nothing here waits without a
 * bound, except for that answer, which the kernel gives in the same system call.
 *
 * Two things happen later than they seem to, in the kernel's work queues. The end of a veth pair that is
 * raised first has no carrier yet, and silently drops all it is given until the kernel has noticed the
 * carrier. And an IPv6 address is in the interface's list at once, but has no local route and hears no
 * neighbour solicitation until its (here empty) duplicate address detection has run. For both there is a wait
 * that asks, and listens for events between questions.
 */
#include "links.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "../../launcher/support/process.h"

/* libmnl aligns what it puts into a buffer to four bytes; the largest request here is below 300 bytes. */
#define REQUEST_MAX 1024
#define ANSWER_MAX  16384

/* The group of interfaces (ip-link(8)) that all of ours are in, by which they are known. */
#define LINK_GROUP 0x626f7467

/* Rules of this priority come after the local table's (0) and before the main table's (32766). */
#define RULE_PRIORITY 1000

struct request {
    _Alignas(struct nlmsghdr) char bytes[REQUEST_MAX];
    struct nlmsghdr *header;
};

static struct nlmsghdr *request_start(struct request *request, uint16_t type, uint16_t flags)
{
    request->header = mnl_nlmsg_put_header(request->bytes);
    request->header->nlmsg_type = type;
    request->header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    return request->header;
}

/* Sends the request and hands what comes back to `reader`. errno says what the kernel answered. */
static bool request_send(struct links *links, struct request *request, mnl_cb_t reader, void *data)
{
    request->header->nlmsg_seq = ++links->sequence;
    if (mnl_socket_sendto(links->requests, request->header, request->header->nlmsg_len) < 0)
        return false;
    _Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
    unsigned port = mnl_socket_get_portid(links->requests);
    for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
        ssize_t size = mnl_socket_recvfrom(links->requests, answer, sizeof answer);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return false;
        more = mnl_cb_run(answer, (size_t)size, links->sequence, port, reader, data);
        if (more < 0)
            return false;
    }
    return true;
}

static bool change(struct links *links, struct request *request)
{
    request->header->nlmsg_flags |= NLM_F_ACK;
    return request_send(links, request, NULL, NULL);
}

static struct mnl_socket *open_socket(unsigned groups)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (socket != NULL && mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) == 0)
        return socket;
    if (socket != NULL)
        mnl_socket_close(socket);
    return NULL;
}

bool links_open(struct links *links, struct error *error)
{
    *links = (struct links){ 0 };
    links->requests = open_socket(0);
    links->events = links->requests != NULL ? open_socket(RTMGRP_LINK | RTMGRP_IPV6_ROUTE) : NULL;
    return links->events != NULL || error_system(error, "can't open an rtnetlink socket");
}

void links_close(struct links *links)
{
    if (links->requests != NULL)
        mnl_socket_close(links->requests);
    if (links->events != NULL)
        mnl_socket_close(links->events);
    *links = (struct links){ 0 };
}

static void put_end(struct nlmsghdr *header, const char *name, const uint8_t *link_address)
{
    struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->ifi_flags = message->ifi_change = link_address != NULL ? IFF_NOARP : 0;
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    mnl_attr_put_u32(header, IFLA_GROUP, LINK_GROUP);
    if (link_address != NULL)
        mnl_attr_put(header, IFLA_ADDRESS, 6, link_address);
}

bool links_add_pair(struct links *links, const char *kind, const char *name, const char *peer, int peer_namespace,
                    const uint8_t *link_address, struct error *error)
{
    struct request request;
    struct nlmsghdr *header = request_start(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    put_end(header, name, link_address);
    struct nlattr *information = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, kind);
    struct nlattr *settings = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    struct nlattr *other = mnl_attr_nest_start(header, VETH_INFO_PEER);
    put_end(header, peer, link_address);
    mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)peer_namespace);
    mnl_attr_nest_end(header, other);
    mnl_attr_nest_end(header, settings);
    mnl_attr_nest_end(header, information);
    if (change(links, &request))
        return true;
    if (errno == EOPNOTSUPP)
        return error_set(error, ERROR_HOST,
                         "can't make the interfaces %s and %s: this kernel has no %s; load it (sudo modprobe %s) or "
                         "boot a kernel that has it",
                         name, peer, kind, kind);
    return error_system(error, "can't make the %s interfaces %s and %s", kind, name, peer);
}

/* What a reader is told of a link: 0 as index if it isn't there. */
struct link {
    uint32_t index;
    uint8_t operational;
};

static int read_link_attribute(const struct nlattr *attribute, void *data)
{
    struct link *link = data;
    if (mnl_attr_get_type(attribute) == IFLA_OPERSTATE && mnl_attr_get_payload_len(attribute) == 1)
        link->operational = mnl_attr_get_u8(attribute);
    return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *header, void *data)
{
    struct link *link = data;
    const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
    link->index = (uint32_t)message->ifi_index;
    (void)mnl_attr_parse(header, sizeof *message, read_link_attribute, link);
    return MNL_CB_STOP;
}

static bool find_link(struct links *links, const char *name, struct link *link)
{
    struct request request;
    struct nlmsghdr *header = request_start(&request, RTM_GETLINK, 0);
    mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    *link = (struct link){ 0 };
    return request_send(links, &request, read_link, link) && link->index != 0;
}

static bool need_link(struct links *links, const char *name, uint32_t *index, struct error *error)
{
    struct link link;
    if (!find_link(links, name, &link))
        return error_system(error, "can't find the interface %s", name);
    *index = link.index;
    return true;
}

bool links_set_up(struct links *links, const char *name, struct error *error)
{
    struct request request;
    struct nlmsghdr *header = request_start(&request, RTM_NEWLINK, 0);
    struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->ifi_flags = IFF_UP;
    message->ifi_change = IFF_UP;
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    return change(links, &request) || error_system(error, "can't raise the interface %s", name);
}

bool links_remove_pairs(struct links *links, bool *there, struct error *error)
{
    struct request request;
    struct nlmsghdr *header = request_start(&request, RTM_DELLINK, 0);
    (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    mnl_attr_put_u32(header, IFLA_GROUP, LINK_GROUP);
    *there = change(links, &request);
    return *there || errno == ENODEV || error_system(error, "can't remove the interfaces of a site");
}

/* An IP literal as bytes. The literals are the site's own constants. */
struct literal {
    uint8_t family, size;
    uint8_t bytes[16];
};

static bool read_literal(const char *text, struct literal *literal, struct error *error)
{
    bool six = strchr(text, ':') != NULL;
    literal->family = six ? AF_INET6 : AF_INET;
    literal->size = six ? 16 : 4;
    return inet_pton(literal->family, text, literal->bytes) == 1 ||
           error_set(error, ERROR_SYSTEM, "%s is not an IP address", text);
}

/* Waits for the next event, whatever it says: the caller asks again. False once the deadline has passed. */
static bool wait_for_event(struct links *links, uint64_t deadline)
{
    struct pollfd event = { .fd = mnl_socket_get_fd(links->events), .events = POLLIN };
    int ready = poll(&event, 1, clock_poll_timeout(deadline));
    char unread[ANSWER_MAX];
    if (ready > 0) /* an overrun (ENOBUFS) is an event as well */
        (void)recv(event.fd, unread, sizeof unread, MSG_DONTWAIT);
    return ready != 0;
}

bool links_wait_until_running(struct links *links, const char *name, uint64_t deadline, struct error *error)
{
    struct link link;
    while (find_link(links, name, &link)) {
        if (link.operational == IF_OPER_UP)
            return true;
        if (!wait_for_event(links, deadline))
            return error_set(error, ERROR_SYSTEM, "the interface %s is up but does not carry packets", name);
    }
    return error_system(error, "can't find the interface %s", name);
}

static int read_route(const struct nlmsghdr *header, void *data)
{
    const struct rtmsg *message = mnl_nlmsg_get_payload(header);
    *(bool *)data = message->rtm_type == RTN_LOCAL;
    return MNL_CB_STOP;
}

bool links_wait_until_local(struct links *links, const char *name, const char *address, uint64_t deadline,
                            struct error *error)
{
    struct literal literal;
    uint32_t index = 0;
    if (!read_literal(address, &literal, error) || !need_link(links, name, &index, error))
        return false;
    do {
        /* The kernel tells of a route a moment before lookups find it (fib6_add_rt2node in net/ipv6/ip6_fib.c), and
         * tells but once. It holds the rtnetlink lock until they do, and a change of a link waits for that lock. */
        if (!links_set_up(links, name, error))
            return false;
        struct request request;
        struct nlmsghdr *header = request_start(&request, RTM_GETROUTE, 0);
        struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
        message->rtm_family = literal.family;
        message->rtm_dst_len = (uint8_t)(8 * literal.size);
        mnl_attr_put(header, RTA_DST, literal.size, literal.bytes);
        mnl_attr_put_u32(header, RTA_OIF, index);
        bool local = false;
        /* An error (ENETUNREACH) is an answer, too: there is no route yet. */
        if (request_send(links, &request, read_route, &local) && local)
            return true;
    } while (wait_for_event(links, deadline));
    return error_set(error, ERROR_SYSTEM, "the address %s of %s did not become usable", address, name);
}

bool links_add_address(struct links *links, const char *name, const char *address, uint8_t prefix, struct error *error)
{
    struct literal literal;
    uint32_t index = 0;
    if (!read_literal(address, &literal, error) || !need_link(links, name, &index, error))
        return false;
    struct request request;
    struct nlmsghdr *header = request_start(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->ifa_family = literal.family;
    message->ifa_prefixlen = prefix;
    message->ifa_flags = literal.family == AF_INET6 ? IFA_F_NODAD : 0;
    message->ifa_index = index;
    mnl_attr_put(header, IFA_LOCAL, literal.size, literal.bytes);
    mnl_attr_put(header, IFA_ADDRESS, literal.size, literal.bytes);
    return change(links, &request) || error_system(error, "can't give %s/%u to %s", address, prefix, name);
}

bool links_add_route(struct links *links, const struct link_route *route, struct error *error)
{
    struct literal destination, gateway;
    uint32_t index = 0;
    if (!read_literal(route->destination, &destination, error) || !need_link(links, route->device, &index, error))
        return false;
    if (route->gateway != NULL && !read_literal(route->gateway, &gateway, error))
        return false;
    struct request request;
    struct nlmsghdr *header = request_start(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->rtm_family = destination.family;
    message->rtm_dst_len = route->prefix;
    message->rtm_protocol = RTPROT_BOOT;
    message->rtm_type = route->local ? RTN_LOCAL : RTN_UNICAST;
    message->rtm_scope = route->local ? RT_SCOPE_HOST : (route->gateway != NULL) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    if (route->prefix != 0)
        mnl_attr_put(header, RTA_DST, destination.size, destination.bytes);
    if (route->gateway != NULL)
        mnl_attr_put(header, RTA_GATEWAY, gateway.size, gateway.bytes);
    if (route->metric != 0)
        mnl_attr_put_u32(header, RTA_PRIORITY, route->metric);
    mnl_attr_put_u32(header, RTA_OIF, index);
    mnl_attr_put_u32(header, RTA_TABLE, route->table != 0 ? route->table : RT_TABLE_MAIN);
    return change(links, &request) ||
           error_system(error, "can't add the route to %s/%u by %s", route->destination, route->prefix, route->device);
}

struct overlap {
    struct literal literal;
    uint8_t prefix;
    bool found;
};

static bool starts_alike(const uint8_t *one, const uint8_t *other, uint8_t bits)
{
    uint8_t rest = (uint8_t)(0xff00u >> bits % 8);
    return memcmp(one, other, bits / 8) == 0 && (bits % 8 == 0 || ((one[bits / 8] ^ other[bits / 8]) & rest) == 0);
}

static int read_destination(const struct nlattr *attribute, void *data)
{
    if (mnl_attr_get_type(attribute) == RTA_DST)
        *(const struct nlattr **)data = attribute;
    return MNL_CB_OK;
}

static int read_overlap(const struct nlmsghdr *header, void *data)
{
    struct overlap *overlap = data;
    const struct rtmsg *message = mnl_nlmsg_get_payload(header);
    const struct nlattr *destination = NULL;
    uint8_t common = message->rtm_dst_len < overlap->prefix ? message->rtm_dst_len : overlap->prefix;
    mnl_attr_parse(header, sizeof *message, read_destination, &destination);
    if (destination != NULL && message->rtm_table == RT_TABLE_MAIN && message->rtm_family == overlap->literal.family &&
        mnl_attr_get_payload_len(destination) == overlap->literal.size &&
        starts_alike(mnl_attr_get_payload(destination), overlap->literal.bytes, common))
        overlap->found = true;
    return MNL_CB_OK;
}

bool links_route_overlaps(struct links *links, const char *destination, uint8_t prefix)
{
    struct overlap overlap = { .prefix = prefix };
    struct request request;
    struct error ignored = { 0 };
    if (!read_literal(destination, &overlap.literal, &ignored))
        return true;
    struct nlmsghdr *header = request_start(&request, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->rtm_family = overlap.literal.family;
    return !request_send(links, &request, read_overlap, &overlap) || overlap.found;
}

bool links_add_rule(struct links *links, int family, const char *device, uint32_t table, struct error *error)
{
    struct request request;
    struct nlmsghdr *header = request_start(&request, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
    struct fib_rule_hdr *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->family = (uint8_t)family;
    message->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(header, FRA_PRIORITY, RULE_PRIORITY);
    mnl_attr_put_u32(header, FRA_TABLE, table);
    mnl_attr_put_strz(header, FRA_IIFNAME, device);
    if (change(links, &request))
        return true;
    if (errno == EOPNOTSUPP || errno == EAFNOSUPPORT)
        return error_set(error, ERROR_HOST,
                         "can't add the rule for %s: this kernel has no policy routing (CONFIG_IP_MULTIPLE_TABLES, "
                         "CONFIG_IPV6_MULTIPLE_TABLES); boot a kernel that has it",
                         device);
    return error_system(error, "can't add the rule iif %s lookup %u", device, table);
}
