/* The inside of the witness process: what the child of witness_start does until it ends. */
#ifndef GATES_WITNESS_WITNESS_PROCESS_H
#define GATES_WITNESS_WITNESS_PROCESS_H

#include "witness.h"

/* What the parent says on the channel. */
#define WITNESS_WORD_STOP  "stop"
#define WITNESS_WORD_BREAK "break"

/* Opens everything, shuts the jail, says READY on `channel` (SOCK_SEQPACKET) and serves until it is asked to
 * stop. A set-up that fails is told by one message of sizeof(struct error) in place of READY. The process
 * must be a fresh fork: all other descriptors are closed. */
_Noreturn void witness_process(const struct witness_setup *setup, int channel);

#endif
