/*
 * Who listens on the host for the bottle itself: a sandbox whose network goes by a proxy or a relay of its own has one there, on
 * loopback. Bytes that reach it have not got out: what it then does with them is another connection, and is heard like any
 * other. Nobody but the witnesses and what the sandbox started listens in the site's host namespace; the witnesses are no
 * listeners of their own where a packet goes, for they take it by the site's rules (gates/site/firewall.c).
 *
 * The kernel is asked when a connection is opened to an end that isn't known yet. What is known stays known: should nobody listen there any
 * more, the witness that takes the connection hears it all the same. If more listen than there is room for, the others are outside.
 */
#ifndef GATES_WITNESS_OWN_LISTENERS_H
#define GATES_WITNESS_OWN_LISTENERS_H

#include "packet.h"
#include "socket_table.h"

#define OWN_LISTENERS_MAX 64

/* All zeroes at first: nobody is asked, and nobody listens. */
struct own_listeners {
    bool asked;
    struct socket_table table;
    size_t count;
    struct endpoint ends[OWN_LISTENERS_MAX];
};

/* In the host namespace, in which its questions are answered from then on. */
bool own_listeners_open(struct own_listeners *own, struct error *error);

/* Whether the packet, seen on lo, goes to such a listener or comes from one. */
bool own_listeners_have(struct own_listeners *own, const struct packet *packet);

#endif
