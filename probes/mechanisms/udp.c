/*
 * UDP, connected, unconnected, broadcast and on-link. The first two are two mechanisms, since engines that hook connect(2)
 * have been seen to miss sendto(2), and the other way round. The third is the second with the permission that
 * socket(7) asks for before anything goes to a broadcast address. The last is bound
 * to the first link and asks for no route: whoever is on that link is taken for the destination, and a host accepts its own
 * addresses on any interface. It needs no capability (Linux 5.7). See datagram.h.
 */
#include "datagram.h"

#include <errno.h>

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

static void start_broadcast(struct attempt *attempt, uint64_t now)
{
    const int on = 1;
    attempt_set_payload(attempt);
    if (!attempt_open(attempt, SOCK_DGRAM, 0))
        return;
    if (setsockopt(attempt->socket, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) != 0)
        attempt_end(attempt, STAGE_SOCKET, errno);
    else
        datagram_begin(attempt, now);
}

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

static void start_on_link(struct attempt *attempt, uint64_t now)
{
    const int on = 1;
    attempt_set_payload(attempt);
    if (!attempt_open(attempt, SOCK_DGRAM, 0))
        return;
    const int link = (int)attempt_first_link();
    if (setsockopt(attempt->socket, SOL_SOCKET, SO_BINDTOIFINDEX, &link, sizeof link) != 0 ||
        setsockopt(attempt->socket, SOL_SOCKET, SO_DONTROUTE, &on, sizeof on) != 0)
        attempt_end(attempt, STAGE_SOCKET, errno);
    else
        datagram_begin(attempt, now);
}

const struct mechanism_functions udp_functions = { start_connected, datagram_ready, datagram_timer };
const struct mechanism_functions udp_sendto_functions = { start_unconnected, datagram_ready, datagram_timer };
const struct mechanism_functions udp_broadcast_functions = { start_broadcast, datagram_ready, datagram_timer };
const struct mechanism_functions udp_on_link_functions = { start_on_link, datagram_ready, datagram_timer };
