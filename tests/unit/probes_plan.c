/* The plan's grammar: what is written can be read again, and nothing else can be read. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../probes/plan_grammar.h"
#include "../../probes/sha256.h"

static struct probe_plan plan, again;
static uint8_t masks[PLAN_ATTEMPTS_MAX][NONCE_BYTES];
static char text[PLAN_TEXT_MAX + 64], other[PLAN_TEXT_MAX + 64];

static const struct planned_attempt rows[] = {
    { .vector = 61, .mechanism = MECHANISM_TCP, .address = "198.51.100.7", .port = 65535 },
    { .vector = 62, .mechanism = MECHANISM_UDP, .address = "2001:db8::1", .port = 1 },
    { .vector = 27, .mechanism = MECHANISM_UDP_SENDTO, .address = "fe80::1%wan0", .port = 9 },
    { .vector = 54, .mechanism = MECHANISM_DNS_UDP, .address = "@resolver:10.77.0.53", .port = 53 },
    { .vector = 49, .mechanism = MECHANISM_DNS_TCP, .address = "8.8.8.8", .port = 53 },
    { .vector = 44, .mechanism = MECHANISM_METADATA, .address = "169.254.169.254", .port = 80 },
    { .vector = 64, .mechanism = MECHANISM_ICMP_ECHO, .address = "198.51.100.64" },
    { .vector = 114, .mechanism = MECHANISM_UNIX_STREAM, .address = "@abstract:bg-114" },
    { .vector = 114, .mechanism = MECHANISM_UNIX_DGRAM, .address = "@path:/run/x" },
    { .vector = 17, .mechanism = MECHANISM_TCP, .address = "@route:172.17.0.1", .port = 9 },
    { .vector = 23, .mechanism = MECHANISM_UDP, .address = "fe80::1%*", .port = 9 },
    { .vector = 46, .mechanism = MECHANISM_DNS_UDP, .address = "@resolver:10.77.0.53/metadata.example", .port = 53 },
    { .vector = 38, .mechanism = MECHANISM_UDP_BROADCAST, .address = "255.255.255.255", .port = 9 },
    { .vector = 39, .mechanism = MECHANISM_MULTICAST_JOIN, .address = "ff15::1%*" },
    { .vector = 55, .mechanism = MECHANISM_DNS_CASE, .address = "9.9.9.9", .port = 53 },
    { .vector = 116, .mechanism = MECHANISM_INHERITED, .address = "@inherited" },
    { .vector = 106, .mechanism = MECHANISM_VSOCK, .address = "@vsock:1:7" },
    { .vector = 1, .mechanism = MECHANISM_SWEEP_TCP, .address = "127.0.0.1", .port = 65535 },
};

static void fill_plan(uint16_t count)
{
    plan = (struct probe_plan){ .run = "00112233445566778899aabbccddeeff",
                                .count = count,
                                .deadline_milliseconds = 1500,
                                .repeats = 3,
                                .has_door = true,
                                .door_host = "127.0.0.1",
                                .door_port = 7702 };
    memset(plan.first_challenge, 0xa1, sizeof plan.first_challenge);
    memset(plan.last_challenge, 0xb2, sizeof plan.last_challenge);
    for (uint16_t i = 0; i < count; i++) {
        plan.attempts[i] = rows[i % (sizeof rows / sizeof *rows)];
        plan.attempts[i].seq = (uint16_t)(i + 1);
        for (size_t b = 0; b < NONCE_BYTES; b++) {
            plan.attempts[i].nonce[b] = (uint8_t)(i * 7 + b);
            masks[i][b] = (uint8_t)(0x55 + i + b * 3);
        }
    }
}

static bool same_plan(const struct probe_plan *a, const struct probe_plan *b)
{
    if (strcmp(a->run, b->run) != 0 || a->root != b->root || a->count != b->count || a->has_door != b->has_door ||
        a->deadline_milliseconds != b->deadline_milliseconds || a->repeats != b->repeats ||
        strcmp(a->door_host, b->door_host) != 0 || a->door_port != b->door_port ||
        strcmp(a->door_proxy, b->door_proxy) != 0 || memcmp(a->first_challenge, b->first_challenge, 16) != 0 ||
        memcmp(a->last_challenge, b->last_challenge, 16) != 0)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct planned_attempt *x = &a->attempts[i], *y = &b->attempts[i];
        if (x->seq != y->seq || x->vector != y->vector || x->mechanism != y->mechanism || x->port != y->port ||
            strcmp(x->address, y->address) != 0 || memcmp(x->nonce, y->nonce, NONCE_BYTES) != 0)
            return false;
    }
    return true;
}

Test(plan, is_read_as_it_was_written)
{
    static const uint16_t counts[] = { 1, 2, sizeof rows / sizeof *rows, PLAN_ATTEMPTS_MAX };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        fill_plan(counts[i]);
        plan.root = i % 2 == 1;
        const char *problem = "";
        unsigned line = 0;
        size_t size = plan_format(&plan, masks, text, sizeof text);
        cr_assert_gt(size, 0);
        cr_assert(plan_parse(text, size, &again, &problem, &line), "line %u: %s", line, problem);
        cr_expect(same_plan(&plan, &again));
    }
}

Test(plan, with_a_proxy_before_the_door_is_read_as_it_was_written)
{
    static const char *const proxies[] = { "http://me:s%20ecret@[::1]:3128/", "socks5://127.0.0.1:1", "env:ALL_PROXY" };
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) {
        fill_plan(1);
        strcpy(plan.door_proxy, proxies[i]);
        size_t size = plan_format(&plan, masks, text, sizeof text);
        cr_assert_gt(size, 0);
        cr_assert(plan_parse(text, size, &again, NULL, NULL), "%s", proxies[i]);
        cr_expect(same_plan(&plan, &again));
    }
}

Test(plan, without_a_door_is_read_as_it_was_written)
{
    fill_plan(1);
    plan.has_door = false;
    plan.door_host[0] = '\0';
    plan.door_port = 0;
    size_t size = plan_format(&plan, masks, text, sizeof text);
    cr_assert_gt(size, 0);
    cr_assert(plan_parse(text, size, &again, NULL, NULL));
    cr_expect(same_plan(&plan, &again));
}

Test(plan, shows_no_spelling_of_a_nonce)
{
    fill_plan(9);
    cr_assert_gt(plan_format(&plan, masks, text, sizeof text), 0);
    cr_expect_null(strstr(text, "0001020304050607"));
    memset(masks[4], 0, NONCE_BYTES);
    cr_expect_eq(plan_format(&plan, masks, text, sizeof text), 0, "a mask of zeroes hides nothing");
}

Test(plan, has_no_length_that_overruns_what_it_was_given)
{
    fill_plan(3);
    size_t size = plan_format(&plan, masks, text, sizeof text);
    for (size_t capacity = 0; capacity <= size; capacity++)
        cr_expect_eq(plan_format(&plan, masks, other, capacity), 0);
    cr_expect_eq(plan_format(&plan, masks, other, size + 1), size);
}

/* Replaces the first `from` of the plan by `to`, and gives the result a digest that fits. */
static size_t edited(size_t size, const char *from, const char *to)
{
    struct sha256 hash;
    char *at = strstr(text, from);
    cr_assert_not_null(at, "%s", from);
    size_t before = (size_t)(at - text), tail = size - before - strlen(from);
    memcpy(other, text, before);
    memcpy(other + before, to, strlen(to));
    memcpy(other + before + strlen(to), at + strlen(from), tail);
    size_t length = before + strlen(to) + tail;
    other[length] = '\0';
    char *end = strstr(other, "BGP1 end ");
    if (end != NULL && strlen(end) >= 64 + 9) {
        char digest[65];
        sha256_start(&hash);
        sha256_add(&hash, other, (size_t)(end - other));
        sha256_end_hex(&hash, digest);
        memcpy(end + 9, digest, 64);
    }
    return length;
}

