/*
 * SHA-256 (FIPS 180-4), for the probe, which links nothing, and for the collector, which may call nothing
 * after its jail is shut. Tested against libcrypto.
 */
#ifndef PROBES_SHA256_H
#define PROBES_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
};

void sha256_start(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t size);
void sha256_end(struct sha256 *hash, uint8_t digest[32]);
/* The digest as 64 lower-case hex digits, terminated. */
void sha256_end_hex(struct sha256 *hash, char text[65]);

#endif
