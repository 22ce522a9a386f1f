/* The nonce finder: every window, every spelling, every alignment, across every border; and nothing else. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../../gates/witness/windows.h"
#include "../../probes/encode.h"

static struct windows *table;
static uint8_t nonces[4][NONCE_BYTES];

static void set_up(void)
{
    table = calloc(1, sizeof *table);
    windows_open(table);
    for (uint16_t i = 0; i < 4; i++) {
        cr_assert_eq(getrandom(nonces[i], NONCE_BYTES, 0), NONCE_BYTES);
        windows_insert(table, nonces[i], i);
    }
}

static void tear_down(void)
{
    free(table);
}

TestSuite(witness_windows, .init = set_up, .fini = tear_down);

struct found {
    unsigned count[WATCHES_MAX];
};

static void note(void *context, uint16_t watch)
{
    ((struct found *)context)->count[watch]++;
}

/* Whether watch is found, and no other, in `size` bytes given in pieces of `piece`. */
static bool only_found(const uint8_t *bytes, size_t size, size_t piece, uint16_t watch)
{
    struct found found = { 0 };
    struct windows_cursor cursor = { 0 };
    for (size_t at = 0; at < size; at += piece)
        windows_scan(table, &cursor, bytes + at, size - at < piece ? size - at : piece, note, &found);
    for (uint16_t i = 0; i < 4; i++)
        if ((found.count[i] > 0) != (i == watch))
            return false;
    return true;
}

static bool nothing_found(const uint8_t *bytes, size_t size)
{
    return only_found(bytes, size, size, WATCHES_MAX);
}

static void random_case(char *text)
{
    for (; *text != '\0'; text++)
        if (rand() % 2 == 0)
            *text = (char)toupper((unsigned char)*text);
}

Test(witness_windows, every_raw_window_is_found_at_every_offset_and_seven_bytes_never)
{
    for (uint16_t watch = 0; watch < 4; watch++)
        for (size_t window = 0; window < WINDOWS_A_NONCE; window++)
            for (size_t offset = 0; offset < 20; offset++) {
                uint8_t bytes[40];
                memset(bytes, 0xfe, sizeof bytes);
                memcpy(bytes + offset, nonces[watch] + window, WINDOW_BYTES - 1);
                bytes[offset + 7] = (uint8_t)~nonces[watch][window + 7];
                if (offset > 0 && window > 0) /* nor may the byte before them be the nonce's by chance */
                    bytes[offset - 1] = (uint8_t)~nonces[watch][window - 1];
                cr_assert(nothing_found(bytes, sizeof bytes));
                bytes[offset + 7] = nonces[watch][window + 7];
                cr_assert(only_found(bytes, sizeof bytes, sizeof bytes, watch));
            }
}

Test(witness_windows, every_window_in_hex_is_found_in_any_case_and_at_any_offset)
{
    for (size_t window = 0; window < WINDOWS_A_NONCE; window++)
        for (size_t offset = 0; offset < 20; offset++) {
            char digits[2 * WINDOW_BYTES + 1], text[64];
            encode_hex(nonces[1] + window, WINDOW_BYTES, digits);
            random_case(digits);
            memset(text, offset % 3 == 0 ? '-' : '7', sizeof text); /* also within a longer run of digits */
            memcpy(text + offset, digits, 2 * WINDOW_BYTES);
            cr_assert(only_found((const uint8_t *)text, sizeof text, sizeof text, 1), "%.64s", text);
            text[offset + 8] = text[offset + 8] == '0' ? '1' : '0';
            cr_assert(nothing_found((const uint8_t *)text, sizeof text));
        }
}

Test(witness_windows, hex_with_a_gap_is_not_found)
{
    char digits[2 * WINDOW_BYTES + 1], text[2 * WINDOW_BYTES + 2];
    encode_hex(nonces[1], WINDOW_BYTES, digits);
    for (size_t gap = 1; gap < 2 * WINDOW_BYTES; gap++) {
        memcpy(text, digits, gap);
        text[gap] = '.';
        memcpy(text + gap + 1, digits + gap, 2 * WINDOW_BYTES - gap);
        cr_assert(nothing_found((const uint8_t *)text, 2 * WINDOW_BYTES + 1));
    }
}

