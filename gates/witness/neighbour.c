/* See neighbour.h. Needs: recvfrom, sendto. A filter in the kernel lets only solicitations through
 * (socket(7)). */
#include "neighbour.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <string.h>

#include "../../launcher/support/cleanup.h"
#include "../site/site.h"

#define AT_IP       14 /* offsets in the frame */
#define AT_SOURCE   22
#define AT_ICMP     54
#define AT_TARGET   62
#define AT_OPTION   78
#define FRAME_LEAST 78
#define AT_ONCE     64

static uint16_t checksum(const uint8_t *bytes, size_t size, uint32_t sum)
{
    for (size_t i = 0; i < size; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static bool is_kept_back(const uint8_t *target)
{
    static const char *const own[] = { SITE_HOST6, SITE_GATEWAY6 };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        struct in6_addr address;
        if (inet_pton(AF_INET6, own[i], &address) == 1 && memcmp(&address, target, sizeof address) == 0)
            return true;
    }
    return false;
}

bool neighbour_answer(const uint8_t *frame, size_t size, const uint8_t link_address[6],
                      uint8_t answer[NEIGHBOUR_ANSWER_BYTES])
{
    static const uint8_t unspecified[16];
    if (size < FRAME_LEAST || frame[12] != 0x86 || frame[13] != 0xdd || frame[AT_IP + 6] != IPPROTO_ICMPV6 ||
        frame[AT_ICMP] != ND_NEIGHBOR_SOLICIT || memcmp(frame + AT_SOURCE, unspecified, 16) == 0 ||
        is_kept_back(frame + AT_TARGET))
        return false;
    const uint16_t length = NEIGHBOUR_ANSWER_BYTES - AT_ICMP;
    memset(answer, 0, NEIGHBOUR_ANSWER_BYTES);
    memcpy(answer, frame + 6, 6);
    memcpy(answer + 6, link_address, 6);
    memcpy(answer + 12, frame + 12, 2);
    answer[AT_IP] = 0x60;
    answer[AT_IP + 5] = (uint8_t)length;
    answer[AT_IP + 6] = IPPROTO_ICMPV6;
    answer[AT_IP + 7] = 255;
    memcpy(answer + AT_SOURCE, frame + AT_TARGET, 16);
    memcpy(answer + AT_SOURCE + 16, frame + AT_SOURCE, 16);
    answer[AT_ICMP] = ND_NEIGHBOR_ADVERT;
    answer[AT_ICMP + 4] = 0x60; /* solicited, override */
    memcpy(answer + AT_TARGET, frame + AT_TARGET, 16);
    answer[AT_OPTION] = ND_OPT_TARGET_LINKADDR;
    answer[AT_OPTION + 1] = 1;
    memcpy(answer + AT_OPTION + 2, link_address, 6);
    uint16_t sum = checksum(answer + AT_SOURCE, NEIGHBOUR_ANSWER_BYTES - AT_SOURCE, (uint32_t)length + IPPROTO_ICMPV6);
    answer[AT_ICMP + 2] = (uint8_t)(sum >> 8);
    answer[AT_ICMP + 3] = (uint8_t)sum;
    return true;
}

static void neighbour_ready(struct loop_source *source, uint32_t events)
{
    struct neighbour *neighbour = loop_owner(source, struct neighbour, source);
    uint8_t frame[256], answer[NEIGHBOUR_ANSWER_BYTES];
    (void)events;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        ssize_t size = recv(source->fd, frame, sizeof frame, MSG_DONTWAIT);
        if (size < 0)
            return;
        if (neighbour_answer(frame, (size_t)size, neighbour->link_address, answer))
            send(source->fd, answer, sizeof answer, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

static bool filter_solicitations(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AT_IP + 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AT_ICMP),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

bool neighbour_open(struct neighbour *neighbour, struct house *house, struct error *error)
{
    neighbour->house = house;
    neighbour->source = (struct loop_source){ -1, neighbour_ready };
    struct sockaddr_ll link = { .sll_family = AF_PACKET,
                                .sll_protocol = htons(ETH_P_IPV6),
                                .sll_ifindex = (int)if_nametoindex("wan0") };
    socklen_t size = sizeof link;
    cleanup_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !filter_solicitations(fd) || bind(fd, (const struct sockaddr *)&link, sizeof link) < 0 ||
        getsockname(fd, (struct sockaddr *)&link, &size) < 0)
        return error_system(error, "can't answer for IPv6 neighbours on wan0");
    memcpy(neighbour->link_address, link.sll_addr, sizeof neighbour->link_address);
    return loop_add(&house->loop, &neighbour->source, fd, error) && take_fd(&fd) >= 0;
}
