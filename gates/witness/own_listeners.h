/*
 * Who listens on the host for the bottle itself: a sandbox whose network goes by a proxy or a relay of its own has one there, on
 * loopback. Bytes that reach it have not got out: what it then does with them is another connection, and is heard like any
 * other. Nobody but the witnesses and what the sandbox started listens in the site's host namespace; the witnesses are no
 * listeners of their own where a packet goes, for they take it by the site's rules (gates/site/firewall.c).
 *
 * Which ends these are is known from the rule that leaves them alone: it logs each connection that it lets through. What is known stays
 * known: should nobody listen there any more, the witness that takes the connection hears it all the same. If more listen than there is
 * room for, the others are outside.
 */
#ifndef GATES_WITNESS_OWN_LISTENERS_H
#define GATES_WITNESS_OWN_LISTENERS_H

#include "log_group.h"
#include "packet.h"

#define OWN_LISTENERS_MAX 64

/* All zeroes at first: nobody listens. */
struct own_listeners {
    bool watched;
    struct log_group log;
    size_t count;
    struct endpoint ends[OWN_LISTENERS_MAX];
};

/* In the host namespace, where the site leaves listeners alone (site_leave_listeners). */
bool own_listeners_open(struct own_listeners *own, struct house *house, struct error *error);

/* What has been logged by now is known afterwards. A packet that follows another on a connection was sent after the first one was logged. */
void own_listeners_look(struct own_listeners *own);

/* Whether the packet, seen on lo, goes to such a listener or comes from one. */
bool own_listeners_have(const struct own_listeners *own, const struct packet *packet);

/* The same of one end. */
bool own_listeners_are_at(const struct own_listeners *own, const struct endpoint *end);

#endif
