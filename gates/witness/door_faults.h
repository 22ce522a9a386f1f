/* A door that lies or dies, for `bottle-gate selftest` (the WITNESS_FAULT_DOOR... in witness.h). */
#ifndef GATES_WITNESS_DOOR_FAULTS_H
#define GATES_WITNESS_DOOR_FAULTS_H

#include "door.h"

/* Turns the answer to `question` into the one that the fault gives, and returns its size: DOOR_ANSWER, as it was, without a
 * fault; 0 for none. */
size_t door_faults_answer(struct door *door, const char question[DOOR_QUESTION], char answer[DOOR_ANSWER]);

#endif
