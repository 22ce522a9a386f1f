/* What the two files of lying backends share: the bottles of the phase, which is a process of its own. */
#ifndef GATES_FAULTS_BACKENDS_PUT_H
#define GATES_FAULTS_BACKENDS_PUT_H

#include "backends.h"

extern struct bottle
    *backends_under_test;              /* the fenced one with the door, once it is started; NULL in the other runs */
extern const char *backends_init_path; /* bottle-init: by its own name it can't be reached in a site */

#define DIFFERS(name, function, by) const struct backend backend_##name = { .function = by }

#endif
