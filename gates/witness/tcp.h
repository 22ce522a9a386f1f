/*
 * The TCP accept-all: hears a connection to any address and port. In the world namespace nft redirects them
 * to it; in the host namespace nft hands it loopback connections by TPROXY, which leaves addresses and ports
 * as they were.
 */
#ifndef GATES_WITNESS_TCP_H
#define GATES_WITNESS_TCP_H

#include "conversation.h"
#include "sweep_connections.h"

#define TCP_BACKLOG       32768
#define TCP_BACKLOG_SHORT 64 /* of the fault WITNESS_FAULT_SHORT_QUEUE */
#define TCP_AT_ONCE       64
#define TCP_DNS_PORT      53

struct tcp;

struct tcp_listener {
    struct tcp *tcp;
    struct loop_source source;
    enum point point; /* POINT_WAN: redirected; POINT_LO: transparent */
};

struct tcp {
    struct conversations *conversations;
    struct sweep_connections *sweep_connections;
    struct tcp_listener listeners[4];
    size_t count;
};

/* Opens the listeners of the current namespace, which is seen as `point`. Called once for each namespace. */
bool tcp_open(struct tcp *tcp, struct conversations *conversations, struct sweep_connections *sweep_connections,
              enum point point, struct error *error);

/* Closes them all, as a fault. */
void tcp_close(struct tcp *tcp);

#endif
