/*
 * Queries that are made to pass by those who look at names only: the witness hears the nonce wherever in the query
 * it is, and answers with its token, so that a client that waits for an answer gets one.
 */
#include "../../probes/mechanisms/dns_query.h"
#include "witness_site.h"

enum query { ORDINARY_TXT, ORDINARY_NULL, IN_AN_OPTION, IN_THE_SECOND_QUESTION, IN_SHORT_LABELS_OF_IT, QUERIES };

static size_t make_query(enum query query, const uint8_t nonce[NONCE_BYTES], uint8_t *message)
{
    char letters[32], name[64];
    encode_base32(nonce, NONCE_BYTES, letters);
    snprintf(name, sizeof name, "%s.7.bottle-gate.test", letters);
    size_t size = dns_query_start(message, 7);
    switch (query) {
    case ORDINARY_TXT:
        return dns_query_ask(message, size, name, DNS_QUERY_TXT);
    case ORDINARY_NULL:
        return dns_query_ask(message, size, name, DNS_QUERY_NULL);
    case IN_AN_OPTION:
        size = dns_query_ask(message, size, "edns.bottle-gate.test", DNS_QUERY_A);
        return dns_query_add_option(message, size, 65001, nonce, NONCE_BYTES);
    case IN_SHORT_LABELS_OF_IT: /* shorter than what the capture can know a nonce by */
        snprintf(name, sizeof name, "%.9s.%.9s.%s.bottle-gate.test", letters, letters + 9, letters + 18);
        /* fall through */
    default:
        size = dns_query_ask(message, size, "questions.bottle-gate.test", DNS_QUERY_A);
        return dns_query_ask(message, size, name, DNS_QUERY_A);
    }
}

static void hears_queries(struct test_site *site)
{
    for (size_t i = 0; i < QUERIES; i++) {
        char address[16];
        snprintf(address, sizeof address, "9.9.9.%zu", i + 1);
        site_watch(site, i, false, TRANSPORT_UDP, address, 53);
    }
    site_start_witness(site);
    for (size_t i = 0; i < QUERIES; i++) {
        char address[16];
        uint8_t message[512];
        snprintf(address, sizeof address, "9.9.9.%zu", i + 1);
        int fd = site_connect(site, SOCK_DGRAM, 0, NULL, address, 53);
        size_t size = make_query((enum query)i, site->watches[i].nonce, message);
        site_check(site, send(fd, message, size, 0) == (ssize_t)size, "send: %s", strerror(errno));
        site_check_token(site, fd);
        close(fd);
    }
    site_stop_witness(site);
    for (size_t i = 0; i < QUERIES; i++) {
        char at[24];
        snprintf(at, sizeof at, "9.9.9.%zu:53", i + 1);
        site_check(site, site_was_heard(site, i, WITNESS_DNS_UDP, "wan0", at, false), "query %zu: not heard", i);
        site_check(site, site_was_heard(site, i, WITNESS_CAPTURE, "wan0", at, i == IN_SHORT_LABELS_OF_IT),
                   "query %zu: not seen", i);
    }
    site_check_no(site, WITNESS_STRAY);
    site_check_no(site, WITNESS_LOST);
}

Test(witness_queries, are_heard_wherever_the_nonce_is_and_answered_with_the_token)
{
    in_site(hears_queries);
}
