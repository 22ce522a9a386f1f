/*
 * See encode.h. Nonces travel in three spellings, and a witness looks for each of them: raw, hex and base32.
 * Only one way of writing each exists here (lower case, no padding), so that two programs that spell the same
 * bytes always agree.
 */
#include "encode.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base32_letters[] = "abcdefghijklmnopqrstuvwxyz234567";

void encode_hex(const uint8_t *bytes, size_t size, char *text)
{
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = hex_digits[bytes[i] >> 4];
        text[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    text[2 * size] = '\0';
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

bool decode_hex(const char *text, size_t digits, uint8_t *bytes, size_t size)
{
    if (digits != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void encode_base32(const uint8_t *bytes, size_t size, char *text)
{
    unsigned pending = 0, bits = 0;
    for (size_t i = 0; i < size; i++) {
        pending = (pending << 8 | bytes[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            *text++ = base32_letters[pending >> (bits - 5) & 31];
    }
    if (bits > 0)
        *text++ = base32_letters[pending << (5 - bits) & 31];
    *text = '\0';
}

void encode_base64(const uint8_t *bytes, size_t size, char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)bytes[i + 2] : 0);
        *text++ = letters[three >> 18];
        *text++ = letters[three >> 12 & 63];
        *text++ = left > 1 ? letters[three >> 6 & 63] : '=';
        *text++ = left > 2 ? letters[three & 63] : '=';
    }
    *text = '\0';
}
