/*
 * What the sealed site does with packets: every address is heard in the world with its destination intact,
 * answers come back, loopback is proxied without making a good fence look open.
 */
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <linux/netfilter_ipv4.h>
#include <nftables/libnftables.h>

#include "site_fixture.h"
#include "../../gates/site/links.h"

static void reaches_world(int listener, const char *source, const char *destination, uint16_t port)
{
    struct sockaddr_storage peer, original;
    struct endpoint there = endpoint(destination, port);
    int client = connect_from(source, destination, port);
    int accepted = accept_and_talk(listener, client, &peer, destination);
    socklen_t size = sizeof original;
    int level = there.address.ss_family == AF_INET ? SOL_IP : SOL_IPV6;
    REQUIRE(getsockopt(accepted, level, SO_ORIGINAL_DST, &original, &size) == 0, "SO_ORIGINAL_DST of %s: %s",
            destination, strerror(errno));
    REQUIRE(same_endpoint(&there, &original), "%s:%u arrived with another destination", destination, port);
    if (source != NULL) {
        struct endpoint here = endpoint(source, 0);
        ((struct sockaddr_in *)&peer)->sin_port = 0; /* the same place in both families */
        REQUIRE(same_endpoint(&here, &peer), "%s arrived with another source than %s", destination, source);
    }
    close(client);
    close(accepted);
}

static void tcp_to_everywhere(void)
{
    int four = world_socket(SOCK_STREAM, "0.0.0.0", SITE_PORT_TCP);
    int six = world_socket(SOCK_STREAM, "::", SITE_PORT_TCP);
    static const char *const destinations4[] = { "1.1.1.1",         "10.77.0.33", "10.77.0.254",
                                                 "169.254.169.254", "240.1.2.3",  "192.168.0.1" };
    static const char *const destinations6[] = { "2606:4700::1", "fd77::fe", "fd00:ec2::254", "64:ff9b::102:304" };
    for (size_t i = 0; i < sizeof destinations4 / sizeof destinations4[0]; i++)
        reaches_world(four, NULL, destinations4[i], (uint16_t)(80 + i));
    for (size_t i = 0; i < sizeof destinations6 / sizeof destinations6[0]; i++)
        reaches_world(six, NULL, destinations6[i], (uint16_t)(443 + i));
    clean();
}

Test(site, tcp_to_any_address_reaches_a_listener_in_the_world_that_knows_the_destination)
{
    run_in_site(tcp_to_everywhere);
}

static void unmasqueraded_sources(void)
{
    struct links host;
    struct error error = { 0 };
    REQUIRE(links_open(&host, &error) && links_add_address(&host, "lo", "172.18.0.2", 32, &error) &&
                links_add_address(&host, "lo", "fd99::2", 128, &error),
            "%s", error.text);
    links_close(&host);
    reaches_world(world_socket(SOCK_STREAM, "0.0.0.0", SITE_PORT_TCP), "172.18.0.2", "1.1.1.1", 443);
    reaches_world(world_socket(SOCK_STREAM, "::", SITE_PORT_TCP), "fd99::2", "2606:4700::1", 443);
    clean();
}

Test(site, a_source_that_nobody_masqueraded_completes_its_handshake)
{
    run_in_site(unmasqueraded_sources);
}

static void loopback_is_proxied(void)
{
    int four = bound_socket(SOCK_STREAM, "0.0.0.0", SITE_PORT_TCP, true);
    int six = bound_socket(SOCK_STREAM, "::", SITE_PORT_TCP, true);
    static const struct {
        const char *address;
        uint16_t port;
    } destinations[] = { { "127.9.9.9", 33 }, { "127.0.0.1", 7699 }, { "127.0.0.1", 7800 },
                         { SITE_HOST4, 22 },  { "::1", 33 },         { SITE_HOST6, 22 } };
    for (size_t i = 0; i < sizeof destinations / sizeof destinations[0]; i++) {
        const char *address = destinations[i].address;
        struct sockaddr_storage peer, here;
        socklen_t size = sizeof here;
        struct endpoint there = endpoint(address, destinations[i].port);
        int client = connect_from(NULL, address, destinations[i].port);
        int accepted = accept_and_talk(there.address.ss_family == AF_INET ? four : six, client, &peer, address);
        REQUIRE(getsockname(accepted, (struct sockaddr *)&here, &size) == 0 && same_endpoint(&there, &here),
                "%s:%u arrived with another destination", address, destinations[i].port);
        close(client);
        close(accepted);
    }
    REQUIRE(connect_errno("127.0.0.1", SITE_PORT_DOOR) == ECONNREFUSED, "the door's port was proxied");
    REQUIRE(connect_errno("::1", SITE_PORT_LAST) == ECONNREFUSED, "the last of the site's ports was proxied");
    struct sockaddr_storage peer;
    int door = bound_socket(SOCK_STREAM, "127.0.0.1", SITE_PORT_DOOR, false);
    accept_and_talk(door, connect_from(NULL, "127.0.0.1", SITE_PORT_DOOR), &peer, "the door");
    clean();
}

