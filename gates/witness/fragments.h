/*
 * Puts IP datagrams together from their fragments (RFC 791, RFC 8200 section 4.5), so that a nonce that lies
 * across a border is found and a datagram whose ports stand in a late piece is known. Bounded: FRAGMENTS_MAX
 * datagrams at once. *fragments: all zeroes at first.
 */
#ifndef GATES_WITNESS_FRAGMENTS_H
#define GATES_WITNESS_FRAGMENTS_H

#include "packet.h"

#define FRAGMENTS_MAX      32
#define DATAGRAM_BYTES_MAX 65536

struct fragments_datagram {
    bool used, headless, ended; /* headless: its first piece was not seen; ended: its length is known */
    uint8_t place;              /* where it was captured */
    uint64_t order;
    uint32_t id;
    uint8_t protocol;
    struct endpoint source, destination;
    uint32_t length, covered;                  /* bytes; 8-byte units */
    uint8_t units[DATAGRAM_BYTES_MAX / 8 / 8]; /* which units have come */
    uint8_t bytes[DATAGRAM_BYTES_MAX];
};

struct fragments {
    uint64_t clock;
    uint64_t overflows; /* datagrams given up before they were whole, because too many were open */
    struct fragments_datagram datagrams[FRAGMENTS_MAX];
};

/* Takes one piece, seen at `place` (`packet->fragment` is set). When that makes a datagram whole, changes
 * *packet into it and returns true; its bytes stay valid until the next call. The first copy of each unit
 * counts; a piece that contradicts what is known of the length is left out. */
bool fragments_add(struct fragments *fragments, uint8_t place, struct packet *packet);

/* A datagram of which pieces came but never the first, which alone names its ports: NULL if there is none.
 * Each is returned once. */
const struct fragments_datagram *fragments_next_headless(struct fragments *fragments);

#endif
