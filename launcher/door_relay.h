/*
 * The door's relay: a process outside a bottle that accepts on a socket made inside and passes bytes to one
 * address, both ways, and does nothing else.
 */
#ifndef LAUNCHER_DOOR_RELAY_H
#define LAUNCHER_DOOR_RELAY_H

#include <stdbool.h>
#include <sys/types.h>

#include "backend.h"
#include "support/error.h"

/* Connections that the relay serves at once; more wait in the listener's queue. */
#define DOOR_RELAY_CONNECTIONS 64

/* Forks the relay, which takes `listener` (non-blocking; the caller keeps its own copy) and connects to the
 * door's host and port in the caller's network namespace. It dies with the caller. *pid is the caller's
 * child, to be killed by it. */
bool door_relay_start(int listener, const struct door *door, pid_t *pid, struct error *error);

#endif
