/*
 * What the probe makes of a kernel's answers about routes and links: the best gateway and the first link of what is
 * well-formed, and nothing of what isn't.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../probes/mechanisms/routes.h"

#define SEQUENCE 7

/* A datagram in the making. */
static _Alignas(8) uint8_t datagram[4096];
static size_t used;

static struct nlmsghdr *begin(uint16_t type)
{
    struct nlmsghdr *head = (struct nlmsghdr *)(datagram + used);
    *head = (struct nlmsghdr){ .nlmsg_type = type, .nlmsg_seq = SEQUENCE };
    used += sizeof *head;
    return head;
}

static void put(const void *data, size_t size)
{
    memcpy(datagram + used, data, size);
    memset(datagram + used + size, 0, 3);
    used += (size + 3) & ~(size_t)3;
}

static void put_attribute(uint16_t type, const void *data, size_t size)
{
    struct rtattr head = { .rta_len = (uint16_t)(sizeof head + size), .rta_type = type };
    put(&head, sizeof head);
    put(data, size);
}

static void put_number(uint16_t type, uint32_t number)
{
    put_attribute(type, &number, sizeof number);
}

static void put_address(uint16_t type, const char *text)
{
    uint8_t address[16];
    bool six = strchr(text, ':') != NULL;
    cr_assert_eq(inet_pton(six ? AF_INET6 : AF_INET, text, address), 1);
    put_attribute(type, address, six ? 16 : 4);
}

static void end(struct nlmsghdr *head)
{
    head->nlmsg_len = (uint32_t)(datagram + used - (uint8_t *)head);
}

/* One route. */
struct row {
    const char *gateway; /* or NULL */
    uint8_t prefix;
    uint32_t metric, link;
    uint8_t table, type;
    unsigned flags;
};

static void put_route(const struct row *row, uint8_t family)
{
    struct nlmsghdr *head = begin(RTM_NEWROUTE);
    struct rtmsg message = { .rtm_family = family,
                             .rtm_dst_len = row->prefix,
                             .rtm_table = row->table != 0 ? row->table : RT_TABLE_MAIN,
                             .rtm_type = row->type != 0 ? row->type : RTN_UNICAST,
                             .rtm_flags = row->flags };
    put(&message, sizeof message);
    if (row->metric != 0)
        put_number(RTA_PRIORITY, row->metric);
    if (row->gateway != NULL)
        put_address(RTA_GATEWAY, row->gateway);
    if (row->link != 0)
        put_number(RTA_OIF, row->link);
    end(head);
}

static struct routes_gateway read_gateways(int family)
{
    struct routes_gateway best = { .family = family, .sequence = SEQUENCE };
    routes_read_gateways(datagram, used, &best);
    return best;
}

static void expect_gateway(int family, const char *expected, size_t row)
{
    char text[INET6_ADDRSTRLEN] = "none";
    struct routes_gateway best = read_gateways(family);
    if (best.found)
        inet_ntop(family, best.ip, text, sizeof text);
    cr_expect_str_eq(text, expected, "case %zu: %s", row, text);
}

