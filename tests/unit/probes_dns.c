/*
 * The queries of the real bottle-probe byte for byte: which name, which type, where the nonce is and where it isn't.
 */
#include "probes_trial.h"

static struct endpoint *server;

static void open_server(void)
{
    server = world_add(ANSWERS_DNS, SOCK_DGRAM, NULL);
}

/* One attempt, whose query must have come three times alike. Returns the query's size. */
static size_t ask(enum mechanism mechanism, const char *address)
{
    plan_begin(3000, NULL);
    uint16_t seq = plan_add(mechanism, address, server->port);
    run(NULL);
    expect(seq, STAGE_ANSWERED, "", TOKEN);
    cr_assert_eq(server->visits, 3);
    cr_assert_eq(server->heard_size % 3, 0);
    size_t size = server->heard_size / 3;
    cr_expect_arr_eq(server->heard, server->heard + size, size);
    cr_expect_arr_eq(server->heard, server->heard + 2 * size, size);
    cr_expect_arr_eq(server->heard, "\0\1\1\0\0", 5, "the attempt's number as id, recursion desired");
    return size;
}

/* The ordinary name in wire form, its end included. */
static size_t nonce_name(char *name, const char *parent, size_t parent_size)
{
    char letters[27];
    encode_base32(plan.attempts[0].nonce, NONCE_BYTES, letters);
    size_t size = (size_t)sprintf(name,
                                  "\x1a%s\x01"
                                  "1",
                                  letters);
    memcpy(name + size, parent, parent_size);
    return size + parent_size;
}

#define OWN_PARENT                                                                                                     \
    "\x0b"                                                                                                             \
    "bottle-gate\4test"

/* Whether any spelling of the nonce, or a quarter of one, can be seen. */
static bool shows_nonce(const char *bytes, size_t size)
{
    const uint8_t *nonce = plan.attempts[0].nonce;
    char letters[27], digits[33];
    encode_base32(nonce, NONCE_BYTES, letters);
    encode_hex(nonce, NONCE_BYTES, digits);
    for (size_t i = 0; i + 4 <= NONCE_BYTES; i++)
        if (memmem(bytes, size, nonce + i, 4) != NULL || memmem(bytes, size, digits + 2 * i, 8) != NULL)
            return true;
    for (size_t i = 0; i + 6 <= 26; i++)
        if (memmem(bytes, size, letters + i, 6) != NULL)
            return true;
    return false;
}

