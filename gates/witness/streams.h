/*
 * Follows TCP streams as a receiver would, one direction at a time, so that a nonce that is spread over
 * segments is found however small or disordered they are. Every segment has also been searched by itself
 * before it comes here. Bounded: STREAMS_MAX directions, and STREAMS_PIECES_MAX pieces that wait for what
 * comes before them. What does not fit is counted as lost, never silently dropped. Source: RFC 9293.
 */
#ifndef GATES_WITNESS_STREAMS_H
#define GATES_WITNESS_STREAMS_H

#include "packet.h"
#include "windows.h"

#define STREAMS_WAYS        8
#define STREAMS_SETS        512
#define STREAMS_MAX         (STREAMS_WAYS * STREAMS_SETS)
#define STREAMS_PIECES_MAX  256
#define STREAMS_PIECE_BYTES 2048
#define STREAMS_AHEAD_MAX   (1u << 20) /* bytes: further ahead than that is no segment of this stream */

struct stream {
    bool used, ended, carried; /* ended: FIN or RST was seen; carried: payload was seen */
    uint8_t place;             /* where it was captured */
    uint16_t waiting;          /* pieces kept for it */
    struct endpoint source, destination;
    uint32_t next; /* sequence number of the next byte */
    uint64_t order;
    struct windows_cursor cursor;
};

struct streams_piece {
    uint16_t stream; /* index + 1; 0: free */
    uint16_t size;
    uint32_t sequence;
    uint8_t bytes[STREAMS_PIECE_BYTES];
};

struct streams {
    uint64_t clock, overflows; /* overflows: live streams given up, or pieces that found no room */
    uint64_t seed;             /* secret, against chosen collisions in the table */
    struct stream table[STREAMS_MAX];
    struct streams_piece pieces[STREAMS_PIECES_MAX];
};

/* *streams: all zeroes at first, but for the seed.
 *
 * Takes one TCP packet seen at `place` (the same flow at another place is another stream), and searches what
 * has become readable in order. */
void streams_add(struct streams *streams, uint8_t place, const struct packet *packet, const struct windows *windows,
                 windows_found *found, void *context);

/* Gives back what is kept of the stream that this packet belongs to: nothing more need be known of it. What comes of it
 * later begins a new one. */
void streams_forget(struct streams *streams, uint8_t place, const struct packet *packet);

#endif
