/* The datagram responders of the world namespace: the UDP catch-all, which sends the token back, and DNS over
 * UDP. */
#ifndef GATES_WITNESS_UDP_H
#define GATES_WITNESS_UDP_H

#include "dns_server.h"
#include "house.h"
#include "origin.h"

#define UDP_RECEIVE_BYTES (4 << 20) /* asked for; a sweep of 65,535 ports must not overrun it */
#define UDP_AT_ONCE       64        /* datagrams read before other listeners get their turn */

struct udp;

struct udp_socket {
    struct udp *udp;
    struct loop_source source;
    uint16_t port; /* SITE_PORT_UDP or SITE_PORT_DNS */
    uint32_t dropped;
};

struct udp {
    struct house *house;
    struct origin *origin;
    struct dns_names *names;
    struct udp_socket sockets[4]; /* catch-all and DNS, for each family */
};

/* Opens the sockets in the current (world) namespace. `origin` and `names` are borrowed. */
bool udp_open(struct udp *udp, struct house *house, struct origin *origin, struct dns_names *names,
              struct error *error);

#endif
