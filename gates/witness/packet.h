/*
 * What a captured Ethernet frame says about itself: addresses, ports, flags, where its payload is. Loopback
 * frames have an Ethernet header as well (DLT_EN10MB on lo and veth). Parsing is bounded, reads nothing
 * outside the frame, and keeps pointers into it. Sources: RFC 791, 8200 (IPv6 and its extension headers),
 * 9293, 768, 792, 4443, 8684 (the option MP_CAPABLE).
 */
#ifndef GATES_WITNESS_PACKET_H
#define GATES_WITNESS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"

enum packet_kind {
    PACKET_MALFORMED, /* shorter than its own headers say, or no header of that version */
    PACKET_LINK,      /* neither IPv4 nor IPv6: `ether_type` says what */
    PACKET_IP,
};

struct packet {
    enum packet_kind kind;
    uint16_t ether_type;
    uint8_t protocol; /* IPPROTO_..., after the extension headers */
    struct endpoint source, destination;

    bool fragment; /* a piece of a datagram: offset not 0, or more pieces follow */
    bool more_fragments;
    uint32_t fragment_id;
    uint32_t fragment_offset; /* bytes */
    const uint8_t *piece;     /* of a fragment: its part of the datagram ... */
    size_t piece_size;
    uint8_t piece_protocol; /* ... and what the datagram begins with */

    const uint8_t *body; /* what follows the IP headers */
    size_t body_size;

    bool has_transport; /* ports, or ICMP type, are known: always, but for later fragments and foreign
                           protocols */
    uint8_t tcp_flags;  /* PACKET_TCP_... */
    uint32_t sequence;  /* TCP */
    bool mp_capable;    /* TCP, with the option that asks for a multipath connection (RFC 8684 3.1) */
    uint8_t icmp_type;
    const uint8_t *payload; /* after the TCP, UDP or ICMP header */
    size_t payload_size;
};

#define PACKET_TCP_FIN 0x01
#define PACKET_TCP_SYN 0x02
#define PACKET_TCP_RST 0x04
#define PACKET_TCP_ACK 0x10

/* Never fails: what can't be read is PACKET_MALFORMED. */
void packet_parse(const uint8_t *frame, size_t size, struct packet *packet);

/* The same for what has no frame around it: the first four bits say which IP it is. */
void packet_parse_ip(const uint8_t *bytes, size_t size, struct packet *packet);

/* Makes of the fragment `packet` the whole datagram whose `size` bytes were put together at `datagram`. */
void packet_parse_datagram(struct packet *packet, const uint8_t *datagram, size_t size);

/* A SYN that answers nothing. */
bool packet_opens_connection(const struct packet *packet);

/* An ICMP or ICMPv6 message that quotes another packet (errors and redirects): it carries nothing of its own.
 */
bool packet_is_icmp_error(const struct packet *packet);

#endif
