/*
 * Interfaces, addresses, routes and rules of one network namespace, by rtnetlink.
 *
 * A struct links is tied to the namespace in which it was opened, wherever its process goes afterwards: so
 * the site can set up both of its namespaces without changing to and fro. Every function sends one request
 * and waits for the kernel's answer to it. Sources: rtnetlink(7), netlink(7), veth(4), RFC 3549.
 */
#ifndef GATES_SITE_LINKS_H
#define GATES_SITE_LINKS_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../launcher/support/error.h"

struct links {
    struct mnl_socket *requests, *events; /* owned; events hears of links that change */
    uint32_t sequence;
};

/* Opens the sockets in the calling process's network namespace. To be closed even after a failure, from { 0
 * }. */
bool links_open(struct links *links, struct error *error);
void links_close(struct links *links);

/* Makes two joined interfaces of a kind ("veth"): `name` here, `peer` in the namespace of descriptor
 * `peer_namespace`. A kernel without that kind: ERROR_HOST, with the module's name. With a link address (6 bytes; else
 * NULL) both have that one and neither asks for its neighbours' (IFF_NOARP): whatever goes out of one comes in at the
 * other, and is for it. */
bool links_add_pair(struct links *links, const char *kind, const char *name, const char *peer, int peer_namespace,
                    const uint8_t *link_address, struct error *error);

bool links_set_up(struct links *links, const char *name, struct error *error);

/* Removes all interfaces of the namespace that links_add_pair has made in it, whoever called it; `*there`: were there any? */
bool links_remove_pairs(struct links *links, bool *there, struct error *error);

/* Waits until the interface carries packets (its queue is active: operational state up, RFC 2863) or
 * `deadline` (CLOCK_MONOTONIC, microseconds) has passed, which is an error. */
bool links_wait_until_running(struct links *links, const char *name, uint64_t deadline, struct error *error);

/* Adds an address, an IP literal of either family, without duplicate address detection. */
bool links_add_address(struct links *links, const char *name, const char *address, uint8_t prefix, struct error *error);

/* Waits until packets to this address of the interface are taken for its own, or until `deadline`, which is
 * an error. */
bool links_wait_until_local(struct links *links, const char *name, const char *address, uint64_t deadline,
                            struct error *error);

/* One route; the family is that of `destination`, an IP literal. */
struct link_route {
    const char *destination;
    uint8_t prefix;      /* bits of the destination; 0 is the default route */
    const char *gateway; /* IP literal, or NULL: on the link */
    const char *device;
    uint32_t table;  /* 0: the main table */
    uint32_t metric; /* 0: the kernel's default; of routes to the same prefix the one with the least is taken */
    bool local;      /* every address of the destination is this host's own */
};
bool links_add_route(struct links *links, const struct link_route *route, struct error *error);

/* True if a route of the main table leads to a part of this prefix, or to all of it and not to everything (the default route). */
bool links_route_overlaps(struct links *links, const char *destination, uint8_t prefix);

/* The rule `iif DEVICE lookup TABLE` for AF_INET or AF_INET6, before the main table's. */
bool links_add_rule(struct links *links, int family, const char *device, uint32_t table, struct error *error);

#endif
