/*
 * What the real bottle-probe puts on the wire where the message isn't an ordinary payload: data in a SYN, an option
 * of a SYN, a SYN alone, a broadcast, a membership report; and where it goes when the plan says "your gateway" or
 * "your first link". See probes_wire.h.
 */
#include <netinet/icmp6.h>
#include <sys/syscall.h>

#include "probes_forbid.h"
#include "probes_wire.h"

Test(wire, a_fast_open_puts_the_whole_nonce_into_the_SYN)
{
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    struct piece syn;
    plan_begin(300, NULL);
    uint16_t seq = plan_add(MECHANISM_TCP_FASTOPEN, "198.51.100.69", 4069);
    uint16_t plain = plan_add(MECHANISM_TCP, "198.51.100.69", 4070);
    run(NULL);
    wire_take_all(far);
    expect(seq, STAGE_DEADLINE, "", "");
    cr_expect_eq(done[seq].sent, 50);
    cr_assert(wire_find_syn(4069, &syn));
    cr_expect_eq(syn.payload_size, 50);
    cr_expect(wire_has_nonce(syn.payload, syn.payload_size, seq));
    cr_assert(wire_find_syn(4070, &syn));
    cr_expect_eq(syn.payload_size, 0);
    cr_expect_eq(done[plain].sent, 0);
}

Test(wire, a_fast_open_is_delivered_once_whether_the_listener_takes_data_from_a_SYN_or_not)
{
    const int queue = 5, on = 1;
    WIRE_SKIP_IF(!wire_enter_empty());
    wire_write("/proc/sys/net/ipv4/tcp_fastopen", "3");
    struct endpoint *taking = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    struct endpoint *refusing = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    cr_assert_eq(setsockopt(taking->fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue), 0);
    cr_assert_eq(setsockopt(taking->fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &on, sizeof on), 0);
    int lo = wire_listen("lo");
    plan_begin(3000, NULL);
    uint16_t a = plan_add(MECHANISM_TCP_FASTOPEN, "127.0.0.1", taking->port);
    uint16_t b = plan_add(MECHANISM_TCP_FASTOPEN, "127.0.0.1", refusing->port);
    uint16_t c = plan_add(MECHANISM_TCP_FASTOPEN, "127.0.0.1", dead_port(SOCK_STREAM));
    run(NULL);
    wire_take_all(lo);
    expect(a, STAGE_ANSWERED, "", TOKEN);
    expect(b, STAGE_ANSWERED, "", TOKEN);
    expect(c, STAGE_CONNECT, "ECONNREFUSED", "");
    cr_expect(heard_nonce(taking, a));
    cr_expect(heard_nonce(refusing, b));
    cr_expect_eq(taking->heard_size, 50);
    cr_expect_eq(refusing->heard_size, 50);
    cr_expect_eq(done[a].sent, 50);
    cr_expect_eq(done[b].sent, 50);
    for (size_t i = 0; i < 2; i++) {
        struct piece syn;
        cr_assert(wire_find_syn(i == 0 ? taking->port : refusing->port, &syn));
        cr_expect_eq(syn.payload_size, 50, "data in the SYN to the %s one", i == 0 ? "taking" : "refusing");
    }
    cr_expect_lt(outcome.milliseconds, 2500, "nobody was silent");
}

/* An engine that relays a few connections at a time refuses the others: a refusal is asked again, and only an answer ends it. */
Test(wire, a_connection_that_is_refused_is_dialled_as_often_as_a_datagram_is_sent)
{
    static const enum mechanism mechanisms[] = { MECHANISM_TCP, MECHANISM_TCP_FASTOPEN, MECHANISM_TCP_SYN,
                                                 MECHANISM_DNS_TCP };
    enum { KINDS = sizeof mechanisms / sizeof *mechanisms };
    WIRE_SKIP_IF(!wire_enter_empty());
    int lo = wire_listen("lo");
    struct endpoint *tcp = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    uint16_t seqs[KINDS], ports[KINDS];
    plan_begin(5000, NULL);
    for (size_t i = 0; i < KINDS; i++) {
        ports[i] = dead_port(SOCK_STREAM);
        seqs[i] = plan_add(mechanisms[i], "127.0.0.1", ports[i]);
    }
    uint16_t answered = plan_add(MECHANISM_TCP, "127.0.0.1", tcp->port);
    run(NULL);
    wire_take_all(lo);
    for (size_t i = 0; i < KINDS; i++) {
        expect(seqs[i], STAGE_CONNECT, "ECONNREFUSED", "");
        cr_expect_eq(wire_count_syns(ports[i]), 3, "mechanism %zu: %u SYNs", i, wire_count_syns(ports[i]));
        cr_expect_geq(done[seqs[i]].microseconds, 300000); /* 1 + 2 fiftieths of five seconds */
    }
    expect(answered, STAGE_ANSWERED, "", TOKEN);
    cr_expect_eq(wire_count_syns(tcp->port), 1);
    cr_expect_eq(tcp->visits, 1);
    cr_expect_lt(outcome.milliseconds, 4500, "nobody was silent");
}

