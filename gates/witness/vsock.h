/*
 * The vsock witness: a stream listener on context 1 (VMADDR_CID_LOCAL), the loopback transport of this very kernel. It
 * is opened only where that transport exists (vsock_owned.h). No namespace keeps it apart from the rest of the host:
 * its port is the run's own. Source: vsock(7).
 */
#ifndef GATES_WITNESS_VSOCK_H
#define GATES_WITNESS_VSOCK_H

#include "conversation.h"

#define VSOCK_BACKLOG 128
#define VSOCK_AT_ONCE 32

struct vsock {
    struct conversations *conversations;
    struct loop_source source;
    char at[ENDPOINT_TEXT]; /* "1:PORT" */
};

/* Listens at witness_setup.vsock_port; nothing is done where that is 0. A kernel without the transport: ERROR_HOST,
 * with the remedy. */
bool vsock_open(struct vsock *vsock, struct conversations *conversations, struct error *error);

#endif