Test(site, tcp_on_host_loopback_reaches_the_transparent_listener_but_for_the_sites_own_ports)
{
    run_in_site(loopback_is_proxied);
}

static void own_listeners_are_left_alone(void)
{
    static const char *const addresses[] = { "127.0.0.1", "::1" };
    struct sockaddr_storage peer;
    struct error error = { 0 };
    int witnesses[] = { bound_socket(SOCK_STREAM, "0.0.0.0", SITE_PORT_TCP, true),
                        bound_socket(SOCK_STREAM, "::", SITE_PORT_TCP, true) };
    REQUIRE(site_leave_listeners(&error), "%s", error.text);
    for (size_t i = 0; i < 2; i++) {
        int own = bound_socket(SOCK_STREAM, addresses[i], 3128, false);
        int client = connect_from(NULL, addresses[i], 3128);
        int accepted = accept_and_talk(own, client, &peer, "a listener of its own");
        close(own);
        REQUIRE(send(client, "?", 1, 0) == 1 && recv(accepted, &(char){ 0 }, 1, 0) == 1, "a connection was cut");
        close(client), close(accepted);
        accept_and_talk(witnesses[i], connect_from(NULL, addresses[i], 3128), &peer, "the port that is free again");
        accept_and_talk(witnesses[i], connect_from(NULL, addresses[i], 22), &peer, "a port that nobody has");
    }
    clean();
}

Test(site, what_listens_on_host_loopback_for_itself_is_left_alone_where_that_is_asked_for)
{
    run_in_site(own_listeners_are_left_alone);
}

static void fence_on_loopback(void)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    REQUIRE(nft_run_cmd_from_buffer(nft, "table inet fence { chain input { type filter hook input priority filter; "
                                         "tcp dport 22 reject with tcp reset\n}\n}\n") == 0,
            "no fence");
    nft_ctx_free(nft);
    bound_socket(SOCK_STREAM, "0.0.0.0", SITE_PORT_TCP, true);
    REQUIRE(connect_errno("127.0.0.1", 23) == 0, "an open port must reach the witness");
    REQUIRE(connect_errno("127.0.0.1", 22) == ECONNREFUSED, "a fence on port 22 looks open");
}

Test(site, a_good_fence_on_a_loopback_port_does_not_look_open)
{
    run_in_site(fence_on_loopback);
}

static void nobody_listens(void)
{
    static const char *const destinations[] = {
        "127.0.0.1", "127.9.9.9", "::1", SITE_HOST4, "1.1.1.1", "2606:4700::1"
    };
    for (size_t i = 0; i < sizeof destinations / sizeof destinations[0]; i++)
        REQUIRE(connect_errno(destinations[i], 33) == ECONNREFUSED, "%s with no listener is not refused",
                destinations[i]);
    struct endpoint there = endpoint("127.0.0.1", 33);
    int datagrams = bounded_socket(AF_INET, SOCK_DGRAM, 0);
    char byte;
    REQUIRE(connect(datagrams, (struct sockaddr *)&there.address, there.size) == 0 && send(datagrams, "x", 1, 0) == 1,
            "send: %s", strerror(errno));
    REQUIRE(recv(datagrams, &byte, 1, 0) < 0 && errno == ECONNREFUSED, "UDP on loopback is not left alone");
    clean();
}

Test(site, what_no_listener_has_taken_yet_is_refused)
{
    run_in_site(nobody_listens);
}

static void datagram_answer(int witness, const char *destination, uint16_t port)
{
    struct endpoint there = endpoint(destination, port);
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    char byte = 0;
    int client = bounded_socket(there.address.ss_family, SOCK_DGRAM, 0);
    REQUIRE(sendto(client, "?", 1, 0, (struct sockaddr *)&there.address, there.size) == 1, "sendto %s: %s", destination,
            strerror(errno));
    REQUIRE(recvfrom(witness, &byte, 1, 0, (struct sockaddr *)&peer, &size) == 1 && byte == '?', "%s:%u did not arrive",
            destination, port);
    REQUIRE(sendto(witness, "!", 1, 0, (struct sockaddr *)&peer, size) == 1, "answer: %s", strerror(errno));
    size = sizeof peer;
    REQUIRE(recvfrom(client, &byte, 1, 0, (struct sockaddr *)&peer, &size) == 1 && byte == '!', "%s:%u: no answer",
            destination, port);
    REQUIRE(same_endpoint(&there, &peer), "the answer of %s:%u came from elsewhere", destination, port);
    close(client);
}