Test(dns, asks_for_each_type_of_the_name_that_carries_the_nonce, .init = open_server)
{
    static const struct {
        enum mechanism mechanism;
        char type;
    } rows[] = { { MECHANISM_DNS_UDP, 1 }, { MECHANISM_DNS_NULL, 10 }, { MECHANISM_DNS_TXT, 16 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[128];
        world_size = 0;
        open_server();
        size_t size = ask(rows[i].mechanism, "127.0.0.1");
        size_t name_size = nonce_name(name, OWN_PARENT, sizeof OWN_PARENT);
        const char end[4] = { 0, rows[i].type, 0, 1 };
        cr_assert_eq(size, 12 + name_size + 4, "%s", mechanism_name(rows[i].mechanism));
        cr_expect_arr_eq(server->heard + 4, "\0\1\0\0\0\0\0\0", 8, "one question and nothing else");
        cr_expect_arr_eq(server->heard + 12, name, name_size);
        cr_expect_arr_eq(server->heard + 12 + name_size, end, 4, "%s", mechanism_name(rows[i].mechanism));
    }
}

Test(dns, asks_below_another_parent_where_the_address_names_one, .init = open_server)
{
    char name[128], longest[96] = "127.0.0.1/";
    ask(MECHANISM_DNS_UDP, "127.0.0.1/metadata.google.internal");
    size_t size = nonce_name(name, "\10metadata\6google\10internal", 26);
    cr_expect(heard(server, name, size));
    cr_expect_not(heard(server, "bottle-gate", 11));

    world_size = 0;
    open_server();
    memset(longest + strlen(longest), 'a', 63);
    size = ask(MECHANISM_DNS_QUESTIONS, longest);
    cr_expect(heard(server, longest + 10, 63));
    cr_expect_eq(size, 12 + (10 + 65 + 4) + (27 + 2 + 65 + 4));
}

Test(dns, puts_the_nonce_into_an_EDNS_option_and_nowhere_else, .init = open_server)
{
    static const char question[] = "\4edns" OWN_PARENT "\0\0\1\0\1";
    static const char record[] = "\0\0\x29\4\xd0\0\0\0\0\0\x14\xfd\xe9\0\x10"; /* OPT; option 65001, 16 bytes */
    size_t size = ask(MECHANISM_DNS_EDNS, "127.0.0.1");
    cr_assert_eq(size, 12 + (sizeof question - 1) + (sizeof record - 1) + NONCE_BYTES);
    cr_expect_arr_eq(server->heard + 4, "\0\1\0\0\0\0\0\1", 8, "one question, one additional record");
    cr_expect_arr_eq(server->heard + 12, question, sizeof question - 1);
    cr_expect_arr_eq(server->heard + 12 + sizeof question - 1, record, sizeof record - 1);
    cr_expect_arr_eq(server->heard + size - NONCE_BYTES, plan.attempts[0].nonce, NONCE_BYTES);
    cr_expect_not(shows_nonce(server->heard, size - NONCE_BYTES));
}

Test(dns, puts_the_nonce_into_the_second_of_two_questions, .init = open_server)
{
    static const char first[] = "\11questions" OWN_PARENT "\0\0\1\0\1";
    char name[128];
    size_t size = ask(MECHANISM_DNS_QUESTIONS, "127.0.0.1"), at = 12 + sizeof first - 1;
    size_t name_size = nonce_name(name, OWN_PARENT, sizeof OWN_PARENT);
    cr_assert_eq(size, at + name_size + 4);
    cr_expect_arr_eq(server->heard + 4, "\0\2\0\0\0\0\0\0", 8, "two questions and nothing else");
    cr_expect_arr_eq(server->heard + 12, first, sizeof first - 1);
    cr_expect_arr_eq(server->heard + at, name, name_size);
    cr_expect_not(shows_nonce(server->heard, at));
}

Test(dns, spells_the_nonce_in_the_case_of_128_letters_of_a_name_that_is_always_the_same, .init = open_server)
{
    size_t size = ask(MECHANISM_DNS_CASE, "127.0.0.1");
    uint8_t read[NONCE_BYTES] = { 0 };
    unsigned bit = 0;
    cr_assert_eq(size, 12 + 4 * 33 + sizeof OWN_PARENT + 4);
    for (size_t label = 0; label < 4; label++) {
        const char *letters = server->heard + 12 + label * 33;
        cr_assert_eq(letters[0], 32);
        for (size_t i = 1; i <= 32; i++, bit++) {
            cr_expect_eq(letters[i] | 0x20, 'a' + (int)(bit % 26));
            read[bit / 8] = (uint8_t)(read[bit / 8] << 1 | ((letters[i] & 0x20) == 0));
        }
    }
    cr_expect_arr_eq(read, plan.attempts[0].nonce, NONCE_BYTES);
    cr_expect_arr_eq(server->heard + 12 + 4 * 33, OWN_PARENT "\0\0\1\0\1", sizeof OWN_PARENT + 4);
    cr_expect_not(shows_nonce(server->heard, size));
}

Test(dns, keeps_a_name_within_255_bytes_with_the_longest_parent, .init = open_server)
{
    char address[96] = "127.0.0.1/";
    memset(address + strlen(address), 'z', 63);
    size_t size = ask(MECHANISM_DNS_CASE, address);
    cr_expect_leq(size - 12 - 4, 255);
}
