/* The ICMP witness: hears echo requests in both namespaces. It never answers them: the kernel does. */
#ifndef GATES_WITNESS_ICMP_H
#define GATES_WITNESS_ICMP_H

#include "house.h"
#include "origin.h"

struct icmp_socket {
    struct house *house;
    struct origin *origin; /* NULL where nothing is redirected */
    struct loop_source source;
    enum point point;
    uint8_t family;
    uint32_t dropped;
};

struct icmp_sockets {
    struct icmp_socket sockets[4];
    size_t count;
};

/* Opens a raw socket for each family in the current namespace, which is seen as `point`. May be called for
 * several. */
bool icmp_open(struct icmp_sockets *icmp, struct house *house, enum point point, struct origin *origin,
               struct error *error);

#endif
