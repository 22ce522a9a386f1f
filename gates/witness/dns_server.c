/* See dns_server.h. A name is also searched with its labels joined: their length bytes cut a nonce that is
 * spelled over two of them. */
#include "dns_server.h"

size_t dns_server_answer(struct dns_names *names, struct house_heard *heard, const struct dns_query *query,
                         uint8_t *answer, size_t capacity)
{
    struct house *house = heard->house;
    for (size_t i = 0; i < query->count; i++) {
        uint8_t letters[DNS_NAME_MAX];
        struct windows_cursor cursor = { 0 };
        house_listen_to(heard, &cursor, letters, dns_join(&query->questions[i], letters));
    }
    char token[TOKEN_LINE_BYTES];
    for (size_t i = 0; i < sizeof token; i++)
        token[i] = i + 1 < sizeof token ? house->token_line[i] : '\0';
    bool was_full = names->full;
    size_t size = dns_answer(names, query, token, answer, capacity);
    if (names->full && !was_full)
        outbox_lost(&house->outbox, "dns: more than %d names, no address left for the next", DNS_NAMES_MAX);
    return size;
}
