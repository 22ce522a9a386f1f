/* The engine of all mechanisms over a connection: connect, send the request, read until the answer is
 * complete. */
#ifndef PROBES_MECHANISMS_STREAM_H
#define PROBES_MECHANISMS_STREAM_H

#include "mechanism.h"

/* The request must be set; judge_answer says when the answer is complete (NULL: as soon as a token was
 * found). */
void stream_start(struct attempt *attempt, uint64_t now);
void stream_ready(struct attempt *attempt, short events, uint64_t now);
void stream_timer(struct attempt *attempt, uint64_t now);

#endif
