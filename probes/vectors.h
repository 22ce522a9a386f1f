/*
 * The vector table: one row a way out, with its stable id, what is tried, at which targets, who must be
 * listening, where the idea comes from and how to shut it. Everything that lists vectors (plan, report, help,
 * documents) is made from it. Adding a vector is adding a row to vectors.c; see README.md.
 */
#ifndef PROBES_VECTORS_H
#define PROBES_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How an attempt is made: one function each, in mechanisms/. The order is free, the names are not: they stand
 * in plans. */
enum mechanism {
    MECHANISM_TCP,         /* connect, send the nonce, read an answer */
    MECHANISM_UDP,         /* connected datagram socket: send the nonce, read an answer */
    MECHANISM_UDP_SENDTO,  /* unconnected: sendto */
    MECHANISM_DNS_UDP,     /* a query whose name carries the nonce in base32 */
    MECHANISM_DNS_TCP,     /* the same with a length before it (RFC 1035 4.2.2) */
    MECHANISM_METADATA,    /* HTTP: PUT for a token and GET, the nonce in path and header, one connection */
    MECHANISM_ICMP_ECHO,   /* ping socket, the nonce as payload (icmp(7)) */
    MECHANISM_UNIX_STREAM, /* Unix stream socket by path, or by abstract name (unix(7)) */
    MECHANISM_UNIX_DGRAM,
    MECHANISM_UDP_BROADCAST,  /* sendto with SO_BROADCAST */
    MECHANISM_MULTICAST_JOIN, /* joins the group, sends nothing: its address is the message (RFC 3376, RFC 3810) */
    MECHANISM_MPTCP,          /* as TCP, by a multipath socket (RFC 8684) */
    MECHANISM_TCP_FASTOPEN,   /* the nonce in the SYN itself, without a cookie (RFC 7413) */
    MECHANISM_TCP_SYN,        /* connect and not one byte: the destination is the message */
    MECHANISM_DNS_TXT,        /* over UDP, as DNS_UDP, with another type: TXT, */
    MECHANISM_DNS_NULL,       /* NULL (RFC 1035 3.3.10), */
    MECHANISM_DNS_EDNS,       /* the nonce in an EDNS option only (RFC 6891, code 65001), */
    MECHANISM_DNS_QUESTIONS,  /* two questions, the nonce in the second, */
    MECHANISM_DNS_CASE,       /* or the nonce's bits in the case of the letters of a fixed name (0x20) */
    MECHANISM_INHERITED,      /* writes to every descriptor that the probe was started with, but 0 to 2 */
    MECHANISM_VSOCK,          /* stream to a context and port (vsock(7)) */
    MECHANISM_SWEEP_TCP,      /* connects to many ports of one address; the plan's port is how many */
    MECHANISM_SWEEP_UDP,
    MECHANISM_UDPLITE, /* as UDP, by UDP-Lite: IP protocol 136 (RFC 3828) */
    MECHANISM_UDP_ON_LINK, /* as UDP, out of the first link whatever the routes say: SO_BINDTOIFINDEX, SO_DONTROUTE (socket(7)) */
    MECHANISMS
};
const char *mechanism_name(enum mechanism mechanism); /* "tcp", "udp", "udp-sendto", "dns-udp", ... */
bool mechanism_find(const char *name, enum mechanism *mechanism);

/* The transport that a packet of this mechanism has on the wire. GROUP: a report of membership (IGMP, MLD). */
enum transport {
    TRANSPORT_TCP,
    TRANSPORT_UDP,
    TRANSPORT_UDPLITE,
    TRANSPORT_ICMP,
    TRANSPORT_UNIX,
    TRANSPORT_GROUP,
    TRANSPORT_VSOCK,
    TRANSPORT_DESCRIPTOR,
    TRANSPORTS
};
const char *transport_name(enum transport transport); /* "tcp", "udp", "icmp", "unix", "group", ... */
bool transport_has_ports(enum transport transport);   /* is the port a part of the destination? */
enum transport mechanism_transport(enum mechanism mechanism);