Test(wire, a_kernel_that_is_told_not_to_make_fast_opens_says_so_in_the_record)
{
    WIRE_SKIP_IF(!wire_enter_empty());
    wire_write("/proc/sys/net/ipv4/tcp_fastopen", "0");
    struct endpoint *tcp = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    plan_begin(3000, NULL);
    uint16_t seq = plan_add(MECHANISM_TCP_FASTOPEN, "127.0.0.1", tcp->port);
    run(NULL);
    expect(seq, STAGE_CONNECT, "EOPNOTSUPP", "");
    cr_expect_eq(tcp->visits, 0);
    cr_expect_eq(done[seq].sent, 0);
}

static bool has_mptcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262);
    if (fd >= 0)
        close(fd);
    cr_assert(fd >= 0 || getenv("MUST_WORK") == NULL, "no MPTCP: %s", strerror(errno));
    return fd >= 0;
}

Test(wire, a_multipath_connection_asks_for_it_in_its_SYN_and_speaks_TCP_with_whoever_knows_nothing_of_it)
{
    enum { OPTION_MPTCP = 30 }; /* RFC 8684 section 3; its subtype 0 is MP_CAPABLE */
    WIRE_SKIP_IF(!wire_enter_empty());
    if (!has_mptcp())
        cr_skip_test("this kernel has no MPTCP");
    struct endpoint *tcp = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    int lo = wire_listen("lo");
    plan_begin(3000, NULL);
    uint16_t seq = plan_add(MECHANISM_MPTCP, "127.0.0.1", tcp->port);
    uint16_t dead = plan_add(MECHANISM_MPTCP, "127.0.0.1", dead_port(SOCK_STREAM));
    run(NULL);
    wire_take_all(lo);
    expect(seq, STAGE_ANSWERED, "", TOKEN);
    expect(dead, STAGE_CONNECT, "ECONNREFUSED", "");
    cr_expect(heard_nonce(tcp, seq));
    struct piece syn;
    cr_assert(wire_find_syn(tcp->port, &syn));
    const uint8_t *option = wire_find_option(&syn, OPTION_MPTCP);
    cr_assert_not_null(option, "the SYN has no MPTCP option");
    cr_expect_eq(option[2] >> 4, 0, "MP_CAPABLE");
}

Test(wire, a_kernel_that_is_told_not_to_speak_multipath_says_so_in_the_record)
{
    WIRE_SKIP_IF(!wire_enter_empty());
    if (!has_mptcp())
        cr_skip_test("this kernel has no MPTCP");
    wire_write("/proc/sys/net/mptcp/enabled", "0");
    struct endpoint *tcp = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    plan_begin(3000, NULL);
    uint16_t seq = plan_add(MECHANISM_MPTCP, "127.0.0.1", tcp->port);
    run(NULL);
    expect(seq, STAGE_SOCKET, "ENOPROTOOPT", "");
    cr_expect_eq(tcp->visits, 0);
}

Test(wire, a_SYN_alone_never_has_a_byte_with_it_to_the_end_of_its_flow)
{
    WIRE_SKIP_IF(!wire_enter_empty());
    struct endpoint *talker = world_add(ANSWERS_BANNER, SOCK_STREAM, NULL);
    struct endpoint *silent = world_add(STAYS_SILENT, SOCK_STREAM, NULL);
    uint16_t dead = dead_port(SOCK_STREAM);
    const uint16_t ports[] = { talker->port, silent->port, dead };
    int lo = wire_listen("lo");
    plan_begin(20000, NULL);
    uint16_t a = plan_add(MECHANISM_TCP_SYN, "127.0.0.1", talker->port);
    uint16_t b = plan_add(MECHANISM_TCP_SYN, "127.0.0.1", silent->port);
    uint16_t c = plan_add(MECHANISM_TCP_SYN, "127.0.0.1", dead);
    run(NULL);
    wire_take_all(lo);
    expect(a, STAGE_SENT, "", "");
    expect(b, STAGE_SENT, "", "");
    expect(c, STAGE_CONNECT, "ECONNREFUSED", "");
    struct piece piece;
    for (size_t i = 0; i < 3; i++)
        cr_expect(wire_find_syn(ports[i], &piece), "no SYN to the %zu. port", i);
    for (size_t i = 0; i < frame_count; i++)
        if (wire_parse(&frames[i], &piece) && piece.protocol == IPPROTO_TCP && piece.from_port != talker->port)
            cr_expect_eq(piece.payload_size, 0, "a segment to port %u has data", piece.to_port);
    cr_expect_eq(done[a].sent + done[b].sent + done[c].sent, 0);
    cr_expect_lt(outcome.milliseconds, 5000, "a connection that stands is waited for no longer");
}

