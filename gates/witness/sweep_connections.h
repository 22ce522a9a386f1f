/*
 * The connections of a port sweep, known by the port that they come from. There can be hundreds at once and some hundred
 * thousand in all, each with a few bytes to say, so they have no place in the conversations: read what is there, answer with
 * the token line, close. One that has said nothing yet is waited for while there is room; when there is none it is answered
 * and closed at once. That is no loss: what it sends, the capture sees.
 */
#ifndef GATES_WITNESS_SWEEP_CONNECTIONS_H
#define GATES_WITNESS_SWEEP_CONNECTIONS_H

#include "house.h"

#define SWEEP_CONNECTIONS_MAX 1024 /* four TCP sweeps of two principals keep 256 open each */

struct sweep_connections;

struct sweep_connection {
    struct sweep_connections *all;
    struct loop_source source;
    enum point point;
    struct endpoint destination, peer;
};

struct sweep_connections {
    struct house *house;
    struct sweep_connection table[SWEEP_CONNECTIONS_MAX];
    uint16_t free_count, free[SWEEP_CONNECTIONS_MAX]; /* places not in use */
};

/* *connections: all zeroes before. */
void sweep_connections_prepare(struct sweep_connections *connections, struct house *house);

/* Takes over an accepted non-blocking socket. */
void sweep_connections_take(struct sweep_connections *connections, int fd, enum point point,
                            const struct endpoint *destination, const struct endpoint *peer);

#endif
