/* See membership.h. All versions are brought into one form: records that begin with the group, some of them with a head of
 * four bytes and a tail. */
#include "membership.h"

#include <netinet/icmp6.h>
#include <netinet/igmp.h>
#include <string.h>

#define MLD2_REPORT       143
#define IGMP3_REPORT      0x22
#define REPORT_HEAD       8 /* of both that have records */
#define RECORD_HEAD       4 /* type, length of the auxiliary data in words, number of sources */
#define IGMP_GROUP_OFFSET 4
#define MLD_GROUP_OFFSET  8

static void begin_at(struct membership *membership, const struct packet *packet, size_t offset, uint16_t records,
                     bool has_sources)
{
    membership->at = packet->body + offset;
    membership->rest = packet->body_size - offset;
    membership->records = records;
    membership->has_sources = has_sources;
    membership->family = packet->source.family;
}

void membership_begin(struct membership *membership, const struct packet *packet)
{
    *membership = (struct membership){ 0 };
    bool igmp = packet->protocol == IPPROTO_IGMP && packet->source.family == AF_INET;
    bool mld = packet->protocol == IPPROTO_ICMPV6 && packet->source.family == AF_INET6;
    if (packet->kind != PACKET_IP || packet->fragment_offset != 0 || packet->body_size < REPORT_HEAD || (!igmp && !mld))
        return;
    uint8_t type = packet->body[0];
    uint16_t records = (uint16_t)(packet->body[6] << 8 | packet->body[7]);
    if (type == (igmp ? IGMP3_REPORT : MLD2_REPORT))
        begin_at(membership, packet, REPORT_HEAD, records, true);
    else if (igmp &&
             (type == IGMP_V1_MEMBERSHIP_REPORT || type == IGMP_V2_MEMBERSHIP_REPORT || type == IGMP_V2_LEAVE_GROUP))
        begin_at(membership, packet, IGMP_GROUP_OFFSET, 1, false);
    else if (mld && (type == MLD_LISTENER_REPORT || type == MLD_LISTENER_REDUCTION))
        begin_at(membership, packet, MLD_GROUP_OFFSET, 1, false);
}

bool membership_next(struct membership *membership, struct endpoint *group)
{
    size_t head = membership->has_sources ? RECORD_HEAD : 0, address = endpoint_address_bytes(membership->family);
    if (membership->records == 0 || membership->rest < head + address)
        return false;
    const uint8_t *record = membership->at;
    size_t size = head + address;
    if (membership->has_sources)
        size += (size_t)(record[2] << 8 | record[3]) * address + (size_t)record[1] * 4;
    *group = (struct endpoint){ .family = membership->family };
    memcpy(group->address, record + head, address);
    membership->records--;
    if (size > membership->rest)
        size = membership->rest; /* cut: its group is known, what would follow is not */
    membership->at += size;
    membership->rest -= size;
    return true;
}
