/* What the two DNS listeners (UDP, TCP) do with a query: listen to its names, and answer it. */
#ifndef GATES_WITNESS_DNS_SERVER_H
#define GATES_WITNESS_DNS_SERVER_H

#include "dns.h"
#include "house.h"

/* The message as it came has been listened to already. Returns the size of the answer; `capacity` as in
 * dns_answer. */
size_t dns_server_answer(struct dns_names *names, struct house_heard *heard, const struct dns_query *query,
                         uint8_t *answer, size_t capacity);

#endif
