/*
 * Joins a multicast group and sends nothing: the kernel tells the routers of the link (IGMP, RFC 3376; MLD, RFC
 * 3810), and the group's address is the message. The interface is that of the address's scope, else the one that
 * the routing table gives; where it gives none, the first that is up, as an attacker would name it.
 *
 * The kernel sends its report a moment after the join, from a timer, and repeats it within a second or so, as long
 * as the membership stands. So the attempt lasts long enough for the first of them, and its socket stays open until
 * the probe ends.
 */
#include <errno.h>
#include <netinet/in.h>

#include "mechanism.h"

#define FIRST_REPORT 150000u /* microseconds; it was seen after 12 milliseconds */

static int join(const struct attempt *attempt, uint32_t link)
{
    int failed;
    if (attempt->target.any.sa_family == AF_INET6) {
        struct ipv6_mreq group = { .ipv6mr_multiaddr = attempt->target.in6.sin6_addr, .ipv6mr_interface = link };
        failed = setsockopt(attempt->socket, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group);
    } else {
        struct ip_mreqn group = { .imr_multiaddr = attempt->target.in.sin_addr, .imr_ifindex = (int)link };
        failed = setsockopt(attempt->socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
    }
    return failed == 0 ? 0 : errno;
}

static void start(struct attempt *attempt, uint64_t now)
{
    if (!attempt_open(attempt, SOCK_DGRAM, 0))
        return;
    uint32_t scope = attempt->target.any.sa_family == AF_INET6 ? attempt->target.in6.sin6_scope_id : 0;
    int error = join(attempt, scope);
    if (error == ENODEV && scope == 0)
        error = join(attempt, attempt_first_link());
    if (error != 0)
        attempt_end(attempt, STAGE_SOCKET, error);
    else if (attempt->wake > now + FIRST_REPORT)
        attempt->wake = now + FIRST_REPORT;
}

static void ignore_events(struct attempt *attempt, short events, uint64_t now)
{
    (void)attempt, (void)events, (void)now;
}

static void timer(struct attempt *attempt, uint64_t now)
{
    (void)now;
    attempt_end_keeping_socket(attempt, STAGE_SENT, 0);
}

const struct mechanism_functions multicast_join_functions = { start, ignore_events, timer };
