/*
 * What the two port sweeps share: the order of the ports, and the sockets that they are swept from. A sweep is one
 * attempt at one address; the `port` of its plan is how many ports, and 65535 are all of them.
 *
 * The order is the multiplicative group modulo 65537, a prime: x, x*m, x*m*m ... for a primitive root m passes through
 * 1..65536, each exactly once, and 65536 is left out. Start and factor come from the nonce, so the first `count` of
 * them are a choice that nobody inside can know before, and that the gate can make again.
 */
#ifndef PROBES_MECHANISMS_SWEEP_H
#define PROBES_MECHANISMS_SWEEP_H

#include "mechanism.h"

#define SWEEPS_AT_ONCE 8     /* of each transport in one plan; the others end as starved (ENOBUFS) */
#define SWEEP_BATCH    256   /* ports tried before the loop may serve its other attempts */
#define SWEEP_TICK     1000u /* microseconds between two looks at what can't go on by itself */

struct sweep_order {
    uint32_t value, factor;
    uint32_t left; /* ports still to come */
};

/* An order of `count` (0 to 65535) different ports, the same for the same nonce. */
void sweep_order_start(struct sweep_order *order, const uint8_t nonce[NONCE_BYTES], uint32_t count);
/* The next port, or 0 when there is none. */
uint16_t sweep_order_next(struct sweep_order *order);

/* Sets the payload and the target but for its port. */
void sweep_begin(struct attempt *attempt);
void sweep_aim(struct attempt *attempt, uint16_t port);

/* A socket bound to the source port from which this port is swept; several may share it. Where the bottle forbids to bind, it isn't bound: who
 * may not bind may still connect and send, and the nonce tells whose it is. -1 with errno. */
int sweep_socket(const struct attempt *attempt, int type, uint16_t port);

/* Whether this port of the swept address is the plan's door. */
bool sweep_meets_door(const struct attempt *attempt, uint16_t port);

/* Keeps the first error of a port that isn't just closed. */
void sweep_keep_error(struct attempt *attempt, int error);

/* True for errors by which a bottle forbids a call. A port for which no socket is given was tried. */
bool sweep_is_forbidden(int error);

/* True for errors that say "not now": nothing was tried. */
bool sweep_must_wait(int error);

#endif
