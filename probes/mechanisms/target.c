/*
 * From the plan's address to an open socket and a socket address: the one place of the probe that calls
 * socket(2), looks up an interface's index, or asks for the bottle's resolver or gateway. Families other than IP, Unix
 * and vsock are refused here by name. A connection by vsock could leave the gate's own world for the real hypervisor:
 * a vsock socket comes out of here only when it is bound to context 1, which the kernel grants where its own loopback
 * transport stands behind that context (vsock_find_cid in net/vmw_vsock/af_vsock.c), and its target is context 1
 * whatever the plan says. Netlink is opened for one purpose, to ask the kernel itself for its routes and links, and
 * closed at once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
/* after sys/socket.h, which it needs */
#include <linux/vm_sockets.h>
#include <unistd.h>

#include "../address.h"
#include "../fields.h"
#include "mechanism.h"
#include "resolver.h"
#include "routes.h"

int probe_socket(int family, int type, int protocol)
{
    static const struct sockaddr_vm own = { .svm_family = AF_VSOCK,
                                            .svm_cid = VMADDR_CID_LOCAL,
                                            .svm_port = VMADDR_PORT_ANY };
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX && family != AF_VSOCK) {
        errno = EACCES;
        return -1;
    }
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd >= 0 && family == AF_VSOCK && bind(fd, (const struct sockaddr *)&own, sizeof own) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* -1 where the bottle forbids it or its kernel has none. */
static int open_rtnetlink(void)
{
    return socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
}

uint32_t attempt_first_link(void)
{
    int netlink = open_rtnetlink();
    if (netlink < 0)
        return ROUTES_LOOPBACK;
    uint32_t index = routes_first_link(netlink);
    close(netlink);
    return index;
}

static void prefer_gateway(struct address *address)
{
    int netlink = open_rtnetlink();
    if (netlink < 0)
        return;
    routes_prefer_gateway(netlink, address);
    close(netlink);
}

/* The index of an interface given by number, name or star; 0 if there is none. No libc lookup: those may
 * allocate. */
static uint32_t scope_index(int fd, const char *scope)
{
    uint64_t number;
    if (strcmp(scope, "*") == 0)
        return attempt_first_link();
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
    case AF_VSOCK:
        attempt->target.vm = (struct sockaddr_vm){ .svm_family = AF_VSOCK,
                                                   .svm_cid = VMADDR_CID_LOCAL,
                                                   .svm_port = address->vsock_port };
        attempt->target_size = sizeof attempt->target.vm;
        return true;
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

/* The kernel sends multicast with one hop (ip(7)), and a network made in user space routes: it takes that hop away and drops
 * the packet, but lets one with more pass. mDNS is sent with 255 (RFC 6762, 11). Where a bottle forbids it, one hop it is. */
static void allow_hops(int fd, const struct address *address)
{
    const int hops = 255;
    if (address->family == AF_INET && address_is_multicast(address))
        (void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops);
    if (address->family == AF_INET6 && address_is_multicast(address))
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
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
    if (address.kind == ADDRESS_ROUTE)
        prefer_gateway(&address);
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
    allow_hops(attempt->socket, &address);
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
