/*
 * The host's table of sockets: what listens and what is connected in a network namespace, as the kernel tells it
 * (sock_diag(7)). While a fenced bottle runs, a listener or a connection that appears in the site's host namespace and
 * belongs to nothing that the gate knows shows that something on the host listens or dials for the bottle.
 *
 * It runs in the gate's own process, not in the witnesses' jail. TCP and UDP over IPv4 and IPv6 are listed; an IPv4
 * address that an IPv6 socket uses (::ffff:a.b.c.d) is told as the IPv4 address that it is on the wire. What sends one
 * datagram from a socket that is never bound to anything, and is gone before the next look, isn't seen here: the
 * captures see it.
 */
#ifndef GATES_WITNESS_SOCKET_TABLE_H
#define GATES_WITNESS_SOCKET_TABLE_H

#include "endpoint.h"
#include "witness.h"

#define SOCKET_LIST_MAX 524288 /* two principals that sweep a host by both families leave half as many */

struct socket {
    uint8_t transport;             /* TRANSPORT_TCP, TRANSPORT_UDP; the family is that of its ends */
    uint8_t state;                 /* TCP_ESTABLISHED and so on (netinet/tcp.h); UDP knows ESTABLISHED and CLOSE */
    bool listening;                /* TCP: in state LISTEN; UDP: takes datagrams from anybody */
    struct endpoint local, remote; /* remote: all zeroes but the family when it has none */
    uint32_t inode;                /* 0: no process has it (yet, or any more) */
    uint32_t uid;
    uint64_t cookie; /* the kernel's name for it, which no other socket gets while it runs */
};

/* All zeroes at first. The buffer is kept from one socket_table_read to the next. */
struct socket_list {
    struct socket *sockets; /* owned; in an order of their own */
    size_t count, capacity; /* count: at most SOCKET_LIST_MAX */
};
void socket_list_free(struct socket_list *list);

/* Tied to the namespace in which it was opened, wherever its process goes afterwards. */
struct socket_table {
    int netlink; /* owned */
    uint32_t sequence;
    bool ipv6; /* the kernel has it */
};

/* Opens it in the calling process's network namespace, and asks once for each table. ERROR_HOST where the kernel
 * doesn't have them, with the remedy. Needs no privilege. To be closed even after a failure, from { .netlink = -1
 * }. */
bool socket_table_open(struct socket_table *table, struct error *error);
void socket_table_close(struct socket_table *table);

/* Lists all sockets of the namespace. More than SOCKET_LIST_MAX, or a table that can't be had as a whole, are an
 * error: part of a list would explain what is not in it. */
bool socket_table_read(struct socket_table *table, struct socket_list *list, struct error *error);

/* Tells each socket of `after` that is not in `before`. One that was there and is now connected elsewhere, or
 * listens, is new; one that is only closing is not. Pure. */
typedef void socket_table_new(void *context, const struct socket *socket);
void socket_table_difference(const struct socket_list *before, const struct socket_list *after, socket_table_new *found,
                             void *context);

enum socket_meaning {
    SOCKET_EXPLAINED, /* of the site, of a control, or what is left of a closed connection */
    SOCKET_ATTEMPT,   /* somebody dials an attempt's destination */
    SOCKET_UNKNOWN,
};

/* What a socket of the site's host namespace is, given what the run watches for. *watch: for SOCKET_ATTEMPT, the
 * index of the first attempt whose destination it has. Pure. */
enum socket_meaning socket_table_explain(const struct socket *socket, const struct watch *watches, size_t count,
                                         uint16_t *watch);

#endif
