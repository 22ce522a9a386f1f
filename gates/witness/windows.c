/*
 * See windows.h. An open-addressing hash table of 8-byte windows with a one-bit-a-window sieve before it.
 * Each byte read moves three shift registers: one of bytes, one of hex digits, one of base32 letters; a byte
 * that is no digit (or letter) ends that register's run. A full register is looked up after each step: once raw,
 * once as hex, and as base32 once for each of the five positions that the end of a window can have within the
 * last letter. The keys are secret and random, so that nobody can choose bytes that make long probe
 * sequences.
 */
#include "windows.h"

#include <stdbool.h>
#include <string.h>

#define NOT_A_DIGIT  0xff
#define HEX_DIGITS   (WINDOW_BYTES * 2)
#define LETTER_BITS  5
#define LETTERS_KEPT 14 /* 70 bits: a window and up to four bits after it, or 68 of them before */
#define SPREAD       0x9e3779b97f4a7c15u

void windows_open(struct windows *windows)
{
    memset(windows->digit, NOT_A_DIGIT, sizeof windows->digit);
    memset(windows->letter, NOT_A_DIGIT, sizeof windows->letter);
    for (uint8_t i = 0; i < 10; i++)
        windows->digit['0' + i] = i;
    for (uint8_t i = 0; i < 6; i++)
        windows->digit['a' + i] = windows->digit['A' + i] = (uint8_t)(10 + i);
    for (uint8_t i = 0; i < 26; i++)
        windows->letter['a' + i] = windows->letter['A' + i] = i;
    for (uint8_t i = 0; i < 6; i++)
        windows->letter['2' + i] = (uint8_t)(26 + i);
}

static uint32_t sieve_bit(uint64_t spread)
{
    return (uint32_t)(spread >> (64 - WINDOWS_SIEVE_BITS));
}

static uint32_t first_slot(uint64_t spread)
{
    return (uint32_t)(spread >> 20) & ((1u << WINDOWS_SLOT_BITS) - 1);
}

static uint32_t next_slot(uint32_t slot)
{
    return (slot + 1) & ((1u << WINDOWS_SLOT_BITS) - 1);
}

static void insert_window(struct windows *windows, uint64_t key, uint16_t watch)
{
    uint64_t spread = key * SPREAD;
    windows->sieve[sieve_bit(spread) / 64] |= 1ull << (sieve_bit(spread) % 64);
    uint32_t slot = first_slot(spread);
    while (windows->owners[slot] != 0) {
        if (windows->keys[slot] == key)
            return;
        slot = next_slot(slot);
    }
    windows->keys[slot] = key;
    windows->owners[slot] = (uint16_t)(watch + 1);
}

void windows_insert(struct windows *windows, const uint8_t nonce[NONCE_BYTES], uint16_t watch)
{
    if (watch >= WATCHES_MAX)
        return;
    for (size_t i = 0; i < WINDOWS_A_NONCE; i++) {
        uint64_t key = 0;
        for (size_t k = 0; k < WINDOW_BYTES; k++)
            key = key << 8 | nonce[i + k];
        insert_window(windows, key, watch);
    }
}

static bool is_sieved(const struct windows *windows, uint64_t spread)
{
    return (windows->sieve[sieve_bit(spread) / 64] >> (sieve_bit(spread) % 64) & 1) != 0;
}

static uint16_t find_owner(const struct windows *windows, uint64_t key)
{
    for (uint32_t slot = first_slot(key * SPREAD); windows->owners[slot] != 0; slot = next_slot(slot))
        if (windows->keys[slot] == key)
            return windows->owners[slot];
    return 0;
}

/* The owner of a window plus 1, or 0. */
static inline uint16_t look_up(const struct windows *windows, uint64_t key)
{
    return is_sieved(windows, key * SPREAD) ? find_owner(windows, key) : 0;
}

static uint16_t look_up_base32(const struct windows *windows, const struct windows_cursor *at)
{
    unsigned bits = at->letter_count * LETTER_BITS;
    uint16_t owner = 0;
    for (unsigned after = 0; after < LETTER_BITS && bits >= 64 + after && owner == 0; after++) {
        uint64_t window = at->letters_low;
        if (after > 0)
            window = window >> after | at->letters_high << (64 - after);
        owner = look_up(windows, window);
    }
    return owner;
}

/* One more in a run that ends at `most`, or none where the byte is no such digit: without a branch, for on foreign bytes
 * nobody can foretell it. */
static inline uint8_t count_run(uint8_t run, uint8_t digit, uint8_t most)
{
    return (uint8_t)((run + (run < most)) & -(digit != NOT_A_DIGIT));
}

void windows_scan(const struct windows *windows, struct windows_cursor *cursor, const uint8_t *bytes, size_t size,
                  windows_found *found, void *context)
{
    struct windows_cursor at = *cursor;
    uint16_t told = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = bytes[i], digit = windows->digit[byte], letter = windows->letter[byte];
        at.raw = at.raw << 8 | byte;
        at.raw_count = (uint8_t)(at.raw_count + (at.raw_count < WINDOW_BYTES));
        at.hex = at.hex << 4 | (digit & 0x0f);
        at.hex_count = count_run(at.hex_count, digit, HEX_DIGITS);
        at.letters_high = at.letters_high << LETTER_BITS | at.letters_low >> (64 - LETTER_BITS);
        at.letters_low = at.letters_low << LETTER_BITS | (letter & 0x1f);
        at.letter_count = count_run(at.letter_count, letter, LETTERS_KEPT);
        bool full[3] = { at.raw_count == WINDOW_BYTES && is_sieved(windows, at.raw * SPREAD),
                         at.hex_count == HEX_DIGITS, at.letter_count * LETTER_BITS >= WINDOW_BYTES * 8 };
        if (!full[0] && !full[1] && !full[2])
            continue;
        uint16_t owners[3] = { full[0] ? find_owner(windows, at.raw) : 0, full[1] ? look_up(windows, at.hex) : 0,
                               full[2] ? look_up_base32(windows, &at) : 0 };
        for (size_t k = 0; k < 3; k++)
            if (owners[k] != 0 && owners[k] != told) {
                told = owners[k];
                found(context, (uint16_t)(told - 1));
            }
    }
    *cursor = at;
}
