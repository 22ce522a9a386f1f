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
    MECHANISMS
};
const char *mechanism_name(enum mechanism mechanism); /* "tcp", "udp", "udp-sendto", "dns-udp", ... */
bool mechanism_find(const char *name, enum mechanism *mechanism);

/* The transport that a packet of this mechanism has on the wire. */
enum transport { TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_ICMP, TRANSPORT_UNIX };
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
};
#define WITNESS_KINDS 8
const char *witness_kind_name(enum witness_kind kind); /* "capture", "tcp", "udp", "dns-udp", ... */

/* What a host or bottle must have for a row to mean anything; what lacks is "not proved here". */
enum vector_need { NEED_IPV6 = 1 << 0 };

/*
 * One target. `address` is an IP literal, or a place of the site: "@host4", "@host6" (the host's LAN
 * address),
 * "@gateway4/6" (the LAN's gateway), "@neighbour4/6" (another machine on the LAN), "@resolver4/6" (the
 * resolver that the bottle was given), or an IPv6 prefix with a star ("2001:db8:61::*") whose last 64 bits
 * the plan fills with the first 8 bytes of the nonce, or, for Unix sockets, "@abstract:NAME" or "@path:NAME".
 * `wire` is the destination seen on the wire where it differs ("0.0.0.0" goes to "127.0.0.1"), else NULL.
 * `port` 0 asks the plan for a port that no other attempt of the run uses.
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
    const struct vector_target *targets;
    const char *source; /* where the idea was met */
    const char *remedy; /* how to shut it, one line, on any backend */
};

extern const struct vector vectors[];
extern const size_t vector_count;

/* The row with this id, or NULL. */
const struct vector *vector_find(uint16_t id);

/* Parses "BG-049" (exactly: three digits), or gives 0. Writes "BG-049" into text. */
uint16_t vector_parse_id(const char *text);
void vector_format_id(uint16_t id, char text[8]);

#endif
