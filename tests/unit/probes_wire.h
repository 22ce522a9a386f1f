/*
 * A wire for the real bottle-probe: each test has user and network namespaces of its own, in which there are the
 * loopback and a cable from `near` (10.9.0.1, fd09::1, the way to everywhere) to `far`, where nobody answers and a
 * packet socket sees every frame. No packet can leave: there is no other link. Packets on the loopback can be
 * seen, too. Routers on the wire are 10.9.0.254 and fe80::fe.
 *
 * The namespaces are entered before main: only a process with one thread may, and Criterion, which starts each test
 * as a process of its own, has more by the time a test begins.
 */
#ifndef TESTS_UNIT_PROBES_WIRE_H
#define TESTS_UNIT_PROBES_WIRE_H

#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <sched.h>

#include "probes_trial.h"

#define FRAMES_MOST 512
#define FRAME_MAX   2048

struct frame {
    size_t size;
    uint8_t bytes[FRAME_MAX];
};

static struct frame frames[FRAMES_MOST];
static size_t frame_count;

static inline void wire_write(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text)) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        abort();
    }
    close(file);
}

static inline void wire_shell(const char *script)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
        execl("/bin/sh", "sh", "-ec", script, (char *)NULL);
        _exit(127);
    }
    cr_assert(waitpid(child, &status, 0) == child && status == 0, "status %d of: %s", status, script);
}

static int wire_refusal; /* errno, if this host gives no namespaces */

__attribute__((constructor)) static void wire_leave_host(void)
{
    unsigned user = getuid(), group = getgid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        wire_refusal = errno;
        return;
    }
    char uids[32], gids[32];
    snprintf(uids, sizeof uids, "0 %u 1", user);
    snprintf(gids, sizeof gids, "0 %u 1", group);
    wire_write("/proc/self/setgroups", "deny");
    wire_write("/proc/self/uid_map", uids);
    wire_write("/proc/self/gid_map", gids);
}

/* Brings up the loopback, which is all there is. False (or, where it must work, a failure) without namespaces. */
static inline bool wire_enter_empty(void)
{
    cr_assert(wire_refusal == 0 || getenv("MUST_WORK") == NULL, "no namespaces: %s", strerror(wire_refusal));
    if (wire_refusal != 0)
        return false;
    wire_shell("ip link set lo up");
    return true;
}

/* A socket that sees what arrives at a link. */
static inline int wire_listen(const char *link)
{
    struct sockaddr_ll at = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ALL),
                              .sll_ifindex = (int)if_nametoindex(link) };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0, "%s: %s", link, strerror(errno));
    return fd;
}

/* Keeps one frame that has arrived. False if there is none. */
static inline bool wire_take(int fd)
{
    struct sockaddr_ll from;
    socklen_t size = sizeof from;
    cr_assert_lt(frame_count, FRAMES_MOST);
    struct frame *frame = &frames[frame_count];
    ssize_t got = recvfrom(fd, frame->bytes, sizeof frame->bytes, 0, (struct sockaddr *)&from, &size);
    if (got <= 0)
        return false;
    frame->size = (size_t)got;
    frame_count += from.sll_pkttype != PACKET_OUTGOING; /* on the loopback each packet is seen going out as well */
    return true;
}

static inline void wire_take_all(int fd)
{
    while (wire_take(fd)) {
    }
}

/* A cable's end has no carrier until the kernel has noticed it, and drops what it is given: asked again and again,
 * a frame comes through. */
static inline void wire_wait_for_carrier(int far)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("near") };
    uint8_t frame[60] = { 2, 0, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
    int sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    for (unsigned tries = 0;; tries++) {
        struct pollfd wait = { .fd = far, .events = POLLIN };
        cr_assert_lt(tries, 500, "the cable carries nothing");
        sendto(sender, frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to);
        while (poll(&wait, 1, 10) > 0 && wire_take(far))
            if (frames[frame_count - 1].size == sizeof frame && frames[frame_count - 1].bytes[12] == 0x88) {
                close(sender);
                return;
            }
    }
}

/* Lays the cable; returns the socket at its far end, or -1 without namespaces. `near` has the lower index of
 * the two, and a link that is down has a lower one yet. */
static inline int wire_enter(void)
{
    if (!wire_enter_empty())
        return -1;
    wire_shell("ip link add idle index 5 type veth peer name idle2 index 6\n"
               "ip link add near index 10 type veth peer name far index 20\n"
               "echo 1 >/proc/sys/net/ipv6/conf/far/disable_ipv6\n"
               "echo 0 >/proc/sys/net/ipv6/conf/near/accept_dad\n"
               "ip addr add 10.9.0.1/24 broadcast + dev near; ip addr add fd09::1/64 dev near nodad\n"
               "ip link set far up; ip link set near up\n"
               "ip route add default via 10.9.0.254\n"
               "ip route add default via fe80::fe dev near\n"
               "for ip in 10.9.0.254 fe80::fe; do ip neigh add $ip lladdr 02:00:00:00:00:fe dev near; done\n");
    int far = wire_listen("far");
    wire_wait_for_carrier(far);
    frame_count = 0;
    return far;
}