Test(wire, a_SYN_that_nobody_answers_is_waited_for_as_long_as_an_answer_and_not_to_the_deadline)
{
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    struct piece syn;
    plan_begin(20000, NULL);
    uint16_t seq = plan_add(MECHANISM_TCP_SYN, "198.51.100.70", 4070);
    run(NULL);
    wire_take_all(far);
    expect(seq, STAGE_DEADLINE, "", "");
    cr_expect_geq(done[seq].microseconds, 500000);
    cr_expect_lt(done[seq].microseconds, 5000000);
    cr_assert(wire_find_syn(4070, &syn));
    cr_expect_str_eq(syn.to, "198.51.100.70");
    cr_expect_eq(syn.payload_size, 0);
}

Test(wire, a_broadcast_goes_to_everybody_on_the_link_as_often_as_any_datagram)
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    plan_begin(3000, NULL);
    uint16_t limited = plan_add(MECHANISM_UDP_BROADCAST, "255.255.255.255", 4038);
    uint16_t directed = plan_add(MECHANISM_UDP_BROADCAST, "10.9.0.255", 4039);
    uint16_t without = plan_add(MECHANISM_UDP_SENDTO, "10.9.0.255", 4040);
    run(NULL);
    wire_take_all(far);
    expect(limited, STAGE_DEADLINE, "", "");
    expect(directed, STAGE_DEADLINE, "", "");
    expect(without, STAGE_SEND, "EACCES", "");
    cr_expect_eq(wire_count_datagrams("255.255.255.255", 4038, limited), 3);
    cr_expect_eq(wire_count_datagrams("10.9.0.255", 4039, directed), 3);
    struct piece piece;
    for (size_t i = 0; i < frame_count; i++)
        if (wire_parse(&frames[i], &piece) && piece.protocol == IPPROTO_UDP)
            cr_expect_arr_eq(frames[i].bytes, everybody, 6);
}

Test(wire, a_datagram_of_UDP_Lite_is_no_UDP_and_goes_as_often_as_any)
{
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDPLITE);
    cr_assert(fd >= 0 || getenv("MUST_WORK") == NULL, "no UDP-Lite: %s", strerror(errno));
    if (fd < 0)
        cr_skip_test("this kernel has no UDP-Lite");
    close(fd);
    plan_begin(3000, NULL);
    uint16_t seq = plan_add(MECHANISM_UDPLITE, "198.51.100.67", 4067);
    run(NULL);
    wire_take_all(far);
    expect(seq, STAGE_DEADLINE, "", "");
    cr_expect_eq(wire_count_datagrams_of(IPPROTO_UDPLITE, "198.51.100.67", 4067, seq), 3);
    cr_expect_eq(wire_count_datagrams("198.51.100.67", 4067, seq), 0);
}

Test(wire, a_datagram_on_the_link_goes_to_the_destination_itself_whatever_the_routes_say)
{
    static const uint8_t itself[6] = { 2, 0, 0, 0, 0, 0xaa };
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    wire_shell("ip neigh replace 198.51.100.153 lladdr 02:00:00:00:00:aa dev near");
    plan_begin(3000, NULL);
    uint16_t seq = plan_add(MECHANISM_UDP_ON_LINK, "198.51.100.153", 4153);
    run(NULL);
    wire_take_all(far);
    expect(seq, STAGE_DEADLINE, "", "");
    cr_expect_eq(wire_count_datagrams("198.51.100.153", 4153, seq), 3);
    struct piece piece;
    for (size_t i = 0; i < frame_count; i++)
        if (wire_parse(&frames[i], &piece) && piece.protocol == IPPROTO_UDP)
            cr_expect_arr_eq(frames[i].bytes, itself, 6);
}

/* A membership report that names the group: IGMP (protocol 2), or MLD (ICMPv6 131 or 143) behind a hop-by-hop
 * header. */
