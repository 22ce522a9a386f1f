/* What a packet is, given what was planned; and which neighbours are answered for. */
#include <criterion/criterion.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>

#include "../../gates/witness/neighbour.h"
#include "../../gates/witness/tuples.h"
#include "witness_frames.h"

static struct watch watch_of(bool control, uint8_t transport, const char *address, uint16_t port)
{
    struct watch watch = { .control = control };
    watch.tuple.family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    watch.tuple.transport = transport;
    watch.tuple.port = port;
    inet_pton(watch.tuple.family, address, watch.tuple.address);
    return watch;
}

Test(witness_tuples, a_packet_is_explained_by_where_it_goes_then_by_where_it_comes_from)
{
    enum { SYN = PACKET_TCP_SYN, ACK = PACKET_TCP_ACK };
    static const struct {
        uint8_t protocol, flags;
        const char *source;
        uint16_t source_port;
        const char *destination;
        uint16_t destination_port;
        bool on_loopback;
        enum sight sight;
        uint16_t watch;
    } rows[] = {
        { IPPROTO_TCP, SYN, "10.77.0.1", 4000, "1.1.1.1", 443, false, SIGHT_ATTEMPT, 0 },
        { IPPROTO_TCP, ACK, "10.77.0.1", 4000, "1.1.1.1", 443, false, SIGHT_ATTEMPT, 0 },
        { IPPROTO_UDP, 0, "10.77.0.1", 4000, "1.1.1.1", 443, false, SIGHT_STRAY, 0 },
        { IPPROTO_UDP, 0, "10.77.0.1", 4000, "1.1.1.1", 53, false, SIGHT_ATTEMPT, 2 },
        { IPPROTO_TCP, SYN, "10.77.0.1", 4000, "1.1.1.2", 80, false, SIGHT_EXPLAINED, 0 },
        { IPPROTO_TCP, SYN, "10.77.0.1", 4000, "1.1.1.3", 80, false, SIGHT_STRAY, 0 },
        { IPPROTO_TCP, SYN | ACK, "1.1.1.1", 443, "10.77.0.1", 4000, false, SIGHT_ANSWER, 0 },
        { IPPROTO_TCP, SYN | ACK, "1.1.1.2", 80, "10.77.0.1", 4000, false, SIGHT_ANSWER, 0 },
        /* an ephemeral port that equals a planned one: the answer is none of its attempt's packets, a SYN is
         */
        { IPPROTO_TCP, SYN | ACK, "127.0.0.1", 5000, "127.0.0.1", 40000, true, SIGHT_ANSWER, 0 },
        { IPPROTO_TCP, SYN, "127.0.0.1", 5000, "127.0.0.1", 40000, true, SIGHT_ATTEMPT, 4 },
        { IPPROTO_TCP, ACK, "127.0.0.1", 6000, "127.0.0.1", 40000, true, SIGHT_ATTEMPT, 4 },
        /* shared by a control and an attempt: the attempt's */
        { IPPROTO_TCP, SYN, "10.77.0.1", 4000, "1.1.1.4", 80, false, SIGHT_ATTEMPT, 7 },
        /* the door, on loopback only */
        { IPPROTO_TCP, SYN, "127.0.0.1", 4000, "127.0.0.1", SITE_PORT_DOOR, true, SIGHT_EXPLAINED, 0 },
        { IPPROTO_TCP, ACK, "127.0.0.1", SITE_PORT_BOTTLE_DOOR, "127.0.0.1", 4000, true, SIGHT_EXPLAINED, 0 },
        { IPPROTO_TCP, SYN, "10.77.0.1", 4000, "1.1.1.1", SITE_PORT_DOOR, false, SIGHT_STRAY, 0 },
        { IPPROTO_UDP, 0, "127.0.0.1", 4000, "127.0.0.1", SITE_PORT_DOOR, true, SIGHT_STRAY, 0 },
        /* ICMP: the type is in `flags` */
        { IPPROTO_ICMP, ICMP_ECHO, "10.77.0.1", 0, "1.1.1.5", 0, false, SIGHT_ATTEMPT, 8 },
        { IPPROTO_ICMP, ICMP_ECHOREPLY, "1.1.1.5", 0, "10.77.0.1", 0, true, SIGHT_ANSWER, 0 },
        { IPPROTO_ICMP, ICMP_ECHOREPLY, "10.77.0.1", 0, "1.1.1.5", 0, false, SIGHT_STRAY, 0 },
        { IPPROTO_ICMP, ICMP_TIMESTAMP, "10.77.0.1", 0, "1.1.1.5", 0, false, SIGHT_STRAY, 0 },
        { IPPROTO_ICMP, ICMP_DEST_UNREACH, "10.77.0.1", 0, "1.1.1.5", 0, false, SIGHT_ERROR, 0 },
        { IPPROTO_ICMP, ICMP_ROUTERSOLICIT, "10.77.0.1", 0, "224.0.0.2", 0, false, SIGHT_EXPLAINED, 0 },
        { IPPROTO_IGMP, 0, "10.77.0.1", 0, "224.0.0.22", 0, false, SIGHT_EXPLAINED, 0 },
        { IPPROTO_SCTP, 0, "10.77.0.1", 0, "1.1.1.1", 443, false, SIGHT_STRAY, 0 },
    };
    struct watch watches[] = { watch_of(false, TRANSPORT_TCP, "1.1.1.1", 443),
                               watch_of(true, TRANSPORT_TCP, "1.1.1.2", 80),
                               watch_of(false, TRANSPORT_UDP, "1.1.1.1", 53),
                               watch_of(false, TRANSPORT_UDP, "1.1.1.1", 53), /* the other principal */
                               watch_of(false, TRANSPORT_TCP, "127.0.0.1", 40000),
                               watch_of(true, TRANSPORT_TCP, "127.0.0.1", 5000),
                               watch_of(true, TRANSPORT_TCP, "1.1.1.4", 80),
                               watch_of(false, TRANSPORT_TCP, "1.1.1.4", 80),
                               watch_of(false, TRANSPORT_ICMP, "1.1.1.5", 0) };
    struct tuples *tuples = calloc(1, sizeof *tuples);
    for (uint16_t i = 0; i < sizeof watches / sizeof *watches; i++)
        tuples_insert(tuples, &watches[i], i);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t body[20] = { rows[i].flags }, frame[64];
        if (rows[i].protocol == IPPROTO_TCP || rows[i].protocol == IPPROTO_UDP)
            ports(body, rows[i].source_port, rows[i].destination_port);
        if (rows[i].protocol == IPPROTO_TCP) {
            body[12] = 0x50;
            body[13] = rows[i].flags;
        }
        struct packet packet;
        uint16_t watch = 0;
        packet_parse(frame, frame_4(frame, rows[i].protocol, rows[i].source, rows[i].destination, 1, 0, body, 20),
                     &packet);
        cr_assert_eq(tuples_explain(tuples, &packet, rows[i].on_loopback, &watch), rows[i].sight, "row %zu", i);
        cr_assert(rows[i].sight != SIGHT_ATTEMPT || watch == rows[i].watch, "row %zu: watch %u", i, watch);
    }
    free(tuples);
}

