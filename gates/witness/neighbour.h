/*
 * The IPv6 neighbours of the LAN: answers a neighbour solicitation for any address on wan0 with wan0's own
 * link address, so that every neighbour there is arrives at the witnesses. It never answers duplicate address
 * detection (a source of ::), which would take every address away from the host, and never for the host's or
 * the gateway's own address. (IPv4 needs none of this: the kernel answers ARP for every local address, and
 * all are local.) Source: RFC 4861 sections 4.3, 4.4, 7.2.
 */
#ifndef GATES_WITNESS_NEIGHBOUR_H
#define GATES_WITNESS_NEIGHBOUR_H

#include "house.h"

#define NEIGHBOUR_ANSWER_BYTES 86

struct neighbour {
    struct house *house;
    struct loop_source source;
    uint8_t link_address[6];
};

/* Opens the packet socket on wan0 of the current (world) namespace. */
bool neighbour_open(struct neighbour *neighbour, struct house *house, struct error *error);

/* Builds the answer to `frame`. False for what is not to be answered. Pure. */
bool neighbour_answer(const uint8_t *frame, size_t size, const uint8_t link_address[6],
                      uint8_t answer[NEIGHBOUR_ANSWER_BYTES]);

#endif
