/*
 * See tcp.h. Needs: accept4, getsockopt (the destination before the redirect), getsockname. Sources: ip(7)
 * (IP_TRANSPARENT), linux/netfilter_ipv4.h (SO_ORIGINAL_DST), Documentation/networking/tproxy.rst.
 */
#include "tcp.h"

#include <errno.h>
#include <string.h>

#define ORIGINAL_DESTINATION 80 /* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST */

/* Where the client wanted to go; without a redirect, the socket's own address says it. */
static struct endpoint find_destination(int fd, const struct tcp_listener *listener, uint8_t family)
{
    union socket_address address = { 0 };
    socklen_t size = sizeof address;
    int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    if (listener->point != POINT_WAN || getsockopt(fd, level, ORIGINAL_DESTINATION, &address, &size) < 0) {
        size = sizeof address;
        getsockname(fd, &address.any, &size);
    }
    return endpoint_of(&address);
}

static void tcp_ready(struct loop_source *source, uint32_t events)
{
    struct tcp_listener *listener = loop_owner(source, struct tcp_listener, source);
    struct conversations *conversations = listener->tcp->conversations;
    (void)events;
    for (unsigned i = 0; i < TCP_AT_ONCE; i++) {
        union socket_address address = { 0 };
        socklen_t size = sizeof address;
        int fd = accept4(source->fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                outbox_lost(&conversations->house->outbox, "tcp: a connection can't be accepted: %s", strerror(errno));
            return;
        }
        struct endpoint peer = endpoint_of(&address);
        struct endpoint destination = find_destination(fd, listener, peer.family);
        if (sweeps_find(&conversations->house->sweeps, TRANSPORT_TCP, &peer) != NULL) {
            sweep_connections_take(listener->tcp->sweep_connections, fd, listener->point, &destination, &peer);
            continue;
        }
        char at[ENDPOINT_TEXT], from[ENDPOINT_TEXT];
        endpoint_format(&destination, at);
        endpoint_format(&peer, from);
        enum witness_kind kind = destination.port == TCP_DNS_PORT ? WITNESS_DNS_TCP : WITNESS_TCP;
        conversation_begin(conversations, fd, kind, listener->point, at, from)->port = destination.port;
    }
}

bool tcp_open(struct tcp *tcp, struct conversations *conversations, struct sweep_connections *sweep_connections,
              enum point point, struct error *error)
{
    struct house *house = conversations->house;
    tcp->conversations = conversations;
    tcp->sweep_connections = sweep_connections;
    for (unsigned i = 0; i < 2; i++) {
        bool v6 = i == 1;
        if (v6 && !house->setup->ipv6)
            break;
        struct tcp_listener *listener = &tcp->listeners[tcp->count++];
        *listener = (struct tcp_listener){ .tcp = tcp, .source = { -1, tcp_ready }, .point = point };
        int fd = house_bind(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, v6 ? "::" : "0.0.0.0", SITE_PORT_TCP,
                            point == POINT_LO ? HOUSE_TRANSPARENT : 0, error);
        if (fd < 0)
            return false;
        if (listen(fd, house->setup->fault == WITNESS_FAULT_SHORT_QUEUE ? TCP_BACKLOG_SHORT : TCP_BACKLOG) < 0)
            return error_system(error, "can't listen for TCP connections");
        if (!loop_add(&house->loop, &listener->source, fd, error))
            return false;
    }
    return true;
}

void tcp_close(struct tcp *tcp)
{
    for (size_t i = 0; i < tcp->count; i++)
        loop_close(&tcp->conversations->house->loop, &tcp->listeners[i].source);
}
