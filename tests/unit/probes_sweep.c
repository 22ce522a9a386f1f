/* The port sweeps: their order, and the real bottle-probe making them in a network of its own. */
#include "../../probes/mechanisms/sweep.h"
#include <sys/resource.h>

#include "probes_forbid.h"
#include "probes_network.h"

#define ALL 65535

static void order_is_a_choice_without_repetition(const uint8_t nonce[NONCE_BYTES], uint32_t count)
{
    static uint8_t seen[65536];
    struct sweep_order order;
    uint32_t given = 0;
    memset(seen, 0, sizeof seen);
    sweep_order_start(&order, nonce, count);
    for (uint16_t port; (port = sweep_order_next(&order)) != 0; given++)
        cr_assert_eq(seen[port]++, 0, "port %u twice", port);
    cr_expect_eq(given, count);
    cr_expect_eq(sweep_order_next(&order), 0, "it stays at its end");
}

Test(order, gives_as_many_ports_as_asked_for_and_none_twice)
{
    static const uint32_t counts[] = { 0, 1, 2, 77, 32768, ALL - 1, ALL };
    static const uint8_t nonces[][NONCE_BYTES] = {
        { 0 }, { 0xff, 0xff, 0xff, 0xff }, { 0xff, 0xfe, 0, 1 }, { 0, 1, 0x80 }, { 0x12, 0x34, 0x56, 0x78, 0x9a }
    };
    for (size_t n = 0; n < sizeof nonces / sizeof *nonces; n++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            order_is_a_choice_without_repetition(nonces[n], counts[c]);
    for (unsigned exponent = 0; exponent < 65536; exponent += 257)
        order_is_a_choice_without_repetition(
            (uint8_t[NONCE_BYTES]){ 7, 7, (uint8_t)(exponent >> 8), (uint8_t)exponent }, ALL);
}

Test(order, is_the_same_for_the_same_nonce_and_another_for_another)
{
    struct sweep_order a, b, c;
    unsigned same = 0;
    sweep_order_start(&a, (const uint8_t[NONCE_BYTES]){ 1, 2, 3, 4 }, 100);
    sweep_order_start(&b, (const uint8_t[NONCE_BYTES]){ 1, 2, 3, 4 }, ALL);
    sweep_order_start(&c, (const uint8_t[NONCE_BYTES]){ 1, 2, 3, 6 }, 100);
    for (unsigned i = 0; i < 100; i++) {
        uint16_t port = sweep_order_next(&a);
        cr_expect_eq(port, sweep_order_next(&b), "fewer are the first of all");
        same += port == sweep_order_next(&c);
    }
    cr_expect_lt(same, 5);
}

static void expect_every_port_once(unsigned udp, unsigned six, bool root)
{
    unsigned missing = 0, repeated = 0, misplaced = 0;
    for (unsigned port = 1; port <= ALL; port++) {
        missing += wire.times[udp][six][port] == 0;
        repeated += wire.times[udp][six][port] > 1;
        misplaced += wire.source[udp][six][port] != sweep_source(root, port);
    }
    const char *name = udp ? "UDP" : "TCP";
    cr_expect_eq(missing, 0, "%s, IPv%u: %u ports missing", name, six ? 6 : 4, missing);
    cr_expect_eq(repeated, 0, "%s, IPv%u: %u ports repeated", name, six ? 6 : 4, repeated);
    cr_expect_eq(misplaced, 0, "%s, IPv%u: %u wrong source ports", name, six ? 6 : 4, misplaced);
}

Test(sweep, sends_to_every_port_exactly_once_from_its_own_source_ports, .init = enter_network_with_loopback)
{
    for (unsigned root = 0; root < 2; root++) {
        plan_begin(30000, NULL);
        plan.root = root;
        plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", ALL);
        plan_add(MECHANISM_SWEEP_UDP, "127.0.0.1", ALL);
        plan_add(MECHANISM_SWEEP_TCP, "::1", ALL);
        plan_add(MECHANISM_SWEEP_UDP, "::1", ALL);
        watch_wire(false);
        run(NULL);
        stop_wire();
        for (uint16_t seq = 1; seq <= 4; seq++) {
            expect(seq, STAGE_SENT, "", "");
            cr_expect_eq(done[seq].sent, ALL);
            cr_expect_eq(done[seq].received, 0, "nobody talks to itself");
        }
        for (unsigned i = 0; i < 4; i++)
            expect_every_port_once(i & 1, i >> 1, root);
    }
}

Test(sweep, of_fewer_ports_tries_those_that_the_nonce_chooses, .init = enter_network_with_loopback)
{
    plan_begin(5000, NULL);
    uint16_t tcp = plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", 500);
    uint16_t udp = plan_add(MECHANISM_SWEEP_UDP, "127.0.0.1", 300);
    watch_wire(false);
    run(NULL);
    stop_wire();
    cr_expect_eq(done[tcp].sent, 500);
    cr_expect_eq(done[udp].sent, 300);
    for (uint16_t seq = tcp; seq <= udp; seq++) {
        struct sweep_order order;
        unsigned sent = 0;
        sweep_order_start(&order, plan.attempts[seq - 1].nonce, plan.attempts[seq - 1].port);
        for (uint16_t port; (port = sweep_order_next(&order)) != 0;)
            cr_expect_eq(wire.times[seq == udp][0][port], 1);
        for (unsigned port = 0; port <= ALL; port++)
            sent += wire.times[seq == udp][0][port];
        cr_expect_eq(sent, plan.attempts[seq - 1].port);
    }
}

Test(sweep, brings_the_nonce_to_what_listens_and_its_token_back, .init = enter_network_with_loopback)
{
    static const enum behaviour answers[] = { ANSWERS_TOKEN, ANSWERS_TOKEN_IN_TWO_PIECES };
    for (size_t i = 0; i < 2; i++) {
        world_size = guest_count = 0;
        struct endpoint *tcp = world_add(answers[i], SOCK_STREAM, NULL);
        struct endpoint *udp = world_add(ANSWERS_TOKEN, SOCK_DGRAM, NULL);
        struct endpoint *silent = world_add(STAYS_SILENT, SOCK_STREAM, NULL);
        struct endpoint *closer = world_add(HANGS_UP, SOCK_STREAM, NULL);
        plan_begin(20000, NULL);
        uint16_t a = plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", ALL);
        uint16_t b = plan_add(MECHANISM_SWEEP_UDP, "127.0.0.1", ALL);
        run(NULL);
        expect(a, STAGE_ANSWERED, "", TOKEN);
        expect(b, STAGE_ANSWERED, "", TOKEN);
        const struct endpoint *heard_by[] = { tcp, silent, closer };
        for (size_t e = 0; e < 3; e++) {
            cr_expect(heard_nonce(heard_by[e], a));
            cr_expect_eq(heard_by[e]->visits, 1);
            cr_expect_eq(heard_by[e]->heard_size, 50, "the payload once");
        }
        cr_expect(heard_nonce(udp, b));
        cr_expect_eq(udp->visits, 1);
        cr_expect_eq(done[a].sent, ALL);
        cr_expect_eq(done[b].sent, ALL);
        cr_expect_eq(done[a].received, strlen(TOKEN) + 6);
        cr_expect_eq(done[b].received, strlen(TOKEN) + 6);
        for (size_t g = 0; g < guest_count; g++)
            close(guests[g].fd);
        for (size_t e = 0; e < world_size; e++)
            close(world[e].fd);
    }
}

Test(sweep, is_no_more_than_sent_where_nobody_gives_a_token, .init = enter_network_with_loopback)
{
    struct endpoint *banner = world_add(ANSWERS_BANNER, SOCK_STREAM, NULL);
    plan_begin(20000, NULL);
    uint16_t seq = plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", ALL);
    run(NULL);
    expect(seq, STAGE_SENT, "", "");
    cr_expect(heard_nonce(banner, seq));
    cr_expect_eq(done[seq].received, 16);
}

Test(sweep, leaves_out_the_door_at_its_own_address_only, .init = enter_network_with_loopback)
{
    struct endpoint *door = world_add(IS_DOOR, SOCK_STREAM, NULL);
    struct sockaddr_in elsewhere = { .sin_family = AF_INET, .sin_port = htons(door->port) };
    inet_pton(AF_INET, "127.0.0.2", &elsewhere.sin_addr);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert(bind(other, (struct sockaddr *)&elsewhere, sizeof elsewhere) == 0 && listen(other, 5) == 0);
    plan_begin(20000, door);
    uint16_t at_door = plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", ALL);
    uint16_t beside = plan_add(MECHANISM_SWEEP_TCP, "127.0.0.2", ALL);
    plan_add(MECHANISM_SWEEP_UDP, "127.0.0.1", ALL);
    run(NULL);
    cr_expect_eq(door->visits, 2, "its two round trips");
    cr_expect_geq(accept(other, NULL, NULL), 0, "the same port of another address is no door");
    cr_expect_eq(done[at_door].sent, ALL);
    cr_expect_eq(done[beside].sent, ALL);
}

Test(sweep, that_the_deadline_overtakes_says_how_far_it_came, .init = enter_network_with_loopback)
{
    plan_begin(20, NULL);
    uint16_t tcp = plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", ALL);
    uint16_t udp = plan_add(MECHANISM_SWEEP_UDP, "127.0.0.1", ALL);
    run(NULL);
    for (uint16_t seq = tcp; seq <= udp; seq++) {
        expect(seq, STAGE_DEADLINE, "", "");
        cr_expect_gt(done[seq].sent, 0);
        cr_expect_lt(done[seq].sent, ALL);
        cr_expect_lt(done[seq].microseconds, 1000000);
    }
}

Test(sweep, keeps_an_error_and_goes_on, .init = enter_network)
{
    plan_begin(5000, NULL);
    plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", 700);
    plan_add(MECHANISM_SWEEP_UDP, "127.0.0.1", 700);
    run(NULL);
    for (uint16_t seq = 1; seq <= 2; seq++) {
        expect(seq, STAGE_SENT, "ENETUNREACH", "");
        cr_expect_eq(done[seq].sent, 700);
    }
}

static void enter_silence(void)
{
    enter_network_with_loopback();
    if (!add_silent_neighbour())
        cr_skip_test("this kernel has no bridges");
}

Test(sweep, of_nothing_but_silence_is_done_in_time_and_has_asked_every_port, .init = enter_silence)
{
    plan_begin(30000, NULL);
    uint16_t seq = plan_add(MECHANISM_SWEEP_TCP, SILENT_ADDRESS, ALL);
    watch_wire(true);
    run(NULL);
    stop_wire();
    expect(seq, STAGE_SENT, "", "");
    cr_expect_eq(done[seq].sent, ALL);
    expect_every_port_once(0, 0, false);
    cr_expect_lt(done[seq].microseconds, 5000000);
}

Test(sweep, of_few_silent_ports_waits_its_patience_for_each, .init = enter_silence)
{
    plan_begin(5000, NULL);
    uint16_t seq = plan_add(MECHANISM_SWEEP_TCP, SILENT_ADDRESS, 20);
    run(NULL);
    expect(seq, STAGE_SENT, "", "");
    cr_expect_eq(done[seq].sent, 20);
    cr_expect_geq(done[seq].microseconds, 100000);
    cr_expect_lt(done[seq].microseconds, 1000000);
}

/* Standard input, output and error, and `more`. */
static void limit_descriptors(unsigned more)
{
    const struct rlimit limit = { 3 + more, 3 + more };
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
        _exit(126);
}

static void leave_five_descriptors(void)
{
    limit_descriptors(5);
}

static void leave_no_descriptor(void)
{
    limit_descriptors(0);
}

Test(sweep, lives_with_the_descriptors_that_it_gets, .init = enter_silence)
{
    plan_begin(20000, NULL);
    uint16_t seq = plan_add(MECHANISM_SWEEP_TCP, SILENT_ADDRESS, 300);
    watch_wire(true);
    run(leave_five_descriptors);
    stop_wire();
    unsigned sent = 0;
    for (unsigned port = 0; port <= ALL; port++)
        sent += wire.times[0][0][port];
    expect(seq, STAGE_SENT, "", "");
    cr_expect_eq(done[seq].sent, 300);
    cr_expect_eq(sent, 300);
}

Test(sweep, without_any_descriptor_says_so, .init = enter_network_with_loopback)
{
    plan_begin(100, NULL);
    plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", ALL);
    plan_add(MECHANISM_SWEEP_UDP, "127.0.0.1", ALL);
    run(leave_no_descriptor);
    for (uint16_t seq = 1; seq <= 2; seq++) {
        expect(seq, STAGE_SOCKET, "EMFILE", "");
        cr_expect_eq(done[seq].sent, 0);
    }
}

static void forbid_sockets(void)
{
    forbid(SYS_socket);
}

static void forbid_bind(void)
{
    forbid(SYS_bind);
}

static void forbid_connect(void)
{
    forbid(SYS_connect);
}

Test(sweep, that_is_given_no_socket_has_tried_every_port, .init = enter_network_with_loopback)
{
    plan_begin(20000, NULL);
    plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", ALL);
    plan_add(MECHANISM_SWEEP_UDP, "127.0.0.1", ALL);
    run(forbid_sockets);
    for (uint16_t seq = 1; seq <= 2; seq++) {
        expect(seq, STAGE_SOCKET, "EPERM", "");
        cr_expect_eq(done[seq].sent, ALL);
        cr_expect_lt(done[seq].microseconds, 10000000);
    }
}

Test(sweep, that_may_not_connect_has_tried_every_port, .init = enter_network_with_loopback)
{
    plan_begin(20000, NULL);
    plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", ALL);
    run(forbid_connect);
    expect(1, STAGE_SENT, "EPERM", "");
    cr_expect_eq(done[1].sent, ALL);
}

Test(sweep, that_may_not_bind_brings_its_nonce_there_all_the_same, .init = enter_network_with_loopback)
{
    struct endpoint *tcp = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    struct endpoint *udp = world_add(ANSWERS_TOKEN, SOCK_DGRAM, NULL);
    plan_begin(20000, NULL);
    uint16_t by_tcp = plan_add(MECHANISM_SWEEP_TCP, "127.0.0.1", ALL);
    uint16_t by_udp = plan_add(MECHANISM_SWEEP_UDP, "127.0.0.1", ALL);
    run(forbid_bind);
    expect(by_tcp, STAGE_ANSWERED, "", TOKEN);
    cr_expect_eq(done[by_tcp].sent, ALL);
    cr_expect_eq(done[by_udp].sent, ALL);
    cr_expect(heard_nonce(tcp, by_tcp));
    cr_expect(heard_nonce(udp, by_udp));
}

Test(sweep, beyond_those_that_fit_was_not_made, .init = enter_network_with_loopback)
{
    plan_begin(10000, NULL);
    for (unsigned i = 0; i < 2 * SWEEPS_AT_ONCE + 2; i++)
        plan_add(i % 2 == 0 ? MECHANISM_SWEEP_TCP : MECHANISM_SWEEP_UDP, "127.0.0.1", 10);
    run(NULL);
    for (uint16_t seq = 1; seq <= 2 * SWEEPS_AT_ONCE; seq++)
        cr_expect_eq(done[seq].sent, 10);
    for (uint16_t seq = 2 * SWEEPS_AT_ONCE + 1; seq <= plan.count; seq++)
        expect(seq, STAGE_SOCKET, "ENOBUFS", "");
}
