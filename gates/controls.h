/*
 * Witness controls: attempts whose outcome is known. In every round one nonce is sent to each witness, from
 * the host namespace, on the attempts' own path, by the probe itself; the round is good when every control
 * was heard by every witness that it names. A witness that doesn't hear its control could not have heard an
 * escape either.
 */
#ifndef GATES_CONTROLS_H
#define GATES_CONTROLS_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

/* The rounds of one phase. Round `during` of a principal is sent while its attempts are made, `after` when
 * its probe has ended, `final` when the bottle is gone and the drain is over. */
enum control_round {
    ROUND_BEFORE,
    ROUND_DURING,
    ROUND_AFTER = ROUND_DURING + PRINCIPALS,
    ROUND_FINAL = ROUND_AFTER + PRINCIPALS,
    ROUNDS
};

#define CONTROLS_MAX 40

/* The abstract names and the directory that the witness must listen on for the controls (see witness.h). */
#define CONTROL_ABSTRACT_NAME "bottle-gate-control"

/* How many controls a round has, with or without IPv6. */
uint16_t controls_count(bool ipv6);

/* Fills the watches of all rounds: ROUNDS * controls_count, round by round. */
bool controls_watches(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase, bool ipv6,
                      struct watch *watches, struct error *error);

/* The probe plan of one round: no door, one datagram each. Nonces are taken from the round's watches. */
void controls_plan(const struct run_plan *plan, const struct watch *watches, enum control_round round, bool ipv6,
                   struct probe_plan *out);

/* Bits of the witnesses that must hear control `index` of a round. */
unsigned controls_expected(uint16_t index, bool ipv6);

/* "TCP in the world, IPv6": what a missing control is called. */
const char *controls_name(uint16_t index, bool ipv6);

#endif
