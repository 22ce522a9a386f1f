/*
 * The real bottle-probe, as it is put into bottles, against real listeners on loopback: what it sends, what
 * it records, how long it waits. Where it is found: probe_path() in probes_world.h.
 */
#include "probes_forbid.h"
#include "probes_trial.h"

Test(probe, delivers_its_nonce_and_brings_back_the_token_by_every_mechanism)
{
    struct endpoint *door = world_add(IS_DOOR, SOCK_STREAM, NULL);
    struct endpoint *tcp = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    struct endpoint *udp = world_add(ANSWERS_TOKEN, SOCK_DGRAM, NULL);
    struct endpoint *dns_udp = world_add(ANSWERS_DNS, SOCK_DGRAM, NULL);
    struct endpoint *dns_tcp = world_add(ANSWERS_DNS, SOCK_STREAM, NULL);
    char stream[32], datagram[40], address[96];
    snprintf(stream, sizeof stream, "bottle-test-%d", (int)getpid());
    snprintf(datagram, sizeof datagram, "%s.d", stream);
    struct endpoint *unix_stream = world_add(ANSWERS_TOKEN, SOCK_STREAM, stream);
    struct endpoint *unix_dgram = world_add(STAYS_SILENT, SOCK_DGRAM, datagram);

    plan_begin(3000, door);
    uint16_t a = plan_add(MECHANISM_TCP, "127.0.0.1", tcp->port);
    uint16_t b = plan_add(MECHANISM_UDP, "127.0.0.1", udp->port);
    uint16_t c = plan_add(MECHANISM_UDP_SENDTO, "127.0.0.1", udp->port);
    uint16_t d = plan_add(MECHANISM_DNS_UDP, "127.0.0.1", dns_udp->port);
    uint16_t e = plan_add(MECHANISM_DNS_TCP, "127.0.0.1", dns_tcp->port);
    uint16_t f = plan_add(MECHANISM_METADATA, "127.0.0.1", tcp->port);
    snprintf(address, sizeof address, "@abstract:%s", stream);
    uint16_t g = plan_add(MECHANISM_UNIX_STREAM, address, 0);
    snprintf(address, sizeof address, "@abstract:%s", datagram);
    uint16_t h = plan_add(MECHANISM_UNIX_DGRAM, address, 0);
    uint16_t i = plan_add(MECHANISM_TCP, "0.0.0.0", tcp->port);
    run(NULL);

    const uint16_t proven[] = { a, b, c, d, e, f, g, i };
    for (size_t n = 0; n < sizeof proven / sizeof *proven; n++)
        expect(proven[n], STAGE_ANSWERED, "", TOKEN);
    expect(h, STAGE_SENT, "", "");
    cr_expect(heard_nonce(tcp, a));
    cr_expect(heard_nonce(tcp, i));
    cr_expect(heard_nonce(udp, b));
    cr_expect(heard_nonce(udp, c));
    cr_expect(heard_nonce(unix_stream, g));
    cr_expect(heard_nonce(unix_dgram, h));
    cr_expect_eq(done[a].sent, 50);
    cr_expect_eq(done[b].sent, 150);
    cr_expect_eq(udp->visits, 6, "two attempts, three times each");
    cr_expect_eq(dns_udp->visits, 3);
    cr_expect_eq(unix_dgram->visits, 1);
    cr_expect_lt(outcome.milliseconds, 2000, "nobody was silent, so nobody was waited for");
}

Test(probe, asks_dns_for_a_name_whose_first_label_is_the_nonce)
{
    struct endpoint *dns = world_add(ANSWERS_DNS, SOCK_DGRAM, NULL);
    char letters[27], expected[64];
    plan_begin(3000, NULL);
    uint16_t seq = plan_add(MECHANISM_DNS_UDP, "127.0.0.1", dns->port);
    run(NULL);
    encode_base32(plan.attempts[0].nonce, NONCE_BYTES, letters);
    size_t size = (size_t)snprintf(expected, sizeof expected,
                                   "\x1a%s\x01"
                                   "1\x0b"
                                   "bottle-gate\x04"
                                   "test",
                                   letters);
    cr_expect(heard(dns, expected, size));
    cr_expect_eq(dns->heard_size, 3 * (12 + size + 1 + 4), "header, name, type and class, three times");
    cr_expect_arr_eq(dns->heard + 2, "\x01\0\0\x01\0\0\0\0\0\0", 10);
    cr_expect(heard(dns, "\x04test\0\0\x01\0\x01", 10));
    expect(seq, STAGE_ANSWERED, "", TOKEN);
}