Test(witness_tuples, a_full_table_of_tuples_still_finds_each)
{
    struct tuples *tuples = calloc(1, sizeof *tuples);
    for (uint16_t i = 0; i < WATCHES_MAX; i++) {
        struct watch watch = watch_of(false, TRANSPORT_UDP, "1.1.1.1", (uint16_t)(i + 1));
        tuples_insert(tuples, &watch, i);
    }
    for (uint16_t i = 0; i < WATCHES_MAX; i++) {
        uint8_t body[8], frame[64];
        struct packet packet;
        uint16_t watch = 0xffff;
        ports(body, 9, (uint16_t)(i + 1));
        packet_parse(frame, frame_4(frame, IPPROTO_UDP, "10.77.0.1", "1.1.1.1", 1, 0, body, 8), &packet);
        cr_assert_eq(tuples_explain(tuples, &packet, false, &watch), SIGHT_ATTEMPT);
        cr_assert_eq(watch, i);
    }
    free(tuples);
}

Test(witness_tuples, neighbours_are_answered_but_not_duplicate_address_detection_nor_the_hosts_own_addresses)
{
    static const struct {
        const char *source, *target;
        bool answered;
    } rows[] = { { "fd77::1", "fd77::33", true },
                 { "fe80::1", "fe80::a9fe", true },
                 { "::", "fd77::33", false },
                 { "fd77::1", "fd77::1", false },
                 { "fd77::1", "fd77::fe", false } };
    static const uint8_t link[6] = { 2, 0, 0, 0, 0, 7 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t body[32] = { ND_NEIGHBOR_SOLICIT }, frame[128], answer[NEIGHBOUR_ANSWER_BYTES];
        inet_pton(AF_INET6, rows[i].target, body + 8);
        size_t size = frame_6(frame, IPPROTO_ICMPV6, rows[i].source, "ff02::1:ff00:33", body, sizeof body);
        cr_assert_eq(neighbour_answer(frame, size, link, answer), rows[i].answered, "row %zu", i);
        if (!rows[i].answered)
            continue;
        struct packet packet;
        packet_parse(answer, sizeof answer, &packet);
        cr_assert_eq(packet.icmp_type, ND_NEIGHBOR_ADVERT);
        cr_assert_arr_eq(packet.source.address, body + 8, 16);
        cr_assert_arr_eq(answer + 80, link, 6);
    }
    uint8_t nothing[NEIGHBOUR_ANSWER_BYTES];
    cr_assert_not(neighbour_answer((const uint8_t *)"", 0, link, nothing));
}
