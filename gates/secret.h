/*
 * The run key and what is derived from it. The key lives in one page that a fork() finds wiped
 * (MADV_WIPEONFORK), so that no child that enters a bottle, parses hostile bytes or is left behind in a dump
 * can have it. Everything that others need of it (nonces, tokens, proofs) is derived before the fork, or by
 * the owner.
 *
 *   nonce  = first 16 bytes of HMAC-SHA-256(key, "nonce|run|phase|principal|seq")      one attempt in one
 * bottle door   = HMAC-SHA-256(key, "door|phase")                                           key of the door's
 * endpoint token  = first 16 bytes of HMAC-SHA-256(key, "token|phase")                        bytes that only
 * a witness sends
 */
#ifndef GATES_SECRET_H
#define GATES_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../launcher/support/error.h"

struct secret; /* one run's key */

/* A new random key (getrandom(2)). Owned by the caller; NULL on failure. */
struct secret *secret_new(struct error *error);
void secret_free(struct secret *secret);

/* HMAC-SHA-256 of the printf-formatted text, first `size` (1 to 32) bytes of it, into out. False if it fails.
 */
bool secret_derive(const struct secret *secret, uint8_t *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* HMAC-SHA-256 with a given 32-byte key: the door's answer to a challenge. */
bool secret_hmac(const uint8_t key[32], const void *data, size_t size, uint8_t out[32]);

#endif
