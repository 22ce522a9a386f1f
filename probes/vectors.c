/*
 * The vector table (see vectors.h). A row's targets may repeat an address of another row, but never a whole
 * tuple (destination on the wire, transport, port): a packet to a tuple must name one attempt. So a fixed
 * port stands only at an address that no other row uses with it, port 0 (the plan picks a unique one)
 * everywhere else, and each ICMP target has an address of its own.
 *
 * Public addresses are real ones beside documentation ones (RFC 5737, RFC 3849), because a fence may shut
 * "everything special" and leave the public Internet open, or the other way round. Nothing is ever sent there
 * in the open: these rows run in a sealed site, which owns every address.
 */
#include "vectors.h"

#define BOTH(...)                                                                                                      \
    { MECHANISM_TCP, __VA_ARGS__ },                                                                                    \
    {                                                                                                                  \
        MECHANISM_UDP, __VA_ARGS__                                                                                     \
    }
#define TARGETS(...)                                                                                                   \
    (const struct vector_target[])                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__,                                                                                                   \
        {                                                                                                              \
            .address = NULL                                                                                            \
        }                                                                                                              \
    }

const struct vector vectors[] = {
    { .id = 20,
      .title = "Loopback by its other names: 127.0.0.0/8, 0.0.0.0 and ::",
      .family = FAMILY_LOOPBACK,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_TCP,
      .targets = TARGETS(BOTH("127.9.9.9", NULL, 0), BOTH("0.0.0.0", "127.0.0.1", 0), BOTH("::", "::1", 0)),
      .source = "smolvm PR 1060, \"unspecified\" addresses",
      .remedy = "give the bottle a loopback of its own, and deny 127.0.0.0/8, 0.0.0.0/8, ::1 and :: where the "
                "engine dials for it" },
    { .id = 22,
      .title = "The host by its own LAN address (hairpin)",
      .family = FAMILY_LOOPBACK,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_TCP,
      .targets = TARGETS(BOTH("@host4", NULL, 0), BOTH("@host6", NULL, 0)),
      .source = "smolvm PR 389, egress floor",
      .remedy = "drop what comes from the bottle in the host's INPUT chain as well as in FORWARD, for both "
                "families" },
    { .id = 26,
      .title = "IPv4 neighbours: LAN, RFC 1918 and CGNAT addresses",
      .family = FAMILY_LAN,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_TCP | WITNESS_UDP,
      .targets = TARGETS(BOTH("@neighbour4", NULL, 0), BOTH("@gateway4", NULL, 0), BOTH("10.77.0.2", NULL, 0),
                         BOTH("10.0.0.1", NULL, 0), BOTH("172.16.0.1", NULL, 0), BOTH("192.168.1.1", NULL, 0),
                         BOTH("100.64.0.1", NULL, 0)),
      .source = "deepce, ping sweep of the neighbourhood",
      .remedy = "deny 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 and 100.64.0.0/10 to the bottle, or give it "
                "no route "
                "but the door" },
    { .id = 27,
      .title = "IPv6 neighbours and unique local addresses",
      .family = FAMILY_LAN,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_TCP | WITNESS_UDP,
      .targets = TARGETS(BOTH("@neighbour6", NULL, 0), BOTH("@gateway6", NULL, 0), BOTH("fd12:3456:789a::1", NULL, 0)),
      .source = "RFC 4861, RFC 4193",
      .remedy = "filter IPv6 exactly as IPv4 (fc00::/7 and fe80::/10 too), or switch it off in the bottle's "
                "network" },
    { .id = 44,
      .title = "Cloud metadata service at 169.254.169.254",
      .family = FAMILY_METADATA,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_TCP,
      .targets = TARGETS({ MECHANISM_METADATA, "169.254.169.254", NULL, 80 }),
      .source = "inspect_proxmox, note on the hop limit of the token answer",
      .remedy = "deny 169.254.0.0/16 to the bottle; a required token or a hop limit of 1 alone is no fence" },
    { .id = 48,
      .title = "DNS over UDP to any resolver",
      .family = FAMILY_DNS,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_DNS_UDP,
      .targets = TARGETS({ MECHANISM_DNS_UDP, "8.8.8.8", NULL, 53 }, { MECHANISM_DNS_UDP, "1.1.1.1", NULL, 53 },
                         { MECHANISM_DNS_UDP, "9.9.9.9", NULL, 53 }, { MECHANISM_DNS_UDP, "@gateway4", NULL, 53 },
                         { MECHANISM_DNS_UDP, "2001:4860:4860::8888", NULL, 53 },
                         { MECHANISM_DNS_UDP, "2606:4700:4700::1111", NULL, 53 }),
      .source = "gh-aw, tests of its list of DNS servers",
      .remedy = "drop UDP port 53 from the bottle to everything, or to everything but one filtering resolver" },
    { .id = 49,
      .title = "DNS over TCP to any resolver",
      .family = FAMILY_DNS,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_DNS_TCP,
      .targets = TARGETS({ MECHANISM_DNS_TCP, "8.8.8.8", NULL, 53 }, { MECHANISM_DNS_TCP, "1.1.1.1", NULL, 53 },
                         { MECHANISM_DNS_TCP, "9.9.9.9", NULL, 53 }, { MECHANISM_DNS_TCP, "@gateway4", NULL, 53 },
                         { MECHANISM_DNS_TCP, "2001:4860:4860::8888", NULL, 53 },
                         { MECHANISM_DNS_TCP, "2606:4700:4700::1111", NULL, 53 }),
      .source = "smolvm, TCP/53 tests (1.2.5 and later forward it)",
      .remedy = "drop TCP port 53 from the bottle as well as UDP; an engine's DNS exception often covers both" },
    { .id = 54,
      .title = "A tunnel of names through the resolver the bottle was given",
      .family = FAMILY_DNS,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_DNS_UDP | WITNESS_DNS_TCP,
      .targets = TARGETS({ MECHANISM_DNS_UDP, "@resolver4", NULL, 53 }, { MECHANISM_DNS_TCP, "@resolver4", NULL, 53 },
                         { MECHANISM_DNS_UDP, "@resolver6", NULL, 53 }, { MECHANISM_DNS_TCP, "@resolver6", NULL, 53 }),
      .source = "glovebox PR 3620; inspect_k8s documentation; CVE-2025-55284",
      .remedy = "give the bottle no resolver, or one that answers only the allowed names and forwards no other: a "
                "name that doesn't exist is delivered all the same" },
    { .id = 61,
      .title = "TCP to any public or private address",
      .family = FAMILY_TRANSPORT,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_TCP,
      .targets =
          TARGETS({ MECHANISM_TCP, "192.0.2.22", NULL, 22 }, { MECHANISM_TCP, "198.51.100.25", NULL, 25 },
                  { MECHANISM_TCP, "8.8.4.4", NULL, 80 }, { MECHANISM_TCP, "1.0.0.1", NULL, 443 },
                  { MECHANISM_TCP, "203.0.113.61", NULL, 0 }, { MECHANISM_TCP, "9.9.9.10", NULL, 0 },
                  { MECHANISM_TCP, "10.61.61.61", NULL, 0 }, { MECHANISM_TCP, "2606:4700:4700::1001", NULL, 443 },
                  { MECHANISM_TCP, "2001:db8:61::*", NULL, 0 }),
      .source = "baseline of every isolation test",
      .remedy = "deny all by default and allow the door alone: by address and port, in both families" },
    { .id = 62,
      .title = "UDP to any address and port, connected and not",
      .family = FAMILY_TRANSPORT,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_UDP,
      .targets = TARGETS(
          { MECHANISM_UDP, "1.0.0.1", NULL, 123 }, { MECHANISM_UDP, "8.8.4.4", NULL, 443 },
          { MECHANISM_UDP, "203.0.113.62", NULL, 0 }, { MECHANISM_UDP, "2001:db8:62::*", NULL, 0 },
          { MECHANISM_UDP_SENDTO, "9.9.9.10", NULL, 123 }, { MECHANISM_UDP_SENDTO, "203.0.113.62", NULL, 0 },
          { MECHANISM_UDP_SENDTO, "10.62.62.62", NULL, 0 }, { MECHANISM_UDP_SENDTO, "2001:db8:62::*", NULL, 0 }),
      .source = "boxlite, UDP probe",
      .remedy = "deny UDP by default as well as TCP; a proxy for TCP alone leaves it open" },
    { .id = 64,
      .title = "ICMP echo with a payload, from a ping socket",
      .family = FAMILY_TRANSPORT,
      .core = true,
      .witness = WITNESS_CAPTURE | WITNESS_ICMP,
      .targets =
          TARGETS({ MECHANISM_ICMP_ECHO, "198.51.100.64", NULL, 0 }, { MECHANISM_ICMP_ECHO, "@neighbour4", NULL, 0 },
                  { MECHANISM_ICMP_ECHO, "2001:db8:64::1", NULL, 0 }, { MECHANISM_ICMP_ECHO, "@neighbour6", NULL, 0 }),
      .source = "MITRE ATT&CK T1095; microsandbox, ICMP relay",
      .remedy = "deny ICMP and ICMPv6 echo from the bottle, or close its net.ipv4.ping_group_range and take "
                "CAP_NET_RAW away" },
    { .id = 114,
      .title = "Abstract Unix sockets of a shared network namespace",
      .family = FAMILY_IPC,
      .core = true,
      .witness = WITNESS_UNIX_ABSTRACT,
      .targets = TARGETS({ MECHANISM_UNIX_STREAM, "@abstract:bg-114", NULL, 0 },
                         { MECHANISM_UNIX_DGRAM, "@abstract:bg-114.d", NULL, 0 }),
      .source = "CVE-2020-15257 (containerd shim; CDK shim-pwn)",
      .remedy = "never start a bottle in the host's network namespace: abstract names belong to it" },
};

const size_t vector_count = sizeof vectors / sizeof *vectors;

const struct vector *vector_find(uint16_t id)
{
    for (size_t i = 0; i < vector_count; i++)
        if (vectors[i].id == id)
            return &vectors[i];
    return NULL;
}
