/* See secret.h. One anonymous page holds the key; MADV_WIPEONFORK makes every child find zeros in its place,
 * and a flag beside the key tells a child that it has nothing to derive from. */
#include "secret.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

struct secret {
    uint8_t key[32];
    bool present; /* false in a child: wiped with the key */
};

struct secret *secret_new(struct error *error)
{
    struct secret *secret = mmap(NULL, sizeof *secret, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secret == MAP_FAILED) {
        error_system(error, "can't get memory for the run key");
        return NULL;
    }
    madvise(secret, sizeof *secret, MADV_DONTDUMP);
    if (madvise(secret, sizeof *secret, MADV_WIPEONFORK) != 0) {
        error_system(error, "can't protect the run key from child processes");
        munmap(secret, sizeof *secret);
        return NULL;
    }
    if (getrandom(secret->key, sizeof secret->key, 0) != (ssize_t)sizeof secret->key) {
        error_system(error, "can't get random bytes for the run key");
        munmap(secret, sizeof *secret);
        return NULL;
    }
    secret->present = true;
    return secret;
}

void secret_free(struct secret *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, sizeof *secret);
    munmap(secret, sizeof *secret);
}

bool secret_hmac(const uint8_t key[32], const void *data, size_t size, uint8_t out[32])
{
    unsigned length = 0;
    return HMAC(EVP_sha256(), key, 32, data, size, out, &length) != NULL && length == 32;
}

bool secret_derive(const struct secret *secret, uint8_t *out, size_t size, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    uint8_t digest[32];
    if (!secret->present || length < 0 || (size_t)length >= sizeof text || size > sizeof digest ||
        !secret_hmac(secret->key, text, (size_t)length, digest))
        return false;
    memcpy(out, digest, size);
    return true;
}
