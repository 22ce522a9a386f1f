/* Silence and its opposite: housekeeping says nothing, controls explain themselves, all else is told. */
#include <net/if.h>
#include <netinet/icmp6.h>

#include "../../gates/witness/door.h"
#include "witness_site.h"

/* Joins groups (IGMP and MLD reports), solicits routers, resolves a neighbour (ARP). */
static void make_housekeeping(struct test_site *site)
{
    struct ip_mreqn group4 = { .imr_ifindex = (int)if_nametoindex("lan0") };
    struct ipv6_mreq group6 = { .ipv6mr_interface = if_nametoindex("lan0") };
    inet_pton(AF_INET, "239.1.2.3", &group4.imr_multiaddr);
    inet_pton(AF_INET6, "ff05::1234", &group6.ipv6mr_multiaddr);
    int v4 = socket(AF_INET, SOCK_DGRAM, 0), v6 = socket(AF_INET6, SOCK_DGRAM, 0);
    site_check(site, setsockopt(v4, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group4, sizeof group4) == 0, "join: %s",
               strerror(errno));
    site_check(site, setsockopt(v6, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group6, sizeof group6) == 0, "join: %s",
               strerror(errno));
    uint8_t solicitation[8] = { ND_ROUTER_SOLICIT };
    struct sockaddr_in6 routers = { .sin6_family = AF_INET6, .sin6_scope_id = if_nametoindex("lan0") };
    inet_pton(AF_INET6, "ff02::2", &routers.sin6_addr);
    int raw = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    site_check(site,
               sendto(raw, solicitation, sizeof solicitation, 0, (const struct sockaddr *)&routers, sizeof routers) ==
                   sizeof solicitation,
               "solicit: %s", strerror(errno));
}

static void send_control(struct test_site *site, size_t watch, int type, const char *address, uint16_t port)
{
    int fd = site_connect(site, type, 0, NULL, address, port);
    site_check(site, send(fd, site->watches[watch].nonce, NONCE_BYTES, MSG_NOSIGNAL) == NONCE_BYTES, "send: %s",
               strerror(errno));
    site_check_token(site, fd);
    close(fd);
}

static void quiet(struct test_site *site)
{
    site_watch(site, 0, true, TRANSPORT_TCP, "1.2.3.4", 5000);
    site_watch(site, 1, true, TRANSPORT_TCP, "127.0.0.1", 5000);
    site_watch(site, 2, true, TRANSPORT_UDP, "fd77::35", 5000);
    site_watch(site, 3, false, TRANSPORT_TCP, "9.9.9.9", 443);
    site_start_witness(site);
    make_housekeeping(site);
    send_control(site, 0, SOCK_STREAM, "1.2.3.4", 5000);
    send_control(site, 1, SOCK_STREAM, "127.0.0.1", 5000);
    send_control(site, 2, SOCK_DGRAM, "fd77::35", 5000);
    site_stop_witness(site);
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
    for (size_t i = 0; i < site->message_count; i++)
        site_check(site, site->messages[i].event != WITNESS_HIT || !site->messages[i].by_tuple,
                   "a control is heard by its nonce only");
    site_check(site, site_was_heard(site, 1, WITNESS_CAPTURE, "lo", "127.0.0.1:5000", false), "deaf on lo");
}

Test(witness_quiet, housekeeping_and_controls_leave_nothing_unexplained)
{
    in_site(quiet);
}

/* Datagrams to the tuple, without a nonce: more than are told. */
static void flood_tuple(struct test_site *site)
{
    for (int i = 0; i < 12; i++) {
        int fd = site_connect(site, SOCK_DGRAM, 0, NULL, "9.9.9.9", 53000);
        site_check(site, send(fd, "x", 1, 0) == 1, "send: %s", strerror(errno));
        site_check_token(site, fd);
        close(fd);
    }
}

