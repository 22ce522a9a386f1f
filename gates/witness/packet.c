/* See packet.h: from the frame inwards, each step leaves `rest` bytes at `at` or says that the frame is
 * malformed. */
#include "packet.h"

#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define VLAN_TAGS_MAX         2
#define EXTENSION_HEADERS_MAX 24
#define ETHERTYPE_QINQ        0x88a8
#define PROTOCOL_MOBILITY     135
#define PROTOCOL_HIP          139
#define PROTOCOL_SHIM6        140
#define TCP_HEADER            20
#define OPTION_END            0
#define OPTION_NOTHING        1
#define OPTION_MULTIPATH      30
#define MP_CAPABLE_BYTES      4 /* the least: kind, length, subtype and version, flags; older versions have a key as well */

static uint16_t read_16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_32(const uint8_t *at)
{
    return (uint32_t)read_16(at) << 16 | read_16(at + 2);
}

/* Reads options up to the first that can't be one: whose length leaves the `size` bytes, or doesn't count its own head. */
static bool has_mp_capable(const uint8_t *options, size_t size)
{
    for (size_t at = 0; at < size && options[at] != OPTION_END;) {
        size_t length = 1;
        if (options[at] != OPTION_NOTHING) {
            length = at + 1 < size ? options[at + 1] : 0;
            if (length < 2 || length > size - at)
                return false;
            if (options[at] == OPTION_MULTIPATH && length >= MP_CAPABLE_BYTES && options[at + 2] >> 4 == 0)
                return true;
        }
        at += length;
    }
    return false;
}

static void parse_transport(struct packet *packet)
{
    const uint8_t *at = packet->body;
    size_t rest = packet->body_size, header = 0;
    packet->has_transport = false;
    packet->tcp_flags = 0;
    packet->mp_capable = false;
    packet->payload = at;
    packet->payload_size = 0;
    switch (packet->protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
        if (rest < 4)
            return;
        packet->source.port = read_16(at);
        packet->destination.port = read_16(at + 2);
        header = 8;
        if (packet->protocol == IPPROTO_TCP) {
            packet->sequence = rest >= 8 ? read_32(at + 4) : 0;
            packet->tcp_flags = rest >= 14 ? at[13] : 0;
            header = rest >= 13 ? (size_t)(at[12] >> 4) * 4 : TCP_HEADER;
            if (header < TCP_HEADER)
                header = TCP_HEADER;
            if (rest > TCP_HEADER)
                packet->mp_capable = has_mp_capable(at + TCP_HEADER, (header < rest ? header : rest) - TCP_HEADER);
        }
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        if (rest < 1)
            return;
        packet->icmp_type = at[0];
        header = 8;
        break;
    default:
        return;
    }
    packet->has_transport = true;
    if (header < rest) {
        packet->payload = at + header;
        packet->payload_size = rest - header;
    }
}

static void parse_body(struct packet *packet, const uint8_t *at, size_t rest)
{
    packet->kind = PACKET_IP;
    packet->body = at;
    packet->body_size = rest;
    if (packet->fragment_offset == 0)
        parse_transport(packet);
}

static void parse_piece(struct packet *packet, uint8_t protocol, const uint8_t *at, size_t rest)
{
    packet->fragment = packet->more_fragments || packet->fragment_offset != 0;
    packet->piece_protocol = protocol;
    packet->piece = at;
    packet->piece_size = rest;
}

static void parse_ip4(struct packet *packet, const uint8_t *at, size_t rest)
{
    if (rest < 20 || at[0] >> 4 != 4)
        return;
    size_t header = (size_t)(at[0] & 0x0f) * 4, total = read_16(at + 2);
    if (total == 0) /* a segment larger than the field can say, on its way between two parts of one kernel */
        total = rest;
    if (header < 20 || total < header || header > rest)
        return;
    if (total < rest)
        rest = total;
    packet->source.family = packet->destination.family = AF_INET;
    memcpy(packet->source.address, at + 12, 4);
    memcpy(packet->destination.address, at + 16, 4);
    packet->protocol = at[9];
    packet->fragment_id = read_16(at + 4);
    packet->fragment_offset = (read_16(at + 6) & 0x1fffu) * 8u;
    packet->more_fragments = (at[6] & 0x20) != 0;
    parse_piece(packet, packet->protocol, at + header, rest - header);
    parse_body(packet, at + header, rest - header);
}

static bool is_extension(uint8_t protocol)
{
    switch (protocol) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_FRAGMENT:
    case IPPROTO_DSTOPTS:
    case IPPROTO_AH:
    case PROTOCOL_MOBILITY:
    case PROTOCOL_HIP:
    case PROTOCOL_SHIM6:
        return true;
    default:
        return false;
    }
}

