/* See vector_words.h: three tables of words, and the places of the site by their names. */
#include "vector_words.h"

#include <stdio.h>
#include <string.h>

static const char *const mechanisms[MECHANISMS] = {
    [MECHANISM_TCP] = "connects by TCP, sends the nonce, reads an answer",
    [MECHANISM_UDP] = "sends the nonce by a connected UDP socket, reads an answer",
    [MECHANISM_UDP_SENDTO] = "sends the nonce by an unconnected UDP socket",
    [MECHANISM_DNS_UDP] = "asks by UDP for a name that carries the nonce",
    [MECHANISM_DNS_TCP] = "asks by TCP for a name that carries the nonce",
    [MECHANISM_METADATA] = "asks by HTTP for a token and for metadata, the nonce in path and header",
    [MECHANISM_ICMP_ECHO] = "pings, with the nonce as payload, from a socket that needs no privilege",
    [MECHANISM_UNIX_STREAM] = "connects to a Unix socket and sends the nonce",
    [MECHANISM_UNIX_DGRAM] = "sends the nonce to a Unix datagram socket",
    [MECHANISM_UDP_BROADCAST] = "sends the nonce to a broadcast address",
    [MECHANISM_MULTICAST_JOIN] = "joins a multicast group and sends nothing: the group's address is the message",
    [MECHANISM_MPTCP] = "connects by multipath TCP and sends the nonce",
    [MECHANISM_TCP_FASTOPEN] = "sends the nonce in the very first packet of a TCP connection",
    [MECHANISM_TCP_SYN] =
        "knocks with the first packet of a TCP connection and sends no byte: where it goes is the message",
    [MECHANISM_DNS_TXT] = "asks by UDP for the TXT record of a name that carries the nonce",
    [MECHANISM_DNS_NULL] = "asks by UDP for the NULL record of a name that carries the nonce",
    [MECHANISM_DNS_EDNS] = "asks by UDP for an ordinary name, the nonce in an EDNS option",
    [MECHANISM_DNS_QUESTIONS] = "asks two questions in one datagram, the nonce in the second",
    [MECHANISM_DNS_CASE] = "asks for an ordinary name whose upper and lower case letters spell the nonce's bits",
    [MECHANISM_INHERITED] = "writes the nonce to every descriptor that was left open for it, but the three streams",
    [MECHANISM_VSOCK] = "connects to a vsock context and sends the nonce",
    [MECHANISM_SWEEP_TCP] = "connects by TCP to all 65,535 ports",
    [MECHANISM_SWEEP_UDP] = "sends a UDP datagram to all 65,535 ports",
    [MECHANISM_UDPLITE] = "sends the nonce by UDP-Lite",
    [MECHANISM_UDP_ON_LINK] = "sends the nonce by UDP out of the bottle's first link, without a route",
};

static const char *const witnesses[WITNESS_KINDS] = {
    "every packet on the world's cable and on host loopback, searched for the nonce and for its destination",
    "a listener that accepts TCP at every address and port",
    "a socket that gets UDP for every address and port",
    "a name server that answers every name by UDP",
    "a name server that answers every name by TCP",
    "a reader of pings to every address",
    "listeners on abstract Unix sockets of the host",
    "listeners on Unix sockets by path on the host",
    "a reader of first packets (SYN): the nonce in one, or the option that the attempt is about",
    "the other end of a descriptor that was left open on purpose",
    "a listener on a vsock context that the gate owns",
    "a probe that listens in a second bottle of the same make",
    "the host's table of sockets: what listens or dials there for the bottle",
    "every packet that the host's own firewall lets in by another interface than its loopback and its LAN",
};

/* The most special first: they are prefixes. */
static const struct {
    const char *prefix, *words;
    bool rest; /* what follows the prefix is shown */
} places[] = {
    { "@host", "the host's own LAN address", false },
    { "@gateway", "the LAN's gateway", false },
    { "@broadcast", "the LAN's broadcast address", false },
    { "@neighbour", "another machine on the LAN", false },
    { "@resolver", "the resolver that the bottle was given", false },
    { "@link-host", "the host's link-local address, on every interface", false },
    { "@link-gateway", "the gateway's link-local address, on every interface", false },
    { "@peer", "where a second bottle of the same make is found", false },
    { "@inherited", "every open descriptor from 3 up", false },
    { "@route:", "the gateway of the bottle's own default route, or else ", true },
    { "@path:", "the Unix socket ", true },
    { "@abstract:", "the abstract Unix socket ", true },
    { "@vsock:", "vsock context:port ", true },
};

const char *vector_mechanism_words(enum mechanism mechanism)
{
    return (unsigned)mechanism < MECHANISMS ? mechanisms[mechanism] : NULL;
}

const char *vector_witness_words(enum witness_kind kind)
{
    for (unsigned i = 0; i < WITNESS_KINDS; i++)
        if ((unsigned)kind == 1u << i)
            return witnesses[i];
    return NULL;
}

const char *vector_need_words(enum vector_need need)
{
    return need == NEED_VSOCK ? "a vsock context that the gate owns (bottle-gate preflight tells)" : NULL;
}

static bool has_port(const struct vector_target *target)
{
    enum transport transport = mechanism_transport(target->mechanism);
    return transport_has_ports(transport);
}

void vector_target_words(const struct vector_target *target, char *text, size_t size)
{
    const char *address = target->address, *before = "", *star = strchr(address, '*');
    char family[8] = "";
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t length = strlen(places[i].prefix);
        if (strncmp(address, places[i].prefix, length) != 0)
            continue;
        before = places[i].words;
        address += length;
        if (!places[i].rest && (*address == '4' || *address == '6'))
            snprintf(family, sizeof family, " (IPv%c)", *address);
        if (!places[i].rest)
            address = "";
        break;
    }
    bool every_link = star != NULL && star > target->address && star[-1] == '%';
    bool sweep = target->mechanism == MECHANISM_SWEEP_TCP || target->mechanism == MECHANISM_SWEEP_UDP;
    size_t used =
        (size_t)snprintf(text, size, "%s%.*s%s", before, (int)strcspn(address, every_link ? "%" : ""), address, family);
    if (every_link && before[0] == '\0' && used < size)
        used += (size_t)snprintf(text + used, size - used, " on every interface");
    if (star != NULL && !every_link && used < size)
        used += (size_t)snprintf(text + used, size - used, " (the star is the nonce)");
    if (has_port(target) && !sweep && used < size && target->port != 0)
        snprintf(text + used, size - used, ", port %u", target->port);
    else if (has_port(target) && !sweep && used < size)
        snprintf(text + used, size - used, ", a port of its own");
}

size_t vector_target_count(const struct vector *vector)
{
    size_t count = 0;
    while (vector->targets[count].address != NULL)
        count++;
    return count;
}
