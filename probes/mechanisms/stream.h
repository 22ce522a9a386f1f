/* The engine of all mechanisms over a connection: connect, send the request, read until the answer is
 * complete. */
#ifndef PROBES_MECHANISMS_STREAM_H
#define PROBES_MECHANISMS_STREAM_H

#include "mechanism.h"

/* The request must be set; judge_answer says when the answer is complete (NULL: as soon as a token was
 * found). */
void stream_start(struct attempt *attempt, uint64_t now);
/* The same over a protocol that isn't the family's default one. */
void stream_start_over(struct attempt *attempt, int protocol, uint64_t now);
/* The same with the request in the SYN itself, without a cookie (RFC 7413 section 4.1.3): what of it isn't
 * acknowledged with the SYN, the kernel sends again once the connection stands. */
void stream_start_in_syn(struct attempt *attempt, uint64_t now);
void stream_ready(struct attempt *attempt, short events, uint64_t now);
void stream_timer(struct attempt *attempt, uint64_t now);

#endif
