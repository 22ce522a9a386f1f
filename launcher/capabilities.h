/*
 * Capabilities by the bare system calls: what the calling process may do, and giving all of it up.
 */
#ifndef LAUNCHER_CAPABILITIES_H
#define LAUNCHER_CAPABILITIES_H

#include <stdbool.h>

#include "support/error.h"

/* True if `capability` (CAP_SYS_ADMIN, ...) is in the calling process's effective set. */
bool capabilities_have(int capability);

/* Empties the ambient and the bounding set only: for a process that changes its uid next, and loses the right
 * to by it. */
bool capabilities_drop_bounding(struct error *error);

/* Empties the ambient, bounding, effective, permitted and inheritable sets, so that not even uid 0 of the
 * namespace gets any back by execve. The bounding set needs CAP_SETPCAP: a process that holds no capability
 * at all keeps it, which is no gain (nosuid and no_new_privs stand before it). Source: capabilities(7). */
bool capabilities_drop_all(struct error *error);

#endif
