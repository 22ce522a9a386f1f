/* What the capture says of single frames, without a network: sweeps, SYNs, reports of membership, destinations of which only
 * the port is known. */
#include <criterion/criterion.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../gates/witness/capture.h"
#include "witness_frames.h"

#define SYN PACKET_TCP_SYN
#define ACK PACKET_TCP_ACK
#define RST PACKET_TCP_RST

enum {
    USER_TCP,
    ROOT_TCP,
    USER_UDP6,
    PLAIN,
    MULTIPATH,
    MULTIPATH_TOO,
    CONTROL,
    WILD,
    WILD6,
    GROUP,
    GROUP6,
    OTHER,
    WATCHES
};

static struct watch watches[WATCHES];
static struct swept_ports swept[SWEEPS_MAX];

struct world {
    struct house house;
    struct capture capture;
    int said; /* the other end of the outbox */
};

static void set_watch(size_t index, uint8_t transport, const char *address, uint16_t port)
{
    struct watch *watch = &watches[index];
    *watch = (struct watch){ .control = index == CONTROL, .mp_capable = index == MULTIPATH || index == MULTIPATH_TOO };
    for (uint8_t i = 0; i < NONCE_BYTES; i++)
        watch->nonce[i] = (uint8_t)(0xa5 ^ (index * 29 + i * 73u));
    watch->tuple.family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    watch->tuple.transport = transport;
    watch->tuple.port = port;
    inet_pton(watch->tuple.family, address, watch->tuple.address);
    if (index <= USER_UDP6) {
        watch->is_sweep = true;
        watch->sweep = (uint8_t)index;
        watch->sweep_source[0] = sweep_source(index == ROOT_TCP, 1);
        watch->sweep_source[1] = sweep_source(index == ROOT_TCP, SWEEP_HALF);
    }
}

