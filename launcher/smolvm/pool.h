/*
 * One loopback address a bottle, for engines up to 1.1.2: 127.0.0.16 to 127.0.0.31. From 1.1.3 on 127/8 stays in the
 * guest and the door needs another address (smolvm_policy_check refuses these).
 *
 * An address is free if no running container named bot-bottle-sidecars-* publishes a port on it, and no other process
 * holds it. Choosing goes on under one lock; an address that was chosen has a lock of its own, because its sidecar
 * publishes only later. Both are locks of the kernel (flock): they end with their holder, however that ends.
 */
#ifndef LAUNCHER_SMOLVM_POOL_H
#define LAUNCHER_SMOLVM_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "../support/error.h"
#include "loopback_alias.h"
#include "platform.h"

#define SMOLVM_SIDECAR_PREFIX "bot-bottle-sidecars-"

struct smolvm_pool {
    enum smolvm_platform platform;
    const char *directory;     /* of the lock files: one for all who share the pool; it is there */
    const char *docker_socket; /* docker_socket_path */
    const struct loopback_commands *loopback;
};

/* An address that is held. */
struct smolvm_lease {
    char address[16]; /* "127.0.0.16" */
    int lock;         /* descriptor; -1: nothing is held */
};

/* Takes the lowest free address. The lock, and Docker, are waited for until `deadline` (clock_microseconds). False
 * (ERROR_HOST): none is free, or it can't be known which are. */
bool smolvm_pool_allocate(const struct smolvm_pool *pool, uint64_t deadline, struct smolvm_lease *lease,
                          struct error *error);

/* Gives it back; also one that holds nothing. */
void smolvm_pool_release(struct smolvm_lease *lease);

#endif