static void datagrams(void)
{
    int any4 = world_socket(SOCK_DGRAM, "0.0.0.0", SITE_PORT_UDP), any6 = world_socket(SOCK_DGRAM, "::", SITE_PORT_UDP);
    int dns4 = world_socket(SOCK_DGRAM, "0.0.0.0", SITE_PORT_DNS), dns6 = world_socket(SOCK_DGRAM, "::", SITE_PORT_DNS);
    datagram_answer(any4, "1.1.1.1", 4433);
    datagram_answer(any4, "169.254.169.254", 5353);
    datagram_answer(any6, "2606:4700::1", 4433);
    datagram_answer(dns4, "8.8.8.8", 53);
    datagram_answer(dns4, SITE_RESOLVER4, 53);
    datagram_answer(dns6, "2001:4860:4860::8888", 53);
    clean();
}

Test(site, udp_reaches_its_witness_and_answers_come_from_the_original_address)
{
    run_in_site(datagrams);
}

/* A protocol that no witness listens to and no rule redirects: the routes alone bring it to the world. */
static void unknown_protocol(const char *destination)
{
    enum { EXPERIMENTAL = 253 }; /* RFC 3692 */
    struct endpoint there = endpoint(destination, 0);
    char packet[64];
    go_to(site.world_namespace);
    int witness = bounded_socket(there.address.ss_family, SOCK_RAW, EXPERIMENTAL);
    go_to(site.host_namespace);
    int client = bounded_socket(there.address.ss_family, SOCK_RAW, EXPERIMENTAL);
    REQUIRE(sendto(client, "?", 1, 0, (struct sockaddr *)&there.address, there.size) == 1, "send to %s: %s",
            destination, strerror(errno));
    REQUIRE(recv(witness, packet, sizeof packet, 0) > 0, "%s does not take protocol 253: %s", destination,
            strerror(errno));
}

static void unknown_protocols(void)
{
    unknown_protocol("1.1.1.1");
    unknown_protocol("2606:4700::1");
    clean();
}

Test(site, a_protocol_that_no_rule_knows_ends_in_the_world)
{
    run_in_site(unknown_protocols);
}

static void ping(const char *destination)
{
    struct endpoint there = endpoint(destination, 0);
    bool four = there.address.ss_family == AF_INET;
    int client = bounded_socket(there.address.ss_family, SOCK_DGRAM, four ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    char request[16] = { four ? ICMP_ECHO : (char)ICMP6_ECHO_REQUEST }, answer[16] = { 0 };
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    REQUIRE(sendto(client, request, sizeof request, 0, (struct sockaddr *)&there.address, there.size) > 0,
            "ping %s: %s", destination, strerror(errno));
    REQUIRE(recvfrom(client, answer, sizeof answer, 0, (struct sockaddr *)&peer, &size) > 0, "%s does not answer: %s",
            destination, strerror(errno));
    REQUIRE((uint8_t)answer[0] == (four ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY), "%s answers something else", destination);
    if (four)
        REQUIRE(((struct sockaddr_in *)&peer)->sin_addr.s_addr ==
                    ((struct sockaddr_in *)&there.address)->sin_addr.s_addr,
                "another host than %s answers", destination);
    close(client);
}

static void pings(void)
{
    ping("1.1.1.1");
    ping("169.254.169.254");
    ping("127.0.0.1");
    ping("2606:4700::1");
    clean();
}

Test(site, the_kernel_answers_pings_to_every_address)
{
    run_in_site(pings);
}

static void hostile_settings(void)
{
    static const char *const settings[][2] = {
        { "/proc/sys/net/ipv4/conf/all/rp_filter", "1" },        { "/proc/sys/net/ipv4/conf/default/rp_filter", "1" },
        { "/proc/sys/net/ipv4/conf/all/arp_ignore", "8" },       { "/proc/sys/net/ipv4/conf/default/arp_ignore", "8" },
        { "/proc/sys/net/ipv6/conf/all/accept_dad", "1" },       { "/proc/sys/net/ipv6/conf/default/accept_dad", "1" },
        { "/proc/sys/net/ipv6/conf/default/disable_ipv6", "1" }, { "/proc/sys/net/ipv4/icmp_echo_ignore_all", "1" },
    };
    struct error error = { 0 };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        REQUIRE(file_write(settings[i][0], settings[i][1], &error), "%s", error.text);
    site_body = unmasqueraded_sources;
    REQUIRE(site_open(&site, &error), "site_open: %s", error.text);
    unmasqueraded_sources();
    pings();
}

Test(site, inherited_settings_do_no_harm)
{
    run_in_namespaces(hostile_settings);
}