static bool is_report(const struct frame *frame, const char *group)
{
    uint8_t address[16];
    const uint8_t *ip = frame->bytes + 14;
    if (inet_pton(AF_INET6, group, address) == 1)
        return frame->size > 14 + 48 && frame->bytes[12] == 0x86 && ip[6] == 0 && ip[40] == IPPROTO_ICMPV6 &&
               (ip[48] == 131 || ip[48] == 143) && memmem(ip + 48, frame->size - 62, address, 16) != NULL;
    inet_pton(AF_INET, group, address);
    return frame->size > 14 + 24 && frame->bytes[12] == 8 && ip[9] == IPPROTO_IGMP &&
           memmem(ip + 24, frame->size - 38, address, 4) != NULL;
}

static bool was_reported(const char *group)
{
    for (size_t i = 0; i < frame_count; i++)
        if (is_report(&frames[i], group))
            return true;
    return false;
}

/* Packets to this destination that carry the nonce of the attempt and have at least so many hops left. */
static unsigned count_packets(int family, const char *to, uint16_t seq, uint8_t hops)
{
    const size_t header = family == AF_INET6 ? 40 : 20, at = family == AF_INET6 ? 24 : 16;
    uint8_t address[16];
    unsigned count = 0;
    inet_pton(family, to, address);
    for (size_t i = 0; i < frame_count; i++) {
        const uint8_t *ip = frames[i].bytes + 14;
        bool six = frames[i].bytes[12] == 0x86 && frames[i].bytes[13] == 0xdd;
        count += frames[i].size > 14 + header && six == (family == AF_INET6) &&
                 memcmp(ip + at, address, family == AF_INET6 ? 16 : 4) == 0 && ip[six ? 7 : 8] >= hops &&
                 wire_has_nonce(frames[i].bytes, frames[i].size, seq);
    }
    return count;
}

Test(wire, what_goes_to_a_multicast_group_has_more_than_one_hop)
{
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    plan_begin(1000, NULL);
    uint16_t four = plan_add(MECHANISM_UDP, "239.77.1.9", 4077);
    uint16_t unconnected = plan_add(MECHANISM_UDP_SENDTO, "239.77.1.8", 4077);
    uint16_t six = plan_add(MECHANISM_UDP, "ff15::77:9%near", 4077);
    run(NULL);
    wire_take_all(far);
    cr_expect_eq(count_packets(AF_INET, "239.77.1.9", four, 2), 3);
    cr_expect_eq(count_packets(AF_INET, "239.77.1.8", unconnected, 2), 3);
    cr_expect_eq(count_packets(AF_INET6, "ff15::77:9", six, 2), 3);
}

Test(wire, a_join_is_reported_to_the_link_and_stands_long_enough_for_that)
{
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    wire_shell("ip link set idle up; ip link set idle2 up"); /* another link, which must not be taken */
    plan_begin(20000, NULL);
    uint16_t by_route4 = plan_add(MECHANISM_MULTICAST_JOIN, "239.77.1.2", 0);
    uint16_t by_scope = plan_add(MECHANISM_MULTICAST_JOIN, "ff15::77:2%near", 0);
    uint16_t sender = plan_add(MECHANISM_UDP, "198.51.100.7", 9);
    run(NULL);
    wire_take_all(far);
    expect(by_route4, STAGE_SENT, "", "");
    expect(by_scope, STAGE_SENT, "", "");
    cr_expect_geq(done[by_route4].microseconds, 150000);
    cr_expect_lt(done[by_route4].microseconds, 5000000);
    cr_expect(was_reported("239.77.1.2"));
    cr_expect(was_reported("ff15::77:2"));
    cr_expect_not(was_reported("239.77.1.3"));
    cr_expect_eq(wire_count_datagrams("198.51.100.7", 9, sender), 3);
    for (size_t i = 0; i < frame_count; i++)
        cr_expect_not(wire_has_nonce(frames[i].bytes, frames[i].size, by_route4), "the group alone is the message");
}

Test(wire, a_join_takes_the_first_link_where_no_route_leads_to_the_group)
{
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    wire_shell("ip route flush table main; ip -6 route flush table main; ip -6 route flush table local type multicast");
    plan_begin(3000, NULL);
    uint16_t four = plan_add(MECHANISM_MULTICAST_JOIN, "239.77.1.4", 0);
    uint16_t six = plan_add(MECHANISM_MULTICAST_JOIN, "ff15::77:4", 0);
    uint16_t star = plan_add(MECHANISM_MULTICAST_JOIN, "ff15::77:5%*", 0);
    run(NULL);
    wire_take_all(far);
    expect(four, STAGE_SENT, "", "");
    expect(six, STAGE_SENT, "", "");
    expect(star, STAGE_SENT, "", "");
    cr_expect(was_reported("239.77.1.4"));
    cr_expect(was_reported("ff15::77:4"));
    cr_expect(was_reported("ff15::77:5"));
}

