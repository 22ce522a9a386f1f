/* The run key: right HMACs, and no key in a child process. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gates/secret.h"

/* RFC 4231 has no case with a 32-byte key; this one is test case 1's text under 32 bytes of 0x0b, by another
 * implementation (Python's hmac). */
Test(secret, hmac_is_hmac_sha_256)
{
    uint8_t key[32], out[32];
    static const uint8_t expected[4] = { 0x19, 0x8a, 0x60, 0x7e };
    memset(key, 0x0b, sizeof key);
    cr_assert(secret_hmac(key, "Hi There", 8, out));
    cr_assert_arr_eq(out, expected, sizeof expected);
}

Test(secret, derives_the_same_from_the_same_text_and_other_bytes_from_other_text)
{
    struct secret *secret = secret_new(NULL);
    uint8_t first[16], again[16], other[16];
    cr_assert(secret_derive(secret, first, 16, "nonce|%d", 1));
    cr_assert(secret_derive(secret, again, 16, "nonce|%d", 1));
    cr_assert(secret_derive(secret, other, 16, "nonce|%d", 2));
    cr_assert_arr_eq(first, again, 16);
    cr_assert(memcmp(first, other, 16) != 0);
    secret_free(secret);
}

Test(secret, of_two_runs_differ)
{
    struct secret *one = secret_new(NULL), *two = secret_new(NULL);
    uint8_t first[16], second[16];
    cr_assert(secret_derive(one, first, 16, "nonce") && secret_derive(two, second, 16, "nonce"));
    cr_assert(memcmp(first, second, 16) != 0);
    secret_free(one);
    secret_free(two);
}

Test(secret, is_gone_in_a_child_process)
{
    struct secret *secret = secret_new(NULL);
    pid_t child = fork();
    if (child == 0) {
        uint8_t out[16];
        static const uint8_t zero[32];
        bool wiped = memcmp(secret, zero, sizeof zero) == 0; /* the key stands first in its page */
        _exit(wiped && !secret_derive(secret, out, sizeof out, "nonce") ? 0 : 1);
    }
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    secret_free(secret);
}

Test(secret, refuses_a_text_that_does_not_fit)
{
    struct secret *secret = secret_new(NULL);
    uint8_t out[16];
    cr_assert_not(secret_derive(secret, out, sizeof out, "%0300d", 1));
    secret_free(secret);
}