Test(plan, is_refused_as_a_whole_for_any_flaw)
{
    static const struct {
        const char *from, *to;
        unsigned line;
    } cases[] = {
        { "BGP1 plan", "BGP2 plan", 1 },
        { "BGP1 plan", "BGP1 plam", 1 },
        { "BGP1 plan", "BGP1  plan", 1 },
        { "BGP1 plan", " BGP1 plan", 1 },
        { "BGP1 plan", "\nBGP1 plan", 1 },
        { "0011223344", "001122334", 1 },
        { "aabbcc", "AABBCC", 1 },
        { " user ", " admin ", 1 },
        { " user ", " ", 1 },
        { " 9 1500 3 ", " 09 1500 3 ", 1 },
        { " 9 1500 3 ", " 0 1500 3 ", 1 },
        { " 9 1500 3 ", " 513 1500 3 ", 1 },
        { " 9 1500 3 ", " 18446744073709551625 1500 3 ", 1 },
        { " 9 1500 3 ", " 8 1500 3 ", 10 },
        { " 9 1500 3 ", " 10 1500 3 ", 11 },
        { " 9 1500 3 ", " 9 0 3 ", 1 },
        { " 9 1500 3 ", " 9 600001 3 ", 1 },
        { " 9 1500 3 ", " 9 -1 3 ", 1 },
        { " 9 1500 3 ", " 9 +1 3 ", 1 },
        { " 9 1500 3 ", " 9 1500 0 ", 1 },
        { " 9 1500 3 ", " 9 1500 10 ", 1 },
        { "127.0.0.1 7702", "localhost 7702", 1 },
        { "127.0.0.1 7702", "@path:/x 7702", 1 },
        { "127.0.0.1 7702", "127.0.0.1 0", 1 },
        { "127.0.0.1 7702", "127.0.0.1 65536", 1 },
        { "127.0.0.1 7702", "- 7702", 1 },
        { "127.0.0.1 7702 -", "127.0.0.1 7702 http://proxy.example:80", 1 },
        { "127.0.0.1 7702 -", "127.0.0.1 7702 env:", 1 },
        { "127.0.0.1 7702 -", "127.0.0.1 7702", 1 },
        { "127.0.0.1 7702 -", "- 0 http://127.0.0.1:80", 1 },
        { "a1a1a1a1", "A1a1a1a1", 1 },
        { "b2b2b2b2", "b2b2b2b", 1 },
        { "b2\n", "b2 \n", 1 },
        { "b2\n", "b2\r\n", 1 },
        { "b2\n", "b2\n\n", 2 },
        { "attempt 1 ", "attempt 0 ", 2 },
        { "attempt 1 ", "attempt 2 ", 2 },
        { "attempt 5 ", "attempt 4 ", 6 },
        { "attempt 5 ", "attempt 6 ", 6 },
        { "attempt 5 ", "attempts 5 ", 6 },
        { "BG-061", "BG-000", 2 },
        { "BG-061", "bg-061", 2 },
        { "BG-061", "BG-61", 2 },
        { " tcp ", " TCP ", 2 },
        { " tcp ", " vsock ", 2 },
        { " tcp ", " unix-stream ", 2 },
        { " tcp ", " icmp-echo ", 2 },
        { "198.51.100.7 65535", "198.51.100.7 65536", 2 },
        { "198.51.100.7 65535", "198.51.100.7 0", 2 },
        { "198.51.100.7 65535", "198.51.100.7 065535", 2 },
        { "198.51.100.7 65535", "198.51.100.7/a 53", 2 },
        { "127.0.0.1 7702", "127.0.0.1/a 7702", 1 },
        { "127.0.0.1 7702", "fe80::1%* 7702", 1 },
        { "127.0.0.1 7702", "@route:127.0.0.1 7702", 1 },
        { "198.51.100.7 65535", "@abstract:x 1", 2 },
        { "198.51.100.7 65535", "2001:db8:61::* 1", 2 },
        { "198.51.100.64 0", "198.51.100.64 7", 8 },
        { "@abstract:bg-114 0", "@abstract:bg-114 1", 9 },
        { "@abstract:bg-114 0", "127.0.0.1 0", 9 },
        { "@path:/run/x", "@path:run/x", 10 },
        { "BGP1 end ", "BGP1 fin ", 11 },
        { "BGP1 end ", "BGP1 end  ", 11 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill_plan(9);
        size_t size = plan_format(&plan, masks, text, sizeof text - 1);
        text[size] = '\0';
        const char *problem = NULL;
        unsigned line = 0;
        size = edited(size, cases[i].from, cases[i].to);
        cr_expect_not(plan_parse(other, size, &again, &problem, &line), "%s -> %s", cases[i].from, cases[i].to);
        cr_expect_not_null(problem);
        cr_expect_eq(line, cases[i].line, "%s -> %s: line %u: %s", cases[i].from, cases[i].to, line, problem);
    }
}

Test(plan, with_any_single_byte_changed_is_refused)
{
    fill_plan(9);
    size_t size = plan_format(&plan, masks, text, sizeof text);
    for (size_t i = 0; i < size; i++) {
        char kept = text[i];
        text[i] ^= 1;
        cr_expect_not(plan_parse(text, size, &again, NULL, NULL), "byte %zu", i);
        text[i] = '\0';
        cr_expect_not(plan_parse(text, size, &again, NULL, NULL), "byte %zu as NUL", i);
        text[i] = kept;
    }
    cr_expect(plan_parse(text, size, &again, NULL, NULL));
}

Test(plan, that_is_cut_anywhere_or_goes_on_is_refused)
{
    fill_plan(2);
    size_t size = plan_format(&plan, masks, text, sizeof text);
    for (size_t cut = 0; cut < size; cut++)
        cr_expect_not(plan_parse(text, cut, &again, NULL, NULL), "%zu of %zu bytes", cut, size);
    text[size] = '\n';
    cr_expect_not(plan_parse(text, size + 1, &again, NULL, NULL));
}

Test(plan, with_a_line_or_a_text_that_is_too_long_is_refused)
{
    const char *problem = "";
    memset(text, 'x', sizeof text);
    cr_expect_not(plan_parse(text, PLAN_TEXT_MAX, &again, &problem, NULL));
    cr_expect_str_eq(problem, "the line is too long");
    cr_expect_not(plan_parse(text, PLAN_TEXT_MAX + 1, &again, &problem, NULL));
    cr_expect_str_eq(problem, "the plan is too long");
}

Test(plan, is_not_written_with_a_field_that_could_not_be_read_again)
{
    for (unsigned flaw = 0; flaw < 14; flaw++) {
        fill_plan(3);
        switch (flaw) {
        case 0:
            plan.count = 0;
            break;
        case 1:
            plan.count = PLAN_ATTEMPTS_MAX + 1;
            break;
        case 2:
            plan.run[0] = 'A';
            break;
        case 3:
            plan.run[31] = '\0';
            break;
        case 4:
            plan.deadline_milliseconds = 0;
            break;
        case 5:
            plan.repeats = 10;
            break;
        case 6:
            strcpy(plan.door_host, "door.example");
            break;
        case 7:
            plan.has_door = false;
            break;
        case 8:
            plan.attempts[1].seq = 3;
            break;
        case 9:
            plan.attempts[1].vector = 1000;
            break;
        case 10:
            strcpy(plan.attempts[1].address, "2001:db8::1 x");
            break;
        case 11:
            strcpy(plan.door_proxy, "127.0.0.1:80");
            break;
        case 12:
            strcpy(plan.door_proxy, "env:ALL_PROXY");
            plan.has_door = false;
            plan.door_port = 0;
            break;
        default:
            plan.attempts[1].mechanism = MECHANISMS;
            break;
        }
        cr_expect_eq(plan_format(&plan, masks, text, sizeof text), 0, "flaw %u", flaw);
    }
}

Test(plan, has_no_address_or_port_that_its_mechanism_can_not_use)
{
    static const struct {
        enum mechanism mechanism;
        const char *address;
        uint16_t port;
        bool fits;
    } cases[] = {
        { MECHANISM_TCP, "@resolver:1.1.1.1", 53, true },
        { MECHANISM_TCP_SYN, "@route:1.1.1.1", 80, true },
        { MECHANISM_TCP_FASTOPEN, "@route:fe80::1%*", 80, true },
        { MECHANISM_MPTCP, "@resolver:1.1.1.1", 80, true },
        { MECHANISM_METADATA, "@route:1.1.1.1", 80, true },
        { MECHANISM_UDP_SENDTO, "@route:1.1.1.1", 0, false },
        { MECHANISM_TCP, "@inherited", 80, false },
        { MECHANISM_TCP, "@vsock:1:7", 80, false },
        { MECHANISM_TCP, "1.1.1.1/a", 80, false },
        { MECHANISM_METADATA, "1.1.1.1/a", 80, false },
        { MECHANISM_UDP_BROADCAST, "10.0.0.255", 9, true },
        { MECHANISM_UDP_BROADCAST, "ff02::1", 9, false },
        { MECHANISM_UDP_BROADCAST, "10.0.0.255", 0, false },
        { MECHANISM_MULTICAST_JOIN, "239.1.2.3", 0, true },
        { MECHANISM_MULTICAST_JOIN, "ff15::1", 0, true },
        { MECHANISM_MULTICAST_JOIN, "239.1.2.3", 9, false },
        { MECHANISM_MULTICAST_JOIN, "10.1.2.3", 0, false },
        { MECHANISM_MULTICAST_JOIN, "240.0.0.1", 0, false },
        { MECHANISM_MULTICAST_JOIN, "fe80::1", 0, false },
        { MECHANISM_MULTICAST_JOIN, "@route:239.1.2.3", 0, false },
        { MECHANISM_DNS_UDP, "1.1.1.1/a", 53, true },
        { MECHANISM_DNS_TCP, "1.1.1.1/a", 53, true },
        { MECHANISM_DNS_TXT, "1.1.1.1/a", 53, true },
        { MECHANISM_DNS_NULL, "@route:1.1.1.1/a", 53, true },
        { MECHANISM_DNS_EDNS, "@resolver:1.1.1.1/a", 53, true },
        { MECHANISM_DNS_QUESTIONS, "fe80::1%*/a", 53, true },
        { MECHANISM_DNS_CASE, "1.1.1.1/a", 53, true },
        { MECHANISM_DNS_CASE, "1.1.1.1/a", 0, false },
        { MECHANISM_ICMP_ECHO, "1.1.1.1", 0, true },
        { MECHANISM_ICMP_ECHO, "@route:1.1.1.1", 0, false },
        { MECHANISM_ICMP_ECHO, "1.1.1.1/a", 0, false },
        { MECHANISM_UNIX_STREAM, "@inherited", 0, false },
        { MECHANISM_INHERITED, "@inherited", 0, true },
        { MECHANISM_INHERITED, "@inherited", 1, false },
        { MECHANISM_INHERITED, "127.0.0.1", 0, false },
        { MECHANISM_VSOCK, "@vsock:1:7", 0, true },
        { MECHANISM_VSOCK, "@vsock:2:7", 0, false },
        { MECHANISM_VSOCK, "@vsock:1:7", 7, false },
        { MECHANISM_VSOCK, "127.0.0.1", 0, false },
        { MECHANISM_SWEEP_TCP, "127.0.0.1", 65535, true },
        { MECHANISM_SWEEP_UDP, "::1", 1, true },
        { MECHANISM_SWEEP_TCP, "127.0.0.1", 0, false },
        { MECHANISM_SWEEP_TCP, "@route:127.0.0.1", 9, false },
        { MECHANISM_SWEEP_UDP, "fe80::1%lo", 9, false },
        { MECHANISM_SWEEP_UDP, "fe80::1%*", 9, false },
        { MECHANISM_SWEEP_UDP, "127.0.0.1/a", 9, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill_plan(1);
        plan.attempts[0].mechanism = cases[i].mechanism;
        plan.attempts[0].port = cases[i].port;
        strcpy(plan.attempts[0].address, cases[i].address);
        size_t size = plan_format(&plan, masks, text, sizeof text);
        cr_expect_eq(size != 0, cases[i].fits, "%s %s %u", mechanism_name(cases[i].mechanism), cases[i].address,
                     cases[i].port);
        cr_expect(size == 0 || plan_parse(text, size, &again, NULL, NULL), "%s", cases[i].address);
    }
}
