/* What has blinded simpler captures: nonces cut into pieces, hidden in addresses and SYNs, or quoted by
 * somebody else. */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>

#include "witness_site.h"

#define NO_COOKIE         34  /* TCP_FASTOPEN_NO_COOKIE */
#define IPPROTO_MULTIPATH 262 /* IPPROTO_MPTCP */

static void check_hit(struct test_site *site, size_t watch, enum witness_kind kind, const char *point, const char *at,
                      bool by_tuple)
{
    site_check(site, site_was_heard(site, watch, kind, point, at, by_tuple), "no hit at %s by %s", at,
               by_tuple ? "tuple" : "nonce");
}

static void one_byte_segments(struct test_site *site)
{
    int on = 1;
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.1", 80);
    site_watch(site, 1, false, TRANSPORT_TCP, "127.0.0.1", 80);
    site_start_witness(site);
    for (size_t watch = 0; watch < 2; watch++) {
        int fd = site_connect(site, SOCK_STREAM, 0, NULL, watch == 0 ? "1.1.1.1" : "127.0.0.1", 80);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        for (size_t i = 0; i < NONCE_BYTES; i++)
            site_check(site, send(fd, site->watches[watch].nonce + i, 1, MSG_NOSIGNAL) == 1, "send: %s",
                       strerror(errno));
        site_check_token(site, fd);
        close(fd);
    }
    site_stop_witness(site);
    check_hit(site, 0, WITNESS_CAPTURE, "wan0", "1.1.1.1:80", false);
    check_hit(site, 0, WITNESS_TCP, "wan0", "1.1.1.1:80", false);
    check_hit(site, 1, WITNESS_CAPTURE, "lo", "127.0.0.1:80", false);
    check_hit(site, 1, WITNESS_TCP, "lo", "127.0.0.1:80", false);
}

Test(witness_evasion, one_byte_segments_hide_nothing)
{
    in_site(one_byte_segments);
}

/* 14 bytes of a nonce, 7 on each side of a fragment border: no single packet has a window of it. */
static void fragments_across(struct test_site *site)
{
    static const struct {
        const char *address, *at;
        size_t border; /* in the UDP payload */
    } rows[] = { { "1.1.1.1", "1.1.1.1:9", 1480 - 8 }, { "2606:4700::1", "[2606:4700::1]:9", 1448 - 8 } };
    for (size_t i = 0; i < 2; i++)
        site_watch(site, i, false, TRANSPORT_UDP, rows[i].address, 9);
    site_start_witness(site);
    for (size_t i = 0; i < 2; i++) {
        uint8_t payload[3000];
        int dont = IP_PMTUDISC_DONT;
        memset(payload, 0xee, sizeof payload);
        memcpy(payload + rows[i].border - 7, site->watches[i].nonce + 1, 14);
        int fd = site_connect(site, SOCK_DGRAM, 0, NULL, rows[i].address, 9);
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &dont, sizeof dont);
        site_check(site, send(fd, payload, sizeof payload, 0) == sizeof payload, "send: %s", strerror(errno));
        site_check_token(site, fd);
        close(fd);
    }
    site_stop_witness(site);
    for (size_t i = 0; i < 2; i++) {
        check_hit(site, i, WITNESS_CAPTURE, "wan0", rows[i].at, false);
        check_hit(site, i, WITNESS_UDP, "wan0", rows[i].at, false);
    }
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
}

Test(witness_evasion, a_nonce_across_a_fragment_border_is_found)
{
    in_site(fragments_across);
}

static void bare_syn(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.7", 443);
    site_watch(site, 1, false, TRANSPORT_TCP, "1.1.1.7", 444);
    site_watch(site, 2, false, TRANSPORT_TCP, "1.1.1.7", 445);
    site_run(site, site->host,
             "nft 'add table inet f; add chain inet f i { type filter hook input priority 0; }; "
             "add rule inet f i ip saddr 1.1.1.0/24 drop'");
    site_start_witness(site);
    struct sockaddr_storage to;
    socklen_t size = site_address("1.1.1.7", 443, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    connect(fd, (const struct sockaddr *)&to, size);
    int fast = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fast, IPPROTO_TCP, NO_COOKIE, &on, sizeof on);
    size = site_address("1.1.1.7", 444, &to);
    sendto(fast, site->watches[1].nonce, NONCE_BYTES, MSG_FASTOPEN | MSG_NOSIGNAL, (const struct sockaddr *)&to, size);
    site_stop_witness(site);
    check_hit(site, 0, WITNESS_CAPTURE, "wan0", "1.1.1.7:443", true);
    check_hit(site, 1, WITNESS_CAPTURE, "wan0", "1.1.1.7:444", false);
    check_hit(site, 1, WITNESS_SYN, "wan0", "1.1.1.7:444", false);
    site_check(site, !site_was_heard(site, 0, WITNESS_SYN, "wan0", "1.1.1.7:443", true),
               "a plain SYN was a special one");
    site_check(site, !site_was_heard(site, 2, WITNESS_CAPTURE, "wan0", "1.1.1.7:445", true), "heard what was not sent");
    site_check_no(site, WITNESS_STRAY);
}

