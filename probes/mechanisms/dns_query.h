/*
 * A DNS query as the probe builds it (RFC 1035 section 4.1), piece by piece: each function gets the message and its
 * size so far and returns its size with the piece. The caller's buffer has room: names have at most 255 bytes on
 * the wire.
 */
#ifndef PROBES_MECHANISMS_DNS_QUERY_H
#define PROBES_MECHANISMS_DNS_QUERY_H

#include <stddef.h>
#include <stdint.h>

#define DNS_QUERY_HEADER 12

enum dns_query_type { DNS_QUERY_A = 1, DNS_QUERY_NULL = 10, DNS_QUERY_TXT = 16 };

/* A header without a question; recursion desired. */
size_t dns_query_start(uint8_t *message, uint16_t id);

/* One question of class IN; the name is given with dots, its labels have 1 to 63 bytes. */
size_t dns_query_ask(uint8_t *message, size_t used, const char *name, enum dns_query_type type);

/* An OPT record with one option (RFC 6891 section 6.1), which must come last. */
size_t dns_query_add_option(uint8_t *message, size_t used, uint16_t code, const uint8_t *data, uint16_t size);

#endif
