/*
 * See vectors.h: the words for mechanisms, families and witnesses, and the spelling of ids. The words stand
 * in plans, records and reports, so they never change once released.
 */
#include "vectors.h"

#include <string.h>

static const struct {
    const char *name;
    enum transport transport;
} mechanism_words[MECHANISMS] = {
    [MECHANISM_TCP] = { "tcp", TRANSPORT_TCP },
    [MECHANISM_UDP] = { "udp", TRANSPORT_UDP },
    [MECHANISM_UDP_SENDTO] = { "udp-sendto", TRANSPORT_UDP },
    [MECHANISM_DNS_UDP] = { "dns-udp", TRANSPORT_UDP },
    [MECHANISM_DNS_TCP] = { "dns-tcp", TRANSPORT_TCP },
    [MECHANISM_METADATA] = { "metadata", TRANSPORT_TCP },
    [MECHANISM_ICMP_ECHO] = { "icmp-echo", TRANSPORT_ICMP },
    [MECHANISM_UNIX_STREAM] = { "unix-stream", TRANSPORT_UNIX },
    [MECHANISM_UNIX_DGRAM] = { "unix-dgram", TRANSPORT_UNIX },
    [MECHANISM_UDP_BROADCAST] = { "udp-broadcast", TRANSPORT_UDP },
    [MECHANISM_MULTICAST_JOIN] = { "multicast-join", TRANSPORT_GROUP },
    [MECHANISM_MPTCP] = { "mptcp", TRANSPORT_TCP },
    [MECHANISM_TCP_FASTOPEN] = { "tcp-fastopen", TRANSPORT_TCP },
    [MECHANISM_TCP_SYN] = { "tcp-syn", TRANSPORT_TCP },
    [MECHANISM_DNS_TXT] = { "dns-txt", TRANSPORT_UDP },
    [MECHANISM_DNS_NULL] = { "dns-null", TRANSPORT_UDP },
    [MECHANISM_DNS_EDNS] = { "dns-edns", TRANSPORT_UDP },
    [MECHANISM_DNS_QUESTIONS] = { "dns-questions", TRANSPORT_UDP },
    [MECHANISM_DNS_CASE] = { "dns-case", TRANSPORT_UDP },
    [MECHANISM_INHERITED] = { "inherited", TRANSPORT_DESCRIPTOR },
    [MECHANISM_VSOCK] = { "vsock", TRANSPORT_VSOCK },
    [MECHANISM_SWEEP_TCP] = { "sweep-tcp", TRANSPORT_TCP },
    [MECHANISM_SWEEP_UDP] = { "sweep-udp", TRANSPORT_UDP },
    [MECHANISM_UDPLITE] = { "udplite", TRANSPORT_UDPLITE },
    [MECHANISM_UDP_ON_LINK] = { "udp-on-link", TRANSPORT_UDP },
};

static const struct {
    const char *name;
    bool has_ports;
} transport_words[TRANSPORTS] = {
    [TRANSPORT_TCP] = { "tcp", true },         [TRANSPORT_UDP] = { "udp", true },
    [TRANSPORT_UDPLITE] = { "udplite", true }, [TRANSPORT_ICMP] = { "icmp", false },
    [TRANSPORT_UNIX] = { "unix", false },      [TRANSPORT_GROUP] = { "group", false },
    [TRANSPORT_VSOCK] = { "vsock", false },    [TRANSPORT_DESCRIPTOR] = { "descriptor", false },
};

static const char *const family_words[FAMILIES] = {
    [FAMILY_LOOPBACK] = "loopback",   [FAMILY_LAN] = "lan", [FAMILY_METADATA] = "metadata", [FAMILY_DNS] = "dns",
    [FAMILY_TRANSPORT] = "transport", [FAMILY_IPC] = "ipc",
};

static const char *const witness_words[WITNESS_KINDS] = {
    "capture",   "tcp", "udp",        "dns-udp", "dns-tcp", "icmp",    "unix-abstract",
    "unix-path", "syn", "descriptor", "vsock",   "peer",    "sockets", "host",
};

const char *mechanism_name(enum mechanism mechanism)
{
    return (unsigned)mechanism < MECHANISMS ? mechanism_words[mechanism].name : "?";
}

bool mechanism_find(const char *name, enum mechanism *mechanism)
{
    for (unsigned i = 0; i < MECHANISMS; i++) {
        if (strcmp(mechanism_words[i].name, name) == 0) {
            *mechanism = (enum mechanism)i;
            return true;
        }
    }
    return false;
}

enum transport mechanism_transport(enum mechanism mechanism)
{
    return mechanism_words[mechanism].transport;
}

const char *transport_name(enum transport transport)
{
    return (unsigned)transport < TRANSPORTS ? transport_words[transport].name : "?";
}

bool transport_has_ports(enum transport transport)
{
    return (unsigned)transport < TRANSPORTS && transport_words[transport].has_ports;
}

const char *vector_family_name(enum vector_family family)
{
    return (unsigned)family < FAMILIES ? family_words[family] : "?";
}

const char *witness_kind_name(enum witness_kind kind)
{
    for (unsigned i = 0; i < WITNESS_KINDS; i++)
        if ((unsigned)kind == 1u << i)
            return witness_words[i];
    return "?";
}

uint16_t vector_parse_id(const char *text)
{
    if (strncmp(text, "BG-", 3) != 0 || strlen(text) != 6)
        return 0;
    unsigned id = 0;
    for (const char *digit = text + 3; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9')
            return 0;
        id = id * 10 + (unsigned)(*digit - '0');
    }
    return (uint16_t)id;
}

void vector_format_id(uint16_t id, char text[8])
{
    unsigned digits = id % 1000u;
    memcpy(text, "BG-", 3);
    text[3] = (char)('0' + digits / 100);
    text[4] = (char)('0' + digits / 10 % 10);
    text[5] = (char)('0' + digits % 10);
    text[6] = '\0';
}
