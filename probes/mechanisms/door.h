/* The question that the door answers, for whoever brings it there. */
#ifndef PROBES_MECHANISMS_DOOR_H
#define PROBES_MECHANISMS_DOOR_H

#include "mechanism.h"

/* Makes the challenge (the planned nonce) the attempt's request, and sets what judges its answer. */
void door_set_question(struct attempt *attempt);

#endif