static struct world *open_world(void)
{
    static struct witness_setup setup = { .watches = watches, .watch_count = WATCHES, .sweeps = swept };
    struct world *world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct error error = { 0 };
    int ends[2];
    memset(swept, 0, sizeof swept);
    set_watch(USER_TCP, TRANSPORT_TCP, "127.0.0.1", 65535);
    set_watch(ROOT_TCP, TRANSPORT_TCP, "127.0.0.1", 65535);
    set_watch(USER_UDP6, TRANSPORT_UDP, "::1", 65535);
    set_watch(PLAIN, TRANSPORT_TCP, "1.1.1.1", 443);
    set_watch(MULTIPATH, TRANSPORT_TCP, "1.1.1.1", 444);
    set_watch(MULTIPATH_TOO, TRANSPORT_TCP, "1.1.1.1", 444);
    set_watch(CONTROL, TRANSPORT_TCP, "1.1.1.2", 8080);
    set_watch(WILD, TRANSPORT_TCP, "0.0.0.0", 8080);
    set_watch(WILD6, TRANSPORT_UDP, "::", 8081);
    set_watch(GROUP, TRANSPORT_GROUP, "239.1.2.3", 0);
    set_watch(GROUP6, TRANSPORT_GROUP, "ff05::1234", 0);
    set_watch(OTHER, TRANSPORT_UDP, "1.1.1.3", 8080);
    cr_assert(world != MAP_FAILED && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    cr_assert(loop_open(&world->house.loop, &error), "%s", error.text);
    cr_assert(outbox_open(&world->house.outbox, &world->house.loop, ends[1], &setup, &error), "%s", error.text);
    world->said = ends[0];
    world->house.setup = &setup;
    world->house.sweeps.ports = swept;
    strcpy(world->house.token_line, "BGW1 0123456789abcdef0123456789abcdef\n");
    world->capture.house = &world->house;
    world->capture.tuples.sweeps = &world->house.sweeps;
    windows_open(&world->house.windows);
    for (uint16_t i = 0; i < WATCHES; i++) {
        windows_insert(&world->house.windows, watches[i].nonce, i);
        tuples_insert(&world->capture.tuples, &watches[i], i);
        cr_assert(!watches[i].is_sweep || sweeps_insert(&world->house.sweeps, &watches[i], i));
    }
    return world;
}

static void close_world(struct world *world)
{
    close(world->house.loop.epoll);
    close(world->house.outbox.source.fd);
    close(world->said);
    munmap(world, sizeof *world);
}

static bool next_message(struct world *world, struct witness_message *message)
{
    return recv(world->said, message, sizeof *message, MSG_DONTWAIT) == sizeof *message;
}

static void check_silent(struct world *world, const char *what, size_t row)
{
    struct witness_message message;
    if (next_message(world, &message))
        cr_assert_fail("%s, row %zu: event %d of watch %u, kind 0x%x%s, at %s", what, row, (int)message.event,
                       message.watch, (unsigned)message.kind, message.by_tuple ? " by tuple" : "", message.at);
}

static void check_hit(struct world *world, uint16_t watch, enum witness_kind kind, bool by_tuple, const char *at,
                      size_t row)
{
    struct witness_message message;
    cr_assert(next_message(world, &message), "row %zu: nothing was said", row);
    cr_assert(message.event == WITNESS_HIT && message.watch == watch && message.kind == kind &&
                  message.by_tuple == by_tuple && strcmp(message.at, at) == 0,
              "row %zu: event %d of watch %u, kind 0x%x%s, at %s", row, (int)message.event, message.watch,
              (unsigned)message.kind, message.by_tuple ? " by tuple" : "", message.at);
}

/* One packet to the capture on lo; the address has a colon for IPv6. */
static void send_packet(struct world *world, uint8_t protocol, const char *source, uint16_t from,
                        const char *destination, uint16_t to, uint8_t flags, const void *data, size_t size)
{
    uint8_t body[256] = { 0 }, frame[512];
    size_t header = protocol == IPPROTO_TCP ? 20 : 8;
    ports(body, from, to);
    if (protocol == IPPROTO_TCP) {
        body[12] = 0x50;
        body[13] = flags;
    }
    memcpy(body + header, data, size);
    size_t length = strchr(source, ':') != NULL
                        ? frame_6(frame, protocol, source, destination, body, header + size)
                        : frame_4(frame, protocol, source, destination, 1, 0, body, header + size);
    capture_take_frame(&world->capture, POINT_LO, frame, length);
}

static bool is_noted(size_t sweep, uint16_t port)
{
    return (swept[sweep].ports[port / 8] >> (port % 8) & 1) != 0;
}

Test(witness_capture, a_sweep_is_told_by_its_source_ports_and_notes_each_destination_port_once)
{
    static const struct {
        uint8_t protocol;
        const char *source;
        uint16_t from;
        const char *destination;
        uint16_t to;
        uint8_t flags;
        const char *payload; /* NULL: the sweep's nonce */
        int watch;           /* -1: nothing is said */
        bool by_tuple;
        uint32_t count; /* of the first sweep */
    } rows[] = {
        { IPPROTO_TCP, "127.0.0.1", 61001, "127.0.0.1", 22, SYN, "", USER_TCP, true, 1 },
        { IPPROTO_TCP, "127.0.0.1", 22, "127.0.0.1", 61001, SYN | ACK, "", -1, false, 1 },
        { IPPROTO_TCP, "127.0.0.1", 61001, "127.0.0.1", 22, ACK, "", -1, false, 1 },
        { IPPROTO_TCP, "127.0.0.1", 61001, "127.0.0.1", 22, ACK, NULL, USER_TCP, false, 1 },
        { IPPROTO_TCP, "127.0.0.1", 61001, "127.0.0.1", 22, RST, "", -1, false, 1 },
        { IPPROTO_TCP, "127.0.0.1", 23, "127.0.0.1", 61001, RST | ACK, "", -1, false, 1 },
        { IPPROTO_TCP, "127.0.0.1", 61001, "127.0.0.1", 24, ACK, "x", USER_TCP, true, 2 },
        /* whatever its destination */
        { IPPROTO_TCP, "127.0.0.1", 11001, "8.8.8.8", 40000, SYN, "", USER_TCP, true, 3 },
        { IPPROTO_TCP, "127.0.0.1", 11001, "127.0.0.1", 65535, SYN, "", USER_TCP, true, 4 },
        /* what isn't worth saying any more is noted */
        { IPPROTO_TCP, "127.0.0.1", 11001, "127.0.0.1", 65534, SYN, "", -1, false, 5 },
        /* the other principal's */
        { IPPROTO_TCP, "127.0.0.1", 61002, "127.0.0.1", 22, SYN, "", ROOT_TCP, true, 5 },
        { IPPROTO_TCP, "127.0.0.1", 61001, "127.0.0.1", 61002, SYN, "", -1, false, 6 },
        /* an answer of ours, from a port that root sweeps from */
        { IPPROTO_TCP, "127.0.0.1", 61002, "127.0.0.1", 61001, ACK, "BGW1 0123456789abcdef0123456789abcdef\n", -1,
          false, 6 },
        { IPPROTO_UDP, "::1", 11001, "::1", 53, 0, "", USER_UDP6, true, 6 },
        { IPPROTO_UDP, "::1", 53, "::1", 11001, 0, "answer", -1, false, 6 },
    };
    struct world *world = open_world();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const void *data = rows[i].payload != NULL ? rows[i].payload : (const char *)watches[USER_TCP].nonce;
        size_t size = rows[i].payload != NULL ? strlen(rows[i].payload) : NONCE_BYTES;
        send_packet(world, rows[i].protocol, rows[i].source, rows[i].from, rows[i].destination, rows[i].to,
                    rows[i].flags, data, size);
        char at[ENDPOINT_TEXT];
        snprintf(at, sizeof at, strchr(rows[i].destination, ':') != NULL ? "[%s]:%u" : "%s:%u", rows[i].destination,
                 rows[i].to);
        if (rows[i].watch >= 0)
            check_hit(world, (uint16_t)rows[i].watch, WITNESS_CAPTURE, rows[i].by_tuple, at, i);
        check_silent(world, "a sweep", i);
        cr_assert_eq(swept[USER_TCP].count, rows[i].count, "row %zu: %u", i, swept[USER_TCP].count);
    }
    cr_assert_eq(swept[USER_TCP].first, 22);
    cr_assert(is_noted(USER_TCP, 22) && is_noted(USER_TCP, 65535) && !is_noted(USER_TCP, 23));
    cr_assert(swept[ROOT_TCP].count == 1 && is_noted(ROOT_TCP, 22));
    cr_assert(swept[USER_UDP6].count == 1 && is_noted(USER_UDP6, 53));
    strays_report(&world->capture.strays, &world->house.outbox);
    check_silent(world, "a stray", 0);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        cr_assert(!world->capture.streams.table[i].used, "a sweep took a stream's place");
    close_world(world);
}

