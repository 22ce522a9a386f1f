/*
 * What the bottle's own kernel says of its routes and links, by rtnetlink(7): /proc may be missing. Only
 * `@route:` and the scope `*` of an address ask it. The two readers take what one datagram of a dump holds and
 * are pure; the two that ask need a netlink socket (mechanisms/target.c opens it), never wait, and do without
 * an answer.
 */
#ifndef PROBES_MECHANISMS_ROUTES_H
#define PROBES_MECHANISMS_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../address.h"

#define ROUTES_LOOPBACK 1 /* the index that Linux gives the loopback of every network namespace */

/* The best gateway so far. At first all zeroes but the family, and the sequence number of the request. */
struct routes_gateway {
    int family;
    uint32_t sequence;
    bool found, by_default;
    uint32_t metric, link;
    uint8_t ip[16];
};

/* The first link so far: 0 for none. At first all zeroes but the sequence number. */
struct routes_link {
    uint32_t sequence;
    uint32_t index;
};

/* Read one datagram. False when nothing more is to come: the dump has ended, or failed. */
bool routes_read_gateways(const uint8_t *datagram, size_t size, struct routes_gateway *best);
bool routes_read_links(const uint8_t *datagram, size_t size, struct routes_link *first);

/* Puts the gateway of the address's own family in its place: that of the default route with the lowest metric,
 * else that of the first other route with the lowest metric. A link-local one gets its link as scope. The
 * address stays as it is where there is no gateway, or nobody answers. */
void routes_prefer_gateway(int netlink, struct address *address);

/* The lowest index of a link that is up and no loopback, or ROUTES_LOOPBACK. */
uint32_t routes_first_link(int netlink);

#endif
