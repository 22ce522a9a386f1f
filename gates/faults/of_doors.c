/* What can go wrong with the door: nobody behind it, or somebody else. */
#include "../fault.h"
#include "backends.h"

#define DOOR     "door"
#define SHADOWED 138 /* BG-138: somebody else answers in the witness's or endpoint's place */
#define BEFORE   "before the attempts"
#define AFTER    "after the attempts"

#define BY(called, what, word, fault_of_witness)                                                                       \
    {                                                                                                                  \
        .name = called, .stage = DOOR, .breaks = what, .exit = 2, .says = word, .vector = SHADOWED,                    \
        .witness = fault_of_witness                                                                                    \
    }

/* clang-format off */
const struct fault faults_of_doors[] = {
    BY("door-dead", "nobody listens behind the door", BEFORE, WITNESS_FAULT_NO_DOOR),
    BY("door-shuts", "the door accepts and closes without a word", BEFORE, WITNESS_FAULT_DOOR_SHUTS),
    BY("door-silent", "the door accepts and never answers", BEFORE, WITNESS_FAULT_DOOR_SILENT),
    BY("door-echoes", "the door sends back what it is sent", BEFORE, WITNESS_FAULT_DOOR_ECHOES),
    BY("door-babbles", "the door answers without a proof", BEFORE, WITNESS_FAULT_DOOR_BABBLES),
    BY("door-guesses", "the door answers with a proof that is wrong in one digit", BEFORE, WITNESS_FAULT_DOOR_GUESSES),
    BY("door-halves", "the door answers with half of the proof", BEFORE, WITNESS_FAULT_DOOR_HALF),
    BY("door-repeats", "the door answers every challenge with its first proof", AFTER, WITNESS_FAULT_DOOR_REPEATS),
    BY("door-dies", "the door dies between the first round trip and the last", AFTER, WITNESS_FAULT_DOOR_ONCE),
    { .name = "door-elsewhere", .stage = DOOR, .breaks = "the bottle is told another port than its door's", .exit = 2,
      .says = BEFORE, .vector = SHADOWED, .backend = &backend_with_another_door },
    { 0 },
};
/* clang-format on */
