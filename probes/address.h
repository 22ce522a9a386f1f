/*
 * An attempt's destination as the plan spells it:
 *
 *   10.77.0.33  2001:db8::1  fe80::1%eth0   an IP literal; only IPv6 may have a scope, a name or a number
 *   @resolver:10.77.0.53                    the first nameserver of this family in the bottle's own
 * /etc/resolv.conf, and the literal where that file names none
 *   @abstract:NAME  @path:/NAME             a Unix socket, by abstract name or by absolute path
 *
 * Parsing looks nothing up: scopes and resolvers are resolved where the attempt is made
 * (mechanisms/target.h).
 */
#ifndef PROBES_ADDRESS_H
#define PROBES_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum address_kind { ADDRESS_IP, ADDRESS_RESOLVER, ADDRESS_ABSTRACT, ADDRESS_PATH };

struct address {
    enum address_kind kind;
    int family;     /* AF_INET, AF_INET6 or AF_UNIX */
    uint8_t ip[16]; /* 4 or 16 bytes */
    char scope[16]; /* of an IPv6 address, or "" */
    char name[104]; /* of a Unix socket, without its prefix */
};

/* Parses exactly `size` bytes, which need not be terminated. */
bool address_parse(const char *text, size_t size, struct address *address);

#endif
