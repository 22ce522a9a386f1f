/* One datagram read from a socket, with what the kernel tells about it beside its bytes. */
#ifndef GATES_WITNESS_ARRIVAL_H
#define GATES_WITNESS_ARRIVAL_H

#include <stddef.h>
#include <sys/types.h>

#include "endpoint.h"

struct arrival {
    struct endpoint peer, local; /* local: where it was delivered; the port is the caller's to fill in */
    uint32_t link;               /* by which it came, IPv6 only: without it link-local addresses mean nothing */
    uint32_t dropped;            /* datagrams that this socket lost since it was made; 0 if the kernel says nothing */
};

/* Reads one datagram without waiting. Returns its size, or -1 if there is none. The socket was made with
 * HOUSE_ARRIVAL. Sources: ip(7), ipv6(7), SO_RXQ_OVFL in socket(7). */
ssize_t arrival_receive(int fd, void *buffer, size_t capacity, struct arrival *arrival);

/* Sends a datagram back to the peer, from the address at which the arrival was delivered. */
void arrival_answer(int fd, const struct arrival *arrival, const void *data, size_t size);

#endif
