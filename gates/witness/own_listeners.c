/* See own_listeners.h. Needs: sendto, recvfrom. */
#include "own_listeners.h"

#include <netinet/in.h>

#include "witness.h"

bool own_listeners_open(struct own_listeners *own, struct error *error)
{
    own->asked = socket_table_open(&own->table, error);
    return own->asked;
}

static struct endpoint *find(struct own_listeners *own, const struct endpoint *end)
{
    for (size_t i = 0; i < own->count; i++)
        if (endpoint_equals(&own->ends[i], end))
            return &own->ends[i];
    return NULL;
}

static bool is_the_sites(const struct endpoint *end)
{
    return end->port >= SITE_PORT_FIRST && end->port <= SITE_PORT_LAST;
}

/* Once known it stays so: a packet is seen a moment after it was sent, and a sandbox that has ended meanwhile listens no more. */
static void ask(struct own_listeners *own, const struct endpoint *end)
{
    if (find(own, end) == NULL && own->count < OWN_LISTENERS_MAX && !is_the_sites(end) &&
        socket_table_listens(&own->table, end))
        own->ends[own->count++] = *end;
}

bool own_listeners_have(struct own_listeners *own, const struct packet *packet)
{
    if (!own->asked || packet->kind != PACKET_IP || packet->protocol != IPPROTO_TCP || !packet->has_transport ||
        packet->fragment)
        return false;
    if (packet_opens_connection(packet))
        ask(own, &packet->destination);
    return find(own, &packet->destination) != NULL || find(own, &packet->source) != NULL;
}