#define WIRE_SKIP_IF(condition)                                                                                        \
    do {                                                                                                               \
        if (condition)                                                                                                 \
            cr_skip_test("this host gives no user namespaces");                                                        \
    } while (0)

/* A TCP segment, or a datagram of UDP or UDP-Lite, over IPv4; see wire_parse. */
struct piece {
    uint8_t protocol, flags;
    char to[INET_ADDRSTRLEN];
    uint16_t from_port, to_port;
    const uint8_t *options, *payload;
    size_t option_size, payload_size;
};

/* False for any other frame. */
static inline bool wire_parse(const struct frame *frame, struct piece *piece)
{
    const uint8_t *ip = frame->bytes + 14;
    if (frame->size < 14 + 20 + 8 || frame->bytes[12] != 8 || frame->bytes[13] != 0)
        return false;
    size_t head = (ip[0] & 15u) * 4u, total = (size_t)(ip[2] << 8 | ip[3]);
    const uint8_t *transport = ip + head;
    *piece = (struct piece){ .protocol = ip[9] };
    inet_ntop(AF_INET, ip + 16, piece->to, sizeof piece->to);
    if (piece->protocol != IPPROTO_TCP && piece->protocol != IPPROTO_UDP && piece->protocol != IPPROTO_UDPLITE)
        return false;
    piece->from_port = (uint16_t)(transport[0] << 8 | transport[1]);
    piece->to_port = (uint16_t)(transport[2] << 8 | transport[3]);
    size_t own = piece->protocol == IPPROTO_TCP ? (transport[12] >> 4) * 4u : 8u;
    cr_assert(total >= head + own && total + 14 <= frame->size);
    piece->flags = piece->protocol == IPPROTO_TCP ? transport[13] : 0;
    piece->options = transport + 20;
    piece->option_size = piece->protocol == IPPROTO_TCP ? own - 20 : 0;
    piece->payload = transport + own;
    piece->payload_size = total - head - own;
    return true;
}

static inline bool wire_has_nonce(const uint8_t *bytes, size_t size, uint16_t seq)
{
    return memmem(bytes, size, plan.attempts[seq - 1].nonce, NONCE_BYTES) != NULL;
}

/* How many datagrams of UDP (or UDP-Lite) to this destination carry the nonce of the attempt. */
static inline unsigned wire_count_datagrams_of(uint8_t protocol, const char *to, uint16_t port, uint16_t seq)
{
    struct piece piece;
    unsigned count = 0;
    for (size_t i = 0; i < frame_count; i++)
        count += wire_parse(&frames[i], &piece) && piece.protocol == protocol && piece.to_port == port &&
                 strcmp(piece.to, to) == 0 && wire_has_nonce(piece.payload, piece.payload_size, seq);
    return count;
}

static inline unsigned wire_count_datagrams(const char *to, uint16_t port, uint16_t seq)
{
    return wire_count_datagrams_of(IPPROTO_UDP, to, port, seq);
}

/* How many bare SYNs went to a port. */
static inline unsigned wire_count_syns(uint16_t port)
{
    struct piece piece;
    unsigned count = 0;
    for (size_t i = 0; i < frame_count; i++)
        count += wire_parse(&frames[i], &piece) && piece.protocol == IPPROTO_TCP && piece.to_port == port &&
                 (piece.flags & (TH_SYN | TH_ACK)) == TH_SYN;
    return count;
}

/* The first bare SYN to a port. False if there is none. */
static inline bool wire_find_syn(uint16_t port, struct piece *piece)
{
    for (size_t i = 0; i < frame_count; i++)
        if (wire_parse(&frames[i], piece) && piece->protocol == IPPROTO_TCP && piece->to_port == port &&
            (piece->flags & (TH_SYN | TH_ACK)) == TH_SYN)
            return true;
    return false;
}

/* A TCP option by its kind; NULL if the segment hasn't got it. */
static inline const uint8_t *wire_find_option(const struct piece *piece, uint8_t kind)
{
    for (size_t at = 0; at < piece->option_size && piece->options[at] != 0;) {
        if (piece->options[at] == kind)
            return piece->options + at;
        at += piece->options[at] == 1 || at + 1 == piece->option_size ? 1u : piece->options[at + 1];
    }
    return NULL;
}

#endif
