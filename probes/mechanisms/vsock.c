/*
 * Vsock: a stream to a port of context 1, made like TCP. That it can lead nowhere but to this kernel's own loopback
 * transport is seen to where its socket is opened (target.c): there is no other way to one.
 */
#include "stream.h"

static void start(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    stream_start(attempt, now);
}

const struct mechanism_functions vsock_functions = { start, stream_ready, stream_timer };
