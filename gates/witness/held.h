/*
 * Held streams: descriptors that somebody else made and that the witness only reads: the other end of a socket that
 * was planted in a bottle, or what the listener of a second bottle repeats. Pipes, stream sockets and SOCK_SEQPACKET
 * ones. Each is searched as one stream, so that a nonce may be cut by a message's border.
 *
 * Bytes without a nonce are no stray: a planted descriptor and a listener say other things as well (a greeting, the
 * records of a probe). The end of a stream is no event: a bottle that ends closes all it has.
 */
#ifndef GATES_WITNESS_HELD_H
#define GATES_WITNESS_HELD_H

#include "house.h"

#define HELD_READS_A_TURN 8 /* so that a bulk writer can't keep the loop from the captures */

struct held_source {
    struct house *house;
    struct loop_source source;
    enum witness_kind kind;
    bool is_socket, has_messages; /* has_messages: SOCK_SEQPACKET or SOCK_DGRAM */
    struct windows_cursor cursor;
    char at[ENDPOINT_TEXT];
};

struct held {
    struct held_source sources[HELD_MAX];
};

/* True if place `index` of the set-up has a descriptor. */
static inline bool held_is_used(const struct witness_setup *setup, size_t index)
{
    return setup->held[index].fd > 0;
}

/* Takes the set-up's descriptors into the loop, which owns them from here on. Pipes are made non-blocking; a
 * descriptor that can't be waited for (a file), and one that is a standard stream, is an error. */
bool held_open(struct held *held, struct house *house, struct error *error);

#endif
