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
    ROUND_SWEEP = ROUND_AFTER + PRINCIPALS, /* while the ports are swept */
    ROUND_FINAL,
    ROUNDS
};

#define CONTROLS_MAX      40
#define PEER_CONTROLS     3
#define PEER_ROUNDS       2 /* before the first attempt and after the last */
#define PEER_CONTROL_PORT 19011

/* Which controls a phase can have. */
struct controls_setting {
    bool ipv6, vsock;
    bool no_ping; /* no echo requests */
};

/* The abstract names and the directory that the witness must listen on for the controls (see witness.h). */
#define CONTROL_ABSTRACT_NAME "bottle-gate-control"

/* How many controls a round has. */
uint16_t controls_count(struct controls_setting setting);

/* Fills the watches of all rounds: ROUNDS * controls_count, round by round. */
bool controls_watches(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                      struct controls_setting setting, struct watch *watches, struct error *error);

/* The probe plan of one round: no door, one datagram each. Nonces are taken from the round's watches. */
void controls_plan(const struct run_plan *plan, const struct watch *watches, enum control_round round,
                   struct controls_setting setting, uint32_t vsock_port, struct probe_plan *out);

/* Bits of the witnesses that must hear control `index` of a round. */
unsigned controls_expected(uint16_t index, struct controls_setting setting);

/* "TCP in the world, IPv6": what a missing control is called. */
const char *controls_name(uint16_t index, struct controls_setting setting);

/*
 * The listener of a second bottle has controls of its own: they are sent from inside that bottle, because nothing outside
 * reaches it. In a bare or open run host loopback is everybody's, and its TCP goes to the tcp witness: one of the
 * witnesses named is enough.
 */
bool controls_peer_watches(const struct run_plan *plan, const struct secret *secret, enum phase_kind phase,
                           struct watch *watches, struct error *error); /* PEER_ROUNDS * PEER_CONTROLS of them */
void controls_peer_plan(const struct run_plan *plan, const struct watch *watches, unsigned round,
                        struct probe_plan *out);
unsigned controls_peer_accepted(uint16_t index);

#endif