Test(witness_capture, a_connection_to_where_a_sweep_sends_from_is_no_answer_and_its_own_tuple_is_nobodys)
{
    static const uint16_t stray_ports[] = { 61001, 65535 };
    for (size_t i = 0; i < 2; i++) {
        struct world *world = open_world();
        struct witness_message message;
        send_packet(world, IPPROTO_TCP, "127.0.0.1", 4000, "127.0.0.1", stray_ports[i], SYN, "", 0);
        strays_report(&world->capture.strays, &world->house.outbox);
        cr_assert(next_message(world, &message) && message.event == WITNESS_STRAY, "port %u", stray_ports[i]);
        close_world(world);
    }
}

Test(witness_capture, a_sweeps_nonce_from_anywhere_else_is_the_sweeps_and_notes_the_port_also_out_of_a_stream)
{
    struct world *world = open_world();
    struct witness_message message;
    const uint8_t *nonce = watches[USER_TCP].nonce;
    send_packet(world, IPPROTO_TCP, "10.0.0.1", 4000, "127.0.0.1", 8000, SYN, "", 0);
    send_packet(world, IPPROTO_TCP, "10.0.0.1", 4000, "127.0.0.1", 8000, ACK, nonce, NONCE_BYTES);
    check_hit(world, USER_TCP, WITNESS_CAPTURE, false, "127.0.0.1:8000", 0);
    check_silent(world, "relayed", 0);
    cr_assert(swept[USER_TCP].count == 1 && is_noted(USER_TCP, 8000));
    for (size_t i = 0; i < STREAMS_MAX; i++)
        cr_assert(!world->capture.streams.table[i].used, "a relayed sweep keeps a stream's place");
    send_packet(world, IPPROTO_TCP, "10.0.0.1", 4001, "127.0.0.1", 8001, SYN, "", 0);
    for (size_t i = 0; i < NONCE_BYTES; i++) { /* byte by byte, in order */
        uint8_t body[21] = { 0 }, frame[64];
        ports(body, 4001, 8001);
        body[7] = (uint8_t)(1 + i);
        body[12] = 0x50;
        body[13] = ACK;
        body[20] = nonce[i];
        capture_take_frame(&world->capture, POINT_LO, frame,
                           frame_4(frame, IPPROTO_TCP, "10.0.0.1", "127.0.0.1", 1, 0, body, sizeof body));
    }
    check_hit(world, USER_TCP, WITNESS_CAPTURE, false, "127.0.0.1:8001", 1);
    cr_assert(swept[USER_TCP].count == 2 && is_noted(USER_TCP, 8001));
    while (next_message(world, &message))
        cr_assert_eq(message.event, WITNESS_HIT);
    /* a relay's flow without it is a stray, at a port that was swept, too */
    send_packet(world, IPPROTO_TCP, "10.0.0.1", 4002, "127.0.0.1", 8000, SYN, "", 0);
    strays_report(&world->capture.strays, &world->house.outbox);
    cr_assert(next_message(world, &message) && message.event == WITNESS_STRAY);
    cr_assert_str_eq(message.peer, "10.0.0.1:4002");
    cr_assert_not(next_message(world, &message));
    close_world(world);
}

