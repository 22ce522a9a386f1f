/* See sabotage.h. Needs: epoll_ctl, close. A listener that has a socket of its own loses it, so that the kernel answers
 * for it as for any dead one; what shares its socket with others (DNS over TCP, data in a SYN) falls silent. */
#include "sabotage.h"

static void close_datagrams(struct witness_house *all, unsigned kinds)
{
    for (size_t i = 0; i < sizeof all->udp.sockets / sizeof *all->udp.sockets; i++) {
        struct udp_socket *socket = &all->udp.sockets[i];
        if ((kinds & (socket->port == SITE_PORT_DNS ? WITNESS_DNS_UDP : WITNESS_UDP)) != 0)
            loop_close(&all->house.loop, &socket->source);
    }
    for (size_t i = 0; i < all->icmp.count && (kinds & WITNESS_ICMP) != 0; i++)
        loop_close(&all->house.loop, &all->icmp.sockets[i].source);
}

static void close_streams(struct witness_house *all, unsigned kinds)
{
    if ((kinds & WITNESS_TCP) != 0)
        tcp_close(&all->tcp);
    for (size_t i = 0; i < all->unix_sockets.count; i++)
        if ((kinds & all->unix_sockets.listeners[i].kind) != 0)
            loop_close(&all->house.loop, &all->unix_sockets.listeners[i].source);
    for (size_t i = 0; i < HELD_MAX; i++)
        if (held_is_used(all->house.setup, i) && (kinds & all->held.sources[i].kind) != 0)
            loop_close(&all->house.loop, &all->held.sources[i].source);
}

static void kill_listeners(struct witness_house *all)
{
    unsigned kinds = all->house.setup->fault_kinds;
    close_datagrams(all, kinds);
    close_streams(all, kinds);
    if ((kinds & WITNESS_HOST) != 0)
        loop_close(&all->house.loop, &all->host_input.log.source);
    all->house.outbox.mute_kinds = kinds;
}

void sabotage_make(struct witness_house *all)
{
    struct outbox *outbox = &all->house.outbox;
    outbox->break_asked = false;
    switch (outbox->fault) {
    case WITNESS_FAULT_DEAD:
        kill_listeners(all);
        break;
    case WITNESS_FAULT_NO_CAPTURE_WAN:
        loop_close(&all->house.loop, &all->capture.places[POINT_WAN].source);
        break;
    case WITNESS_FAULT_NO_CAPTURE_LO:
        loop_close(&all->house.loop, &all->capture.places[POINT_LO].source);
        break;
    case WITNESS_FAULT_NO_NEIGHBOUR:
        loop_close(&all->house.loop, &all->neighbour.source);
        break;
    case WITNESS_FAULT_LATE:
        outbox->late_kinds = all->house.setup->fault_kinds;
        break;
    default:
        break;
    }
    outbox->fault = WITNESS_FAULT_NONE;
    outbox_event(outbox, WITNESS_BROKE);
}
