/*
 * Flows that nothing planned explains. A flow is only called stray at the end, because what explains it may
 * come late: a relay that was asked to forward an attempt opens a connection of its own first, and sends the
 * nonce then. Bounded: the first STRAYS_MAX flows are kept, the others counted.
 */
#ifndef GATES_WITNESS_STRAYS_H
#define GATES_WITNESS_STRAYS_H

#include "own_listeners.h"
#include "packet.h"
#include "outbox.h"

#define STRAYS_MAX  256
#define STRAYS_SAID 16 /* each with its own message; the others as a number */

struct strays_flow {
    enum point point;
    bool explained;
    uint8_t protocol, icmp_type;
    uint16_t ether_type;
    enum packet_kind kind;
    struct endpoint low, high, source, destination; /* the two ends in order; and as first seen */
    uint32_t packets;
};

struct strays {
    size_t count;
    uint64_t uncounted; /* packets of flows that found no room */
    struct strays_flow flows[STRAYS_MAX];
};

/* A packet that nothing planned explains. */
void strays_add(struct strays *strays, enum point point, const struct packet *packet);
/* A nonce was heard in the flow of this packet: it belongs to an attempt, whatever else it carries. */
void strays_attribute(struct strays *strays, enum point point, const struct packet *packet);
/* What went to a sandbox's own listener, or came from it, at that point is explained: it may have been captured a moment before its connection
 * was logged. */
void strays_excuse(struct strays *strays, enum point point, const struct own_listeners *own);
/* Says what is left unexplained. */
void strays_report(const struct strays *strays, struct outbox *outbox);

#endif
