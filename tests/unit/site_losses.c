/*
 * Whatever the kernel drops is noticed: each kind of loss is made on purpose.
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/mman.h>

#include "site_fixture.h"
#include "../../gates/site/losses.h"

static void full_receive_buffer(void)
{
    int small = 1;
    char text[160] = "";
    int witness = world_socket(SOCK_DGRAM, "0.0.0.0", SITE_PORT_UDP);
    setsockopt(witness, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    struct endpoint there = endpoint("1.1.1.1", 9);
    int client = bounded_socket(AF_INET, SOCK_DGRAM, 0);
    char datagram[1000] = "";
    clean();
    for (int i = 0; i < 50; i++)
        (void)sendto(client, datagram, sizeof datagram, 0, (struct sockaddr *)&there.address, there.size);
    REQUIRE(!site_lossless(&site, text), "50 datagrams in a buffer for one were no loss");
    REQUIRE(strstr(text, "world namespace") != NULL && strstr(text, "UDP") != NULL, "text: %s", text);
}

Test(site, a_full_receive_buffer_is_a_loss)
{
    run_in_site(full_receive_buffer);
}

static void full_receive_buffer_ipv6(void)
{
    int small = 1;
    char text[160] = "";
    int witness = bound_socket(SOCK_DGRAM, "::", 4444, false);
    setsockopt(witness, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    struct endpoint there = endpoint("::1", 4444);
    int client = bounded_socket(AF_INET6, SOCK_DGRAM, 0);
    char datagram[1000] = "";
    for (int i = 0; i < 50; i++)
        (void)sendto(client, datagram, sizeof datagram, 0, (struct sockaddr *)&there.address, there.size);
    REQUIRE(!site_lossless(&site, text), "50 datagrams in a buffer for one were no loss");
    REQUIRE(strstr(text, "host namespace") != NULL && strstr(text, "IPv6") != NULL, "text: %s", text);
}

Test(site, a_full_receive_buffer_is_a_loss_in_the_host_namespace_and_on_ipv6_too)
{
    run_in_site(full_receive_buffer_ipv6);
}

static void full_listen_queue(void)
{
    char text[160] = "";
    int witness = world_socket(SOCK_STREAM, "0.0.0.0", SITE_PORT_TCP);
    REQUIRE(listen(witness, 0) == 0, "listen: %s", strerror(errno));
    struct endpoint there = endpoint("1.1.1.1", 80);
    for (int i = 0; i < 8; i++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(client, (struct sockaddr *)&there.address, there.size);
    }
    REQUIRE(!site_lossless(&site, text), "8 connections in a queue for one were no loss");
    REQUIRE(strstr(text, "listen queue") != NULL, "text: %s", text);
}

Test(site, a_full_listen_queue_is_a_loss)
{
    run_in_site(full_listen_queue);
}

/* Nobody captures here, so a frame of a protocol that nobody knows is one that is dropped before any witness
 * saw it. */
static void dropped_on_arrival(void)
{
    char text[160] = "", frame[60] = "";
    int raw = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_ll there = { .sll_family = AF_PACKET,
                                 .sll_protocol = htons(0x88b5),
                                 .sll_halen = 6,
                                 .sll_ifindex = (int)if_nametoindex("lan0"),
                                 .sll_addr = { 255, 255, 255, 255, 255, 255 } };
    clean();
    REQUIRE(sendto(raw, frame, sizeof frame, 0, (struct sockaddr *)&there, sizeof there) > 0, "send: %s",
            strerror(errno));
    REQUIRE(!site_lossless(&site, text), "a dropped frame was no loss");
    REQUIRE(strstr(text, "wan0") != NULL, "text: %s", text);
}

Test(site, a_packet_dropped_before_any_witness_saw_it_is_a_loss)
{
    run_in_site(dropped_on_arrival);
}

static void wrong_checksum(void)
{
    unsigned char datagram[9] = { 0x30, 0x39, 0, 9, 0, 9, 0xde, 0xad, 'x' };
    struct endpoint there = endpoint("1.1.1.1", 0);
    int raw = bounded_socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
    uint64_t before, after;
    char text[16384];
    go_to(site.world_namespace);
    REQUIRE(file_read("/proc/self/net/snmp", text, sizeof text) &&
                losses_read_counter(text, LOSS_SECTIONS, "Udp:", "InErrors", &before),
            "no counter");
    REQUIRE(sendto(raw, datagram, sizeof datagram, 0, (struct sockaddr *)&there.address, there.size) > 0, "send: %s",
            strerror(errno));
    REQUIRE(file_read("/proc/self/net/snmp", text, sizeof text) &&
                losses_read_counter(text, LOSS_SECTIONS, "Udp:", "InErrors", &after),
            "no counter");
    REQUIRE(after == before + 1, "the kernel did not count a wrong checksum");
    clean();
}

