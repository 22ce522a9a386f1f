/*
 * A network namespace of the test's own, for any user: nobody else's ports, an address where everything is silent, and
 * a record of each port that a sweep has really sent something to.
 */
#ifndef TESTS_UNIT_PROBES_NETWORK_H
#define TESTS_UNIT_PROBES_NETWORK_H

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "probes_trial.h"

#define SILENT_ADDRESS "10.99.99.2"

static inline void raise_link(const char *name)
{
    struct ifreq request = { .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    strcpy(request.ifr_name, name);
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0, "%s", strerror(errno));
    close(fd);
}

static const char *no_network = "no constructor has run";

/* Before Criterion's main, in the process of each test: a process with threads can't change its user namespace. */
__attribute__((constructor)) static void make_network(void)
{
    char maps[2][64];
    const char *const names[] = { "/proc/self/setgroups", "/proc/self/uid_map", "/proc/self/gid_map" };
    snprintf(maps[0], sizeof maps[0], "%u %u 1", geteuid(), geteuid());
    snprintf(maps[1], sizeof maps[1], "%u %u 1", getegid(), getegid());
    const char *const texts[] = { "deny", maps[0], maps[1] };
    no_network = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? NULL : strerror(errno);
    for (size_t i = 0; i < 3 && no_network == NULL; i++) {
        int file = open(names[i], O_WRONLY | O_CLOEXEC);
        /* A nested namespace has no groups to set any more. */
        if (write(file, texts[i], strlen(texts[i])) < 0 && i > 0)
            no_network = names[i];
        close(file);
    }
}

/* Its loopback is still down. */
static inline void enter_network(void)
{
    cr_assert_null(no_network, "no network namespace: %s", no_network);
}

static inline void enter_network_with_loopback(void)
{
    enter_network();
    raise_link("lo");
}

/* A bridge without ports swallows what is sent to a neighbour behind it, whose hardware address is known. False where
 * the kernel has no bridges. */
static inline bool add_silent_neighbour(void)
{
    struct ifreq own = { .ifr_name = "quiet0" };
    struct sockaddr_in *address = (struct sockaddr_in *)&own.ifr_addr;
    struct arpreq neighbour = { .arp_flags = ATF_PERM | ATF_COM, .arp_dev = "quiet0" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCBRADDBR, "quiet0") != 0)
        return false;
    address->sin_family = AF_INET;
    inet_pton(AF_INET, "10.99.99.1", &address->sin_addr);
    cr_assert_eq(ioctl(fd, SIOCSIFADDR, &own), 0);
    inet_pton(AF_INET, "255.255.255.0", &address->sin_addr);
    cr_assert_eq(ioctl(fd, SIOCSIFNETMASK, &own), 0);
    raise_link("quiet0");
    address = (struct sockaddr_in *)&neighbour.arp_pa;
    address->sin_family = AF_INET;
    inet_pton(AF_INET, SILENT_ADDRESS, &address->sin_addr);
    neighbour.arp_ha.sa_family = ARPHRD_ETHER;
    memcpy(neighbour.arp_ha.sa_data, "\x02\0\0\0\0\x02", 6);
    cr_assert_eq(ioctl(fd, SIOCSARP, &neighbour), 0, "%s", strerror(errno));
    close(fd);
    return true;
}

/* What was sent, by transport (0: a SYN, 1: a datagram) and family (0: IPv4, 1: IPv6), to each port. */
struct wire {
    uint8_t times[2][2][65536];
    uint16_t source[2][2][65536];
};

#define FRAME       192    /* bytes: the kernel's header and what is looked at */
#define FRAMES      262144 /* four whole sweeps: nothing needs to be read before the end */
#define FRAME_BLOCK (1 << 18)

static struct wire wire;
static int wire_socket;
static uint8_t *wire_frames;

/* Watches every SYN and datagram; loopback shows each packet twice, so one direction is chosen. */
static inline void watch_wire(bool outgoing)
{
    const struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, outgoing ? 0 : 15, outgoing ? 15 : 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 5, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* IPv4 */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 9, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 9),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20 + 13),
        BPF_JUMP(BPF_JMP | BPF_JA, 4, 0, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6), /* IPv6 */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40 + 13),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x3f),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 64),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = { sizeof code / sizeof *code, (struct sock_filter *)code };
    const struct tpacket_req ring = { .tp_block_size = FRAME_BLOCK,
                                      .tp_block_nr = FRAMES / (FRAME_BLOCK / FRAME) + 1,
                                      .tp_frame_size = FRAME,
                                      .tp_frame_nr = (FRAMES / (FRAME_BLOCK / FRAME) + 1) * (FRAME_BLOCK / FRAME) };
    const struct sockaddr_ll everywhere = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
    wire_socket = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(wire_socket >= 0, "%s", strerror(errno));
    cr_assert_eq(setsockopt(wire_socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
    cr_assert_eq(setsockopt(wire_socket, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring), 0, "%s", strerror(errno));
    wire_frames =
        mmap(NULL, (size_t)FRAME_BLOCK * ring.tp_block_nr, PROT_READ | PROT_WRITE, MAP_SHARED, wire_socket, 0);
    cr_assert(wire_frames != MAP_FAILED);
    cr_assert_eq(bind(wire_socket, (const struct sockaddr *)&everywhere, sizeof everywhere), 0);
}

static inline void note_packet(const uint8_t *packet)
{
    bool six = packet[0] >> 4 == 6, udp = packet[six ? 6 : 9] == IPPROTO_UDP;
    const uint8_t *ports = packet + (six ? 40 : 20);
    unsigned port = (unsigned)(ports[2] << 8 | ports[3]);
    wire.times[udp][six][port]++;
    wire.source[udp][six][port] = (uint16_t)(ports[0] << 8 | ports[1]);
}

/* Fills `wire`. */
static inline void stop_wire(void)
{
    struct tpacket_stats stats = { 0 };
    socklen_t size = sizeof stats;
    memset(&wire, 0, sizeof wire);
    getsockopt(wire_socket, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
    cr_assert_eq(stats.tp_drops, 0, "the test itself lost packets");
    for (size_t i = 0; i < FRAMES; i++) {
        const uint8_t *frame =
            wire_frames + i / (FRAME_BLOCK / FRAME) * FRAME_BLOCK + i % (FRAME_BLOCK / FRAME) * FRAME;
        const struct tpacket_hdr *header = (const struct tpacket_hdr *)frame;
        if ((header->tp_status & TP_STATUS_USER) == 0)
            break;
        note_packet(frame + header->tp_net);
    }
    close(wire_socket);
}

#endif
