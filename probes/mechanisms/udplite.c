/*
 * UDP-Lite (RFC 3828): datagrams of IP protocol 136, which rules on UDP don't see. Sockets of it are the kernel's own, of any
 * user. See datagram.h.
 */
#include "datagram.h"

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

static void start(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    datagram_start(attempt, IPPROTO_UDPLITE, true, now);
}

const struct mechanism_functions udplite_functions = { start, datagram_ready, datagram_timer };
