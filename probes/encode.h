/* Spellings of bytes: lower-case hex, base32 without padding in lower case (RFC 4648 section 6), and base64. */
#ifndef PROBES_ENCODE_H
#define PROBES_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2*size digits and a terminator. */
void encode_hex(const uint8_t *bytes, size_t size, char *text);
/* Reads exactly 2*size digits (lower case only) from text, which need not be terminated. False for anything
 * else. */
bool decode_hex(const char *text, size_t digits, uint8_t *bytes, size_t size);
/* Writes ceil(8*size/5) letters and a terminator: 26 letters for a nonce. */
void encode_base32(const uint8_t *bytes, size_t size, char *text);
/* Writes 4*ceil(size/3) letters, padding included, and a terminator (RFC 4648 section 4). */
void encode_base64(const uint8_t *bytes, size_t size, char *text);

#endif
