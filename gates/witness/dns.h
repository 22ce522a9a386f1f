/*
 * The site's DNS, as pure functions: reads a query, builds its answer. Every name has an address of its own,
 * so that an engine that learns its allowlist from answers can't be made to allow a denied name by an allowed
 * one. Sources: RFC 1035; RFC 2544 (198.18.0.0/15) and RFC 3849 (2001:db8::/32) for addresses that belong to
 * nobody.
 */
#ifndef GATES_WITNESS_DNS_H
#define GATES_WITNESS_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_QUESTIONS_MAX 4
#define DNS_NAME_MAX      255 /* bytes on the wire, the root's length byte included */
#define DNS_NAMES_MAX     8192
#define DNS_UDP_MAX       512
#define DNS_TOKEN_MAX     255 /* of one TXT string */

/* Which names were asked for, by a keyed digest: the place in the table makes the address. All zeroes at
 * first, but for the key. */
struct dns_names {
    uint8_t key[16];
    size_t count;
    bool full; /* set: a name found no room and was not answered */
    uint64_t digests[DNS_NAMES_MAX];
};

struct dns_question {
    size_t name_size;           /* as below, with all length bytes */
    uint8_t name[DNS_NAME_MAX]; /* wire form, without compression */
    uint16_t type, class;
};

struct dns_query {
    uint16_t id, flags;
    size_t count;
    struct dns_question questions[DNS_QUESTIONS_MAX];
};

/* Reads header and questions; what follows them is not read. False for what is no query or has a malformed,
 * compressed or overlong name, no question or too many. */
bool dns_parse(const uint8_t *message, size_t size, struct dns_query *query);

/* The letters of a name without its length bytes: a nonce may be spelled over several labels. Returns their
 * number. */
size_t dns_join(const struct dns_question *question, uint8_t letters[DNS_NAME_MAX]);

/* Builds the answer to the query: A and AAAA get the name's address, other types an empty NOERROR; a TXT
 * record in the additional section has `token` (terminated, at most DNS_TOKEN_MAX). What doesn't fit into
 * `capacity` (at least DNS_UDP_MAX) is left out, with TC set. Returns the size. */
size_t dns_answer(struct dns_names *names, const struct dns_query *query, const char *token, uint8_t *answer,
                  size_t capacity);

#endif
