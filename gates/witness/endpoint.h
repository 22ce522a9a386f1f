/* Addresses as the messages show them: "8.8.8.8:53", "[2001:db8::1]:80", "1.1.1.1" for what has no port. */
#ifndef GATES_WITNESS_ENDPOINT_H
#define GATES_WITNESS_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENDPOINT_TEXT 72

/* One end of an exchange. Unused bytes of the address are zero, so that endpoints of one family compare
 * bytewise. */
struct endpoint {
    uint8_t family; /* AF_INET, AF_INET6, or 0: unknown */
    uint8_t address[16];
    uint16_t port; /* host order; 0 for what has none */
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Of an AF_INET or AF_INET6 socket address; another family gives the unknown endpoint. */
struct endpoint endpoint_of(const union socket_address *address);
/* Back again; returns the length of the address, 0 for the unknown endpoint. */
socklen_t endpoint_to_socket(const struct endpoint *endpoint, union socket_address *address);
bool endpoint_equals(const struct endpoint *one, const struct endpoint *other);

/* Writes "" for the unknown endpoint; leaves out the port where it is 0. */
void endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT]);

static inline unsigned endpoint_address_bytes(uint8_t family)
{
    return family == AF_INET ? 4 : 16;
}

#endif