Test(routes, the_gateway_is_the_cheapest_default_routes_or_else_the_cheapest_other_routes)
{
    static const struct {
        struct row rows[4];
        const char *expected;
    } cases[] = {
        { { { "10.0.0.1", 0, 0, 2, 0, 0, 0 } }, "10.0.0.1" },
        { { { "10.0.0.1", 24, 0, 2, 0, 0, 0 }, { "10.0.0.2", 0, 900, 2, 0, 0, 0 } }, "10.0.0.2" },
        { { { "10.0.0.2", 0, 900, 2, 0, 0, 0 }, { "10.0.0.1", 24, 0, 2, 0, 0, 0 } }, "10.0.0.2" },
        { { { "10.0.0.1", 0, 20, 2, 0, 0, 0 }, { "10.0.0.2", 0, 10, 2, 0, 0, 0 }, { "10.0.0.3", 0, 10, 2, 0, 0, 0 } },
          "10.0.0.2" },
        { { { "10.0.0.1", 16, 20, 2, 0, 0, 0 }, { "10.0.0.2", 8, 10, 2, 0, 0, 0 } }, "10.0.0.2" },
        { { { NULL, 0, 0, 2, 0, 0, 0 }, { "10.0.0.2", 8, 10, 2, 0, 0, 0 } }, "10.0.0.2" },
        { { { NULL, 0, 0, 2, 0, 0, 0 }, { NULL, 24, 0, 2, 0, 0, 0 } }, "none" },
        { { { "0.0.0.0", 0, 0, 2, 0, 0, 0 } }, "none" },
        { { { "10.0.0.1", 0, 0, 2, RT_TABLE_LOCAL, 0, 0 } }, "none" },
        { { { "10.0.0.1", 0, 0, 2, 100, 0, 0 } }, "none" },
        { { { "10.0.0.1", 0, 0, 2, 0, RTN_BLACKHOLE, 0 } }, "none" },
        { { { "10.0.0.1", 0, 0, 2, 0, 0, RTM_F_CLONED } }, "none" },
        { { { "10.0.0.1", 0, 0, 2, 0, 0, RTNH_F_DEAD }, { "10.0.0.2", 8, 0, 2, 0, 0, 0 } }, "10.0.0.2" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        used = 0;
        for (size_t r = 0; r < 4 && cases[i].rows[r].link != 0; r++)
            put_route(&cases[i].rows[r], AF_INET);
        expect_gateway(AF_INET, cases[i].expected, i);
        expect_gateway(AF_INET6, "none", i);
    }
}

Test(routes, a_link_local_gateway_needs_its_link)
{
    used = 0;
    put_route(&(struct row){ "fe80::1", 0, 0, 0, 0, 0, 0 }, AF_INET6);
    expect_gateway(AF_INET6, "none", 0);
    put_route(&(struct row){ "fe80::2", 0, 0, 9, 0, 0, 0 }, AF_INET6);
    expect_gateway(AF_INET6, "fe80::2", 1);
    cr_expect_eq(read_gateways(AF_INET6).link, 9);
    used = 0;
    put_route(&(struct row){ "fd00::1", 0, 0, 0, 0, 0, 0 }, AF_INET6);
    expect_gateway(AF_INET6, "fd00::1", 2);
}

Test(routes, of_several_next_hops_the_first_living_one_with_a_gateway_of_the_family_counts)
{
    static const struct {
        const char *gateway;
        uint8_t flags;
    } hops[] = { { NULL, 0 }, { "10.0.0.7", RTNH_F_DEAD }, { "fd00::1", 0 }, { "10.0.0.8", 0 }, { "10.0.0.9", 0 } };
    used = 0;
    struct nlmsghdr *head = begin(RTM_NEWROUTE);
    struct rtmsg message = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST };
    put(&message, sizeof message);
    size_t nest = used;
    put(&(struct rtattr){ .rta_type = RTA_MULTIPATH }, sizeof(struct rtattr));
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        size_t at = used;
        struct rtnexthop hop = { .rtnh_flags = hops[i].flags, .rtnh_ifindex = (int)(10 + i) };
        put(&hop, sizeof hop);
        if (hops[i].gateway != NULL)
            put_address(RTA_GATEWAY, hops[i].gateway);
        ((struct rtnexthop *)(datagram + at))->rtnh_len = (uint16_t)(used - at);
    }
    ((struct rtattr *)(datagram + nest))->rta_len = (uint16_t)(used - nest);
    end(head);
    expect_gateway(AF_INET, "10.0.0.8", 0);
    cr_expect_eq(read_gateways(AF_INET).link, 13);
}

Test(routes, a_gateway_of_another_family_is_none)
{
    const uint8_t via[18] = { AF_INET6, 0, 0xfe, 0x80 };
    used = 0;
    struct nlmsghdr *head = begin(RTM_NEWROUTE);
    struct rtmsg message = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST };
    put(&message, sizeof message);
    put_attribute(RTA_VIA, via, sizeof via);
    end(head);
    expect_gateway(AF_INET, "none", 0);
}

Test(routes, the_table_is_read_from_its_attribute_where_its_number_is_large)
{
    used = 0;
    struct nlmsghdr *head = begin(RTM_NEWROUTE);
    struct rtmsg message = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_COMPAT, .rtm_type = RTN_UNICAST };
    put(&message, sizeof message);
    put_number(RTA_TABLE, RT_TABLE_MAIN);
    put_address(RTA_GATEWAY, "10.0.0.1");
    end(head);
    expect_gateway(AF_INET, "10.0.0.1", 0);
}

static void put_link(int index, unsigned flags)
{
    struct nlmsghdr *head = begin(RTM_NEWLINK);
    struct ifinfomsg message = { .ifi_index = index, .ifi_flags = flags };
    put(&message, sizeof message);
    put_attribute(IFLA_IFNAME, "x", 2);
    end(head);
}

