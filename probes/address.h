/*
 * An attempt's destination as the plan spells it:
 *
 *   10.77.0.33  2001:db8::1  fe80::1%eth0   an IP literal; only IPv6 may have a scope, a name or a number
 *   @resolver:10.77.0.53                    the first nameserver of this family in the bottle's own
 * /etc/resolv.conf, and the literal where that file names none
 *   @route:172.17.0.1                       the gateway of this family in the bottle's own routes (the default one
 *                                           first), and the literal where it has none
 *   fe80::1%*                               the scope is the first interface that is up and no loopback, and the
 *                                           loopback where there is none
 *   9.9.9.9/metadata.example                DNS mechanisms only: the name that the query's name ends in, instead of
 *                                           bottle-gate.test; after @resolver: and @route: too
 *   @abstract:NAME  @path:/NAME             a Unix socket, by abstract name or by absolute path
 *   @vsock:1:PORT                           a port (1 to 4294967294) of a vsock context. Only context 1, the loopback
 *                                           transport of this very kernel, is accepted: every other leads to a
 *                                           hypervisor that may not be ours
 *   @inherited                              the descriptors that the probe was started with
 *
 * Parsing looks nothing up: scopes and resolvers are resolved where the attempt is made
 * (mechanisms/target.h).
 */
#ifndef PROBES_ADDRESS_H
#define PROBES_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum address_kind {
    ADDRESS_IP,
    ADDRESS_RESOLVER,
    ADDRESS_ROUTE,
    ADDRESS_ABSTRACT,
    ADDRESS_PATH,
    ADDRESS_VSOCK,
    ADDRESS_INHERITED
};

struct address {
    enum address_kind kind;
    int family;      /* AF_INET, AF_INET6, AF_UNIX, AF_VSOCK, or AF_UNSPEC (inherited) */
    uint8_t ip[16];  /* 4 or 16 bytes */
    char scope[16];  /* of an IPv6 address, "*", or "" */
    char parent[64]; /* the name after a slash, or "" */
    uint32_t context, vsock_port;
    char name[104]; /* of a Unix socket, without its prefix */
};

/* Parses exactly `size` bytes, which need not be terminated. */
bool address_parse(const char *text, size_t size, struct address *address);

/* Of an IPv4 or IPv6 address: is it a multicast group (RFC 5771, RFC 4291)? */
bool address_is_multicast(const struct address *address);

#endif
