/*
 * UDP, connected and unconnected. They are two mechanisms, since engines that hook connect(2) have been seen
 * to miss sendto(2), and the other way round. See datagram.h.
 */
#include "datagram.h"

static void start_connected(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    datagram_start(attempt, 0, true, now);
}

static void start_unconnected(struct attempt *attempt, uint64_t now)
{
    attempt_set_payload(attempt);
    datagram_start(attempt, 0, false, now);
}

const struct mechanism_functions udp_functions = { start_connected, datagram_ready, datagram_timer };
const struct mechanism_functions udp_sendto_functions = { start_unconnected, datagram_ready, datagram_timer };
