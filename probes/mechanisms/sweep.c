/* See sweep.h. */
#include "sweep.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../address.h"

#define PRIME 65537u

static uint32_t power(uint32_t base, uint32_t exponent)
{
    uint64_t result = 1;
    for (uint64_t square = base; exponent != 0; exponent >>= 1, square = square * square % PRIME)
        if ((exponent & 1) != 0)
            result = result * square % PRIME;
    return (uint32_t)result;
}

void sweep_order_start(struct sweep_order *order, const uint8_t nonce[NONCE_BYTES], uint32_t count)
{
    /* 3 is a primitive root of 65537, and as that is a Fermat prime, so is every odd power of it. */
    uint32_t start = (uint32_t)(nonce[0] << 8 | nonce[1]), exponent = (uint32_t)(nonce[2] << 8 | nonce[3]) | 1;
    *order = (struct sweep_order){ .value = start + 1, .factor = power(3, exponent), .left = count };
}

uint16_t sweep_order_next(struct sweep_order *order)
{
    if (order->left == 0)
        return 0;
    order->left--;
    do
        order->value = (uint32_t)((uint64_t)order->value * order->factor % PRIME);
    while (order->value > UINT16_MAX);
    return (uint16_t)order->value;
}

void sweep_begin(struct attempt *attempt)
{
    struct address address;
    const char *text = attempt->planned->address;
    attempt_set_payload(attempt);
    memset(&attempt->target, 0, sizeof attempt->target);
    if (!address_parse(text, strlen(text), &address) || address.kind != ADDRESS_IP) {
        attempt_end(attempt, STAGE_TARGET, EINVAL);
        return;
    }
    attempt->target.any.sa_family = (sa_family_t)address.family;
    if (address.family == AF_INET) {
        memcpy(&attempt->target.in.sin_addr, address.ip, 4);
        attempt->target_size = sizeof attempt->target.in;
    } else {
        memcpy(&attempt->target.in6.sin6_addr, address.ip, 16);
        attempt->target_size = sizeof attempt->target.in6;
    }
}

void sweep_aim(struct attempt *attempt, uint16_t port)
{
    if (attempt->target.any.sa_family == AF_INET)
        attempt->target.in.sin_port = htons(port);
    else
        attempt->target.in6.sin6_port = htons(port);
}

int sweep_socket(const struct attempt *attempt, int type, uint16_t port)
{
    const int on = 1;
    struct sockaddr_in6 source = { .sin6_family = attempt->target.any.sa_family };
    /* The port lies at the same place for both families, and both wildcard addresses are zeroes. */
    source.sin6_port = htons(sweep_source(attempt->plan->root, port));
    int fd = probe_socket(attempt->target.any.sa_family, type, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Without it Linux 6.18 compares each bind with every connection of the source that isn't forgotten yet: 60 us. */
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    /* Else "::" would be taken for IPv4 as well, and collide with the sweep of that. */
    if (source.sin6_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&source, attempt->target_size) == 0 || sweep_is_forbidden(errno))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool sweep_meets_door(const struct attempt *attempt, uint16_t port)
{
    struct address swept, door;
    const struct probe_plan *plan = attempt->plan;
    if (!plan->has_door || port != plan->door_port)
        return false;
    return address_parse(attempt->planned->address, strlen(attempt->planned->address), &swept) &&
           address_parse(plan->door_host, strlen(plan->door_host), &door) && swept.family == door.family &&
           memcmp(swept.ip, door.ip, sizeof swept.ip) == 0;
}

void sweep_keep_error(struct attempt *attempt, int error)
{
    if (attempt->error == 0 && error != ECONNREFUSED)
        attempt->error = error;
}

bool sweep_is_forbidden(int error)
{
    return error == EPERM || error == EACCES;
}

bool sweep_must_wait(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS || error == EAGAIN ||
           error == EINTR;
}
