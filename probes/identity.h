/* Who the probe is and where it runs, as far as it can tell: the fields of its `hello`. */
#ifndef PROBES_IDENTITY_H
#define PROBES_IDENTITY_H

#include "record_grammar.h"

/* Fills all of hello but run and count. What can't be read (no /proc) is "-". */
void identity_fill(struct record *hello);

#endif
