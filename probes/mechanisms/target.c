/*
 * From the plan's address to an open socket and a socket address: the one place of the probe that calls
 * socket(2), looks up an interface's index, or reads the bottle's resolver file. Families other than IP and
 * Unix are refused here by name: a connect to some (vsock) would leave the gate's own world for the real
 * hypervisor.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../address.h"
#include "../fields.h"
#include "mechanism.h"
#include "resolver.h"

int probe_socket(int family, int type, int protocol)
{
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) {
        errno = EACCES;
        return -1;
    }
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

/* The index of an interface given by number or name; 0 if there is none. No libc lookup: those may allocate.
 */
static uint32_t scope_index(int fd, const char *scope)
{
    uint64_t number;
    if (field_decimal((struct field){ scope, strlen(scope) }, INT32_MAX, &number))
        return (uint32_t)number;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, scope, strlen(scope));
    return ioctl(fd, SIOCGIFINDEX, &request) == 0 ? (uint32_t)request.ifr_ifindex : 0;
}

static bool fill_target(struct attempt *attempt, const struct address *address)
{
    size_t name = strlen(address->name);
    switch (address->family) {
    case AF_INET:
        attempt->target.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(attempt->planned->port) };
        memcpy(&attempt->target.in.sin_addr, address->ip, 4);
        attempt->target_size = sizeof attempt->target.in;
        return true;
    case AF_INET6:
        attempt->target.in6 =
            (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(attempt->planned->port) };
        memcpy(&attempt->target.in6.sin6_addr, address->ip, 16);
        attempt->target_size = sizeof attempt->target.in6;
        if (address->scope[0] == '\0')
            return true;
        attempt->target.in6.sin6_scope_id = scope_index(attempt->socket, address->scope);
        return attempt->target.in6.sin6_scope_id != 0;
    default: {
        /* An abstract name has a zero byte before it and no terminator, a path the other way round (unix(7)).
         */
        bool abstract = address->kind == ADDRESS_ABSTRACT;
        attempt->target.un = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(attempt->target.un.sun_path + abstract, address->name, name);
        attempt->target_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name + 1);
        return true;
    }
    }
}

bool attempt_open(struct attempt *attempt, int type, int protocol)
{
    struct address address;
    const char *text = attempt->planned->address;
    if (!address_parse(text, strlen(text), &address)) {
        attempt_end(attempt, STAGE_TARGET, EINVAL);
        return false;
    }
    if (address.kind == ADDRESS_RESOLVER)
        resolver_prefer_given(&address);
    if (protocol == IPPROTO_ICMP && address.family == AF_INET6)
        protocol = IPPROTO_ICMPV6;
    attempt->socket = probe_socket(address.family, type, protocol);
    if (attempt->socket < 0) {
        attempt_end(attempt, STAGE_SOCKET, errno);
        return false;
    }
    if (!fill_target(attempt, &address)) {
        attempt_end(attempt, STAGE_TARGET, ENXIO);
        return false;
    }
    return true;
}

bool attempt_meets_itself(const struct attempt *attempt)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } own;
    socklen_t size = sizeof own;
    memset(&own, 0, sizeof own);
    if (getsockname(attempt->socket, &own.any, &size) != 0)
        return false;
    /* The addresses aren't compared: 0.0.0.0 and 127.9.9.9 may both be this very socket. Another port costs
     * nothing. */
    if (own.any.sa_family == AF_INET)
        return own.in.sin_port == htons(attempt->planned->port);
    return own.any.sa_family == AF_INET6 && own.in6.sin6_port == htons(attempt->planned->port);
}
