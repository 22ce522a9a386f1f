/*
 * What a bare attempt asks of the site's kernel beside ordinary packets: data in a SYN, multipath, broadcasts and
 * membership reports all leave the host namespace, whatever the settings were that the namespaces started with.
 */
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>

#include "site_fixture.h"

#define PATIENCE 5000 /* milliseconds: a bound on hangs */

/* A socket that sees all that arrives on wan0. */
static int listen_to_world(void)
{
    go_to(site.world_namespace);
    struct sockaddr_ll at = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ALL),
                              .sll_ifindex = (int)if_nametoindex("wan0") };
    int made = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
    REQUIRE(made >= 0 && bind(made, (struct sockaddr *)&at, sizeof at) == 0, "packet socket: %s", strerror(errno));
    go_to(site.host_namespace);
    return made;
}

/* Waits for an IP packet of this protocol (of the last header) that contains the bytes. */
static void must_arrive(int world, uint8_t protocol, const void *bytes, size_t size, const char *what)
{
    uint8_t packet[2048];
    for (;;) {
        struct pollfd wait = { .fd = world, .events = POLLIN };
        REQUIRE(poll(&wait, 1, PATIENCE) == 1, "%s did not arrive on wan0", what);
        struct sockaddr_ll from;
        socklen_t from_size = sizeof from;
        ssize_t got = recvfrom(world, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_size);
        if (got < 40 || from.sll_pkttype == PACKET_OUTGOING)
            continue;
        uint8_t carried = packet[0] >> 4 == 4 ? packet[9] : packet[6] == 0 ? packet[40] : packet[6];
        if (carried == protocol && memmem(packet, (size_t)got, bytes, size) != NULL)
            return;
    }
}

static void data_in_a_syn(int world)
{
    static const char data[] = "in the SYN itself";
    struct endpoint there = endpoint("1.1.1.1", 4069);
    const int on = 1;
    int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(setsockopt(made, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &on, sizeof on) == 0, "no cookie: %s",
            strerror(errno));
    REQUIRE(sendto(made, data, sizeof data, MSG_FASTOPEN, (struct sockaddr *)&there.address, there.size) ==
                (ssize_t)sizeof data,
            "fast open: %s", strerror(errno));
    must_arrive(world, IPPROTO_TCP, data, sizeof data, "a SYN with data");
    close(made);
}

static void multipath(int world)
{
    /* Option 30 in its 4 bytes of a SYN: subtype 0 (MP_CAPABLE), version 1 (RFC 8684 section 3.1). */
    static const uint8_t option[] = { 30, 4, 0x01 };
    struct endpoint there = endpoint("1.1.1.1", 4068);
    go_to(site.world_namespace);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262);
    REQUIRE(other >= 0 || errno == EPROTONOSUPPORT, "the world's kernel: %s", strerror(errno));
    go_to(site.host_namespace);
    int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 262);
    if (made < 0 && errno == EPROTONOSUPPORT && getenv("MUST_WORK") == NULL)
        return; /* this kernel has none */
    REQUIRE(made >= 0, "multipath: %s", strerror(errno));
    connect(made, (struct sockaddr *)&there.address, there.size);
    must_arrive(world, IPPROTO_TCP, option, sizeof option, "a SYN with MP_CAPABLE");
    close(made);
    close(other);
}

static void broadcasts(int world)
{
    static const char *const destinations[] = { "255.255.255.255", "10.77.0.255" };
    for (size_t i = 0; i < 2; i++) {
        struct endpoint there = endpoint(destinations[i], 4038);
        const int on = 1;
        char text[32] = "to everybody on the link: ";
        text[31] = (char)('0' + i);
        int made = bounded_socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(made, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
        REQUIRE(sendto(made, text, sizeof text, 0, (struct sockaddr *)&there.address, there.size) == sizeof text,
                "broadcast to %s: %s", destinations[i], strerror(errno));
        must_arrive(world, IPPROTO_UDP, text, sizeof text, destinations[i]);
        close(made);
    }
}

/* Waits for a report of version 3 (IGMP) or 2 (MLD), whose record says "now anything of this group" (RFC 3376 section
 * 4.2.12, RFC 3810 section 5.2.12). */
static void must_report(int world, uint8_t protocol, const void *group, size_t size, const char *what)
{
    uint8_t record[4 + 16] = { 4, 0, 0, 0 };
    memcpy(record + 4, group, size);
    must_arrive(world, protocol, record, 4 + size, what);
}

static void joins(int world)
{
    static const char *const groups[] = { "239.77.0.1", "224.0.0.251" };
    for (size_t i = 0; i < 2; i++) {
        struct ip_mreqn group = { 0 };
        inet_pton(AF_INET, groups[i], &group.imr_multiaddr);
        int made = bounded_socket(AF_INET, SOCK_DGRAM, 0);
        REQUIRE(setsockopt(made, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0, "join: %s",
                strerror(errno));
        must_report(world, IPPROTO_IGMP, &group.imr_multiaddr, 4, groups[i]);
    }
    struct ipv6_mreq group = { 0 };
    inet_pton(AF_INET6, "ff15::77:1", &group.ipv6mr_multiaddr);
    int made = bounded_socket(AF_INET6, SOCK_DGRAM, 0);
    REQUIRE(setsockopt(made, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group) == 0, "join: %s", strerror(errno));
    must_report(world, IPPROTO_ICMPV6, &group.ipv6mr_multiaddr, 16, "ff15::77:1");
}

static void send_all(void)
{
    int world = listen_to_world();
    data_in_a_syn(world);
    multipath(world);
    broadcasts(world);
    joins(world);
}

Test(site, what_a_bare_attempt_sends_beside_ordinary_packets_arrives_in_the_world)
{
    run_in_site(send_all);
}

static void hostile_settings(void)
{
    static const char *const settings[][2] = {
        { "ipv4/tcp_fastopen", "0" },
        { "mptcp/enabled", "0" },
        { "ipv4/igmp_max_memberships", "0" },
        { "ipv4/igmp_link_local_mcast_reports", "0" },
        { "ipv4/conf/all/force_igmp_version", "1" },
        { "ipv4/conf/default/igmpv3_unsolicited_report_interval", "600000" },
        { "ipv6/conf/all/force_mld_version", "1" },
    };
    struct error error = { 0 };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "/proc/sys/net/%s", settings[i][0]);
        if (access(path, F_OK) == 0)
            REQUIRE(file_write(path, settings[i][1], &error), "%s", error.text);
    }
    REQUIRE(site_open(&site, &error), "site_open: %s", error.text);
    send_all();
}

Test(site, settings_that_forbid_it_are_set_right)
{
    run_in_namespaces(hostile_settings);
}
