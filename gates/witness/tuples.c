/*
 * See tuples.h. The order of the questions is the point: a packet to an attempt's tuple is that attempt,
 * whoever it claims to come from, unless it is the later part of a TCP flow whose source is known, which
 * makes it an answer (an ephemeral port can equal a planned one). Only then is it asked whether the source
 * explains it. A tuple that names its address goes before one that stands for all of them, at whichever end.
 *
 * A sweep goes before all of that: its source ports are no ephemeral ports, so nobody else sends from them.
 */
#include "tuples.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <net/ethernet.h>
#include <string.h>

#define MLD2_REPORT 143

/* The slot of the tuple, or the empty one where it belongs: there is always one, for the table is twice too
 * large. */
static size_t find_slot(const struct tuples *tuples, const struct tuple *tuple)
{
    uint64_t words[2], hash = (uint64_t)tuple->family << 24 | (uint64_t)tuple->transport << 16 | tuple->port;
    memcpy(words, tuple->address, 16);
    for (size_t i = 0; i < 2; i++)
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
    size_t slot = hash >> (64 - TUPLES_SLOT_BITS);
    while (tuples->entries[slot].used && memcmp(&tuples->entries[slot].tuple, tuple, sizeof *tuple) != 0)
        slot = (slot + 1) % (1u << TUPLES_SLOT_BITS);
    return slot;
}

void tuples_insert(struct tuples *tuples, const struct watch *watch, uint16_t index)
{
    static const uint8_t unspecified[16];
    if (index >= WATCHES_MAX || watch->is_sweep || (watch->tuple.family != AF_INET && watch->tuple.family != AF_INET6))
        return;
    struct tuples_entry *entry = &tuples->entries[find_slot(tuples, &watch->tuple)];
    if (!entry->used)
        *entry = (struct tuples_entry){
            .used = true, .tuple = watch->tuple, .attempt = TUPLES_NOBODY, .mp_capable = TUPLES_NOBODY
        };
    tuples->any_wild |= memcmp(watch->tuple.address, unspecified, sizeof unspecified) == 0;
    if (!watch->control && entry->attempt == TUPLES_NOBODY)
        entry->attempt = index;
    if (!watch->control && watch->mp_capable && entry->mp_capable == TUPLES_NOBODY)
        entry->mp_capable = index;
}

/* The entry for this end; *named: by its own address, not by one that stands for all. */
static const struct tuples_entry *find_entry(const struct tuples *tuples, uint8_t transport,
                                             const struct endpoint *endpoint, bool *named)
{
    struct tuple tuple = { .family = endpoint->family, .transport = transport, .port = endpoint->port };
    memcpy(tuple.address, endpoint->address, sizeof tuple.address);
    if (transport == TRANSPORT_ICMP)
        tuple.port = 0;
    const struct tuples_entry *entry = &tuples->entries[find_slot(tuples, &tuple)];
    *named = entry->used;
    if (!entry->used && tuples->any_wild) {
        memset(tuple.address, 0, sizeof tuple.address);
        entry = &tuples->entries[find_slot(tuples, &tuple)];
    }
    return entry->used ? entry : NULL;
}

uint16_t tuples_find(const struct tuples *tuples, uint8_t transport, const struct endpoint *endpoint)
{
    bool named;
    const struct tuples_entry *entry = find_entry(tuples, transport, endpoint, &named);
    return entry != NULL ? entry->attempt : TUPLES_NOBODY;
}

uint16_t tuples_find_mp_capable(const struct tuples *tuples, const struct endpoint *endpoint)
{
    bool named;
    const struct tuples_entry *entry = find_entry(tuples, TRANSPORT_TCP, endpoint, &named);
    return entry != NULL ? entry->mp_capable : TUPLES_NOBODY;
}

static bool is_housekeeping(const struct packet *packet)
{
    if (packet->protocol == IPPROTO_ICMP && packet->source.family == AF_INET)
        return packet->icmp_type == ICMP_ROUTERADVERT || packet->icmp_type == ICMP_ROUTERSOLICIT;
    if (packet->protocol != IPPROTO_ICMPV6 || packet->source.family != AF_INET6)
        return false;
    return (packet->icmp_type >= MLD_LISTENER_QUERY && packet->icmp_type <= ND_NEIGHBOR_ADVERT) ||
           packet->icmp_type == MLD2_REPORT;
}

static bool is_door(uint16_t port)
{
    return port == SITE_PORT_DOOR || port == SITE_PORT_BOTTLE_DOOR;
}

