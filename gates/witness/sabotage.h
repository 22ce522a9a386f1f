/* What `bottle-gate selftest` breaks in the witness process from the inside (enum witness_fault in witness.h). */
#ifndef GATES_WITNESS_SABOTAGE_H
#define GATES_WITNESS_SABOTAGE_H

#include "witness_house.h"

/* Makes the fault that waits for witness_ask_to_break. Nothing happens without one, and the second time. */
void sabotage_make(struct witness_house *all);

#endif
