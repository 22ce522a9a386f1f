/*
 * The destinations that a run will use, and what a packet seen at an outside point is, given them. Pure: no
 * input or output, no allocation. A table is all zeroes at first.
 */
#ifndef GATES_WITNESS_TUPLES_H
#define GATES_WITNESS_TUPLES_H

#include "packet.h"
#include "witness.h"

#define TUPLES_SLOT_BITS 12 /* 4096 slots for at most WATCHES_MAX tuples */
#define TUPLES_NOBODY    0xffff

struct tuples_entry {
    bool used;
    struct tuple tuple;
    uint16_t attempt; /* the first attempt's watch, or TUPLES_NOBODY: only controls go there */
};

struct tuples {
    struct tuples_entry entries[1u << TUPLES_SLOT_BITS];
};

enum sight {
    SIGHT_EXPLAINED, /* housekeeping, a control's packet, the door */
    SIGHT_ANSWER,    /* comes from where attempts and controls go */
    SIGHT_ERROR,     /* an ICMP error: it quotes other packets and must not be searched */
    SIGHT_ATTEMPT,   /* goes where only an attempt goes */
    SIGHT_STRAY,
};

/* Adds the tuple of watch `index`; one without a family, or a Unix one, is left out. An attempt and a control
 * that share a tuple make it the attempt's. */
void tuples_insert(struct tuples *tuples, const struct watch *watch, uint16_t index);

/* What the packet is. `on_loopback`: it was seen on lo of the host namespace, where the door is. *watch: for
 * SIGHT_ATTEMPT, whose. */
enum sight tuples_explain(const struct tuples *tuples, const struct packet *packet, bool on_loopback, uint16_t *watch);

#endif