static bool is_echo(const struct packet *packet, bool request)
{
    if (packet->protocol == IPPROTO_ICMP)
        return packet->icmp_type == (request ? ICMP_ECHO : ICMP_ECHOREPLY);
    return packet->icmp_type == (request ? ICMP6_ECHO_REQUEST : ICMP6_ECHO_REPLY);
}

static enum sight explain_icmp(const struct tuples *tuples, const struct packet *packet, uint16_t *watch)
{
    if (packet_is_icmp_error(packet))
        return SIGHT_ERROR;
    if (is_housekeeping(packet))
        return SIGHT_EXPLAINED;
    const struct tuples_entry *entry = NULL;
    bool named;
    if (is_echo(packet, false))
        return find_entry(tuples, TRANSPORT_ICMP, &packet->source, &named) != NULL ? SIGHT_ANSWER : SIGHT_STRAY;
    if (is_echo(packet, true))
        entry = find_entry(tuples, TRANSPORT_ICMP, &packet->destination, &named);
    if (entry == NULL)
        return SIGHT_STRAY;
    *watch = entry->attempt;
    return entry->attempt == TUPLES_NOBODY ? SIGHT_EXPLAINED : SIGHT_ATTEMPT;
}

/* Whether the packet is a sweep's, or an answer to one. What opens a connection is no answer, and a connection to where a
 * sweep sends from is nothing that anybody planned. */
static bool explain_sweep(const struct tuples *tuples, const struct packet *packet, uint8_t transport,
                          enum sight *sight, uint16_t *watch)
{
    const struct sweeps_entry *own = sweeps_find(tuples->sweeps, transport, &packet->source);
    bool opens = packet_opens_connection(packet);
    if (own != NULL) {
        *watch = own->watch;
        *sight = transport == TRANSPORT_UDP || opens || packet->payload_size > 0 ? SIGHT_SWEEP : SIGHT_SWEEP_REST;
        return true;
    }
    *sight = SIGHT_SWEEP_ANSWER;
    return !opens && sweeps_find(tuples->sweeps, transport, &packet->destination) != NULL &&
           tuples_find(tuples, transport, &packet->destination) == TUPLES_NOBODY;
}

static enum sight explain_ports(const struct tuples *tuples, const struct packet *packet, bool on_loopback,
                                uint16_t *watch)
{
    bool tcp = packet->protocol == IPPROTO_TCP, opens = packet_opens_connection(packet);
    uint8_t transport = tcp ? TRANSPORT_TCP : TRANSPORT_UDP;
    enum sight sight;
    if (tuples->sweeps != NULL && explain_sweep(tuples, packet, transport, &sight, watch))
        return sight;
    if (tcp && on_loopback && (is_door(packet->destination.port) || is_door(packet->source.port)))
        return SIGHT_EXPLAINED;
    bool to_named, from_named;
    const struct tuples_entry *to = find_entry(tuples, transport, &packet->destination, &to_named);
    const struct tuples_entry *from = find_entry(tuples, transport, &packet->source, &from_named);
    bool is_answer = from != NULL && !opens && (to_named == from_named ? tcp : from_named);
    if (to != NULL && to->attempt != TUPLES_NOBODY && !is_answer) {
        *watch = to->attempt;
        return SIGHT_ATTEMPT;
    }
    if (from != NULL && (from_named || (!to_named && !opens)))
        return SIGHT_ANSWER;
    return to != NULL ? SIGHT_EXPLAINED : SIGHT_STRAY;
}

enum sight tuples_explain(const struct tuples *tuples, const struct packet *packet, bool on_loopback, uint16_t *watch)
{
    if (packet->kind == PACKET_LINK)
        return packet->ether_type == ETHERTYPE_ARP ? SIGHT_EXPLAINED : SIGHT_STRAY;
    if (packet->kind != PACKET_IP)
        return SIGHT_STRAY;
    if (packet->fragment_offset != 0 || packet->protocol == IPPROTO_IGMP)
        return SIGHT_EXPLAINED; /* the first piece, or the whole, says what the datagram is */
    if (!packet->has_transport)
        return SIGHT_STRAY;
    switch (packet->protocol) {
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        return explain_icmp(tuples, packet, watch);
    case IPPROTO_TCP:
    case IPPROTO_UDP:
        return explain_ports(tuples, packet, on_loopback, watch);
    default:
        return SIGHT_STRAY;
    }
}
