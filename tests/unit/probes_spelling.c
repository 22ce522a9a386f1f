/* SHA-256 against libcrypto and FIPS 180-4's own examples; hex and base32 against RFC 4648's. */
#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <string.h>

#include "../../probes/encode.h"
#include "../../probes/sha256.h"

Test(sha256, gives_the_published_digests)
{
    static const struct {
        const char *text, *digest;
    } cases[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sha256 hash;
        char digest[65];
        sha256_start(&hash);
        sha256_add(&hash, cases[i].text, strlen(cases[i].text));
        sha256_end_hex(&hash, digest);
        cr_expect_str_eq(digest, cases[i].digest);
    }
}

Test(sha256, agrees_with_libcrypto_on_every_length_around_its_blocks_in_pieces_of_any_size)
{
    uint8_t data[300], ours[32], theirs[32];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 11);
    for (size_t size = 0; size <= sizeof data; size++) {
        for (size_t piece = 1; piece <= 130; piece += 43) {
            struct sha256 hash;
            sha256_start(&hash);
            for (size_t at = 0; at < size; at += piece)
                sha256_add(&hash, data + at, size - at < piece ? size - at : piece);
            sha256_end(&hash, ours);
            SHA256(data, size, theirs);
            cr_assert_arr_eq(ours, theirs, sizeof ours, "%zu bytes in pieces of %zu", size, piece);
        }
    }
}

Test(encode, spells_base32_as_rfc_4648_does_in_lower_case_without_padding)
{
    static const struct {
        const char *text, *letters;
    } cases[] = {
        { "", "" },
        { "f", "my" },
        { "fo", "mzxq" },
        { "foo", "mzxw6" },
        { "foob", "mzxw6yq" },
        { "fooba", "mzxw6ytb" },
        { "foobar", "mzxw6ytboi" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char letters[32];
        encode_base32((const uint8_t *)cases[i].text, strlen(cases[i].text), letters);
        cr_expect_str_eq(letters, cases[i].letters);
    }
}

Test(encode, spells_a_nonce_in_26_letters)
{
    static const uint8_t nonce[16] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
    char letters[27];
    encode_base32(nonce, sizeof nonce, letters);
    cr_expect_str_eq(letters, "7777777777777777777777777"
                              "4");
}

Test(encode, spells_every_byte_in_hex_and_reads_it_again)
{
    uint8_t all[256], again[256];
    char digits[513];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    encode_hex(all, sizeof all, digits);
    cr_expect_eq(strlen(digits), 512);
    cr_expect(strncmp(digits + 2 * 0x9f, "9fa0", 4) == 0);
    cr_assert(decode_hex(digits, 512, again, sizeof again));
    cr_expect_arr_eq(all, again, sizeof all);
}

Test(encode, refuses_hex_of_another_length_case_or_alphabet)
{
    static const char *const refused[] = { "", "0", "000", "00000", "00AA", "00g0", "0 00", "+100", "0x00", "00\n0" };
    uint8_t bytes[2];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        cr_expect_not(decode_hex(refused[i], strlen(refused[i]), bytes, sizeof bytes), "\"%s\"", refused[i]);
    cr_expect(decode_hex("beef", 4, bytes, sizeof bytes));
}
