/*
 * See windows.h. An open-addressing hash table of 8-byte windows with a one-bit-a-window sieve before it.
 * Each byte read moves three shift registers: one of bytes, one of hex digits, one of base32 letters; a byte
 * that is no digit (or letter) empties that register. A full register is looked up after each step: once raw,
 * once as hex, and as base32 once for each of the five positions that the end of a window can have within the
 * last letter. The keys are secret and random, so that nobody can choose bytes that make long probe
 * sequences.
 */
#include "windows.h"

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

/* The owner of a window plus 1, or 0. */
static uint16_t look_up(const struct windows *windows, uint64_t key)
{
    uint64_t spread = key * SPREAD;
    if ((windows->sieve[sieve_bit(spread) / 64] >> (sieve_bit(spread) % 64) & 1) == 0)
        return 0;
    for (uint32_t slot = first_slot(spread); windows->owners[slot] != 0; slot = next_slot(slot))
        if (windows->keys[slot] == key)
            return windows->owners[slot];
    return 0;
}

static uint16_t step_raw(const struct windows *windows, struct windows_cursor *at, uint8_t byte)
{
    at->raw = at->raw << 8 | byte;
    if (at->raw_count < WINDOW_BYTES && ++at->raw_count < WINDOW_BYTES)
        return 0;
    return look_up(windows, at->raw);
}

static uint16_t step_hex(const struct windows *windows, struct windows_cursor *at, uint8_t digit)
{
    at->hex = at->hex << 4 | digit;
    if (at->hex_count < HEX_DIGITS && ++at->hex_count < HEX_DIGITS)
        return 0;
    return look_up(windows, at->hex);
}

static uint16_t step_base32(const struct windows *windows, struct windows_cursor *at, uint8_t letter)
{
    at->letters_high = at->letters_high << LETTER_BITS | at->letters_low >> (64 - LETTER_BITS);
    at->letters_low = at->letters_low << LETTER_BITS | letter;
    if (at->letter_count < LETTERS_KEPT)
        at->letter_count++;
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

void windows_scan(const struct windows *windows, struct windows_cursor *cursor, const uint8_t *bytes, size_t size,
                  windows_found *found, void *context)
{
    struct windows_cursor at = *cursor;
    uint16_t told = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = bytes[i], digit = windows->digit[byte], letter = windows->letter[byte];
        uint16_t owners[3] = { step_raw(windows, &at, byte), 0, 0 };
        if (digit == NOT_A_DIGIT)
            at.hex_count = 0;
        else
            owners[1] = step_hex(windows, &at, digit);
        if (letter == NOT_A_DIGIT)
            at.letter_count = 0;
        else
            owners[2] = step_base32(windows, &at, letter);
        for (size_t k = 0; k < 3; k++)
            if (owners[k] != 0 && owners[k] != told) {
                told = owners[k];
                found(context, (uint16_t)(told - 1));
            }
    }
    *cursor = at;
}