/* A SYN with these bytes as options. */
static void send_syn(struct world *world, uint16_t port, uint8_t flags, const uint8_t *options, size_t size)
{
    uint8_t body[60] = { 0 }, frame[128];
    ports(body, 4000, port);
    memcpy(body + 20, options, size);
    body[12] = (uint8_t)((20 + size) / 4 << 4);
    body[13] = flags;
    capture_take_frame(&world->capture, POINT_WAN, frame,
                       frame_4(frame, IPPROTO_TCP, "10.77.0.1", "1.1.1.1", 1, 0, body, 20 + size));
}

Test(witness_capture, a_SYN_that_asks_for_a_multipath_connection_is_heard_as_one_where_an_attempt_is_about_it)
{
    static const struct {
        uint8_t options[12];
        uint8_t flags;
        uint16_t port;
        bool heard;
    } rows[] = {
        { { 30, 4, 0x01, 0 }, SYN, 444, true },
        { { 30, 12, 0x00, 0x81, 1, 2, 3, 4, 5, 6, 7, 8 }, SYN, 444, true }, /* version 0, with a key */
        { { 2, 4, 5, 180, 1, 1, 1, 1, 30, 4, 0x01, 0 }, SYN, 444, true },
        { { 30, 4, 0x01, 0 }, SYN, 443, false },
        { { 30, 4, 0x01, 0 }, SYN | ACK, 444, false },
        { { 30, 12, 0x11, 0, 1, 2, 3, 4, 5, 6, 7, 8 }, SYN, 444, false }, /* MP_JOIN */
        { { 1, 1, 30, 3 }, SYN, 444, false },
        { { 30, 3, 0x01, 0 }, SYN, 444, false },
        { { 0, 1, 1, 1, 30, 4, 0x01, 0 }, SYN, 444, false },  /* after the end of options */
        { { 2, 0, 1, 1, 30, 4, 0x01, 0 }, SYN, 444, false },  /* after what can't be an option */
        { { 2, 90, 1, 1, 30, 4, 0x01, 0 }, SYN, 444, false }, /* or leaves the header */
        { { 2, 1, 30, 4, 0x01, 0 }, SYN, 444, false },
        { { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 30, 4 }, SYN, 444, false }, /* its rest lies behind the header */
        { { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 30 }, SYN, 444, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *world = open_world();
        send_syn(world, rows[i].port, rows[i].flags, rows[i].options, sizeof rows[i].options);
        bool seen = false;
        for (struct witness_message message; next_message(world, &message);)
            if (message.kind == WITNESS_SYN) {
                cr_assert(message.event == WITNESS_HIT && message.by_tuple && message.watch == MULTIPATH);
                seen = true;
            } else {
                cr_assert(message.kind == WITNESS_CAPTURE && message.by_tuple);
            }
        cr_assert_eq(seen, rows[i].heard, "row %zu", i);
        close_world(world);
    }
}

Test(witness_capture, a_SYN_that_carries_a_nonce_is_heard_as_one_but_not_for_its_addresses)
{
    struct world *world = open_world();
    struct witness_message message;
    const uint8_t *nonce = watches[PLAIN].nonce;
    send_packet(world, IPPROTO_TCP, "10.77.0.1", 4000, "9.9.9.9", 9, SYN, nonce, NONCE_BYTES);
    check_hit(world, PLAIN, WITNESS_CAPTURE, false, "9.9.9.9:9", 0);
    check_hit(world, PLAIN, WITNESS_SYN, false, "9.9.9.9:9", 0);
    check_silent(world, "a SYN", 0);
    send_packet(world, IPPROTO_TCP, "10.77.0.1", 4001, "9.9.9.9", 9, ACK, nonce, NONCE_BYTES);
    check_hit(world, PLAIN, WITNESS_CAPTURE, false, "9.9.9.9:9", 1);
    check_silent(world, "no SYN", 1);
    struct in6_addr address = { .s6_addr = { 0x20, 1, 0xd, 0xb8 } };
    char text[INET6_ADDRSTRLEN];
    memcpy(address.s6_addr + 8, nonce, 8);
    inet_ntop(AF_INET6, &address, text, sizeof text);
    send_packet(world, IPPROTO_TCP, "fd77::1", 4002, text, 9, SYN, "", 0);
    cr_assert(next_message(world, &message) && message.kind == WITNESS_CAPTURE && !message.by_tuple);
    check_silent(world, "a nonce in an address", 2);
    close_world(world);
}

Test(witness_capture, a_port_that_is_an_attempts_at_any_address_leaves_alone_what_has_a_tuple_of_its_own)
{
    static const struct {
        uint8_t protocol, flags;
        const char *source;
        uint16_t from;
        const char *destination;
        uint16_t to;
        int watch; /* -1: explained; -2: a stray */
    } rows[] = {
        { IPPROTO_TCP, SYN, "10.77.0.1", 4000, "172.17.0.1", 8080, WILD },
        { IPPROTO_TCP, ACK, "10.77.0.1", 4000, "172.17.0.1", 8080, WILD },
        { IPPROTO_TCP, SYN | ACK, "172.17.0.1", 8080, "10.77.0.1", 4000, -1 },
        { IPPROTO_TCP, SYN, "172.17.0.1", 8080, "10.77.0.1", 4000, -2 },
        { IPPROTO_TCP, SYN, "10.77.0.1", 4000, "172.17.0.1", 8081, -2 },
        { IPPROTO_UDP, 0, "10.77.0.1", 4000, "172.17.0.1", 8080, -2 },
        { IPPROTO_UDP, 0, "10.77.0.1", 4000, "172.17.0.1", 8081, -2 }, /* that is the other family's */
        { IPPROTO_UDP, 0, "fd77::1", 4000, "fe80::1", 8081, WILD6 },
        { IPPROTO_UDP, 0, "fe80::1", 8081, "fd77::1", 4000, -1 },
        /* a control's and another attempt's at that very port */
        { IPPROTO_TCP, SYN, "10.77.0.1", 4000, "1.1.1.2", 8080, -1 },
        { IPPROTO_TCP, ACK, "10.77.0.1", 4000, "1.1.1.2", 8080, -1 },
        { IPPROTO_TCP, SYN | ACK, "1.1.1.2", 8080, "10.77.0.1", 4000, -1 },
        { IPPROTO_UDP, 0, "10.77.0.1", 4000, "1.1.1.3", 8080, OTHER },
        /* ephemeral ports that equal it: what has an address of its own goes first at either end */
        { IPPROTO_TCP, SYN, "10.77.0.1", 8080, "1.1.1.1", 443, PLAIN },
        { IPPROTO_TCP, ACK, "10.77.0.1", 8080, "1.1.1.1", 443, PLAIN },
        { IPPROTO_TCP, ACK, "1.1.1.1", 443, "10.77.0.1", 8080, -1 },
        { IPPROTO_TCP, ACK, "10.77.0.1", 8080, "1.1.1.2", 8080, -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *world = open_world();
        char at[ENDPOINT_TEXT];
        snprintf(at, sizeof at, strchr(rows[i].destination, ':') != NULL ? "[%s]:%u" : "%s:%u", rows[i].destination,
                 rows[i].to);
        send_packet(world, rows[i].protocol, rows[i].source, rows[i].from, rows[i].destination, rows[i].to,
                    rows[i].flags, "", 0);
        if (rows[i].watch >= 0)
            check_hit(world, (uint16_t)rows[i].watch, WITNESS_CAPTURE, true, at, i);
        check_silent(world, "any address", i);
        strays_report(&world->capture.strays, &world->house.outbox);
        struct witness_message message;
        cr_assert_eq(next_message(world, &message), rows[i].watch == -2, "row %zu: a stray or none", i);
        close_world(world);
    }
}

Test(witness_capture, a_report_of_membership_is_a_hit_of_each_group_that_it_names)
{
    /* in IGMP each group is { 239, 1, 2, 3 }, in MLD ff05::1234, unless it is there to be passed over */
    static const uint8_t group6[16] = { 0xff, 5, [14] = 0x12, 0x34 };
    static const struct {
        uint8_t family, protocol;
        const char *destination;
        uint8_t body[64]; /* GROUP6 stands for the sixteen bytes of group6 */
        size_t size, group_at;
        bool heard;
    } rows[] = {
        { AF_INET, IPPROTO_IGMP, "239.1.2.3", { 0x12, 0, 0, 0, 239, 1, 2, 3 }, 8, 0, true },
        { AF_INET, IPPROTO_IGMP, "239.1.2.3", { 0x16, 0, 0, 0, 239, 1, 2, 3 }, 8, 0, true },
        { AF_INET, IPPROTO_IGMP, "224.0.0.2", { 0x17, 0, 0, 0, 239, 1, 2, 3 }, 8, 0, true },
        { AF_INET, IPPROTO_IGMP, "224.0.0.1", { 0x11, 0, 0, 0, 239, 1, 2, 3 }, 8, 0, false }, /* a query */
        { AF_INET, IPPROTO_IGMP, "239.1.2.4", { 0x16, 0, 0, 0, 239, 1, 2, 4 }, 8, 0, false },
        { AF_INET, IPPROTO_IGMP, "239.1.2.3", { 0x16, 0, 0, 0, 239, 1, 2 }, 7, 0, false },
        { AF_INET, IPPROTO_IGMP, "224.0.0.22", { 0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 239, 1, 2, 3 }, 16, 0, true },
        { AF_INET, IPPROTO_IGMP, "224.0.0.22", { 0x22, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 239, 1, 2, 3 }, 16, 0, false },
        /* the second record, after one with a source and a word of auxiliary data */
        { AF_INET,
          IPPROTO_IGMP,
          "224.0.0.22",
          { 0x22, 0, 0, 0, 0, 0, 0, 2, 1, 1, 0, 1, 239, 9, 9, 9, 1, 1, 1, 1, 0, 0, 0, 0, 3, 0, 0, 0, 239, 1, 2, 3 },
          32,
          0,
          true },
        /* a source that looks like a group */
        { AF_INET,
          IPPROTO_IGMP,
          "224.0.0.22",
          { 0x22, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 239, 9, 9, 9, 239, 1, 2, 3 },
          20,
          0,
          false },
        /* a first record that claims more than there is */
        { AF_INET,
          IPPROTO_IGMP,
          "224.0.0.22",
          { 0x22, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 239, 9, 9, 9, 3, 0, 0, 0, 239, 1, 2, 3 },
          24,
          0,
          false },
        { AF_INET6, IPPROTO_ICMPV6, "ff05::1234", { MLD_LISTENER_REPORT }, 24, 8, true },
        { AF_INET6, IPPROTO_ICMPV6, "ff02::2", { MLD_LISTENER_REDUCTION }, 24, 8, true },
        { AF_INET6, IPPROTO_ICMPV6, "ff02::1", { MLD_LISTENER_QUERY }, 24, 8, false },
        { AF_INET6, IPPROTO_ICMPV6, "ff05::1234", { MLD_LISTENER_REPORT }, 23, 8, false },
        { AF_INET6, IPPROTO_ICMPV6, "ff02::16", { 143, 0, 0, 0, 0, 0, 0, 1, 4 }, 28, 12, true },
        { AF_INET6,
          IPPROTO_ICMPV6,
          "ff02::16",
          { 143, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 0xff, 2, [27] = 9, 4 },
          48,
          32,
          true },
        { AF_INET6, IPPROTO_ICMPV6, "ff02::16", { 143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 1, 0xff, 2 }, 44, 28, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *world = open_world();
        bool v6 = rows[i].family == AF_INET6;
        uint8_t body[64], frame[128];
        memcpy(body, rows[i].body, sizeof body);
        if (rows[i].group_at > 0)
            memcpy(body + rows[i].group_at, group6, sizeof group6);
        size_t size = v6 ? frame_6(frame, rows[i].protocol, "fe80::1", rows[i].destination, body, rows[i].size)
                         : frame_4(frame, rows[i].protocol, "10.77.0.1", rows[i].destination, 1, 0, body, rows[i].size);
        capture_take_frame(&world->capture, POINT_WAN, frame, size);
        if (rows[i].heard)
            check_hit(world, v6 ? GROUP6 : GROUP, WITNESS_CAPTURE, true, v6 ? "ff05::1234" : "239.1.2.3", i);
        check_silent(world, "a report", i);
        strays_report(&world->capture.strays, &world->house.outbox);
        check_silent(world, "a stray", i);
        close_world(world);
    }
}

Test(witness_capture, a_report_with_a_nonce_in_one_group_hides_no_other_group)
{
    struct world *world = open_world();
    uint8_t body[48] = { 143, 0, 0, 0, 0, 0, 0, 2, 4 }, frame[128];
    body[12] = 0xff;
    body[13] = 5;
    memcpy(body + 20, watches[PLAIN].nonce, 8);
    body[28] = 4;
    inet_pton(AF_INET6, "ff05::1234", body + 32);
    size_t size = frame_6(frame, IPPROTO_ICMPV6, "fe80::1", "ff02::16", body, sizeof body);
    capture_take_frame(&world->capture, POINT_WAN, frame, size);
    check_hit(world, PLAIN, WITNESS_CAPTURE, false, "ff02::16", 0);
    check_hit(world, GROUP6, WITNESS_CAPTURE, true, "ff05::1234", 0);
    check_silent(world, "a report", 0);
    close_world(world);
}
