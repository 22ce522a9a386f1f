/*
 * Port sweeps: whose a packet is, told by the port that it comes from; and at which ports each was seen, as bits in
 * memory that is shared with whoever started the witness. Both cost the same however many ports leak. Pure but for that
 * memory; a table is all zeroes at first.
 */
#ifndef GATES_WITNESS_SWEEPS_H
#define GATES_WITNESS_SWEEPS_H

#include "endpoint.h"
#include "witness.h"

struct sweeps_entry {
    uint8_t family, transport; /* family 0: no such sweep */
    uint16_t watch;
    uint16_t sources[2];
};

struct sweeps {
    struct sweeps_entry entries[SWEEPS_MAX];
    struct swept_ports *ports; /* SWEEPS_MAX of them, or NULL */
};

/* Takes watch `index`, which is a sweep; one number has one sweep, the first. False if its number is no number of a sweep. */
bool sweeps_insert(struct sweeps *sweeps, const struct watch *watch, uint16_t index);

/* The sweep that sends from this end by this transport, or NULL. */
const struct sweeps_entry *sweeps_find(const struct sweeps *sweeps, uint8_t transport, const struct endpoint *source);

/* Notes that `watch`, if it is a sweep, was seen on its way to `port`; 0 is no port. */
void sweeps_note(const struct sweeps *sweeps, const struct watch *watch, uint16_t port);

#endif
