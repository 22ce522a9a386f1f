/* The site's DNS and HTTP readers: what is well-formed is answered, what is not is refused within bounds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/witness/dns.h"
#include "../../gates/witness/requests.h"

static const char token[] = "BGW1 00112233445566778899aabbccddeeff";

/* A query with `count` questions for `name` (dots between labels); returns its size. */
static size_t make_query(uint8_t *message, const char *name, uint16_t type, uint8_t count)
{
    memset(message, 0, 12);
    message[0] = 0xab;
    message[1] = 0xcd;
    message[2] = 1;
    message[5] = count;
    size_t at = 12;
    for (uint8_t i = 0; i < count; i++) {
        for (const char *label = name; *label != '\0';) {
            size_t length = strcspn(label, ".");
            message[at++] = (uint8_t)length;
            memcpy(message + at, label, length);
            at += length;
            label += length + (label[length] == '.');
        }
        message[at++] = 0;
        message[at++] = (uint8_t)(type >> 8);
        message[at++] = (uint8_t)type;
        message[at++] = 0;
        message[at++] = 1;
    }
    return at;
}

static size_t ask(struct dns_names *names, const char *name, uint16_t type, uint8_t *answer)
{
    uint8_t message[512];
    struct dns_query query;
    cr_assert(dns_parse(message, make_query(message, name, type, 1), &query));
    return dns_answer(names, &query, token, answer, DNS_UDP_MAX);
}

/* Four bytes of the first A record, as a number. */
static uint32_t address_of(struct dns_names *names, const char *name)
{
    uint8_t answer[DNS_UDP_MAX];
    ask(names, name, 1, answer);
    cr_assert_eq(answer[7], 1, "%s: no answer", name);
    size_t at = 12;
    while (answer[at] != 0)
        at += 1u + answer[at];
    at += 5 + 12;
    return (uint32_t)answer[at] << 24 | (uint32_t)answer[at + 1] << 16 | (uint32_t)answer[at + 2] << 8 | answer[at + 3];
}

Test(witness_dns, each_name_has_an_address_of_its_own_that_stays)
{
    struct dns_names *names = calloc(1, sizeof *names);
    static uint32_t given[1000];
    for (unsigned i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%u.test", i);
        given[i] = address_of(names, name);
        cr_assert_eq(given[i] >> 17, 0xc6120000u >> 17, "not within 198.18.0.0/15");
        for (unsigned k = 0; k < i; k++)
            cr_assert_neq(given[k], given[i]);
    }
    cr_assert_eq(address_of(names, "n7.test"), given[7]);
    cr_assert_eq(address_of(names, "N7.TEST"), given[7], "names have no case");
    free(names);
}

Test(witness_dns, the_answer_has_the_question_the_address_and_the_token)
{
    struct dns_names *names = calloc(1, sizeof *names);
    uint8_t answer[DNS_UDP_MAX];
    static const struct {
        uint16_t type;
        uint8_t answers;
    } rows[] = { { 1, 1 }, { 28, 1 }, { 255, 2 }, { 16, 0 }, { 15, 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = ask(names, "Example.test", rows[i].type, answer);
        cr_assert_arr_eq(answer, "\xab\xcd", 2);
        cr_assert_eq(answer[2] & 0x80, 0x80);
        cr_assert_eq(answer[3] & 0x0f, 0, "NOERROR");
        cr_assert_eq(answer[5], 1);
        cr_assert_eq(answer[7], rows[i].answers, "type %u", rows[i].type);
        cr_assert_eq(answer[11], 1);
        cr_assert_arr_eq(answer + 13, "Example", 7, "the case of the question");
        cr_assert_not_null(memmem(answer, size, token, strlen(token)));
    }
    free(names);
}

Test(witness_dns, what_does_not_fit_is_left_out_and_said)
{
    struct dns_names *names = calloc(1, sizeof *names);
    uint8_t message[2048], answer[DNS_UDP_MAX];
    char name[250];
    struct dns_query query;
    memset(name, 'a', sizeof name);
    for (size_t i = 50; i < sizeof name; i += 50)
        name[i] = '.';
    name[249] = '\0';
    cr_assert(dns_parse(message, make_query(message, name, 255, 4), &query));
    size_t size = dns_answer(names, &query, token, answer, sizeof answer);
    cr_assert_leq(size, sizeof answer);
    cr_assert_eq(answer[2] & 2, 2, "TC");
    free(names);
}

Test(witness_dns, a_table_that_is_full_answers_no_new_name)
{
    struct dns_names *names = calloc(1, sizeof *names);
    for (unsigned i = 0; i < DNS_NAMES_MAX; i++)
        names->digests[i] = i;
    names->count = DNS_NAMES_MAX;
    uint8_t answer[DNS_UDP_MAX];
    ask(names, "one.too.many", 1, answer);
    cr_assert_eq(answer[7], 0);
    cr_assert(names->full);
    free(names);
}

Test(witness_dns, malformed_queries_are_refused_and_every_cut_is_safe)
{
    uint8_t good[512], bad[512];
    struct dns_query query;
    size_t size = make_query(good, "a.bottle-gate.test", 1, 1);
    cr_assert(dns_parse(good, size, &query));
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, good, cut);
        cr_assert_not(dns_parse(exact, cut, &query), "cut at %zu", cut);
        free(exact);
    }
    static const struct {
        size_t at;
        uint8_t byte;
        const char *why;
    } rows[] = { { 2, 0x80, "an answer" },
                 { 5, 0, "no question" },
                 { 5, 5, "too many questions" },
                 { 12, 0xc0, "compression" },
                 { 12, 0x40, "a label type of old" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memcpy(bad, good, size);
        bad[rows[i].at] = rows[i].byte;
        cr_assert_not(dns_parse(bad, size, &query), "%s", rows[i].why);
    }
}

