/*
 * The groups that a report of membership names: who says that it listens to a group has sent a message to whoever watches
 * the wire, though not one byte of payload. Reports and leaves, of IGMP versions 1 to 3 (RFC 1112, 2236, 3376 4.2) and of
 * MLD versions 1 and 2 (RFC 2710, RFC 3810 5.2). Bounded by the packet; reads nothing outside it.
 */
#ifndef GATES_WITNESS_MEMBERSHIP_H
#define GATES_WITNESS_MEMBERSHIP_H

#include "packet.h"

struct membership {
    const uint8_t *at; /* the next record */
    size_t rest;       /* bytes from there */
    uint16_t records;  /* still to come */
    bool has_sources;  /* records carry sources and auxiliary data (IGMPv3, MLDv2); else a record is a group alone */
    uint8_t family;
};

/* Starts at the first group of the packet; one that is no report names none. */
void membership_begin(struct membership *membership, const struct packet *packet);

/* The next group, as an endpoint without a port. False after the last. */
bool membership_next(struct membership *membership, struct endpoint *group);

#endif