enum vector_family { FAMILY_LOOPBACK, FAMILY_LAN, FAMILY_METADATA, FAMILY_DNS, FAMILY_TRANSPORT, FAMILY_IPC, FAMILIES };
const char *vector_family_name(enum vector_family family); /* "loopback", "lan", ... */

/* Who can catch it. Silence means something only while each of these is known to hear. */
enum witness_kind {
    WITNESS_CAPTURE = 1 << 0,
    WITNESS_TCP = 1 << 1,
    WITNESS_UDP = 1 << 2,
    WITNESS_DNS_UDP = 1 << 3,
    WITNESS_DNS_TCP = 1 << 4,
    WITNESS_ICMP = 1 << 5,
    WITNESS_UNIX_ABSTRACT = 1 << 6,
    WITNESS_UNIX_PATH = 1 << 7,
    WITNESS_SYN = 1 << 8,        /* a SYN that carries the nonce, or the option that the attempt is about */
    WITNESS_DESCRIPTOR = 1 << 9, /* the other end of a descriptor that was planted */
    WITNESS_VSOCK = 1 << 10,
    WITNESS_PEER = 1 << 11,    /* a probe that listens in a second bottle */
    WITNESS_SOCKETS = 1 << 12, /* the host's table of sockets */
    WITNESS_HOST = 1 << 13,    /* what the host's firewall let in by another interface than lo and its LAN's */
};
#define WITNESS_KINDS 14
const char *witness_kind_name(enum witness_kind kind); /* "capture", "tcp", "udp", "dns-udp", ... */

/* What a host or bottle must have for a row to mean anything; what lacks is "not proved here". */
enum vector_need { NEED_VSOCK = 1 << 0 /* a vsock context that the gate owns */ };

/*
 * One target. `address` is an IP literal, an address of address.h ("@inherited", "@path:NAME", "@route:LITERAL",
 * "fe80::1%*" ...), or a place of the site: "@host4", "@host6" (the host's LAN address), "@gateway4/6" (the LAN's
 * gateway), "@neighbour4/6" (another machine on the LAN), "@resolver4/6" (the resolver that the bottle was given),
 * "@link-host", "@link-gateway" (link-local addresses), "@peer4/6" (where a second bottle of the same make is found),
 * or an address with a star, which the plan fills from the nonce: "2001:db8:61::*" the last 64 bits, "239.*" the
 * last 24. `wire` is the destination seen on the wire where it differs ("0.0.0.0" goes to "127.0.0.1"), else NULL.
 * `port` 0 asks the plan for a port that no other attempt of the run uses; for a sweep it is 0 too.
 */
struct vector_target {
    enum mechanism mechanism;
    const char *address; /* NULL ends a list */
    const char *wire;
    uint16_t port;
};

struct vector {
    uint16_t id; /* 49 is BG-049 */
    const char *title;
    enum vector_family family;
    bool core;        /* in the `core` profile */
    unsigned witness; /* enum witness_kind bits */
    unsigned proof;   /* bare and open count as caught only if one of these heard it; 0: any */
    unsigned needs;   /* enum vector_need bits */
    const struct vector_target *targets;
    const char *source; /* where the idea was met */
    const char *remedy; /* how to shut it, one line, on any backend */
};

extern const struct vector vectors[];
extern const size_t vector_count;

/*
 * The sweep's own source ports: they lie outside the half of the ports that is swept from them and outside the kernel's
 * ephemeral range (32768 to 60999), so that the sweep never talks to itself, and a packet from one of them is known
 * to be this principal's sweep wherever it goes. Ports below SWEEP_HALF are swept from the upper source, the others
 * from the lower.
 */
#define SWEEP_HALF 32768
static inline uint16_t sweep_source(bool root, unsigned swept_port)
{
    return (uint16_t)((swept_port < SWEEP_HALF ? 61001 : 11001) + root);
}

/* The row with this id, or NULL. */
const struct vector *vector_find(uint16_t id);

/* Parses "BG-049" (exactly: three digits), or gives 0. Writes "BG-049" into text. */
uint16_t vector_parse_id(const char *text);
void vector_format_id(uint16_t id, char text[8]);

#endif
