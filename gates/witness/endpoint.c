/* See endpoint.h. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct endpoint endpoint_of(const union socket_address *address)
{
    struct endpoint endpoint = { 0 };
    if (address->any.sa_family == AF_INET) {
        memcpy(endpoint.address, &address->v4.sin_addr, 4);
        endpoint.port = ntohs(address->v4.sin_port);
    } else if (address->any.sa_family == AF_INET6) {
        memcpy(endpoint.address, &address->v6.sin6_addr, 16);
        endpoint.port = ntohs(address->v6.sin6_port);
    } else {
        return endpoint;
    }
    endpoint.family = (uint8_t)address->any.sa_family;
    return endpoint;
}

socklen_t endpoint_to_socket(const struct endpoint *endpoint, union socket_address *address)
{
    memset(address, 0, sizeof *address);
    if (endpoint->family == AF_INET) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(endpoint->port);
        memcpy(&address->v4.sin_addr, endpoint->address, 4);
        return sizeof address->v4;
    }
    if (endpoint->family == AF_INET6) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(endpoint->port);
        memcpy(&address->v6.sin6_addr, endpoint->address, 16);
        return sizeof address->v6;
    }
    return 0;
}

bool endpoint_equals(const struct endpoint *one, const struct endpoint *other)
{
    return one->family == other->family && one->port == other->port &&
           memcmp(one->address, other->address, sizeof one->address) == 0;
}

void endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT])
{
    char address[INET6_ADDRSTRLEN] = "";
    if (endpoint->family == 0 || inet_ntop(endpoint->family, endpoint->address, address, sizeof address) == NULL)
        text[0] = '\0';
    else if (endpoint->port == 0)
        snprintf(text, ENDPOINT_TEXT, "%s", address);
    else
        snprintf(text, ENDPOINT_TEXT, endpoint->family == AF_INET ? "%s:%u" : "[%s]:%u", address, endpoint->port);
}
