/*
 * The nonce finder: says whose nonce a stretch of bytes carries, however it is spelled.
 *
 * Any 8-byte window of a 16-byte nonce counts: raw at every offset, in hex (any case, any alignment) and in
 * base32 (RFC 4648 section 6, any case, all five bit alignments a window can have within longer text). A
 * cursor carries what was read so far from one piece of a stream to the next, so that one-byte segments hide
 * nothing. Nothing is allocated; the table is built once and then only read.
 */
#ifndef GATES_WITNESS_WINDOWS_H
#define GATES_WITNESS_WINDOWS_H

#include <stddef.h>
#include <stdint.h>

#include "witness.h"

#define WINDOW_BYTES       8
#define WINDOWS_A_NONCE    (NONCE_BYTES - WINDOW_BYTES + 1)
#define WINDOWS_SLOT_BITS  15 /* 32768 slots for at most 18432 windows */
#define WINDOWS_SIEVE_BITS 18 /* 32 KB: stays in the first-level cache, answers nearly every miss */

struct windows {
    uint64_t sieve[(1u << WINDOWS_SIEVE_BITS) / 64];
    uint64_t keys[1u << WINDOWS_SLOT_BITS];
    uint16_t owners[1u << WINDOWS_SLOT_BITS]; /* watch + 1; 0: the slot is empty */
    uint8_t digit[256], letter[256];          /* values of hex digits and base32 letters; NOT_A_DIGIT for others */
};

/* Where in a stream a search stands. Zeroes are the beginning. */
struct windows_cursor {
    uint64_t raw, hex;
    uint64_t letters_high, letters_low; /* the last 5-bit letters, newest lowest */
    uint8_t raw_count, hex_count, letter_count;
};

/* Told of each find; the same watch is told several times for one nonce, though never twice in a row by one
 * scan. */
typedef void windows_found(void *context, uint16_t watch);

/* Prepares a table that is all zeroes. Must come before the first windows_insert. */
void windows_open(struct windows *windows);

/* Adds all windows of `nonce`; `watch` < WATCHES_MAX. A window that is there already keeps its first owner.
 */
void windows_insert(struct windows *windows, const uint8_t nonce[NONCE_BYTES], uint16_t watch);

/* Searches the next `size` bytes of the stream that `cursor` follows. */
void windows_scan(const struct windows *windows, struct windows_cursor *cursor, const uint8_t *bytes, size_t size,
                  windows_found *found, void *context);

#endif