static void shared(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_UDP, "9.9.9.9", 53000);
    site_watch(site, 1, true, TRANSPORT_TCP, "1.2.3.4", 5000);
    site_start_witness(site);
    flood_tuple(site);
    send_control(site, 1, SOCK_STREAM, "1.2.3.4", 5000);
    while (!site_was_heard(site, 1, WITNESS_CAPTURE, "wan0", "1.2.3.4:5000", false) && site_take_message(site))
        ;
    flood_tuple(site);
    site_stop_witness(site);
    unsigned before = 0, after = 0;
    bool border = false;
    for (size_t i = 0; i < site->message_count; i++) {
        const struct witness_message *message = &site->messages[i];
        border = border || (message->event == WITNESS_HIT && message->watch == 1 && message->kind == WITNESS_CAPTURE);
        if (message->event == WITNESS_HIT && message->watch == 0 && message->by_tuple)
            border ? after++ : before++;
    }
    site_check(site, before > 0 && before < 12, "%u of 12 packets to the tuple were told before the control", before);
    site_check(site, after > 0 && after < 12, "%u of 12 packets to the tuple were told after the control", after);
}

Test(witness_quiet, a_target_that_two_principals_share_is_told_again_after_the_control_between_them)
{
    in_site(shared);
}

static void unplanned(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_UDP, "9.9.9.9", 53);
    site_start_witness(site);
    int fd = site_connect(site, SOCK_DGRAM, 0, NULL, "5.6.7.8", 99);
    site_check(site, send(fd, "hello", 5, 0) == 5, "send: %s", strerror(errno));
    site_check_token(site, fd);
    int other = site_connect(site, SOCK_STREAM, 0, NULL, "127.0.0.1", 99);
    site_check(site, send(other, "hello", 5, 0) == 5, "send: %s", strerror(errno));
    site_check_token(site, other);
    site_stop_witness(site);
    bool wan = false, lo = false;
    for (size_t i = 0; i < site->message_count; i++) {
        const struct witness_message *message = &site->messages[i];
        if (message->event != WITNESS_STRAY)
            continue;
        wan |= strcmp(message->point, "wan0") == 0 && strcmp(message->at, "5.6.7.8:99") == 0;
        lo |= strcmp(message->point, "lo") == 0 && strcmp(message->at, "127.0.0.1:99") == 0;
    }
    site_check(site, wan, "an unplanned datagram went unnoticed");
    site_check(site, lo, "an unplanned connection on loopback went unnoticed");
    site_check_no(site, WITNESS_HIT);
}

Test(witness_quiet, an_unplanned_datagram_and_connection_are_strays)
{
    in_site(unplanned);
}

static void relayed(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_TCP, "8.8.8.8", 53);
    site_start_witness(site);
    int fd = site_connect(site, SOCK_STREAM, 0, NULL, "10.77.0.53", 5353);
    site_check(site, send(fd, site->watches[0].nonce, NONCE_BYTES, 0) == NONCE_BYTES, "send: %s", strerror(errno));
    site_check_token(site, fd);
    close(fd);
    site_stop_witness(site);
    site_check(site, site_was_heard(site, 0, WITNESS_CAPTURE, "wan0", "10.77.0.53:5353", false), "not captured");
    site_check(site, site_was_heard(site, 0, WITNESS_TCP, "wan0", "10.77.0.53:5353", false), "not heard");
    site_check_no(site, WITNESS_STRAY);
}

Test(witness_quiet, a_flow_of_a_relay_is_explained_by_the_nonce_that_it_carries)
{
    in_site(relayed);
}

static void flood(struct test_site *site)
{
    site_watch(site, 0, false, TRANSPORT_UDP, "1.1.1.1", 9);
    site_start_witness(site);
    int fd = site_connect(site, SOCK_DGRAM, 0, NULL, "1.1.1.1", 9);
    for (int i = 0; i < 2000; i++)
        send(fd, site->watches[0].nonce, NONCE_BYTES, 0);
    for (uint16_t port = 1; port <= 300; port++) {
        int other = site_connect(site, SOCK_DGRAM, 0, NULL, "5.6.7.8", port);
        send(other, "x", 1, 0);
        close(other);
    }
    site_stop_witness(site);
    site_check(site, site_count_events(site, WITNESS_HIT) <= 8, "%zu hits of one datagram repeated",
               site_count_events(site, WITNESS_HIT));
    site_check(site, site_count_events(site, WITNESS_STRAY) == 17, "%zu stray messages, not 16 and a count",
               site_count_events(site, WITNESS_STRAY));
}