/* A foreign byte ends a run, whatever its bits would be as a digit. */
Test(witness_windows, a_byte_that_is_no_digit_stands_for_none)
{
    static const uint8_t ones[NONCE_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const struct {
        char digit;
        size_t length; /* of one window */
    } rows[] = { { 'f', 16 }, { '7', 13 } };
    windows_insert(table, ones, 0);
    for (size_t row = 0; row < 2; row++)
        for (size_t at = 0; at < rows[row].length; at++) {
            uint8_t text[16];
            memset(text, rows[row].digit, rows[row].length);
            cr_assert(only_found(text, rows[row].length, rows[row].length, 0));
            text[at] = '-';
            cr_assert(nothing_found(text, rows[row].length), "%.*s", (int)rows[row].length, (const char *)text);
        }
}

/* A window in the middle of longer data: 0 to 9 bytes before it give every bit alignment in both directions.
 */
Test(witness_windows, every_window_in_base32_is_found_at_every_bit_alignment_in_any_case)
{
    for (size_t window = 0; window < WINDOWS_A_NONCE; window++)
        for (size_t before = 0; before < 10; before++)
            for (size_t after = 0; after < 5; after++) {
                uint8_t data[32];
                char letters[64];
                memset(data, 0xa7, sizeof data);
                memcpy(data + before, nonces[2] + window, WINDOW_BYTES);
                encode_base32(data, before + WINDOW_BYTES + after, letters);
                random_case(letters);
                cr_assert(only_found((const uint8_t *)letters, strlen(letters), strlen(letters), 2), "%s", letters);
                data[before + 3] ^= 0x10;
                encode_base32(data, before + WINDOW_BYTES + after, letters);
                cr_assert(nothing_found((const uint8_t *)letters, strlen(letters)));
            }
}

/* Bits that don't begin at a byte of the base32 data: letters that are shifted by one to four bits. */
Test(witness_windows, a_window_that_begins_within_a_letter_is_found)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    for (unsigned shift = 0; shift < 5; shift++) {
        char letters[20];
        size_t count = 0;
        unsigned pending = 0, bits = shift; /* `shift` zero bits first */
        for (size_t i = 0; i < WINDOW_BYTES; i++) {
            pending = pending << 8 | nonces[3][i];
            for (bits += 8; bits >= 5; bits -= 5)
                letters[count++] = alphabet[pending >> (bits - 5) & 31];
        }
        if (bits > 0)
            letters[count++] = alphabet[pending << (5 - bits) & 31];
        cr_assert(only_found((const uint8_t *)letters, count, count, 3), "shift %u", shift);
    }
}

Test(witness_windows, borders_between_pieces_hide_nothing)
{
    for (size_t piece = 1; piece <= 64; piece++) {
        uint8_t raw[64] = { 0 };
        char hex[64], base32[64];
        memset(hex, '_', sizeof hex);
        memset(base32, '_', sizeof base32);
        char digits[2 * NONCE_BYTES + 1], letters[32];
        encode_hex(nonces[0], NONCE_BYTES, digits);
        encode_base32(nonces[0], NONCE_BYTES, letters);
        memcpy(raw + 9, nonces[0], NONCE_BYTES);
        memcpy(hex + 9, digits, strlen(digits));
        memcpy(base32 + 9, letters, strlen(letters));
        cr_assert(only_found(raw, sizeof raw, piece, 0));
        cr_assert(only_found((const uint8_t *)hex, sizeof hex, piece, 0));
        cr_assert(only_found((const uint8_t *)base32, sizeof base32, piece, 0));
    }
}

Test(witness_windows, several_nonces_in_one_piece_are_all_found)
{
    struct found found = { 0 };
    struct windows_cursor cursor = { 0 };
    windows_scan(table, &cursor, nonces[0], sizeof nonces, note, &found);
    for (size_t i = 0; i < 4; i++)
        cr_assert_gt(found.count[i], 0);
}

Test(witness_windows, a_full_table_finds_each_of_its_nonces_and_nothing_in_random_data)
{
    static uint8_t many[WATCHES_MAX][NONCE_BYTES], noise[1 << 20];
    static struct found found;
    struct windows_cursor cursor = { 0 };
    struct windows *full = calloc(1, sizeof *full);
    windows_open(full);
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        cr_assert_eq(getrandom(many[i], NONCE_BYTES, 0), NONCE_BYTES);
        windows_insert(full, many[i], (uint16_t)i);
    }
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        memset(&found, 0, sizeof found);
        memset(&cursor, 0, sizeof cursor);
        windows_scan(full, &cursor, many[i] + i % WINDOWS_A_NONCE, WINDOW_BYTES, note, &found);
        cr_assert_eq(found.count[i], 1);
    }
    memset(&found, 0, sizeof found);
    memset(&cursor, 0, sizeof cursor); /* or the first byte of noise could go on where the last nonce was cut */
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(rand() >> 8);
    windows_scan(full, &cursor, noise, sizeof noise, note, &found);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t) "0123456789abcdefABCDEF234567"[noise[i] % 28];
    windows_scan(full, &cursor, noise, sizeof noise, note, &found);
    for (size_t i = 0; i < WATCHES_MAX; i++)
        cr_assert_eq(found.count[i], 0);
    free(full);
}

Test(witness_windows, a_watch_beyond_the_table_is_left_out)
{
    uint8_t nonce[NONCE_BYTES];
    cr_assert_eq(getrandom(nonce, sizeof nonce, 0), NONCE_BYTES);
    windows_insert(table, nonce, WATCHES_MAX);
    cr_assert(nothing_found(nonce, sizeof nonce));
}