Test(witness_evasion, a_SYN_whose_answers_are_dropped_is_a_hit_by_tuple_and_one_with_data_by_nonce)
{
    in_site(bare_syn);
}

/* By a multipath socket where the kernel has them, else by a raw one. */
static void multipath(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.8", 443);
    site_watch(site, 1, false, TRANSPORT_TCP, "1.1.1.8", 444);
    site->watches[0].mp_capable = true;
    site->watches[1].mp_capable = true;
    site_start_witness(site);
    struct sockaddr_storage to;
    socklen_t size = site_address("1.1.1.8", 443, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MULTIPATH);
    if (fd >= 0) {
        site_check(site, connect(fd, (const struct sockaddr *)&to, size) == 0, "connect: %s", strerror(errno));
    } else {
        uint8_t syn[24] = { 0x30, 0, 443 >> 8, 443 & 0xff, [12] = 0x60, [13] = 2, [20] = 30, 4, 1, 0 };
        fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
        site_check(site, sendto(fd, syn, sizeof syn, 0, (const struct sockaddr *)&to, size) == sizeof syn, "send: %s",
                   strerror(errno));
    }
    close(site_connect(site, SOCK_STREAM, 0, NULL, "1.1.1.8", 444));
    site_stop_witness(site);
    check_hit(site, 0, WITNESS_SYN, "wan0", "1.1.1.8:443", true);
    check_hit(site, 0, WITNESS_CAPTURE, "wan0", "1.1.1.8:443", true);
    site_check(site, !site_was_heard(site, 1, WITNESS_SYN, "wan0", "1.1.1.8:444", true),
               "a connection by plain TCP was taken for a multipath one");
}

Test(witness_evasion, a_SYN_that_asks_for_a_multipath_connection_is_heard_as_such)
{
    in_site(multipath);
}

/* The host joins; the kernel says so on its own, and again when the socket is closed. */
static void joined_groups(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_GROUP, "239.1.2.3", 0);
    site_watch(site, 1, false, TRANSPORT_GROUP, "ff05::1234", 0);
    site_watch(site, 2, false, TRANSPORT_GROUP, "239.1.2.4", 0);
    site_start_witness(site);
    struct ip_mreqn four = { .imr_ifindex = (int)if_nametoindex("lan0") };
    struct ipv6_mreq six = { .ipv6mr_interface = if_nametoindex("lan0") };
    inet_pton(AF_INET, "239.1.2.3", &four.imr_multiaddr);
    inet_pton(AF_INET6, "ff05::1234", &six.ipv6mr_multiaddr);
    int fd4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    site_check(site, setsockopt(fd4, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof four) == 0, "join: %s",
               strerror(errno));
    site_check(site, setsockopt(fd6, IPPROTO_IPV6, IPV6_JOIN_GROUP, &six, sizeof six) == 0, "join: %s",
               strerror(errno));
    while (!site_was_heard(site, 0, WITNESS_CAPTURE, "wan0", "239.1.2.3", true) ||
           !site_was_heard(site, 1, WITNESS_CAPTURE, "wan0", "ff05::1234", true))
        site_check(site, site_take_message(site), "a report of membership was not heard");
    site_stop_witness(site);
    for (size_t i = 0; i < site->message_count; i++)
        site_check(site, site->messages[i].event != WITNESS_HIT || site->messages[i].watch != 2,
                   "a group that nobody joined was heard");
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
}

Test(witness_evasion, a_group_that_is_joined_in_silence_is_heard_by_its_report)
{
    in_site(joined_groups);
}

static void nonce_in_address(struct test_site *site)
{
    char address[INET6_ADDRSTRLEN], at[80];
    struct in6_addr bits = { .s6_addr = { 0x20, 0x01, 0x0d, 0xb8, 0, 0x61 } };
    site_watch(site, 0, false, TRANSPORT_UDP, NULL, 0);
    memcpy(bits.s6_addr + 8, site->watches[0].nonce, 8);
    inet_ntop(AF_INET6, &bits, address, sizeof address);
    snprintf(at, sizeof at, "[%s]:9", address);
    site_start_witness(site);
    int fd = site_connect(site, SOCK_DGRAM, 0, NULL, address, 9);
    site_check(site, send(fd, "x", 1, 0) == 1, "send: %s", strerror(errno));
    site_check_token(site, fd);
    site_stop_witness(site);
    check_hit(site, 0, WITNESS_CAPTURE, "wan0", at, false);
    site_check_no(site, WITNESS_STRAY);
}

