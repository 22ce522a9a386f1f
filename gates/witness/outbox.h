/*
 * What the witness process says, in the order in which it heard it. Messages wait in a bounded queue while
 * the channel is full, so that nothing in the process ever blocks on the parent; a queue that overflows is
 * itself reported. Of the same hit (watch, witness, point, by nonce or tuple) only the first OUTBOX_REPEATS
 * are said: a flood must not drown the rest. A control heard makes tuples count anew: it is the border between two
 * principals that may share one.
 */
#ifndef GATES_WITNESS_OUTBOX_H
#define GATES_WITNESS_OUTBOX_H

#include "loop.h"
#include "witness.h"

#define OUTBOX_REPEATS 4
#define OUTBOX_QUEUE   4096
#define OUTBOX_LOSSES  16 /* LOST messages at most; the first are the ones that matter */
#define OUTBOX_LATE    8  /* messages that a fault holds back */

enum point { POINT_WAN, POINT_LO, POINT_HOST, POINT_UNIX, POINT_HELD, POINT_VSOCK, POINTS };

struct outbox {
    struct loop_source source; /* readable: the parent asks to stop or to break, or is gone */
    struct loop *loop;
    bool stop_asked, break_asked, overflowed;
    unsigned losses;
    enum witness_fault fault;
    unsigned mute_kinds, late_kinds; /* of a fault, enum witness_kind bits: never said, and said at the stop */
    size_t late_count;
    struct witness_message late[OUTBOX_LATE];
    const struct watch *watches;
    size_t watch_count;
    uint8_t said[WATCHES_MAX][WITNESS_KINDS][POINTS][2];
    size_t queue_first, queue_count;
    struct witness_message queue[OUTBOX_QUEUE];
};

/* Takes over `socket`, a SOCK_SEQPACKET socket. */
bool outbox_open(struct outbox *outbox, struct loop *loop, int socket, const struct witness_setup *setup,
                 struct error *error);

/* True if this hit would still be said: worth finding out where it went and where it came from. */
bool outbox_wants(const struct outbox *outbox, uint16_t watch, enum witness_kind kind, enum point point, bool by_tuple);
void outbox_hit(struct outbox *outbox, uint16_t watch, enum witness_kind kind, enum point point, bool by_tuple,
                const char *at, const char *peer);
void outbox_stray(struct outbox *outbox, enum point point, const char *at, const char *peer, const char *text);
void outbox_lost(struct outbox *outbox, const char *format, ...) __attribute__((format(printf, 2, 3)));
void outbox_event(struct outbox *outbox, enum witness_event event);

/* Waits, until nothing moved for `milliseconds`, for the queue to empty. False if messages are left. */
bool outbox_flush(struct outbox *outbox, int milliseconds);

#endif
