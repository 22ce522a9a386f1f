/* See strays.h. Few flows are ever here, so they are searched in order. */
#include "strays.h"

#include <stdio.h>
#include <string.h>

static int order(const struct endpoint *one, const struct endpoint *other)
{
    int difference = memcmp(one->address, other->address, sizeof one->address);
    return difference != 0 ? difference : (int)one->port - (int)other->port;
}

/* The flow of the packet, an unused place prepared for it, or NULL where there is no room. */
static struct strays_flow *find_flow(struct strays *strays, enum point point, const struct packet *packet)
{
    bool swapped = order(&packet->source, &packet->destination) > 0;
    const struct endpoint *low = swapped ? &packet->destination : &packet->source;
    const struct endpoint *high = swapped ? &packet->source : &packet->destination;
    for (size_t i = 0; i < strays->count; i++) {
        struct strays_flow *flow = &strays->flows[i];
        if (flow->point == point && flow->kind == packet->kind && flow->ether_type == packet->ether_type &&
            flow->protocol == packet->protocol && endpoint_equals(&flow->low, low) &&
            endpoint_equals(&flow->high, high))
            return flow;
    }
    if (strays->count == STRAYS_MAX)
        return NULL;
    struct strays_flow *flow = &strays->flows[strays->count++];
    *flow = (struct strays_flow){ .point = point,
                                  .protocol = packet->protocol,
                                  .icmp_type = packet->icmp_type,
                                  .ether_type = packet->ether_type,
                                  .kind = packet->kind,
                                  .low = *low,
                                  .high = *high,
                                  .source = packet->source,
                                  .destination = packet->destination };
    return flow;
}

void strays_add(struct strays *strays, enum point point, const struct packet *packet)
{
    struct strays_flow *flow = find_flow(strays, point, packet);
    if (flow == NULL)
        strays->uncounted++;
    else
        flow->packets++;
}

void strays_attribute(struct strays *strays, enum point point, const struct packet *packet)
{
    if (packet->kind != PACKET_IP || !packet->has_transport)
        return;
    struct strays_flow *flow = find_flow(strays, point, packet);
    if (flow != NULL)
        flow->explained = true;
}

static void describe(const struct strays_flow *flow, char *text, size_t capacity)
{
    const char *version = flow->source.family == AF_INET6 ? "IPv6" : "IPv4";
    if (flow->kind == PACKET_MALFORMED)
        snprintf(text, capacity, "%u malformed packet(s) of EtherType 0x%04x", flow->packets, flow->ether_type);
    else if (flow->kind == PACKET_LINK)
        snprintf(text, capacity, "%u frame(s) of EtherType 0x%04x", flow->packets, flow->ether_type);
    else if (flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_UDP)
        snprintf(text, capacity, "%u %s packet(s) over %s", flow->packets,
                 flow->protocol == IPPROTO_TCP ? "TCP" : "UDP", version);
    else if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6)
        snprintf(text, capacity, "%u ICMP message(s) of type %u over %s", flow->packets, flow->icmp_type, version);
    else
        snprintf(text, capacity, "%u packet(s) of protocol %u over %s", flow->packets, flow->protocol, version);
}

void strays_excuse(struct strays *strays, enum point point, const struct own_listeners *own)
{
    for (size_t i = 0; i < strays->count; i++) {
        struct strays_flow *flow = &strays->flows[i];
        if (flow->point == point && flow->protocol == IPPROTO_TCP &&
            (own_listeners_are_at(own, &flow->low) || own_listeners_are_at(own, &flow->high)))
            flow->explained = true;
    }
}

void strays_report(const struct strays *strays, struct outbox *outbox)
{
    size_t said = 0, unsaid = 0;
    for (size_t i = 0; i < strays->count; i++) {
        const struct strays_flow *flow = &strays->flows[i];
        if (flow->explained || flow->packets == 0)
            continue;
        if (said++ >= STRAYS_SAID) {
            unsaid++;
            continue;
        }
        char text[96], at[ENDPOINT_TEXT], peer[ENDPOINT_TEXT];
        describe(flow, text, sizeof text);
        endpoint_format(&flow->destination, at);
        endpoint_format(&flow->source, peer);
        outbox_stray(outbox, flow->point, at, peer, text);
    }
    if (unsaid > 0 || strays->uncounted > 0) {
        char text[96];
        snprintf(text, sizeof text, "%zu more flow(s), and %llu packet(s) of yet others", unsaid,
                 (unsigned long long)strays->uncounted);
        outbox_stray(outbox, POINT_WAN, "", "", text);
    }
}
