/* See fragments.h. Only pieces of whole 8-byte units, or a last piece, are legal: all others are left out. */
#include "fragments.h"

#include <string.h>

static bool same_datagram(const struct fragments_datagram *datagram, uint8_t place, const struct packet *packet)
{
    return datagram->used && datagram->place == place && datagram->id == packet->fragment_id &&
           datagram->protocol == packet->piece_protocol && datagram->source.family == packet->source.family &&
           memcmp(datagram->source.address, packet->source.address, 16) == 0 &&
           memcmp(datagram->destination.address, packet->destination.address, 16) == 0;
}

/* The datagram of this piece, or a fresh one in an empty place, or in that of the oldest. */
static struct fragments_datagram *find_datagram(struct fragments *fragments, uint8_t place, const struct packet *packet)
{
    struct fragments_datagram *victim = &fragments->datagrams[0];
    for (size_t i = 0; i < FRAGMENTS_MAX; i++) {
        struct fragments_datagram *datagram = &fragments->datagrams[i];
        if (same_datagram(datagram, place, packet))
            return datagram;
        if (victim->used && (!datagram->used || datagram->order < victim->order))
            victim = datagram;
    }
    if (victim->used)
        fragments->overflows++;
    memset(victim, 0, offsetof(struct fragments_datagram, bytes));
    victim->used = victim->headless = true;
    victim->place = place;
    victim->order = ++fragments->clock;
    victim->id = packet->fragment_id;
    victim->protocol = packet->piece_protocol;
    victim->source = packet->source;
    victim->destination = packet->destination;
    return victim;
}

static void cover(struct fragments_datagram *datagram, const struct packet *packet)
{
    for (uint32_t done = 0; done < packet->piece_size; done += 8) {
        uint32_t at = packet->fragment_offset + done, unit = at / 8;
        size_t size = packet->piece_size - done < 8 ? packet->piece_size - done : 8;
        if (datagram->units[unit / 8] >> (unit % 8) & 1)
            continue;
        datagram->units[unit / 8] |= (uint8_t)(1u << (unit % 8));
        datagram->covered++;
        memcpy(datagram->bytes + at, packet->piece + done, size);
    }
}

bool fragments_add(struct fragments *fragments, uint8_t place, struct packet *packet)
{
    struct fragments_datagram *datagram = find_datagram(fragments, place, packet);
    size_t end = packet->fragment_offset + packet->piece_size;
    if (packet->fragment_offset == 0)
        datagram->headless = false;
    if (end > DATAGRAM_BYTES_MAX || (datagram->ended && end > datagram->length) ||
        (packet->more_fragments && packet->piece_size % 8 != 0))
        return false;
    if (!packet->more_fragments && !datagram->ended) {
        datagram->ended = true;
        datagram->length = (uint32_t)end;
    }
    cover(datagram, packet);
    if (!datagram->ended || datagram->covered < (datagram->length + 7) / 8)
        return false;
    datagram->used = false;
    packet_parse_datagram(packet, datagram->bytes, datagram->length);
    return true;
}

const struct fragments_datagram *fragments_next_headless(struct fragments *fragments)
{
    for (size_t i = 0; i < FRAGMENTS_MAX; i++) {
        struct fragments_datagram *datagram = &fragments->datagrams[i];
        if (datagram->used && datagram->headless) {
            datagram->headless = false;
            return datagram;
        }
    }
    return NULL;
}
