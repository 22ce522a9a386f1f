/* Everything in the witness process. */
#ifndef GATES_WITNESS_WITNESS_HOUSE_H
#define GATES_WITNESS_WITNESS_HOUSE_H

#include "capture.h"
#include "door.h"
#include "held.h"
#include "host_input.h"
#include "icmp.h"
#include "neighbour.h"
#include "taken_ports.h"
#include "tcp.h"
#include "udp.h"
#include "unix_sockets.h"
#include "vsock.h"

struct witness_house { /* one allocation; zeroes cost no memory until they are used */
    struct house house;
    struct origin origin;
    struct dns_names names;
    struct conversations conversations;
    struct sweep_connections sweep_connections;
    struct tcp tcp;
    struct udp udp;
    struct icmp_sockets icmp;
    struct unix_sockets unix_sockets;
    struct vsock vsock;
    struct held held;
    struct neighbour neighbour;
    struct door door;
    struct capture capture;
    struct host_input host_input;
};

#endif