Test(wire, a_join_where_there_is_but_a_loopback_is_made_there)
{
    WIRE_SKIP_IF(!wire_enter_empty());
    plan_begin(50, NULL);
    uint16_t four = plan_add(MECHANISM_MULTICAST_JOIN, "239.77.1.6", 0);
    uint16_t six = plan_add(MECHANISM_MULTICAST_JOIN, "ff15::77:6%*", 0);
    run(NULL);
    expect(four, STAGE_SENT, "", "");
    expect(six, STAGE_SENT, "", "");
    cr_expect_geq(outcome.milliseconds, 50, "the plan's time is counted from its start, a moment before the attempt's");
    cr_expect_lt(done[four].microseconds, 450000, "to the deadline, which is sooner");
}

Test(wire, a_route_address_leads_to_the_gateway_and_a_star_to_the_first_link_that_is_up)
{
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    plan_begin(3000, NULL);
    uint16_t four = plan_add(MECHANISM_UDP, "@route:192.0.2.1", 4001);
    uint16_t six = plan_add(MECHANISM_UDP, "@route:2001:db8::1", 4002);
    uint16_t dns = plan_add(MECHANISM_DNS_UDP, "@route:192.0.2.1/parent.example", 53);
    uint16_t syn = plan_add(MECHANISM_TCP_SYN, "@route:192.0.2.1", 4003);
    uint16_t star = plan_add(MECHANISM_UDP_SENDTO, "fe80::fe%*", 4004);
    run(NULL);
    wire_take_all(far);
    struct piece piece;
    cr_expect_eq(wire_count_datagrams("10.9.0.254", 4001, four), 3, "%s", outcome.output);
    cr_expect_eq(count_packets(AF_INET6, "fe80::fe", six, 0), 3);
    cr_expect_eq(count_packets(AF_INET6, "fe80::fe", star, 0), 3);
    cr_assert(wire_find_syn(4003, &piece));
    cr_expect_str_eq(piece.to, "10.9.0.254");
    cr_expect_eq(done[syn].stage, STAGE_DEADLINE);
    bool asked = false;
    for (size_t i = 0; i < frame_count; i++)
        asked =
            asked || (wire_parse(&frames[i], &piece) && piece.to_port == 53 && strcmp(piece.to, "10.9.0.254") == 0 &&
                      memmem(piece.payload, piece.payload_size, "\6parent\7example", 16) != NULL);
    cr_expect(asked, "act %u", dns);
}

/* Makes socket(AF_NETLINK, ...) fail as a bottle's seccomp filter would. */
static void forbid_netlink(void)
{
    forbid_where(SYS_socket, ~0u, AF_NETLINK);
}

Test(wire, where_the_kernel_may_not_be_asked_the_literal_and_the_loopback_are_taken)
{
    int far = wire_enter();
    WIRE_SKIP_IF(far < 0);
    plan_begin(3000, NULL);
    uint16_t four = plan_add(MECHANISM_UDP, "@route:192.0.2.1", 4001);
    uint16_t star = plan_add(MECHANISM_UDP_SENDTO, "fe80::fe%*", 4004);
    run(forbid_netlink);
    wire_take_all(far);
    cr_expect_eq(wire_count_datagrams("192.0.2.1", 4001, four), 3);
    cr_expect_eq(count_packets(AF_INET6, "fe80::fe", star, 0), 0);
    cr_expect_neq(done[star].stage, STAGE_TARGET);
}

Test(wire, where_there_is_no_gateway_the_literal_is_taken)
{
    WIRE_SKIP_IF(!wire_enter_empty());
    struct endpoint *udp = world_add(ANSWERS_TOKEN, SOCK_DGRAM, NULL);
    plan_begin(3000, NULL);
    struct endpoint *imds = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    uint16_t seq = plan_add(MECHANISM_UDP, "@route:127.0.0.1", udp->port);
    uint16_t http = plan_add(MECHANISM_METADATA, "@route:127.0.0.1", imds->port);
    run(NULL);
    expect(seq, STAGE_ANSWERED, "", TOKEN);
    expect(http, STAGE_ANSWERED, "", TOKEN);
    cr_expect(heard_nonce(udp, seq));
    cr_expect(heard(imds, "\r\nHost: 127.0.0.1\r\n", 19));
}
