/* Frames and fragments: what they say is read, nothing outside them is, in every order that matters. */
#include <criterion/criterion.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>

#include "../../gates/witness/fragments.h"
#include "witness_frames.h"

Test(witness_packet, every_cut_of_a_frame_is_read_without_leaving_it)
{
    static const uint8_t chain[] = { 60, 0, 1, 4,    0,    0, 0,  0, 17, 0, 1, 4,  0,
                                     0,  0, 0, 0x12, 0x34, 0, 53, 0, 9,  0, 0, 'x' };
    uint8_t frame[128];
    struct packet packet;
    size_t size = frame_6(frame, 0, "fd77::1", "2001:db8::1", chain, sizeof chain);
    packet_parse(frame, size, &packet);
    cr_assert_eq(packet.kind, PACKET_IP);
    cr_assert_eq(packet.protocol, IPPROTO_UDP);
    cr_assert_eq(packet.source.port, 0x1234);
    cr_assert_eq(packet.destination.port, 53);
    cr_assert_eq(packet.payload_size, 1);
    cr_assert_eq(packet.payload[0], 'x');
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut + 1); /* a sanitizer sees the first byte too far */
        memcpy(exact, frame, cut);
        packet_parse(exact, cut, &packet);
        cr_assert(cut >= 70 || packet.kind == PACKET_MALFORMED, "cut at %zu", cut);
        free(exact);
    }
}

Test(witness_packet, tags_of_virtual_networks_are_skipped)
{
    uint8_t body[9] = { 0, 1, 0, 2, 0, 9, 0, 0, 'x' }, frame[64], tagged[64];
    size_t size = frame_4(frame, IPPROTO_UDP, "1.2.3.4", "5.6.7.8", 1, 0, body, sizeof body);
    struct packet packet;
    memcpy(tagged, frame, 12);
    memcpy(tagged + 12, "\x88\xa8\0\1\x81\0\0\2", 8);
    memcpy(tagged + 20, frame + 12, size - 12);
    packet_parse(tagged, size + 8, &packet);
    cr_assert_eq(packet.kind, PACKET_IP);
    cr_assert_eq(packet.destination.port, 2);
}

Test(witness_packet, errors_and_redirects_are_told_from_other_ICMP)
{
    static const struct {
        uint8_t protocol, type;
        bool error;
    } rows[] = {
        { IPPROTO_ICMP, ICMP_DEST_UNREACH, true },      { IPPROTO_ICMP, ICMP_TIME_EXCEEDED, true },
        { IPPROTO_ICMP, ICMP_REDIRECT, true },          { IPPROTO_ICMP, ICMP_ECHO, false },
        { IPPROTO_ICMP, ICMP_ECHOREPLY, false },        { IPPROTO_ICMP, ICMP_TIMESTAMP, false },
        { IPPROTO_ICMPV6, ICMP6_DST_UNREACH, true },    { IPPROTO_ICMPV6, ICMP6_PARAM_PROB, true },
        { IPPROTO_ICMPV6, ND_REDIRECT, true },          { IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, false },
        { IPPROTO_ICMPV6, ND_NEIGHBOR_SOLICIT, false }, { IPPROTO_ICMPV6, 100, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t body[8] = { rows[i].type }, frame[64];
        struct packet packet;
        size_t size = frame_4(frame, rows[i].protocol, "1.2.3.4", "5.6.7.8", 1, 0, body, sizeof body);
        packet_parse(frame, size, &packet);
        cr_assert_eq(packet_is_icmp_error(&packet), rows[i].error, "protocol %d type %d", rows[i].protocol,
                     rows[i].type);
    }
}

/* A UDP datagram of 2000 bytes in three pieces, in all six orders, each also repeated. */
Test(witness_packet, fragments_make_a_datagram_in_any_order)
{
    static const unsigned orders[6][3] = {
        { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
    };
    uint8_t datagram[2000], frame[1600];
    for (size_t i = 0; i < sizeof datagram; i++)
        datagram[i] = (uint8_t)(i * 7);
    ports(datagram, 1111, 2222);
    for (size_t order = 0; order < 6; order++) {
        struct fragments *fragments = calloc(1, sizeof *fragments);
        struct packet packet;
        for (size_t i = 0; i < 3; i++)
            for (int repeat = 0; repeat < (i < 2 ? 2 : 1); repeat++) {
                unsigned piece = orders[order][i];
                size_t at = piece * 800, part = piece < 2 ? 800 : 400;
                size_t size = frame_4(frame, IPPROTO_UDP, "1.2.3.4", "5.6.7.8", 77,
                                      (uint16_t)(at / 8 | (piece < 2 ? 0x2000 : 0)), datagram + at, part);
                packet_parse(frame, size, &packet);
                cr_assert(packet.fragment);
                cr_assert_eq(fragments_add(fragments, 0, &packet), i == 2, "order %zu piece %u", order, piece);
            }
        cr_assert(packet.has_transport);
        cr_assert_eq(packet.destination.port, 2222);
        cr_assert_eq(packet.body_size, sizeof datagram);
        cr_assert_arr_eq(packet.body, datagram, sizeof datagram);
        cr_assert_null(fragments_next_headless(fragments));
        free(fragments);
    }
}

Test(witness_packet, IPv6_fragments_with_headers_inside_make_a_datagram)
{
    /* destination options, then UDP: they belong to the datagram, not to its pieces */
    uint8_t datagram[40] = { 17, 0, 1, 4, 0, 0, 0, 0, 0, 7, 0, 8, 0, 32, 0, 0 }, piece[48], frame[128];
    struct fragments *fragments = calloc(1, sizeof *fragments);
    struct packet packet;
    memset(piece, 0, sizeof piece);
    piece[0] = 60;
    piece[3] = 1;
    piece[7] = 9;
    memcpy(piece + 8, datagram, 16);
    packet_parse(frame, frame_6(frame, 44, "fd77::1", "fd77::2", piece, 24), &packet);
    cr_assert_not(fragments_add(fragments, 0, &packet));
    piece[3] = 16;
    memcpy(piece + 8, datagram + 16, 24);
    packet_parse(frame, frame_6(frame, 44, "fd77::1", "fd77::2", piece, 32), &packet);
    cr_assert(fragments_add(fragments, 0, &packet));
    cr_assert_eq(packet.protocol, IPPROTO_UDP);
    cr_assert_eq(packet.destination.port, 8);
    cr_assert_eq(packet.payload_size, 24);
    free(fragments);
}

Test(witness_packet, fragments_without_a_head_and_too_many_datagrams_are_told)
{
    struct fragments *fragments = calloc(1, sizeof *fragments);
    uint8_t body[8] = { 0 }, frame[64];
    struct packet packet;
    for (uint16_t id = 0; id <= FRAGMENTS_MAX; id++) {
        packet_parse(frame, frame_4(frame, IPPROTO_UDP, "1.2.3.4", "5.6.7.8", id, 0x2001, body, sizeof body), &packet);
        cr_assert_not(fragments_add(fragments, 0, &packet));
    }
    cr_assert_eq(fragments->overflows, 1);
    size_t headless = 0;
    while (fragments_next_headless(fragments) != NULL)
        headless++;
    cr_assert_eq(headless, FRAGMENTS_MAX);
    free(fragments);
}
