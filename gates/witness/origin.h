/*
 * Where a redirected packet was going before the redirect. TCP says it by a socket option; for UDP and ICMP
 * only connection tracking knows, and is asked here (ctnetlink). It is asked for the text of a hit only,
 * never for whether there was one.
 */
#ifndef GATES_WITNESS_ORIGIN_H
#define GATES_WITNESS_ORIGIN_H

#include "../../launcher/support/error.h"
#include "endpoint.h"

struct origin {
    int netlink;
    uint32_t sequence;
};

/* Opens the netlink socket in the current network namespace. */
bool origin_open(struct origin *origin, struct error *error);

/* `local`: where the packet was delivered (for ICMP, port is the identifier in both); `peer`: who sent it.
 * `protocol`: IPPROTO_UDP, IPPROTO_ICMP or IPPROTO_ICMPV6. The unknown endpoint where the kernel doesn't
 * tell. */
struct endpoint origin_find(struct origin *origin, uint8_t protocol, const struct endpoint *local,
                            const struct endpoint *peer);

#endif