Test(witness_evasion, a_nonce_in_an_IPv6_address_is_found)
{
    in_site(nonce_in_address);
}

static void loopback_datagram(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_UDP, "127.0.0.1", 9);
    site_watch(site, 1, false, TRANSPORT_UDP, "::1", 9);
    site_start_witness(site);
    for (size_t i = 0; i < 2; i++) {
        int fd = site_connect(site, SOCK_DGRAM, 0, NULL, i == 0 ? "127.0.0.1" : "::1", 9);
        site_check(site, send(fd, site->watches[i].nonce, NONCE_BYTES, 0) == NONCE_BYTES, "send: %s", strerror(errno));
        close(fd);
    }
    site_stop_witness(site);
    check_hit(site, 0, WITNESS_CAPTURE, "lo", "127.0.0.1:9", false);
    check_hit(site, 1, WITNESS_CAPTURE, "lo", "[::1]:9", false);
    site_check_no(site, WITNESS_STRAY);
}

Test(witness_evasion, a_datagram_to_host_loopback_is_captured_though_nobody_listens)
{
    in_site(loopback_datagram);
}

static uint16_t internet_checksum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

/* An unreachable message to 1.1.1.1 that quotes a packet with the nonce. */
static void quoted_nonce(struct test_site *site)
{
    uint8_t message[8 + 28 + NONCE_BYTES] = { ICMP_DEST_UNREACH, ICMP_PORT_UNREACH };
    site_watch(site, 0, false, TRANSPORT_UDP, "1.1.1.1", 9);
    site_watch(site, 1, false, TRANSPORT_ICMP, "1.1.1.2", 0);
    message[8] = 0x45;
    memcpy(message + 36, site->watches[0].nonce, NONCE_BYTES);
    uint16_t sum = internet_checksum(message, sizeof message);
    memcpy(message + 2, &sum, sizeof sum);
    site_start_witness(site);
    int fd = site_connect(site, SOCK_RAW, IPPROTO_ICMP, NULL, "1.1.1.1", 0);
    site_check(site, send(fd, message, sizeof message, 0) == sizeof message, "send: %s", strerror(errno));
    close(fd);
    /* the same bytes as an echo request do count */
    message[0] = ICMP_ECHO;
    message[1] = 0;
    memcpy(message + 36, site->watches[1].nonce, NONCE_BYTES);
    memset(message + 2, 0, 2);
    sum = internet_checksum(message, sizeof message);
    memcpy(message + 2, &sum, sizeof sum);
    fd = site_connect(site, SOCK_RAW, IPPROTO_ICMP, NULL, "1.1.1.2", 0);
    site_check(site, send(fd, message, sizeof message, 0) == sizeof message, "send: %s", strerror(errno));
    site_stop_witness(site);
    check_hit(site, 1, WITNESS_CAPTURE, "wan0", "1.1.1.2", false);
    for (size_t i = 0; i < site->message_count; i++)
        site_check(site, site->messages[i].event != WITNESS_HIT || site->messages[i].watch != 0,
                   "a quoted nonce was called a hit at %s", site->messages[i].at);
    site_check_no(site, WITNESS_STRAY);
}

Test(witness_evasion, an_ICMP_error_that_quotes_a_nonce_is_no_hit)
{
    in_site(quoted_nonce);
}

static void foreign_protocol(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_UDP, NULL, 0);
    site_start_witness(site);
    int fd = site_connect(site, SOCK_RAW, 253, NULL, "9.9.9.9", 0); /* 253: for experiments (RFC 3692) */
    site_check(site, send(fd, site->watches[0].nonce, NONCE_BYTES, 0) == NONCE_BYTES, "send: %s", strerror(errno));
    site_stop_witness(site);
    check_hit(site, 0, WITNESS_CAPTURE, "wan0", "9.9.9.9", false);
}

Test(witness_evasion, a_protocol_that_nobody_listens_to_is_captured)
{
    in_site(foreign_protocol);
}

static void spoofed_frame(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_UDP, NULL, 0);
    site_start_witness(site);
    uint8_t frame[64] = { 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x88, 0xcc };
    memcpy(frame + 20, site->watches[0].nonce, NONCE_BYTES);
    struct sockaddr_ll link = { .sll_family = AF_PACKET, .sll_ifindex = 0 };
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    link.sll_ifindex = (int)if_nametoindex("lan0");
    site_check(site, sendto(fd, frame, sizeof frame, 0, (const struct sockaddr *)&link, sizeof link) == sizeof frame,
               "send: %s", strerror(errno));
    site_stop_witness(site);
    check_hit(site, 0, WITNESS_CAPTURE, "wan0", "", false);
}

Test(witness_evasion, a_raw_frame_to_a_foreign_link_address_is_captured)
{
    in_site(spoofed_frame);
}
