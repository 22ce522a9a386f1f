/*
 * What all listeners of the witness process share: the loop, the nonce finder, the outbox, the answer; and
 * how one makes a socket in another network namespace. Everything is opened before the jail is shut.
 */
#ifndef GATES_WITNESS_HOUSE_H
#define GATES_WITNESS_HOUSE_H

#include "endpoint.h"
#include "loop.h"
#include "outbox.h"
#include "sweeps.h"
#include "windows.h"
#include "witness.h"

#define TOKEN_LINE_BYTES 38 /* "BGW1 " and 32 digits and a newline */

struct house {
    struct loop loop;
    struct windows windows;
    struct outbox outbox;
    struct sweeps sweeps;
    const struct witness_setup *setup;
    char token_line[TOKEN_LINE_BYTES + 1];
    uint8_t scratch[65536]; /* for one datagram while it is being read */
};

/* Moves the process into `network_namespace` (a descriptor). */
bool house_enter(int network_namespace, struct error *error);

/* A non-blocking IPv4 or IPv6 socket of the current namespace; house_bind's is bound to `address` with
 * `port`. -1 and error on failure. `options`: HOUSE_... bits. An IPv6 socket takes IPv6 only. */
#define HOUSE_TRANSPARENT 1u /* takes connections to addresses that are not its own (IP_TRANSPARENT) */
#define HOUSE_ARRIVAL     2u /* datagrams tell where they arrived, and how many were lost (SO_RXQ_OVFL) */
int house_socket(uint8_t family, int type, int protocol, unsigned options, struct error *error);
int house_bind(uint8_t family, int type, const char *address, uint16_t port, unsigned options, struct error *error);

/* Asks for a receive buffer of `bytes`, past the system's limit where that is allowed. */
void house_receive_buffer(int fd, int bytes);

/* One search of a stretch of bytes on behalf of a listener: reports each nonce found. at and peer are only
 * asked for when a hit is worth saying, because finding them may cost system calls. */
struct house_heard {
    struct house *house;
    enum witness_kind kind;
    enum point point;
    const char *at, *peer; /* NULL: `name` is called once, and fills texts */
    void (*name)(struct house_heard *heard);
    const void *owner; /* for `name` */
    char texts[2][ENDPOINT_TEXT];
    uint16_t port; /* the destination's, for what a sweep reached; 0: not known here */
    bool any;      /* set: some nonce was found */
};
void house_listen_to(struct house_heard *heard, struct windows_cursor *cursor, const uint8_t *bytes, size_t size);

#endif
