/* The vector table in words: nothing in it is without words, and places are told as people know them. */
#include <criterion/criterion.h>
#include <string.h>

#include "../../gates/vector_words.h"

Test(vector_words, every_mechanism_witness_and_need_has_words_of_its_own)
{
    for (int i = 0; i < MECHANISMS; i++) {
        cr_assert_not_null(vector_mechanism_words((enum mechanism)i), "%s", mechanism_name((enum mechanism)i));
        for (int j = 0; j < i; j++)
            cr_expect_str_neq(vector_mechanism_words((enum mechanism)i), vector_mechanism_words((enum mechanism)j));
    }
    for (unsigned i = 0; i < WITNESS_KINDS; i++)
        cr_expect_not_null(vector_witness_words((enum witness_kind)(1u << i)));
    for (size_t i = 0; i < vector_count; i++)
        for (unsigned need = 1; need != 0 && need <= vectors[i].needs; need <<= 1)
            cr_expect((vectors[i].needs & need) == 0 || vector_need_words((enum vector_need)need) != NULL);
    cr_expect_null(vector_mechanism_words(MECHANISMS));
    cr_expect_null(vector_witness_words((enum witness_kind)0));
}

Test(vector_words, a_target_is_told_with_what_it_stands_for)
{
    static const struct {
        struct vector_target target;
        const char *words;
    } rows[] = {
        { { MECHANISM_TCP, "8.8.8.8", NULL, 53 }, "8.8.8.8, port 53" },
        { { MECHANISM_TCP, "8.8.8.8", NULL, 0 }, "8.8.8.8, a port of its own" },
        { { MECHANISM_ICMP_ECHO, "198.51.100.64", NULL, 0 }, "198.51.100.64" },
        { { MECHANISM_UDP, "@host4", NULL, 0 }, "the host's own LAN address (IPv4), a port of its own" },
        { { MECHANISM_DNS_UDP, "@resolver6", NULL, 53 }, "the resolver that the bottle was given (IPv6), port 53" },
        { { MECHANISM_TCP, "@link-host%*", NULL, 0 },
          "the host's link-local address, on every interface, a port of its own" },
        { { MECHANISM_UDP, "ff02::1%*", NULL, 0 }, "ff02::1 on every interface, a port of its own" },
        { { MECHANISM_TCP, "2001:db8:61::*", NULL, 0 }, "2001:db8:61::* (the star is the nonce), a port of its own" },
        { { MECHANISM_TCP, "@route:172.17.0.1", NULL, 0 },
          "the gateway of the bottle's own default route, or else 172.17.0.1, a port of its own" },
        { { MECHANISM_UNIX_STREAM, "@path:/run/docker.sock", NULL, 0 }, "the Unix socket /run/docker.sock" },
        { { MECHANISM_UNIX_DGRAM, "@abstract:bg-114.d", NULL, 0 }, "the abstract Unix socket bg-114.d" },
        { { MECHANISM_INHERITED, "@inherited", NULL, 0 }, "every open descriptor from 3 up" },
        { { MECHANISM_VSOCK, "@vsock:1:1024", NULL, 0 }, "vsock context:port 1:1024" },
        { { MECHANISM_SWEEP_TCP, "127.0.0.1", NULL, 0 }, "127.0.0.1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[160];
        vector_target_words(&rows[i].target, text, sizeof text);
        cr_expect_str_eq(text, rows[i].words);
    }
}

Test(vector_words, no_target_of_the_table_keeps_a_name_that_only_the_plan_knows)
{
    for (size_t i = 0; i < vector_count; i++) {
        size_t count = 0;
        for (const struct vector_target *target = vectors[i].targets; target->address != NULL; target++, count++) {
            char text[160];
            vector_target_words(target, text, sizeof text);
            cr_expect_null(strchr(text, '@'), "%s", text);
            cr_expect_lt(strlen(text), sizeof text - 1);
        }
        cr_expect_eq(vector_target_count(&vectors[i]), count);
    }
}
