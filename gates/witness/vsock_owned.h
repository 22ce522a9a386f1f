/*
 * Whether a vsock context of this kernel belongs to whoever asks. vsock has no namespaces: a connection to context 2,
 * and to context 1 where no loopback transport is registered, is carried to the hypervisor of a host that is itself a
 * guest. Context 1 can be bound to exactly where this kernel's own loopback transport stands behind it (vsock_find_cid
 * in net/vmw_vsock/af_vsock.c), so a bind that succeeds is the proof, and nothing else may be taken for one.
 */
#ifndef GATES_WITNESS_VSOCK_OWNED_H
#define GATES_WITNESS_VSOCK_OWNED_H

#include "../../launcher/support/error.h"

/* True if a socket can be bound to context 1 here and now; nothing is connected and nothing is left. Else `error`
 * (ERROR_HOST) says what this kernel lacks. Source: vsock(7). */
bool vsock_owned(struct error *error);

#endif
