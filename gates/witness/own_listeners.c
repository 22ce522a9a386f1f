/* See own_listeners.h. Needs what log_group.h needs. */
#include "own_listeners.h"

#include <netinet/in.h>

#include "../site/site.h"

bool own_listeners_are_at(const struct own_listeners *own, const struct endpoint *end)
{
    for (size_t i = 0; i < own->count; i++)
        if (endpoint_equals(&own->ends[i], end))
            return true;
    return false;
}

/* The rule knows a socket's end from a listener's in one case only: two ends that open a connection to each other at once, or one to itself. The
 * probe's own do, in a bottle that shares the host's network: those of a sweep, and a port that the kernel picked on both sides. */
static bool is_listener(const struct own_listeners *own, const struct packet *packet)
{
    const struct endpoint *end = &packet->destination;
    return packet_opens_connection(packet) && (end->port < SITE_PORT_FIRST || end->port > SITE_PORT_LAST) &&
           !endpoint_equals(end, &packet->source) && sweeps_find(&own->log.house->sweeps, TRANSPORT_TCP, end) == NULL;
}

static void take_packet(void *context, const uint8_t *bytes, size_t size)
{
    struct own_listeners *own = context;
    struct packet packet;
    packet_parse_ip(bytes, size, &packet);
    if (is_listener(own, &packet) && own->count < OWN_LISTENERS_MAX && !own_listeners_are_at(own, &packet.destination))
        own->ends[own->count++] = packet.destination;
}

bool own_listeners_open(struct own_listeners *own, struct house *house, struct error *error)
{
    const struct log_group_setting setting = {
        .number = SITE_LISTENERS_GROUP, .name = "listeners", .at_once = true, .take = take_packet, .context = own
    };
    own->watched = log_group_open(&own->log, house, &setting, error);
    return own->watched;
}

void own_listeners_look(struct own_listeners *own)
{
    if (own->watched)
        log_group_drain(&own->log);
}

bool own_listeners_have(const struct own_listeners *own, const struct packet *packet)
{
    return packet->kind == PACKET_IP && packet->protocol == IPPROTO_TCP && packet->has_transport &&
           (own_listeners_are_at(own, &packet->destination) || own_listeners_are_at(own, &packet->source));
}
