/*
 * See host_input.h. Needs: recvfrom, sendto.
 *
 * The kernel gathers packets into messages and sends one when it is full or 10 ms old. Every packet has the next number of
 * a sequence: what finds no room in the socket's buffer leaves a gap, and an error (ENOBUFS) on the socket even where
 * nothing follows. Sources: linux/netfilter/nfnetlink_log.h, netlink(7), the kernel's net/netfilter/nfnetlink_log.c.
 */
#include "host_input.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "../../launcher/support/cleanup.h"
#include "../site/site.h"

#define AT_ONCE       64
#define RECEIVE_BYTES (8 << 20)
#define MESSAGE_BYTES                                                                                                  \
    (16384 - 512)            /* with the kernel's own head 16 KB: what it charges to the socket is the whole block */
#define MESSAGE_COUNT 64     /* packets in one message, at most */
#define MESSAGE_AGE   1      /* hundredths of a second */
#define COPY_MAX      65531u /* bytes of a packet: the kernel's limit, for an attribute has 16 bits of length */
#define MARKER_FROM   "192.0.2.78" /* nobody's, so no answer goes to it */
#define PACKET_TYPE   (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)

static bool is_marker(const struct host_input *input, const struct packet *packet)
{
    return packet->kind == PACKET_IP && packet->protocol == IPPROTO_ICMP && packet->icmp_type == ICMP_ECHOREPLY &&
           packet->payload_size == sizeof input->capture->marker &&
           memcmp(packet->payload, input->capture->marker, sizeof input->capture->marker) == 0;
}

static void take_payload(struct host_input *input, const uint8_t *bytes, size_t size)
{
    struct packet packet;
    if (size >= COPY_MAX)
        outbox_lost(&input->capture->house->outbox, "host: a packet was cut to %zu bytes", size);
    packet_parse_ip(bytes, size, &packet);
    if (is_marker(input, &packet))
        input->marker_seen = true;
    else
        capture_take_packet(input->capture, POINT_HOST, &packet, bytes, size);
}

static void check_sequence(struct host_input *input, uint32_t sequence)
{
    if (sequence != input->next_sequence)
        outbox_lost(&input->capture->house->outbox, "host: %u packets lost", sequence - input->next_sequence);
    input->next_sequence = sequence + 1;
}

struct logged {
    const struct nlattr *payload, *sequence;
};

static int read_attribute(const struct nlattr *attribute, void *data)
{
    struct logged *logged = data;
    if (mnl_attr_get_type(attribute) == NFULA_PAYLOAD)
        logged->payload = attribute;
    if (mnl_attr_get_type(attribute) == NFULA_SEQ && mnl_attr_get_payload_len(attribute) == sizeof(uint32_t))
        logged->sequence = attribute;
    return MNL_CB_OK;
}

static void take_packet(struct host_input *input, const struct nlmsghdr *header)
{
    struct logged logged = { 0 };
    mnl_attr_parse(header, sizeof(struct nfgenmsg), read_attribute, &logged);
    if (logged.payload == NULL || logged.sequence == NULL) {
        outbox_lost(&input->capture->house->outbox, "host: a packet came without its bytes or its number");
        return;
    }
    check_sequence(input, ntohl(mnl_attr_get_u32(logged.sequence)));
    take_payload(input, mnl_attr_get_payload(logged.payload), mnl_attr_get_payload_len(logged.payload));
}

static void take_message(struct host_input *input, size_t size)
{
    int rest = (int)size;
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)input->message;
    for (; mnl_nlmsg_ok(header, rest); header = mnl_nlmsg_next(header, &rest))
        if (header->nlmsg_type == PACKET_TYPE && header->nlmsg_len >= mnl_nlmsg_size(sizeof(struct nfgenmsg)))
            take_packet(input, header);
}