Test(witness_quiet, a_flood_is_told_in_few_messages)
{
    in_site(flood);
}

/* One line to the door; checks the whole answer against `expected` (NULL: the connection must be closed). */
static void ask_door(struct test_site *site, const char *line, const char *expected)
{
    char answer[128] = "";
    int fd = site_connect(site, SOCK_STREAM, 0, NULL, "127.0.0.1", SITE_PORT_DOOR);
    site_check(site, send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line), "send: %s", strerror(errno));
    ssize_t size = recv(fd, answer, sizeof answer - 1, 0);
    if (expected == NULL)
        site_check(site, size == 0 || (size < 0 && errno == ECONNRESET), "the door answered %s", answer);
    else
        site_check(site, size > 0 && strcmp(answer, expected) == 0, "the door answered %s", answer);
    close(fd);
}

Test(witness_quiet, the_door_answers_a_challenge_in_its_exact_form_and_nothing_else)
{
    static const char *const wrong[] = {
        "BGD2 000102030405060708090a0b0c0d0e0f\n", "bgd1 000102030405060708090a0b0c0d0e0f\n",
        "BGD1 000102030405060708090A0B0C0D0E0F\n", "BGD1 000102030405060708090a0b0c0d0e0g\n",
        "BGD1 000102030405060708090a0b0c0d0e0f ",  "BGD1_000102030405060708090a0b0c0d0e0f\n",
    };
    static const uint8_t key[32];
    char answer[DOOR_ANSWER];
    cr_assert(door_answer(key, "BGD1 000102030405060708090a0b0c0d0e0f\n", answer));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_not(door_answer(key, wrong[i], answer), "%s", wrong[i]);
}

static void door(struct test_site *site)
{
    /* The key is 32 bytes 5a (site_start_witness); the proof was made by `openssl dgst -sha256 -mac HMAC`. */
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.1", 80);
    site_start_witness(site);
    ask_door(site, "BGD1 000102030405060708090a0b0c0d0e0f\n",
             "BGD1 d04c1d471cd2eb0cf71c32204a75e3c4d0e0ee87c5c42ed69d114beba1b66afa\n");
    site_stop_witness(site);
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_HIT);
}

Test(witness_quiet, the_door_proves_that_it_has_the_key_and_leaves_no_trace)
{
    in_site(door);
}

static void abused_door(struct test_site *site)
{
    char line[64] = "BGD1 ", other[64] = "GET /";
    site_watch(site, 0, false, TRANSPORT_TCP, "1.1.1.1", 80);
    encode_hex(site->watches[0].nonce, NONCE_BYTES, line + 5);
    strcpy(stpcpy(other + 5, line + 5), "\n");
    strcat(line, "\n");
    site_start_witness(site);
    ask_door(site, "GET / HTTP/1.1\r\n\r\n", NULL);
    site_stop_witness(site);
    site_check(site, site_find_event(site, WITNESS_STRAY) != NULL, "a stranger at the door went unnoticed");
    site->message_count = 0;
    site_start_witness(site);
    int fd = site_connect(site, SOCK_STREAM, 0, NULL, "127.0.0.1", SITE_PORT_DOOR);
    site_check(site, send(fd, line, strlen(line), 0) == (ssize_t)strlen(line), "send: %s", strerror(errno));
    site_stop_witness(site);
    site_check(site, site_was_heard(site, 0, WITNESS_TCP, "lo", "127.0.0.1:7701", false),
               "a nonce through the door went unheard");
    site_check(site, site_was_heard(site, 0, WITNESS_CAPTURE, "lo", "127.0.0.1:7701", false),
               "a nonce through the door went unseen");
    site->message_count = 0;
    site_start_witness(site);
    ask_door(site, other, NULL);
    site_stop_witness(site);
    site_check(site, site_was_heard(site, 0, WITNESS_TCP, "lo", "127.0.0.1:7701", false),
               "a nonce that is no challenge went unheard");
    site_check_no(site, WITNESS_STRAY);
}

Test(witness_quiet, what_is_no_challenge_or_carries_a_nonce_is_told_by_the_door)
{
    in_site(abused_door);
}
