/* The engine of all mechanisms that send datagrams: the same one several times, spaced, and answers in
 * between. */
#ifndef PROBES_MECHANISMS_DATAGRAM_H
#define PROBES_MECHANISMS_DATAGRAM_H

#include "mechanism.h"

/* The request must be set; judge_answer says whether a datagram is an answer to it (NULL: every one is).
 * Unconnected sockets send by sendto(2), and the kernel tells them no errors of the network. */
void datagram_start(struct attempt *attempt, int protocol, bool connected, uint64_t now);
/* The same for a socket that the mechanism has opened by attempt_open and left unconnected. */
void datagram_begin(struct attempt *attempt, uint64_t now);
void datagram_ready(struct attempt *attempt, short events, uint64_t now);
void datagram_timer(struct attempt *attempt, uint64_t now);

#endif
