/*
 * Ports of the host namespace that look taken. A sandbox that offers the host's loopback may first look whether somebody listens at a port
 * there: pasta binds it, and refuses the bottle's connection itself where it can. The listener to which nft leads every
 * port is bound to one, so the others would look free, and an open way shut. Nothing listens at what is bound here: connections go where nft
 * leads them.
 */
#ifndef GATES_WITNESS_TAKEN_PORTS_H
#define GATES_WITNESS_TAKEN_PORTS_H

#include "house.h"

/* Binds, in the current (host) namespace, the ports at which the bottle's gateway is tried: its address is what stands for the host's
 * loopback. They stay bound until the process ends. */
bool taken_ports_open(const struct house *house, struct error *error);

#endif
