/*
 * See host_input.h. Needs: sendto, and what log_group.h needs.
 */
#include "host_input.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "../site/site.h"

#define MARKER_FROM "192.0.2.78" /* nobody's, so no answer goes to it */

static bool is_marker(const struct host_input *input, const struct packet *packet)
{
    return packet->kind == PACKET_IP && packet->protocol == IPPROTO_ICMP && packet->icmp_type == ICMP_ECHOREPLY &&
           packet->payload_size == sizeof input->capture->marker &&
           memcmp(packet->payload, input->capture->marker, sizeof input->capture->marker) == 0;
}

static void take_packet(void *context, const uint8_t *bytes, size_t size)
{
    struct host_input *input = context;
    struct packet packet;
    packet_parse_ip(bytes, size, &packet);
    if (is_marker(input, &packet))
        input->marker_seen = true;
    else
        capture_take_packet(input->capture, POINT_HOST, &packet, bytes, size);
}

bool host_input_open(struct host_input *input, struct capture *capture, struct error *error)
{
    const struct log_group_setting setting = {
        .number = SITE_LOG_GROUP, .name = "host", .take = take_packet, .context = input
    };
    input->capture = capture;
    if (!log_group_open(&input->log, capture->house, &setting, error))
        return false;
    input->marker_link = (int)if_nametoindex("side0");
    return input->marker_link != 0 || error_system(error, "can't find the interface side0");
}

/* RFC 1071, over an even number of bytes. */
static void put_checksum(uint8_t *at, const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    at[0] = (uint8_t)(~sum >> 8);
    at[1] = (uint8_t)~sum;
}

/* An echo reply that nobody asked for: the kernel answers nothing to it. */
void host_input_mark(const struct host_input *input)
{
    const struct capture *capture = input->capture;
    uint8_t frame[ETHER_HDR_LEN + 20 + ICMP_MINLEN + sizeof capture->marker] = { 0 };
    uint8_t *ip = frame + ETHER_HDR_LEN, *icmp = ip + 20;
    size_t icmp_size = ICMP_MINLEN + sizeof capture->marker;
    static const uint8_t ends[ETHER_ADDR_LEN] = SITE_SIDE_LINK;
    memcpy(frame, ends, sizeof ends);
    memcpy(frame + sizeof ends, ends, sizeof ends);
    frame[12] = ETHERTYPE_IP >> 8;
    ip[0] = 0x45;
    ip[3] = (uint8_t)(20 + icmp_size);
    ip[8] = 1; /* hops */
    ip[9] = IPPROTO_ICMP;
    inet_pton(AF_INET, MARKER_FROM, ip + 12);
    inet_pton(AF_INET, SITE_SIDE4, ip + 16);
    put_checksum(ip + 10, ip, 20);
    icmp[0] = ICMP_ECHOREPLY;
    memcpy(icmp + ICMP_MINLEN, capture->marker, sizeof capture->marker);
    put_checksum(icmp + 2, icmp, icmp_size);
    struct sockaddr_ll link = { .sll_family = AF_PACKET, .sll_ifindex = input->marker_link };
    sendto(pcap_fileno(capture->places[POINT_LO].pcap), frame, sizeof frame, 0, (const struct sockaddr *)&link,
           sizeof link);
}

void host_input_finish(const struct host_input *input)
{
    if (!input->marker_seen)
        outbox_lost(&input->capture->house->outbox, "host: it did not see the last packet that was sent to it");
}
