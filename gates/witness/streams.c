/*
 * See streams.h. A set-associative table keyed by the four-tuple; a stream begins with its SYN, or else with
 * the first segment that is seen. Bare SYNs may be forgotten for others without a word (a port sweep has
 * 65,535 of them); a live stream that carried bytes may not. Pieces that came too early wait in one shared
 * pool.
 */
#include "streams.h"

#include <string.h>

static size_t find_set(const struct streams *streams, uint8_t place, const struct packet *packet)
{
    uint64_t words[4], hash = streams->seed + place;
    memcpy(words, packet->source.address, 16);
    memcpy(words + 2, packet->destination.address, 16);
    words[0] ^= (uint64_t)packet->source.port << 16 | packet->destination.port;
    for (size_t i = 0; i < 4; i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash % STREAMS_SETS * STREAMS_WAYS;
}

/* How gladly a stream is given up: the lowest goes first. */
static unsigned worth(const struct stream *stream)
{
    if (!stream->used)
        return 0;
    if (stream->ended)
        return 1;
    return stream->carried ? 3 : 2;
}

static void drop_pieces(struct streams *streams, struct stream *stream)
{
    uint16_t name = (uint16_t)(stream - streams->table + 1);
    for (size_t i = 0; stream->waiting > 0 && i < STREAMS_PIECES_MAX; i++)
        if (streams->pieces[i].stream == name) {
            streams->pieces[i].stream = 0;
            stream->waiting--;
        }
}

static bool is_stream_of(const struct stream *stream, uint8_t place, const struct packet *packet)
{
    return stream->used && stream->place == place && endpoint_equals(&stream->source, &packet->source) &&
           endpoint_equals(&stream->destination, &packet->destination);
}

static struct stream *find_stream(struct streams *streams, uint8_t place, const struct packet *packet)
{
    struct stream *set = streams->table + find_set(streams, place, packet), *victim = set;
    for (size_t i = 0; i < STREAMS_WAYS; i++) {
        struct stream *stream = set + i;
        if (is_stream_of(stream, place, packet))
            return stream;
        if (worth(stream) < worth(victim) || (worth(stream) == worth(victim) && stream->order < victim->order))
            victim = stream;
    }
    if (worth(victim) == 3 || victim->waiting > 0)
        streams->overflows++;
    drop_pieces(streams, victim);
    memset(victim, 0, sizeof *victim);
    victim->used = true;
    victim->place = place;
    victim->source = packet->source;
    victim->destination = packet->destination;
    victim->next = packet->sequence + (packet->tcp_flags & PACKET_TCP_SYN ? 1 : 0);
    victim->order = ++streams->clock;
    return victim;
}

/* Searches what of [sequence, sequence + size) is next in order. False if it lies ahead, behind or out of
 * reach. */
static bool advance(struct stream *stream, uint32_t sequence, const uint8_t *bytes, size_t size,
                    const struct windows *windows, windows_found *found, void *context)
{
    int32_t behind = (int32_t)(stream->next - sequence);
    if (behind < 0 || (size_t)behind >= size)
        return false;
    windows_scan(windows, &stream->cursor, bytes + behind, size - (size_t)behind, found, context);
    stream->next = sequence + (uint32_t)size;
    return true;
}

static bool is_kept(const struct streams *streams, uint16_t name, uint32_t sequence, size_t size)
{
    for (size_t i = 0; i < STREAMS_PIECES_MAX; i++) {
        const struct streams_piece *piece = &streams->pieces[i];
        if (piece->stream == name && piece->sequence == sequence && piece->size >= size)
            return true;
    }
    return false;
}

static void keep(struct streams *streams, struct stream *stream, uint32_t sequence, const uint8_t *bytes, size_t size)
{
    uint16_t name = (uint16_t)(stream - streams->table + 1);
    size_t next = 0;
    while (size > 0) {
        size_t part = size < STREAMS_PIECE_BYTES ? size : STREAMS_PIECE_BYTES;
        if (stream->waiting == 0 || !is_kept(streams, name, sequence, part)) {
            while (next < STREAMS_PIECES_MAX && streams->pieces[next].stream != 0)
                next++;
            if (next == STREAMS_PIECES_MAX) {
                streams->overflows++;
                return;
            }
            struct streams_piece *piece = &streams->pieces[next];
            piece->stream = name;
            piece->size = (uint16_t)part;
            piece->sequence = sequence;
            memcpy(piece->bytes, bytes, part);
            stream->waiting++;
        }
        sequence += (uint32_t)part;
        bytes += part;
        size -= part;
    }
}

/* Gives back pieces that are behind by now, and searches those whose turn has come, until none is left of
 * either. */
static void settle(struct streams *streams, struct stream *stream, const struct windows *windows, windows_found *found,
                   void *context)
{
    uint16_t name = (uint16_t)(stream - streams->table + 1);
    bool moved = true;
    while (moved && stream->waiting > 0) {
        moved = false;
        for (size_t i = 0; i < STREAMS_PIECES_MAX; i++) {
            struct streams_piece *piece = &streams->pieces[i];
            if (piece->stream != name || (int32_t)(piece->sequence - stream->next) > 0)
                continue;
            advance(stream, piece->sequence, piece->bytes, piece->size, windows, found, context);
            piece->stream = 0;
            stream->waiting--;
            moved = true;
        }
    }
}

void streams_add(struct streams *streams, uint8_t place, const struct packet *packet, const struct windows *windows,
                 windows_found *found, void *context)
{
    struct stream *stream = find_stream(streams, place, packet);
    bool syn = (packet->tcp_flags & PACKET_TCP_SYN) != 0;
    uint32_t sequence = packet->sequence + (syn ? 1 : 0);
    uint32_t distance = sequence - stream->next + STREAMS_AHEAD_MAX;
    if (syn && (stream->ended || !stream->carried || distance > 2 * STREAMS_AHEAD_MAX)) { /* a new connection */
        drop_pieces(streams, stream);
        memset(&stream->cursor, 0, sizeof stream->cursor);
        stream->next = sequence;
        stream->ended = stream->carried = false;
    }
    if (packet->payload_size > 0) {
        stream->carried = true;
        int32_t ahead = (int32_t)(sequence - stream->next);
        if (advance(stream, sequence, packet->payload, packet->payload_size, windows, found, context))
            settle(streams, stream, windows, found, context);
        else if (ahead > 0 && (uint32_t)ahead <= STREAMS_AHEAD_MAX)
            keep(streams, stream, sequence, packet->payload, packet->payload_size);
    }
    if (packet->tcp_flags & (PACKET_TCP_FIN | PACKET_TCP_RST))
        stream->ended = true;
}

void streams_forget(struct streams *streams, uint8_t place, const struct packet *packet)
{
    struct stream *set = streams->table + find_set(streams, place, packet);
    for (size_t i = 0; i < STREAMS_WAYS; i++)
        if (is_stream_of(set + i, place, packet)) {
            drop_pieces(streams, set + i);
            memset(set + i, 0, sizeof set[i]);
        }
}