Test(probe, asks_a_metadata_service_for_a_token_and_for_data_on_one_connection)
{
    struct endpoint *imds = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL);
    char nonce[33], expected[128];
    plan_begin(3000, NULL);
    plan_add(MECHANISM_METADATA, "127.0.0.1", imds->port);
    run(NULL);
    encode_hex(plan.attempts[0].nonce, NONCE_BYTES, nonce);
    cr_expect_eq(imds->visits, 1);
    snprintf(expected, sizeof expected, "PUT /latest/api/token?n=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n", nonce);
    cr_expect_eq(strncmp(imds->heard, expected, strlen(expected)), 0);
    snprintf(expected, sizeof expected, "\r\n\r\nGET /latest/meta-data/?n=%s HTTP/1.1\r\n", nonce);
    cr_expect(heard(imds, expected, strlen(expected)));
    snprintf(expected, sizeof expected, "\r\nX-Bottle-Gate: %s\r\n", nonce);
    cr_expect(heard(imds, expected, strlen(expected)));
    cr_expect(heard(imds, "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n", 42));
}

Test(probe, proves_the_door_before_and_after_by_what_only_the_door_can_know)
{
    struct endpoint *door = world_add(IS_DOOR, SOCK_STREAM, NULL);
    plan_begin(3000, door);
    plan_add(MECHANISM_TCP, "127.0.0.1", dead_port(SOCK_STREAM));
    run(NULL);
    expect_door_proofs(2);
    for (size_t i = 0; i < 2; i++)
        cr_expect(heard(door, door_questions[i], strlen(door_questions[i])));
}

static void forbid_to_send(void)
{
    forbid(SYS_sendto);
    forbid(SYS_sendmsg);
    forbid(SYS_sendmmsg);
}

Test(probe, writes_where_the_bottle_forbids_to_send)
{
    struct endpoint *tcp = world_add(ANSWERS_TOKEN, SOCK_STREAM, NULL),
                    *udp = world_add(ANSWERS_TOKEN, SOCK_DGRAM, NULL);
    struct endpoint *path = world_add(ANSWERS_TOKEN, SOCK_STREAM, "bottle-probe-writes");
    plan_begin(3000, NULL);
    plan_add(MECHANISM_TCP, "127.0.0.1", tcp->port);
    plan_add(MECHANISM_UDP, "127.0.0.1", udp->port);
    plan_add(MECHANISM_UNIX_STREAM, "@abstract:bottle-probe-writes", 0);
    plan_add(MECHANISM_UDP_SENDTO, "127.0.0.1", udp->port);
    run(forbid_to_send);
    cr_expect(heard_nonce(tcp, 1) && heard_nonce(udp, 2) && heard_nonce(path, 3));
    cr_expect_not(heard_nonce(udp, 4));
    expect(2, STAGE_ANSWERED, "", TOKEN);
    expect(4, STAGE_SEND, "EPERM", "");
}

Test(probe, has_no_proof_from_a_door_that_lies)
{
    static const enum behaviour lies[] = { IS_DOOR_THAT_ECHOES, IS_DOOR_THAT_SAYS_MORE, ANSWERS_TOKEN, ANSWERS_BANNER };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        world_size = guest_count = 0;
        struct endpoint *door = world_add(lies[i], SOCK_STREAM, NULL);
        plan_begin(3000, door);
        plan_add(MECHANISM_TCP, "127.0.0.1", dead_port(SOCK_STREAM));
        run(NULL);
        expect(0, STAGE_ANSWERED, "", "");
        expect(2, STAGE_ANSWERED, "", "");
    }
}

Test(probe, waits_for_all_silent_ends_at_once_and_not_to_the_deadline)
{
    struct endpoint *tcp = world_add(STAYS_SILENT, SOCK_STREAM, NULL);
    struct endpoint *udp = world_add(STAYS_SILENT, SOCK_DGRAM, NULL);
    plan_begin(10000, NULL);
    for (unsigned i = 0; i < 20; i++) {
        plan_add(MECHANISM_TCP, "127.0.0.1", tcp->port);
        plan_add(MECHANISM_UDP, "127.0.0.1", udp->port);
    }
    run(NULL);
    for (uint16_t seq = 1; seq <= plan.count; seq++) {
        expect(seq, STAGE_DEADLINE, "", "");
        cr_expect(heard_nonce(seq % 2 == 1 ? tcp : udp, seq));
        cr_expect_geq(done[seq].microseconds, 500000);
    }
    cr_expect_lt(outcome.milliseconds, 5000, "%ld ms", outcome.milliseconds);
}

