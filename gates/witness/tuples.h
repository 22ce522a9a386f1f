/*
 * The destinations that a run will use, and what a packet seen at an outside point is, given them. Pure: no
 * input or output, no allocation. A table is all zeroes at first, but for the sweeps, which it borrows.
 *
 * A tuple with an unspecified address (all zeroes) stands for every address of its family for which there is no
 * tuple of its own.
 */
#ifndef GATES_WITNESS_TUPLES_H
#define GATES_WITNESS_TUPLES_H

#include "packet.h"
#include "sweeps.h"
#include "witness.h"

#define TUPLES_SLOT_BITS 12 /* 4096 slots for at most WATCHES_MAX tuples */
#define TUPLES_NOBODY    0xffff

struct tuples_entry {
    bool used;
    struct tuple tuple;
    uint16_t attempt;    /* the first attempt's watch, or TUPLES_NOBODY: only controls go there */
    uint16_t mp_capable; /* the first attempt's that is about MP_CAPABLE, or TUPLES_NOBODY */
};

struct tuples {
    const struct sweeps *sweeps;
    bool any_wild; /* some tuple has an unspecified address */
    struct tuples_entry entries[1u << TUPLES_SLOT_BITS];
};

enum sight {
    SIGHT_EXPLAINED, /* housekeeping, a control's packet, the door */
    SIGHT_ANSWER,    /* comes from where attempts and controls go */
    SIGHT_ERROR,     /* an ICMP error: it quotes other packets and must not be searched */
    SIGHT_ATTEMPT,   /* goes where only an attempt goes */
    SIGHT_STRAY,
    SIGHT_SWEEP,        /* a sweep's: it opens a connection, or carries bytes */
    SIGHT_SWEEP_REST,   /* a sweep's acknowledgements and resets */
    SIGHT_SWEEP_ANSWER, /* goes to where a sweep sends from */
};
static inline bool sight_is_sweep(enum sight sight)
{
    return sight >= SIGHT_SWEEP;
}

/* Adds the tuple of watch `index`; one without a family, a Unix one, or that of a sweep is left out. An attempt and a
 * control that share a tuple make it the attempt's. */
void tuples_insert(struct tuples *tuples, const struct watch *watch, uint16_t index);

/* What the packet is. `on_loopback`: it was seen on lo of the host namespace, where the door is. *watch: for
 * SIGHT_ATTEMPT and SIGHT_SWEEP, whose. */
enum sight tuples_explain(const struct tuples *tuples, const struct packet *packet, bool on_loopback, uint16_t *watch);

/* The attempt that goes to this end by `transport`, or TUPLES_NOBODY; and the one that asks there for a multipath
 * connection. */
uint16_t tuples_find(const struct tuples *tuples, uint8_t transport, const struct endpoint *endpoint);
uint16_t tuples_find_mp_capable(const struct tuples *tuples, const struct endpoint *endpoint);

#endif