/* Reads one message of the kernel's, and of nobody else's. Its size; -1 with errno; 0 for one that is to be left alone. */
static ssize_t receive(struct host_input *input, int fd)
{
    struct sockaddr_nl from = { 0 };
    socklen_t from_size = sizeof from;
    ssize_t size = recvfrom(fd, input->message, sizeof input->message, MSG_DONTWAIT | MSG_TRUNC,
                            (struct sockaddr *)&from, &from_size);
    return size >= 0 && from.nl_pid != 0 ? 0 : size;
}

static void host_input_ready(struct loop_source *source, uint32_t events)
{
    struct host_input *input = loop_owner(source, struct host_input, source);
    struct outbox *outbox = &input->capture->house->outbox;
    (void)events;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        ssize_t size = receive(input, source->fd);
        if (size < 0 && errno == ENOBUFS)
            outbox_lost(outbox, "host: packets found no room in the buffer");
        else if (size < 0)
            return;
        else if ((size_t)size > sizeof input->message)
            outbox_lost(outbox, "host: a message of %zd bytes was cut", size);
        else
            take_message(input, (size_t)size);
    }
}

static struct nlmsghdr *build_request(void *buffer)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct nfgenmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->nfgen_family = AF_UNSPEC;
    message->version = NFNETLINK_V0;
    message->res_id = htons(SITE_LOG_GROUP);
    struct nfulnl_msg_config_cmd bind = { .command = NFULNL_CFG_CMD_BIND };
    struct nfulnl_msg_config_mode mode = { .copy_range = htonl(COPY_MAX), .copy_mode = NFULNL_COPY_PACKET };
    mnl_attr_put(header, NFULA_CFG_CMD, sizeof bind, &bind);
    mnl_attr_put(header, NFULA_CFG_MODE, sizeof mode, &mode);
    mnl_attr_put_u32(header, NFULA_CFG_NLBUFSIZ, htonl(MESSAGE_BYTES));
    mnl_attr_put_u32(header, NFULA_CFG_TIMEOUT, htonl(MESSAGE_AGE));
    mnl_attr_put_u32(header, NFULA_CFG_QTHRESH, htonl(MESSAGE_COUNT));
    mnl_attr_put_u16(header, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
    return header;
}

/* Asks for the group; the kernel's answer is there when the request has been sent. errno says what it was. */
static bool join_group(struct host_input *input, int fd)
{
    _Alignas(8) uint8_t buffer[256];
    const struct nlmsghdr *request = build_request(buffer);
    if (send(fd, request, request->nlmsg_len, 0) < 0)
        return false;
    ssize_t size = receive(input, fd);
    const struct nlmsghdr *answer = (const struct nlmsghdr *)(const void *)input->message;
    if (size < 0)
        return false;
    if (!mnl_nlmsg_ok(answer, (int)size) || answer->nlmsg_type != NLMSG_ERROR ||
        answer->nlmsg_len < mnl_nlmsg_size(sizeof(struct nlmsgerr))) {
        errno = EPROTO;
        return false;
    }
    errno = -((const struct nlmsgerr *)mnl_nlmsg_get_payload(answer))->error;
    return errno == 0;
}

bool host_input_open(struct host_input *input, struct capture *capture, struct error *error)
{
    struct house *house = capture->house;
    input->capture = capture;
    input->source = (struct loop_source){ -1, host_input_ready };
    if (!house_enter(house->setup->host_namespace, error))
        return false;
    cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
    input->marker_link = (int)if_nametoindex("side0");
    if (input->marker_link == 0)
        return error_system(error, "can't find the interface side0");
    if (fd < 0 || !join_group(input, fd))
        return error_set(error, ERROR_HOST,
                         "can't hear what the host lets in: nfnetlink_log says \"%s\"; load it (sudo modprobe "
                         "nfnetlink_log) or boot a kernel that has it",
                         strerror(errno));
    house_receive_buffer(fd, RECEIVE_BYTES);
    return loop_add(&house->loop, &input->source, fd, error) && take_fd(&fd) >= 0;
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