Test(probe, ends_at_its_deadline_when_that_comes_before_patience_does)
{
    struct endpoint *tcp = world_add(STAYS_SILENT, SOCK_STREAM, NULL);
    plan_begin(100, tcp);
    plan_add(MECHANISM_TCP, "127.0.0.1", tcp->port);
    run(NULL);
    for (uint16_t seq = 0; seq <= 2; seq++)
        expect(seq, STAGE_DEADLINE, "", "");
    cr_expect_geq(done[1].microseconds, 100000);
    cr_expect_lt(done[0].microseconds, 100000, "the door has a third of it");
    cr_expect_geq(done[0].microseconds, 33000);
}

Test(probe, records_a_refusal_and_sends_every_repeat_all_the_same)
{
    plan_begin(3000, NULL);
    uint16_t tcp = plan_add(MECHANISM_TCP, "127.0.0.1", dead_port(SOCK_STREAM));
    uint16_t udp = plan_add(MECHANISM_UDP, "127.0.0.1", dead_port(SOCK_DGRAM));
    uint16_t stream = plan_add(MECHANISM_UNIX_STREAM, "@abstract:bottle-test-nobody", 0);
    uint16_t datagram = plan_add(MECHANISM_UNIX_DGRAM, "@path:/nonexistent/socket", 0);
    uint16_t scope = plan_add(MECHANISM_TCP, "fe80::1%nosuchlink", 9);
    run(NULL);
    expect(tcp, STAGE_CONNECT, "ECONNREFUSED", "");
    expect(udp, STAGE_SENT, "ECONNREFUSED", "");
    cr_expect_eq(done[udp].sent, 150);
    cr_expect_geq(done[udp].microseconds, 120000, "the last one goes at 120 ms");
    expect(stream, STAGE_CONNECT, "ECONNREFUSED", "");
    expect(datagram, STAGE_SEND, "ENOENT", "");
    cr_expect(done[scope].stage == STAGE_TARGET || done[scope].stage == STAGE_SOCKET);
}

Test(probe, finds_a_token_that_comes_in_pieces_and_none_in_other_answers)
{
    struct endpoint *pieces = world_add(ANSWERS_TOKEN_IN_TWO_PIECES, SOCK_STREAM, NULL);
    struct endpoint *banner = world_add(ANSWERS_BANNER, SOCK_STREAM, NULL);
    struct endpoint *closer = world_add(HANGS_UP, SOCK_STREAM, NULL);
    plan_begin(3000, NULL);
    uint16_t a = plan_add(MECHANISM_TCP, "127.0.0.1", pieces->port);
    uint16_t b = plan_add(MECHANISM_TCP, "127.0.0.1", banner->port);
    uint16_t c = plan_add(MECHANISM_TCP, "127.0.0.1", closer->port);
    run(NULL);
    expect(a, STAGE_ANSWERED, "", TOKEN);
    expect(b, STAGE_ANSWERED, "", "");
    cr_expect(heard_nonce(banner, b), "a banner doesn't keep the nonce back");
    expect(c, STAGE_SENT, "", "");
    cr_expect(heard_nonce(closer, c));
}

Test(probe, brings_as_many_attempts_as_a_plan_can_hold)
{
    uint16_t port = dead_port(SOCK_DGRAM);
    plan_begin(5000, NULL);
    while (plan.count < PLAN_ATTEMPTS_MAX)
        plan_add(MECHANISM_UDP, "127.0.0.1", port);
    run(NULL);
    for (uint16_t seq = 1; seq <= plan.count; seq++)
        expect(seq, STAGE_SENT, "ECONNREFUSED", "");
    cr_expect_lt(outcome.milliseconds, 3000, "%ld ms", outcome.milliseconds);
}

Test(probe, gives_a_connection_that_is_neither_made_nor_refused_all_the_time_to_the_deadline)
{
    struct endpoint *full = world_add(STAYS_SILENT, SOCK_STREAM, NULL);
    fill_queue(full);
    plan_begin(800, NULL);
    uint16_t seq = plan_add(MECHANISM_TCP, "127.0.0.1", full->port);
    full->fd = -full->fd; /* not served */
    run(NULL);
    expect(seq, STAGE_DEADLINE, "", "");
    cr_expect_eq(done[seq].sent, 0);
    cr_expect_geq(done[seq].microseconds, 800000);
}