Test(site, a_datagram_with_a_wrong_checksum_is_no_loss)
{
    run_in_site(wrong_checksum);
}

/* Puts `text` in the place of a counter file of the world. */
static void replace_file(size_t file, const char *text)
{
    int made = memfd_create("counter", MFD_CLOEXEC);
    REQUIRE(write_all(made, text, strlen(text)) && dup2(made, site.losses.files[1][file]) >= 0, "no file");
    close(made);
}

static void nearly_full_table(void)
{
    char text[160] = "";
    replace_file(LOSS_FILES - 1, "100\n");
    replace_file(LOSS_FILES - 2, "89\n");
    clean();
    replace_file(LOSS_FILES - 2, "90\n");
    REQUIRE(!site_lossless(&site, text) && strstr(text, "nearly full: 90 of 100") != NULL, "text: %s", text);
}

Test(site, a_nearly_full_connection_table_is_a_loss)
{
    run_in_site(nearly_full_table);
}

static void counters_gone(void)
{
    char text[160] = "";
    clean();
    close(site.losses.files[1][0]);
    REQUIRE(!site_lossless(&site, text) && strstr(text, "can't read") != NULL, "text: %s", text);
}

Test(site, a_counter_that_can_not_be_read_is_a_loss)
{
    run_in_site(counters_gone);
}

Test(losses, counters_are_found_in_every_format)
{
    static const char sections[] = "Ip: A B\nIp: 1 2\nUdp: InDatagrams InErrors\nUdp: 9 7\n";
    static const char columns[] =
        "entries  drop early_drop\n00000009  0000000a 00000001\n00000009  00000006 00000000\n";
    static const char devices[] = "Inter-|   Receive\n face |bytes    packets errs drop fifo\n"
                                  "    lo: 1 2 3 44 5\n  wan0:10 20 30 55 6\n";
    static const struct {
        const char *text;
        enum loss_format format;
        const char *section, *name;
        bool found;
        uint64_t value;
    } rows[] = {
        { sections, LOSS_SECTIONS, "Udp:", "InErrors", true, 7 },
        { sections, LOSS_SECTIONS, "Ip:", "A", true, 1 },
        { sections, LOSS_SECTIONS, "Udp:", "In", false, 0 },
        { sections, LOSS_SECTIONS, "Tcp:", "InErrors", false, 0 },
        { "Udp: InErrors\n", LOSS_SECTIONS, "Udp:", "InErrors", false, 0 },
        { "Udp: A InErrors\nUdp: 1\n", LOSS_SECTIONS, "Udp:", "InErrors", false, 0 },
        { "Udp6InErrors\t\t3\nUdp6InErrorsX 4\n", LOSS_LINES, NULL, "Udp6InErrors", true, 3 },
        { "Udp6InErrors\n", LOSS_LINES, NULL, "Udp6InErrors", false, 0 },
        { "Udp6InErrors x\n", LOSS_LINES, NULL, "Udp6InErrors", false, 0 },
        { columns, LOSS_COLUMNS, NULL, "drop", true, 16 },
        { columns, LOSS_COLUMNS, NULL, "early_drop", true, 1 },
        { columns, LOSS_COLUMNS, NULL, "insert_failed", false, 0 },
        { "entries drop\n", LOSS_COLUMNS, NULL, "drop", false, 0 },
        { devices, LOSS_DEVICES, NULL, "lo", true, 44 },
        { devices, LOSS_DEVICES, NULL, "wan0", true, 55 },
        { devices, LOSS_DEVICES, NULL, "wan", false, 0 },
        { "12\n", LOSS_NUMBER, NULL, NULL, true, 12 },
        { "", LOSS_NUMBER, NULL, NULL, false, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t value = 0;
        bool found = losses_read_counter(rows[i].text, rows[i].format, rows[i].section, rows[i].name, &value);
        cr_expect_eq(found, rows[i].found, "row %zu", i);
        if (rows[i].found)
            cr_expect_eq(value, rows[i].value, "row %zu: %lu", i, (unsigned long)value);
    }
}
