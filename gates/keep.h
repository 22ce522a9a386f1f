/* --keep: the evidence of a run as files that a person can read, for the question "why did it say that?". */
#ifndef GATES_KEEP_H
#define GATES_KEEP_H

#include "run.h"

/* Writes report.json and evidence.txt (what each probe recorded and each witness heard, phase by phase) into
 * $XDG_RUNTIME_DIR/bottle-gate/<run>, or /tmp/bottle-gate-<uid>/<run> without it; mode 0700. `path` gets the
 * directory. */
bool keep_run(const struct run *run, char *path, size_t size, struct error *error);

#endif
