/*
 * The other side of a keeper: a connection to a named bottle, one request on it, and the answers.
 */
#ifndef LAUNCHER_KEEPER_CLIENT_H
#define LAUNCHER_KEEPER_CLIENT_H

#include <stdint.h>
#include <sys/types.h>

#include "request.h"

/* Connects to the keeper of the bottle `name`. Returns the connection, or -1 with `error` filled (no such bottle). */
int client_connect(const char *name, struct error *error);

/* The keeper's process, as the kernel tells it. */
pid_t client_keeper(int connection);

/* Sends a request with its descriptors (request_descriptors says how many). *closed: the keeper has closed the connection. */
bool client_send(int connection, const struct request *request, const int *descriptors, bool *closed,
                 struct error *error);

/* Waits for the next reply, until `deadline` (UINT64_MAX: as long as it takes); *descriptor, if not NULL, is what came with
 * it, or -1. An error that the keeper tells is `error`. *closed: the keeper has closed the connection. */
bool client_receive(int connection, struct reply *reply, int *descriptor, uint64_t deadline, bool *closed,
                    struct error *error);

/* All of it for a request that is answered by one REPLY_DONE. */
bool client_ask(const char *name, const struct request *request, const int *descriptors, struct reply *reply,
                struct error *error);

#endif