Test(witness_dns, names_of_up_to_255_bytes_are_read_and_no_longer_ones)
{
    uint8_t message[600];
    struct dns_query query;
    char name[300];
    for (size_t length = 200; length < 290; length++) {
        memset(name, 'a', sizeof name);
        for (size_t i = 60; i < length - 1; i += 61)
            name[i] = '.';
        name[length] = '\0';
        size_t size = make_query(message, name, 1, 1), wire = size - 12 - 4;
        cr_assert_eq(dns_parse(message, size, &query), wire <= DNS_NAME_MAX, "%zu bytes", wire);
    }
}

Test(witness_dns, joined_labels_are_the_letters_without_their_lengths)
{
    uint8_t message[512], letters[DNS_NAME_MAX];
    struct dns_query query;
    cr_assert(dns_parse(message, make_query(message, "abc.de.f", 1, 1), &query));
    cr_assert_eq(dns_join(&query.questions[0], letters), 6);
    cr_assert_arr_eq(letters, "abcdef", 6);
}

static unsigned count_requests(const char *text, size_t piece)
{
    struct requests requests = { 0 };
    unsigned complete = 0;
    for (size_t at = 0, size = strlen(text); at < size; at += piece)
        complete += requests_add(&requests, (const uint8_t *)text + at, size - at < piece ? size - at : piece);
    return complete;
}

Test(witness_dns, complete_HTTP_requests_are_counted_however_they_are_cut)
{
    static const struct {
        const char *text;
        unsigned count;
    } rows[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1 },
        { "GET / HTTP/1.0\n\n", 1 },
        { "GET / HTTP/1.1\r\nHost: a\r\n", 0 },
        { "PUT /t HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n", 2 },
        { "POST /t HTTP/1.1\r\nCONTENT-LENGTH:  5\r\n\r\nhello", 1 },
        { "POST /t HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell", 0 },
        { "POST /t HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n", 2 },
        { "POST /t HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\nhello", 0 },
        { "\r\n\r\nGET / HTTP/1.1\r\n\r\n", 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t piece = 1; piece < 80; piece++)
            cr_assert_eq(count_requests(rows[i].text, piece), rows[i].count, "row %zu in pieces of %zu", i, piece);
}

Test(witness_dns, HTTP_is_told_by_its_method)
{
    static const struct {
        const char *text;
        enum requests_start start;
    } rows[] = { { "GET /", REQUESTS_YES }, { "CONNECT a", REQUESTS_YES }, { "G", REQUESTS_PERHAPS },
                 { "P", REQUESTS_PERHAPS }, { "GETX", REQUESTS_NO },       { "hello", REQUESTS_NO } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(requests_begin((const uint8_t *)rows[i].text, strlen(rows[i].text)), rows[i].start, "%s",
                     rows[i].text);
}