Test(links, the_first_is_the_lowest_index_that_is_up_and_no_loopback)
{
    static const struct {
        struct {
            int index;
            unsigned flags;
        } links[4];
        uint32_t expected;
    } cases[] = {
        { { { 1, IFF_UP | IFF_LOOPBACK }, { 9, IFF_UP }, { 5, IFF_UP }, { 3, IFF_RUNNING } }, 5 },
        { { { 5, IFF_UP | IFF_RUNNING }, { 9, IFF_UP }, { 1, IFF_UP | IFF_LOOPBACK }, { 0, 0 } }, 5 },
        { { { 1, IFF_UP | IFF_LOOPBACK }, { 2, 0 }, { 3, 0 }, { 4, 0 } }, 0 },
        { { { -5, IFF_UP }, { 0, IFF_UP }, { 1, IFF_UP | IFF_LOOPBACK }, { INT32_MIN, IFF_UP } }, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct routes_link first = { .sequence = SEQUENCE };
        used = 0;
        for (size_t l = 0; l < 4; l++)
            put_link(cases[i].links[l].index, cases[i].links[l].flags);
        cr_expect(routes_read_links(datagram, used, &first));
        cr_expect_eq(first.index, cases[i].expected, "case %zu: %u", i, first.index);
    }
}

Test(dump, ends_with_its_end_or_an_error_and_answers_to_others_are_passed_over)
{
    static const uint16_t ends[] = { NLMSG_DONE, NLMSG_ERROR };
    for (size_t i = 0; i < 2; i++) {
        struct routes_link first = { .sequence = SEQUENCE };
        used = 0;
        put_link(4, IFF_UP);
        end(begin(ends[i]));
        put_link(3, IFF_UP);
        cr_expect_not(routes_read_links(datagram, used, &first));
        cr_expect_eq(first.index, 4);

        first = (struct routes_link){ .sequence = SEQUENCE + 1 };
        cr_expect(routes_read_links(datagram, used, &first), "somebody else's end is not ours");
        cr_expect_eq(first.index, 0);
    }
}

/* Every cut and every length is tried in a block of exactly its size, so that a sanitizer sees each step beyond. */
Test(dump, that_is_cut_anywhere_or_lies_about_its_lengths_is_read_no_further_than_it_goes)
{
    used = 0;
    put_route(&(struct row){ "10.0.0.1", 0, 5, 2, 0, 0, 0 }, AF_INET);
    put_link(4, IFF_UP);
    end(begin(NLMSG_DONE));
    for (size_t cut = 0; cut <= used; cut++) {
        uint8_t *exact = malloc(cut + 1);
        for (size_t at = 0; at <= cut; at++)
            for (unsigned lie = 0; lie < 4; lie++) {
                struct routes_gateway best = { .family = AF_INET, .sequence = SEQUENCE };
                struct routes_link first = { .sequence = SEQUENCE };
                memcpy(exact, datagram, cut);
                if (at < cut)
                    exact[at] = (uint8_t)(exact[at] ^ (lie == 0 ? 0 : lie == 1 ? 0xff : lie == 2 ? 1 : 4));
                uint8_t *tight = malloc(cut);
                memcpy(tight, exact, cut);
                routes_read_gateways(tight, cut, &best);
                routes_read_links(tight, cut, &first);
                free(tight);
            }
        free(exact);
    }
}

Test(dump, that_nobody_answers_leaves_the_literal_and_the_loopback)
{
    int ends[2];
    struct address address, before;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    cr_assert(address_parse("@route:192.0.2.1", 16, &address));
    before = address;
    routes_prefer_gateway(ends[0], &address);
    cr_expect_arr_eq(&address, &before, sizeof address);
    cr_expect_eq(routes_first_link(ends[0]), ROUTES_LOOPBACK);
    close(ends[1]);
    routes_prefer_gateway(ends[0], &address);
    cr_expect_arr_eq(&address, &before, sizeof address);
    close(ends[0]);
    cr_expect_eq(routes_first_link(-1), ROUTES_LOOPBACK);
}

/* A kernel that answers without an end: each datagram is well-formed, none is the last, and a better gateway than
 * the one before comes with each. */
Test(dump, that_never_ends_is_read_within_a_bound)
{
    int ends[2];
    unsigned sent = 0;
    struct nlmsghdr request;
    struct address address;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    cr_assert(address_parse("@route:192.0.2.1", 16, &address));
    routes_prefer_gateway(ends[0], &address); /* shows the number that the next request will have, less one */
    cr_assert_geq(recv(ends[1], &request, sizeof request, 0), (ssize_t)sizeof request);
    do {
        char gateway[16];
        used = 0;
        snprintf(gateway, sizeof gateway, "10.0.0.%u", ++sent);
        put_route(&(struct row){ gateway, 0, 1000 - sent, 2, 0, 0, 0 }, AF_INET);
        ((struct nlmsghdr *)datagram)->nlmsg_seq = request.nlmsg_seq + 1;
    } while (send(ends[1], datagram, used, MSG_DONTWAIT) == (ssize_t)used && sent < 100);
    cr_assert_gt(sent, 40);
    routes_prefer_gateway(ends[0], &address);
    cr_expect_eq(address.ip[0], 10);
    cr_expect_eq(address.ip[3], 32, "%u datagrams were read", address.ip[3]);
    close(ends[0]);
    close(ends[1]);
}