/* From the first extension header (or none) to the body. */
static void parse_extensions(struct packet *packet, uint8_t next, const uint8_t *at, size_t rest)
{
    for (unsigned headers = 0; is_extension(next) && packet->fragment_offset == 0; headers++) {
        if (rest < 8 || headers == EXTENSION_HEADERS_MAX)
            return;
        uint8_t kind = next;
        size_t header = 8;
        if (kind == IPPROTO_AH)
            header = ((size_t)at[1] + 2) * 4;
        else if (kind != IPPROTO_FRAGMENT)
            header = ((size_t)at[1] + 1) * 8;
        if (header > rest)
            return;
        const uint8_t *fields = at;
        next = fields[0];
        at += header;
        rest -= header;
        if (kind == IPPROTO_FRAGMENT && packet->piece == NULL) {
            packet->fragment_offset = read_16(fields + 2) & 0xfff8u;
            packet->more_fragments = (fields[3] & 1) != 0;
            packet->fragment_id = read_32(fields + 4);
            parse_piece(packet, next, at, rest);
        }
    }
    packet->protocol = next;
    parse_body(packet, at, rest);
}

static void parse_ip6(struct packet *packet, const uint8_t *at, size_t rest)
{
    if (rest < 40 || at[0] >> 4 != 6)
        return;
    size_t length = read_16(at + 4);
    packet->source.family = packet->destination.family = AF_INET6;
    memcpy(packet->source.address, at + 8, 16);
    memcpy(packet->destination.address, at + 24, 16);
    rest -= 40;
    if (length != 0 && length < rest) /* 0: a jumbogram, or a segment as above */
        rest = length;
    parse_extensions(packet, at[6], at + 40, rest);
}

void packet_parse_datagram(struct packet *packet, const uint8_t *datagram, size_t size)
{
    packet->kind = PACKET_MALFORMED;
    packet->fragment = packet->more_fragments = false;
    packet->fragment_offset = 0;
    packet->protocol = packet->piece_protocol;
    if (packet->source.family == AF_INET)
        parse_body(packet, datagram, size);
    else
        parse_extensions(packet, packet->piece_protocol, datagram, size);
}

void packet_parse(const uint8_t *frame, size_t size, struct packet *packet)
{
    memset(packet, 0, sizeof *packet);
    if (size < sizeof(struct ether_header))
        return;
    const uint8_t *at = frame + 12;
    size_t rest = size - 12;
    for (unsigned tags = 0; tags < VLAN_TAGS_MAX && rest >= 6; tags++) {
        uint16_t type = read_16(at);
        if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
            break;
        at += 4;
        rest -= 4;
    }
    packet->ether_type = read_16(at);
    packet->body = at + 2;
    packet->body_size = rest - 2;
    if (packet->ether_type == ETHERTYPE_IP)
        parse_ip4(packet, at + 2, rest - 2);
    else if (packet->ether_type == ETHERTYPE_IPV6)
        parse_ip6(packet, at + 2, rest - 2);
    else
        packet->kind = PACKET_LINK;
}

void packet_parse_ip(const uint8_t *bytes, size_t size, struct packet *packet)
{
    memset(packet, 0, sizeof *packet);
    packet->ether_type = size > 0 && bytes[0] >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP;
    packet->body = bytes;
    packet->body_size = size;
    if (packet->ether_type == ETHERTYPE_IPV6)
        parse_ip6(packet, bytes, size);
    else
        parse_ip4(packet, bytes, size);
}

bool packet_opens_connection(const struct packet *packet)
{
    return packet->kind == PACKET_IP && packet->protocol == IPPROTO_TCP && packet->has_transport &&
           (packet->tcp_flags & (PACKET_TCP_SYN | PACKET_TCP_ACK)) == PACKET_TCP_SYN;
}

bool packet_is_icmp_error(const struct packet *packet)
{
    if (packet->kind != PACKET_IP || !packet->has_transport)
        return false;
    if (packet->protocol == IPPROTO_ICMPV6)
        return (packet->icmp_type >= ICMP6_DST_UNREACH && packet->icmp_type <= ICMP6_PARAM_PROB) ||
               packet->icmp_type == ND_REDIRECT;
    if (packet->protocol != IPPROTO_ICMP)
        return false;
    return packet->icmp_type == ICMP_DEST_UNREACH || packet->icmp_type == ICMP_SOURCE_QUENCH ||
           packet->icmp_type == ICMP_REDIRECT || packet->icmp_type == ICMP_TIME_EXCEEDED ||
           packet->icmp_type == ICMP_PARAMETERPROB;
}
