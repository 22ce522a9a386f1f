/*
 * See log_group.h. Needs: recvfrom.
 *
 * The kernel gathers packets into messages and sends one when it is full or 10 ms old. Every packet has the next number of
 * a sequence: what finds no room in the socket's buffer leaves a gap, and an error (ENOBUFS) on the socket even where
 * nothing follows. Sources: linux/netfilter/nfnetlink_log.h, netlink(7), the kernel's net/netfilter/nfnetlink_log.c.
 */
#include "log_group.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <string.h>

#include "../../launcher/support/cleanup.h"

#define AT_ONCE       64
#define RECEIVE_BYTES (8 << 20)
#define MESSAGE_BYTES                                                                                                  \
    (16384 - 512)            /* with the kernel's own head 16 KB: what it charges to the socket is the whole block */
#define MESSAGE_COUNT 64     /* packets in one message, at most */
#define MESSAGE_AGE   1      /* hundredths of a second */
#define COPY_MAX      65531u /* bytes of a packet: the kernel's limit, for an attribute has 16 bits of length */
#define PACKET_TYPE   (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)

static void check_sequence(struct log_group *group, uint32_t sequence)
{
    if (sequence != group->next_sequence)
        outbox_lost(&group->house->outbox, "%s: %u packets lost", group->setting.name, sequence - group->next_sequence);
    group->next_sequence = sequence + 1;
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

static void take_packet(struct log_group *group, const struct nlmsghdr *header)
{
    struct logged logged = { 0 };
    mnl_attr_parse(header, sizeof(struct nfgenmsg), read_attribute, &logged);
    if (logged.payload == NULL || logged.sequence == NULL) {
        outbox_lost(&group->house->outbox, "%s: a packet came without its bytes or its number", group->setting.name);
        return;
    }
    check_sequence(group, ntohl(mnl_attr_get_u32(logged.sequence)));
    size_t size = mnl_attr_get_payload_len(logged.payload);
    if (size >= COPY_MAX)
        outbox_lost(&group->house->outbox, "%s: a packet was cut to %zu bytes", group->setting.name, size);
    group->setting.take(group->setting.context, mnl_attr_get_payload(logged.payload), size);
}

static void take_message(struct log_group *group, size_t size)
{
    int rest = (int)size;
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)group->message;
    for (; mnl_nlmsg_ok(header, rest); header = mnl_nlmsg_next(header, &rest))
        if (header->nlmsg_type == PACKET_TYPE && header->nlmsg_len >= mnl_nlmsg_size(sizeof(struct nfgenmsg)))
            take_packet(group, header);
}

/* Reads one message of the kernel's, and of nobody else's. Its size; -1 with errno; 0 for one that is to be left alone. */
static ssize_t receive(struct log_group *group, int fd)
{
    struct sockaddr_nl from = { 0 };
    socklen_t from_size = sizeof from;
    ssize_t size = recvfrom(fd, group->message, sizeof group->message, MSG_DONTWAIT | MSG_TRUNC,
                            (struct sockaddr *)&from, &from_size);
    return size >= 0 && from.nl_pid != 0 ? 0 : size;
}

void log_group_drain(struct log_group *group)
{
    struct outbox *outbox = &group->house->outbox;
    for (unsigned i = 0; i < AT_ONCE && group->source.fd >= 0; i++) {
        ssize_t size = receive(group, group->source.fd);
        if (size < 0 && errno == ENOBUFS)
            outbox_lost(outbox, "%s: packets found no room in the buffer", group->setting.name);
        else if (size < 0)
            return;
        else if ((size_t)size > sizeof group->message)
            outbox_lost(outbox, "%s: a message of %zd bytes was cut", group->setting.name, size);
        else
            take_message(group, (size_t)size);
    }
}

static void log_group_ready(struct loop_source *source, uint32_t events)
{
    (void)events;
    log_group_drain(loop_owner(source, struct log_group, source));
}

static struct nlmsghdr *build_request(const struct log_group_setting *setting, void *buffer)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct nfgenmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->nfgen_family = AF_UNSPEC;
    message->version = NFNETLINK_V0;
    message->res_id = htons(setting->number);
    struct nfulnl_msg_config_cmd bind = { .command = NFULNL_CFG_CMD_BIND };
    struct nfulnl_msg_config_mode mode = { .copy_range = htonl(setting->at_once ? LOG_GROUP_HEAD : COPY_MAX),
                                           .copy_mode = NFULNL_COPY_PACKET };
    mnl_attr_put(header, NFULA_CFG_CMD, sizeof bind, &bind);
    mnl_attr_put(header, NFULA_CFG_MODE, sizeof mode, &mode);
    mnl_attr_put_u32(header, NFULA_CFG_NLBUFSIZ, htonl(MESSAGE_BYTES));
    mnl_attr_put_u32(header, NFULA_CFG_TIMEOUT, htonl(MESSAGE_AGE));
    mnl_attr_put_u32(header, NFULA_CFG_QTHRESH, htonl(setting->at_once ? 1 : MESSAGE_COUNT));
    mnl_attr_put_u16(header, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
    return header;
}

/* Asks for the group; the kernel's answer is there when the request has been sent. errno says what it was. */
static bool join_group(struct log_group *group, int fd)
{
    _Alignas(8) uint8_t buffer[256];
    const struct nlmsghdr *request = build_request(&group->setting, buffer);
    if (send(fd, request, request->nlmsg_len, 0) < 0)
        return false;
    ssize_t size = receive(group, fd);
    const struct nlmsghdr *answer = (const struct nlmsghdr *)(const void *)group->message;
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

bool log_group_open(struct log_group *group, struct house *house, const struct log_group_setting *setting,
                    struct error *error)
{
    group->house = house;
    group->setting = *setting;
    group->source = (struct loop_source){ -1, log_group_ready };
    if (!house_enter(house->setup->host_namespace, error))
        return false;
    cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0 || !join_group(group, fd))
        return error_set(error, ERROR_HOST,
                         "can't hear what the host lets in: nfnetlink_log says \"%s\"; load it (sudo modprobe "
                         "nfnetlink_log) or boot a kernel that has it",
                         strerror(errno));
    house_receive_buffer(fd, RECEIVE_BYTES);
    return loop_add(&house->loop, &group->source, fd, error) && take_fd(&fd) >= 0;
}
