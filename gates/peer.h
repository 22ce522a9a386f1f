/*
 * The peer: a second bottle of the same make (or nothing, in a bare run) in which a probe listens and repeats what it hears
 * to the witness. It hears what one bottle can say to another and nobody else would notice.
 */
#ifndef GATES_PEER_H
#define GATES_PEER_H

#include "hearing.h"

struct peer {
    struct bottle *bottle; /* NULL in a bare run */
    pid_t listener;        /* -1 or 0: none */
};

/* True if anything is planned to be tried at a second bottle. */
bool peer_is_wanted(const struct run_plan *plan);

/* Starts the bottle (`with`; NULL for a bare run) and the listener in it, and waits until it listens. */
bool peer_start(struct peer *peer, struct hearing *hearing, const struct bottle_options *with, struct error *error);

/* A round of the controls that are sent beside the listener; `round` is below PEER_ROUNDS. */
bool peer_round(const struct peer *peer, struct hearing *hearing, unsigned round);

/* Ends the listener and the bottle. */
bool peer_end(struct peer *peer, const struct backend *backend, struct error *error);

#endif
